from __future__ import annotations

import csv
import io

import pytest

from scirepeval_harness.reporting.leaderboard import Leaderboard, mean_text
from scirepeval_harness.reporting.table import escape_markdown
from scirepeval_harness.results.leaderboard import Mean, Row
from scirepeval_harness.task.spec import Column, SuiteSpec

SUITE = SuiteSpec(
    name="s", title="S", task_set="s", columns=(Column(name="Average", tasks=("a",)),)
)


def markdown(*rows: Row) -> str:
    return Leaderboard(rows, (SUITE,)).to_markdown()


def rows(*cells: Mean | None) -> list[Row]:
    return [
        Row(f"m{number}", {"Average": cell} if cell else {}) for number, cell in enumerate(cells)
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Mean(71.24, 27, 27), "71.2"),
        (Mean(71.25, 27, 27, (70.51, 71.94)), "71.2 [70.5, 71.9]"),
        (Mean(71.2, 12, 27), "71.2 (12 of 27)"),
        (Mean(None, 0, 27), "-"),
        (Mean(0.0, 1, 1), "0.0"),
        (None, "-"),
    ],
)
def test_cells(cell: Mean | None, text: str) -> None:
    assert mean_text(cell) == text


def test_the_best_whole_number_is_bold_and_a_partial_one_never() -> None:
    text = markdown(*rows(Mean(50, 2, 2), Mean(60, 2, 2), Mean(99, 1, 2)))
    assert "| m0 | 50.0 |" in text
    assert "| m1 | **60.0** |" in text
    assert "| m2 | 99.0 (1 of 2) |" in text
    assert "not comparable" in text


def test_one_number_alone_is_not_the_best_of_anything() -> None:
    assert "**" not in markdown(*rows(Mean(50, 1, 1), None))


def test_csv_has_full_precision_and_no_formulas() -> None:
    value = 100 / 3
    own = Row("=1+1", {"Average": Mean(value, 1, 1, (1.5, 2.5))}, notes=("a,b", "c"))
    [found] = csv.DictReader(io.StringIO(Leaderboard((own,), (SUITE,)).to_csv()))
    assert float(found["Average"]) == value
    assert (found["Average low"], found["Average high"]) == ("1.5", "2.5")
    assert found["Average numbers"] == "1 of 1"
    assert found["model"] == "'=1+1"
    assert found["notes"] == "a,b; c"


def test_markdown_cannot_be_broken_by_a_name() -> None:
    assert escape_markdown("a|b\n<i>*_`[x](y)") == "a\\|b &lt;i&gt;\\*\\_\\`\\[x\\](y)"
    text = markdown(Row("x|y\n| z", {}))
    assert sum(line.startswith("|") for line in text.splitlines()) == 3
