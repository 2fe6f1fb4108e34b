"""What all plots share: colours, sizes, and how a figure becomes bytes that never change.

Colours are those of Okabe and Ito, which people with colour vision deficiencies tell apart
(https://jfly.uni-koeln.de/color/); nothing is said by colour alone.
"""

from __future__ import annotations

import io
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scirepeval_harness.reporting.table import one_line

INK, MUTED, LINE = "#1f2328", "#59636e", "#d1d9e0"
BETTER, WORSE, BASE = "#0072b2", "#d55e00", "#008060"
PAPER = "#ffffff"
LONGEST = 34
WIDTH = 6.6
"""Inches, without the names at the left."""
SYNTHETIC = "synthetic data"
STYLE = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.grid": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.major.size": 0.0,
    "xtick.major.size": 0.0,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Plot:
    """A picture: ``name`` is that of its files, ``text`` says what it shows, for who cannot see."""

    name: str
    title: str
    text: str
    svg: str
    png: bytes


def label(text: str, longest: int = LONGEST) -> str:
    """A name on one line, cut to what a plot has room for."""
    plain = one_line(text)
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def make_plot(name: str, title: str, text: str, draw: Callable[[], Figure]) -> Plot:
    """Draw a figure under the shared style. Equal figures give equal bytes: no dates, no versions,
    no random ids, and nothing of the user's own settings of matplotlib."""
    with _style(name), warnings.catch_warnings():
        # A name in letters that the font lacks shows as boxes in the PNG; the SVG has the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = draw()
        options: Any = {"facecolor": PAPER, "bbox_inches": "tight", "pad_inches": 0.12}
        svg, png = io.BytesIO(), io.BytesIO()
        blank = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(svg, format="svg", metadata=blank, **options)
        figure.savefig(png, format="png", dpi=150, metadata={"Software": None}, **options)
    # Spaces at the ends of lines, which an editor or a commit hook would take away.
    lines = (line.rstrip() for line in svg.getvalue().decode("utf-8").splitlines())
    return Plot(name, title, text, "\n".join(lines) + "\n", png.getvalue())


@contextmanager
def _style(salt: str) -> Iterator[None]:
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        # The salt makes ids out of what an element is; without it they are random.
        settings: Any = {**STYLE, "svg.hashsalt": salt}
        matplotlib.rcParams.update(settings)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, which no global list knows of."""
    # Not pyplot's, which keeps every figure open and may look for a display.
    figure = Figure(figsize=(width, height))
    # Axes fill the figure; names stand outside and the picture is cut around all of it.
    figure.subplots_adjust(left=0.0, right=1.0, bottom=0.0, top=1.0)
    return figure


def vertical_grid(axes: Axes) -> None:
    """Thin lines to read values by."""
    axes.grid(axis="x")
    axes.tick_params(axis="both", length=0)


def marked(title: str, synthetic: bool) -> str:
    """The title, saying so where the data is made: a picture may travel without its page."""
    return f"{title} ({SYNTHETIC})" if synthetic else title


SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
VARIABLES = {
    **{INK: "var(--ink)", MUTED: "var(--muted)", LINE: "var(--line)"},
    **{BETTER: "var(--better)", WORSE: "var(--worse)", PAPER: "var(--paper)"},
}
"""Of the page's style sheet, so that a drawing follows the page into dark mode."""


def inline_svg(plot: Plot) -> str:
    """The plot without prolog and background, its ids prefixed, its colours the page's variables.

    The text is parsed and written anew, so that nothing but elements of the picture gets out.
    """
    ET.register_namespace("", SVG)
    root = ET.fromstring(plot.svg)
    for parent in list(root.iter()):
        for child in list(parent):
            background = child.get("id") == "patch_1"
            if background or child.tag == f"{{{SVG}}}metadata":
                parent.remove(child)
    for element in root.iter():
        _rewrite(element, f"{plot.name}-")
    # The size on the page is that of the picture in points of 4/3 pixels, as matplotlib means it.
    points = float(str(root.get("width")).removesuffix("pt"))
    root.set("style", f"--natural: {points * 4 / 3:.0f}px")
    del root.attrib["width"], root.attrib["height"]
    root.set("role", "img")
    root.set("aria-label", f"{plot.title}. {plot.text}")
    return ET.tostring(root, encoding="unicode")


def _rewrite(element: ET.Element, prefix: str) -> None:
    for name, value in list(element.attrib.items()):
        # All plots share the page's ids, and matplotlib names axes_1 in every one.
        if name == "id":
            element.set(name, prefix + value)
        elif name in ("href", f"{{{XLINK}}}href"):
            del element.attrib[name]
            element.set("href", "#" + prefix + value.removeprefix("#"))
        elif name in ("style", "fill", "stroke", "clip-path"):
            text = value.replace("url(#", f"url(#{prefix}")
            for colour, variable in VARIABLES.items():
                text = text.replace(colour, variable)
            element.set(name, text)
