"""The tables of a report, as text that every form of it shows alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from scirepeval_harness.comparison.records import Comparison
from scirepeval_harness.report import comparison as render
from scirepeval_harness.report.comparison import number, range_text, shown
from scirepeval_harness.report.content import Report, Score, ScoreLine, System
from scirepeval_harness.report.leaderboard import DIGITS, columns_of
from scirepeval_harness.results.leaderboard import Cell, Row

SYNTHETIC = "Synthetic data: these scores say nothing about real papers."
NONE = "-"
PARTIAL = " (partial)"


@dataclass(frozen=True)
class Field:
    """A cell. ``sort`` orders it among numbers, ``small`` is its interval, ``part`` says how much
    of a mean is there, ``tone`` is ``better`` or ``worse``."""

    text: str
    sort: float | None = None
    best: bool = False
    small: str = ""
    part: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under a header, the first ``left`` columns of which are text."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Field, ...], ...]
    left: int = 1
    scores: bool = True
    """Whether it shows scores, so that synthetic data must be marked on it."""


def leaderboard(report: Report, *, intervals: bool) -> Table:
    """The leaderboard in the form of the model card."""
    columns, partly = columns_of(report.suites), report.partly_covered
    covered = [row for row in report.rows if row.published or row.title not in partly]
    best = {name: _best_cell(row.cells.get(name) for row in covered) for name in columns}
    rows = [
        (
            Field(row_title(row, partly)),
            *(
                _cell(row.cells.get(n), DIGITS, best[n] if row in covered else None, intervals)
                for n in columns
            ),
        )
        for row in report.rows
    ]
    return Table("Leaderboard", ("Model", *map(shown, columns)), tuple(rows))


def row_title(row: Row, partly: Set[str] = frozenset()) -> str:
    """The row's name; a published one is marked, and one that was scored on a part of its data."""
    if row.published:
        return f"{shown(row.title)} (published)"
    return shown(row.title) + (PARTIAL if row.title in partly else "")


def row_notes(report: Report) -> list[str]:
    """Footnotes of the leaderboard."""
    notes = []
    if any(cell.partial and cell.have for row in report.rows for cell in row.cells.values()):
        notes.append("(x of y): the mean of the x numbers that are there, of y; not comparable.")
    by_text: dict[str, list[str]] = {}
    for row in report.rows:
        for note in row.notes:
            by_text.setdefault(render.one_line(note), []).append(row_title(row))
    for system in report.systems:
        for note in system.notes:
            by_text.setdefault(render.one_line(note), []).append(_system_title(system))
    return [*notes, *(f"{', '.join(names)}: {text}" for text, names in by_text.items())]


def _system_title(system: System) -> str:
    return f"{shown(system.title)} (published)" if system.published else shown(system.title)


def formats(report: Report) -> Table:
    """Means by format with intervals, one column a result."""
    partly = report.partly_covered
    rows = []
    for line in report.formats:
        cells = list(zip(report.results, line.cells, strict=True))
        best = _best_cell(cell for title, cell in cells if title not in partly)
        own = (_cell(c, 2, None if title in partly else best, True) for title, c in cells)
        rows.append((Field(line.name), *own))
    titles = (shown(title) + (PARTIAL if title in partly else "") for title in report.results)
    return Table("Means by format", ("Format", *titles), tuple(rows))


def tasks(report: Report) -> Table:
    """Every score of every task, one column a system."""
    return _scores("Scores by task", report, [e for e in report.scores if e.field is None])


def fields(report: Report) -> Table | None:
    """Scores of the parts of tasks, such as MDCR's fields of study; None where there are none."""
    lines = [line for line in report.scores if line.field is not None]
    return _scores("Scores by field of study", report, lines) if lines else None


def _scores(caption: str, report: Report, lines: Sequence[ScoreLine]) -> Table:
    used = [
        number
        for number, system in enumerate(report.systems)
        if not system.published or any(line.scores[number] for line in lines)
    ]
    rows = []
    for line in lines:
        scores = [line.scores[number] for number in used]
        rounded = [round(s.value, 2) for s in scores if s is not None and not s.partial]
        best = max(rounded) if len(rounded) > 1 else None
        rows.append(
            (
                Field(shown(line.title)),
                Field(shown(line.key)),
                Field(shown(line.group or NONE)),
                Field(line.format),
                *(_score(score, best) for score in scores),
            )
        )
    titles = (_system_title(report.systems[number]) for number in used)
    return Table(caption, ("Task", "Score", "Group", "Format", *titles), tuple(rows), left=4)


def deltas(comparison: Comparison) -> Table:
    """Every score of one system against the baseline."""
    rows = []
    for entry in comparison.tasks:
        texts = render.score_row(entry)
        sort = [None, None, entry.a, entry.b, entry.difference, entry.difference]
        numbers = [*sort, entry.p_value, entry.p_holm, None]
        tones = ["", "", "", "", entry.verdict, "", "", "", entry.verdict]
        rows.append(text_fields(texts, numbers, tones))
    header = _named(render.SCORES_HEADER, comparison)
    return Table(_against(comparison), header, tuple(rows), left=2)


def delta_means(comparison: Comparison) -> Table:
    """Means by format and the averages of one system against the baseline."""
    rows = []
    for entry in (*comparison.formats, *comparison.averages):
        numbers = [None, entry.a, entry.b, entry.difference, entry.difference, entry.p_holm, None]
        rows.append(text_fields(render.mean_row(entry), numbers, [""] * len(numbers)))
    header = _named(render.MEANS_HEADER, comparison)
    return Table(f"Means: {_against(comparison)}", header, tuple(rows))


def _against(comparison: Comparison) -> str:
    return f"{shown(comparison.other)} against {shown(comparison.base)}"


def _named(header: Sequence[str], comparison: Comparison) -> tuple[str, ...]:
    names = {
        "A": shown(comparison.base),
        "B": shown(comparison.other),
        "B - A": "Difference",
        "B is": "Verdict",
    }
    return tuple(names.get(name, name) for name in header)


def text_fields(
    texts: Sequence[str],
    numbers: Sequence[float | None] = (),
    tones: Sequence[str] = (),
) -> tuple[Field, ...]:
    """A row of plain cells; numbers to sort by and tones where they are given."""
    return tuple(
        Field(
            text,
            numbers[place] if place < len(numbers) else None,
            tone=tones[place] if place < len(tones) else "",
        )
        for place, text in enumerate(texts)
    )


def _cell(cell: Cell | None, digits: int, best: float | None, intervals: bool) -> Field:
    if cell is None or cell.value is None:
        return Field(NONE)
    small = ""
    if intervals and cell.interval is not None:
        small = f"[{cell.interval[0]:.{digits}f}, {cell.interval[1]:.{digits}f}]"
    text = f"{cell.value:.{digits}f}"
    whole = not cell.partial
    return Field(
        text,
        cell.value,
        best=whole and best is not None and text == f"{best:.{digits}f}",
        small=small,
        part="" if whole else f"({cell.have} of {cell.need})",
    )


def _best_cell(cells: Iterable[Cell | None]) -> float | None:
    """The best whole number of at least two."""
    whole = [c.value for c in cells if c is not None and c.value is not None and not c.partial]
    return max(whole) if len(whole) > 1 else None


def _score(score: Score | None, best: float | None) -> Field:
    if score is None:
        return Field(NONE)
    small = "" if score.interval is None else range_text(score.interval).replace("+", "")
    bold = not score.partial and round(score.value, 2) == best
    part = PARTIAL.strip() if score.partial else ""
    return Field(number(score.value), score.value, bold, small, part)
