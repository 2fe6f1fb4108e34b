"""A table in a terminal's width: wrapped between words, without spare columns, or a list."""

from __future__ import annotations

import pytest

from scirepeval_harness.reporting.table import Cell, Table

TABLE = Table(
    ("Outcome", "Task", "Why", "Baseline", "Detectable"),
    (
        (Cell("pass"), Cell("Search"), Cell("rose by 2.48"), Cell("57.62", 57.62), Cell("7.90")),
        (
            Cell("regression"),
            Cell("Inspiration from Nature"),
            Cell("fell by 9.42 and by more than its tolerance of 0.25 allows"),
            Cell("67.50", 67.5),
            Cell("20.10"),
        ),
    ),
    left=3,
    notes=("A note that is longer than a narrow terminal is wide, and is wrapped as well.",),
    spare=("Detectable", "Baseline"),
)
WIDE = """\
Outcome     Task                     Why                                                         Baseline  Detectable
----------  -----------------------  ----------------------------------------------------------  --------  ----------
pass        Search                   rose by 2.48                                                   57.62        7.90
regression  Inspiration from Nature  fell by 9.42 and by more than its tolerance of 0.25 allows     67.50       20.10
A note that is longer than a narrow terminal is wide, and is wrapped as well."""  # noqa: E501
MIDDLE = """\
Outcome     Task                     Why
----------  -----------------------  -------------------------
pass        Search                   rose by 2.48
regression  Inspiration from Nature  fell by 9.42 and by more
                                     than its tolerance of
                                     0.25 allows
A note that is longer than a narrow terminal is wide, and is
wrapped as well.
Not shown at this width: Baseline, Detectable."""
NARROW = """\
pass
  Task: Search
  Why: rose by 2.48
  Baseline: 57.62
  Detectable: 7.90
regression
  Task: Inspiration
    from Nature
"""


@pytest.mark.parametrize(("width", "text"), [(200, WIDE), (62, MIDDLE)])
def test_what_a_terminal_shows(width: int, text: str) -> None:
    assert TABLE.to_terminal(width) == text


def test_a_very_narrow_one_gets_a_list() -> None:
    assert TABLE.to_terminal(22).startswith(NARROW)


@pytest.mark.parametrize("width", range(24, 140, 3))
def test_no_line_is_wider_and_no_word_is_cut(width: int) -> None:
    text = TABLE.to_terminal(width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("Inspiration", "tolerance", "regression"):
        assert word in text
