"""Markdown, LaTeX, CSV and JSON: golden files, marks, hostile names."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from scirepeval_harness.reporting.charts import draw_plots
from scirepeval_harness.reporting.content import Report
from scirepeval_harness.reporting.leaderboard import (
    Leaderboard,
    format_table,
    leaderboard_of,
    task_table,
)
from scirepeval_harness.reporting.pages import report_json, report_markdown
from scirepeval_harness.reporting.table import escape_latex
from tests.support.golden import HOSTILE, check_golden
from tests.support.made_report import Made, made_report

GOLDEN = Path(__file__).parent / "golden"
SYNTHETIC = "synthetic data"


def leaderboard_latex(report: Report) -> str:
    return leaderboard_of(report, intervals=False).to_latex("tab:leaderboard")


def leaderboard_csv(report: Report) -> str:
    return Leaderboard(report.rows, report.suites).to_csv()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_report(tmp_path_factory.mktemp("made"))


def test_the_report_as_markdown(made: Made) -> None:
    check_golden(GOLDEN / "report.md", report_markdown(made.report, draw_plots(made.report)))


def test_the_leaderboard_as_latex(made: Made) -> None:
    check_golden(GOLDEN / "leaderboard.tex", leaderboard_latex(made.report))


def test_the_leaderboard_as_csv(made: Made) -> None:
    check_golden(GOLDEN / "leaderboard.csv", leaderboard_csv(made.report))


def test_what_is_partial_is_marked_and_never_the_best(made: Made) -> None:
    board = leaderboard_of(made.report, intervals=False)
    titles = [row[0].text for row in board.rows]
    assert titles == ["Model A", "Model B (partial)", "Old Model (published)"]
    assert not any(field.best for field in board.rows[1])
    by_key = {(row[0].text, row[1].text): row for row in task_table(made.report).rows}
    assert by_key["Search", "map"][5].part == "(partial)"
    assert not any(field.best for field in by_key["Search", "map"])
    assert format_table(made.report).header == ("Format", "Model A", "Model B (partial)")


def test_the_json_holds_every_number_at_full_precision(made: Made) -> None:
    values = json.loads(report_json(made.report))
    row = values["leaderboard"][1]
    assert row["model"] == "Model B"
    assert row["cells"]["Average"]["value"] == made.report.rows[1].means["Average"].value
    assert row["cells"]["Average"]["numbers"] == 3
    related = next(entry for entry in values["tasks"] if entry["task"] == "related")
    assert related["scores"]["Model A"]["items"] == 40
    assert related["scores"]["Old Model (published)"]["value"] == 52.5
    assert values["comparisons"][0]["wins"] == 1
    assert values["runs"][0]["documents_per_second"] == pytest.approx(50.0)


def test_synthetic_data_is_marked_wherever_scores_show(tmp_path: Path) -> None:
    report = made_report(tmp_path, synthetic=True).report
    text = report_markdown(report, draw_plots(report))
    scored = ("Leaderboard", "Averages with intervals", "By format", "By task", "Model B")
    for section in re.split(r"^#+ ", text, flags=re.MULTILINE):
        if section.partition("\n")[0] in scored:
            assert SYNTHETIC in section.lower(), section[:80]
    assert SYNTHETIC in leaderboard_latex(report)
    rows = list(csv.DictReader(io.StringIO(leaderboard_csv(report))))
    assert {row["synthetic"] for row in rows} == {"yes"}
    assert json.loads(report_json(report))["synthetic"] is True
    for plot in draw_plots(report).all():
        assert (SYNTHETIC in plot.svg) == (plot.name != "speed"), plot.name
    real = made_report(tmp_path / "real").report
    assert SYNTHETIC not in report_markdown(real, draw_plots(real)).lower()


@pytest.mark.parametrize("name", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_hostile_names_do_no_harm(name: str, tmp_path: Path) -> None:
    report = made_report(tmp_path, titles=(name, "B"), title=name, task_title=name).report
    text = report_markdown(report, draw_plots(report))
    # A code block shows what it holds as it is.
    assert "<script" not in re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    fenced = False
    before = 0
    for line in text.splitlines():
        fenced = not fenced if line.startswith("```") else fenced
        cells = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) - 1
        if line.startswith("|") and not fenced:
            assert before in (0, cells), line[:100]
        before = cells if line.startswith("|") else 0
    rows = list(csv.reader(io.StringIO(leaderboard_csv(report))))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert rows[1][0][:1] not in "=+-@"
    assert rows[1][0].isprintable()
    values = report_json(report)
    assert values.isascii()
    assert json.loads(values)["leaderboard"][0]["model"] == name
    check_latex(leaderboard_latex(report))


def check_latex(text: str) -> None:
    """No special character but in an escape, braces in pairs, no comment but the first."""
    head, _, body = text.partition("\n")
    assert head.startswith("%")
    assert all(char.isprintable() or char == "\n" for char in body)
    commands = r"\\(?:[a-zA-Z]+|[&%$#_{}\\])"
    plain = re.sub(commands, "", body)
    assert not re.search(r"[\\%$#_^~<>|]", plain), re.search(r".{9}[\\%$#_^~<>|].{9}", plain)
    assert plain.count("{") == plain.count("}")
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {3}
    for line in rows:
        assert line[:1] not in "[*", "would be the argument of the row end before"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"50% of a_b & c#d {x}", r"50\% of a\_b \& c\#d \{x\}"),
        ("$x^2$ ~ \\y", r"\$x\textasciicircum{}2\$ \textasciitilde{} \textbackslash{}y"),
        ("[1] *", "{[}1] {*}"),
        ("a--b", "a-{}-b"),
        ("''", "'{}'"),
        ("a\nb", "a b"),
    ],
)
def test_latex_is_escaped(text: str, expected: str) -> None:
    assert escape_latex(text) == expected


def test_a_fence_is_longer_than_any_in_a_command(tmp_path: Path) -> None:
    report = made_report(tmp_path, titles=("```\nrm -rf ````", "B")).report
    text = report_markdown(report, draw_plots(report))
    fences = re.findall(r"^(`{3,})", text, flags=re.MULTILINE)
    assert fences == ["`````", "`````"]
