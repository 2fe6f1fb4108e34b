"""Plots: what they show, the same bytes each time, hostile names."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import pytest

from scirepeval_harness.reporting import style
from scirepeval_harness.reporting.charts import Plots, draw_plots
from scirepeval_harness.reporting.style import inline_svg
from tests.support.golden import HOSTILE
from tests.support.made_report import Made, made_report

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_report(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def plots(made: Made) -> Plots:
    return draw_plots(made.report)


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_there_is_a_plot_of_everything(plots: Plots) -> None:
    assert [plot.name for plot in plots.all()] == ["averages", "heatmap", "deltas-1", "speed"]
    for plot in plots.all():
        assert plot.png.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", plot.png[16:24])
        assert 400 < width < 2400
        assert 60 < height < 2400


def test_plots_hold_names_and_numbers(plots: Plots, made: Made) -> None:
    assert plots.averages
    assert plots.heatmap
    assert plots.speed
    shown = texts(plots.averages.svg)
    assert {"In-Train", "Average", "Model A", "Old Model (published)", "61.2"} <= set(shown)
    assert any(text.endswith("(3 of 4)") for text in shown)
    assert {"Related Papers · map", "Lost · map", "50.0", "-"} <= set(texts(plots.heatmap.svg))
    deltas = plots.deltas[0]
    assert deltas
    value = made.report.comparisons[0].tasks[0].difference
    assert {"Model B minus Model A", f"{value:+.2f}"} <= set(texts(deltas.svg))
    assert {"Model A", "50.0"} <= set(texts(plots.speed.svg))
    assert "Encoded nothing: Model B" in plots.speed.text


def test_better_and_worse_are_told_apart_by_more_than_colour(plots: Plots, made: Made) -> None:
    verdicts = {entry.verdict for entry in made.report.comparisons[0].tasks}
    deltas = plots.deltas[0]
    assert deltas
    # Markers that differ in shape are different definitions.
    paths = {e.get("d") for e in ET.fromstring(deltas.svg).iter(f"{SVG}path") if e.get("id")}
    assert len(paths) >= len(verdicts)


def test_the_tint_of_a_cell_grows_with_its_distance_from_the_mean(plots: Plots) -> None:
    assert plots.heatmap
    found = re.findall(
        rf"fill: ({style.BETTER}|{style.WORSE}); opacity: ([\d.]+)", plots.heatmap.svg
    )
    # Search is 2 points apart, Related Papers 1: the farthest get the strongest tint.
    by_colour = {colour: [float(o) for c, o in found if c == colour] for colour, _ in found}
    assert max(by_colour[style.BETTER]) == pytest.approx(0.6, abs=0.01)
    assert max(by_colour[style.WORSE]) == pytest.approx(0.6, abs=0.01)


def test_the_same_report_gives_the_same_bytes_whatever_the_users_settings(
    plots: Plots, made: Made
) -> None:
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.hashsalt": None}):
        again = draw_plots(made.report)
    assert again == plots


def test_nothing_tells_when_or_with_what_it_was_drawn(plots: Plots) -> None:
    for plot in plots.all():
        assert not re.search(r"matplotlib|\d{4}-\d\d-\d\d", plot.svg.partition("</defs>")[0])
        assert b"Software" not in plot.png
        assert b"tIME" not in plot.png


def test_drawing_leaves_the_settings_alone(made: Made) -> None:
    before = dict(matplotlib.rcParams)
    draw_plots(made.report)
    assert dict(matplotlib.rcParams) == before


def test_inline_pictures_have_ids_of_their_own_and_no_background(plots: Plots) -> None:
    ids: list[str] = []
    for plot in plots.all():
        text = inline_svg(plot)
        root = ET.fromstring(text)
        own = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        assert all(name.startswith(f"{plot.name}-") for name in own)
        assert f"{plot.name}-patch_1" not in own
        for target in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text):
            assert "".join(target) in own
        ids += own
        assert texts(text) == texts(plot.svg)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_cut_and_stay_text(name: str) -> None:
    def draw() -> object:
        figure = style.new_figure(2.0, 1.0)
        figure.subplots().set_title(style.label(name))
        return figure

    plot = style.make_plot("made", "t", "t", draw)  # type: ignore[arg-type]
    found = texts(plot.svg)
    assert style.label(name) in [text.strip() for text in found] or not style.label(name).strip()
    assert len(style.label(name)) <= style.LONGEST
    tags = {element.tag for element in ET.fromstring(plot.svg).iter()}
    assert f"{SVG}script" not in tags
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", plot.svg)


def test_dollars_are_no_mathematics() -> None:
    def draw() -> object:
        figure = style.new_figure(2.0, 1.0)
        figure.subplots().set_title("$\\frac{$ costs $5")
        return figure

    plot = style.make_plot("made", "t", "t", draw)  # type: ignore[arg-type]
    assert "$\\frac{$ costs $5" in texts(plot.svg)


def test_colours_stand_out_from_their_ground() -> None:
    css = (Path(style.__file__).parent / "templates" / "style.css").read_text()
    light, dark = re.findall(r":root \{([^}]+)\}", css)[:2]
    for block in (light, dark):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for name, least in {"ink": 7, "muted": 4.5, "better": 3, "worse": 3, "accent": 4.5}.items():
            for ground in ("paper", "raised"):
                assert contrast(colours[name], colours[ground]) >= least, (name, ground)
        assert contrast(colours["made-ink"], colours["made-paper"]) >= 7
        for tint in ("better", "worse"):
            mixed = mix(colours[tint], colours["paper"], 0.6)
            assert contrast(colours["ink"], mixed) >= 4.5, tint


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mix(over: str, ground: str, opacity: float) -> str:
    pairs = ((int(c[s : s + 2], 16) for c in (over, ground)) for s in (1, 3, 5))
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in pairs)
