"""Tables at a terminal and in a pipe."""

from __future__ import annotations

import sys

import pytest

from scirepeval_harness.cli.output import print_fields, show
from scirepeval_harness.reporting.table import aligned, text_table

ROWS = [("a-rather-long-name", "x" * 90, "[bold]m[/bold]"), ("b", "y", "\x1b[31m\nz")]


def test_a_pipe_gets_plain_aligned_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show(text_table(("name", "text", "mark"), ROWS, caption="2 rows"), titled=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.index(second) for line, second in zip(lines, "txy", strict=True)] == [20] * 3
    assert lines[1].endswith("x  [bold]m[/bold]")
    assert lines[2].endswith("y" + " " * 91 + " [31m z")
    assert len(lines) == 3


def test_a_terminal_gets_a_table_with_whole_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    show(text_table(("name", "text", "mark"), ROWS, caption="2 rows"), titled=True)
    text = capsys.readouterr().out
    assert "a-rather-long-name" in text
    assert "x" * 90 in text  # never folded within a word
    assert "\x1b[31m" not in text
    assert text.count("x") >= 90
    assert "2 rows" in text


def test_fields_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("name", "a"), ("longer name", "b\nc")])
    assert capsys.readouterr().out == "name         a\nlonger name  b c\n"


def test_no_space_is_left_at_line_ends() -> None:
    assert aligned([["ab", ""], ["c", "d"]]) == ["ab", "c   d"]
