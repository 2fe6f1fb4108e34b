"""The tables of scores: the leaderboard, means by format, and every score of every task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scirepeval_harness.reporting import table as form
from scirepeval_harness.reporting.content import NumberLine, Report, ScoreLine
from scirepeval_harness.reporting.table import NONE, Cell, Table, shown
from scirepeval_harness.results.leaderboard import Mean, Row, columns_of, ordered
from scirepeval_harness.results.record import ScoreRecord
from scirepeval_harness.schema import unknown
from scirepeval_harness.task.spec import Readings, SuiteSpec

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 1
PARTIAL = "(partial)"
NOT_WHOLE = "(x of y): the mean of the x numbers that are there, of y; not comparable."
SYNTHETIC = "Synthetic data: these scores say nothing about real papers."


@dataclass(frozen=True)
class Leaderboard:
    """Averages of systems by column of the suites; shows itself in a notebook.

    ``intervals`` are written beside the averages where the rows have them; `to_csv` and
    `to_pandas` hold them always, as they hold every number at full precision.
    """

    rows: tuple[Row, ...]
    suites: tuple[SuiteSpec, ...]
    intervals: bool = False
    lines: tuple[NumberLine, ...] = ()
    """Every number that enters an average, in the order of ``rows``: what is shown by task."""
    remark: str = ""
    """What was asked for and is not there; empty where all is."""

    def sorted(self, column: str | None) -> Leaderboard:
        """By a column's mean, or of one by task by a system's numbers, the highest first.

        Raises:
            UnknownNameError: no such column or system.
        """
        known = [row.title for row in self.rows] if self.lines else self.columns
        if column is None:
            return self
        if column not in known:
            raise unknown("system" if self.lines else "column", column, known)
        if not self.lines:
            return replace(self, rows=ordered(self.rows, column))
        place = known.index(column)

        def key(line: NumberLine) -> tuple[bool, float]:
            value = line.values[place]
            return value is None, -(value or 0.0)

        return replace(self, lines=tuple(sorted(self.lines, key=key)))

    @property
    def columns(self) -> list[str]:
        """The names of the averages, in the suites' order."""
        return columns_of(self.suites)

    @property
    def table(self) -> Table:
        """A row per system, the best whole number of each column marked, with footnotes; by task, a
        row per number and a column per system."""
        if self.lines:
            return _by_task(self)
        columns = columns_of(self.suites)
        cells = [_mean_cells(self.rows, name, DIGITS, interval=self.intervals) for name in columns]
        titles = [Cell(row_title(row)) for row in self.rows]
        published = [row.published for row in self.rows]
        return Table(
            ("Model", *map(shown, columns)),
            tuple(zip(titles, *cells, strict=True)),
            caption=caption(self.suites),
            notes=tuple(row_notes(self.rows)),
            synthetic=any(suite.synthetic for suite in self.suites),
            # Only between the two kinds: rows of one kind need no rule above the first.
            rule_before=published.index(True)
            if len(set(published)) == 2 and published == sorted(published)
            else None,
            legend=_meanings(self.suites),
        )

    @property
    def values(self) -> Table:
        """Every number in a column of its own, with what it counts and its interval's ends."""
        if self.lines:
            return self.table
        columns = columns_of(self.suites)
        synthetic = Cell(_yes(any(suite.synthetic for suite in self.suites)))
        rows = []
        for row in self.rows:
            cells = [Cell(row.title), Cell(_yes(row.published)), synthetic]
            for name in columns:
                mean = row.means.get(name)
                if mean is None:
                    cells += [Cell("")] * 4
                    continue
                low, high = mean.interval or (None, None)
                count = Cell(f"{mean.have} of {mean.need}")
                cells += [Cell("", mean.value), count, Cell("", low), Cell("", high)]
            rows.append((*cells, Cell("; ".join(row.notes))))
        parts = ("", " numbers", " low", " high")
        names = (f"{name}{part}" for name in columns for part in parts)
        return Table(("model", "published", "synthetic", *names, "notes"), tuple(rows), left=3)

    def to_markdown(self) -> str:
        """The table with the caption above and notes below."""
        return self.table.to_markdown()

    def to_csv(self) -> str:
        """`values` as CSV."""
        return self.values.to_csv()

    def to_latex(self) -> str:
        """A floating table with booktabs rules, without intervals, which have no room there."""
        return replace(self, intervals=False).table.to_latex("tab:leaderboard")

    def to_pandas(self) -> pd.DataFrame:
        """`values` as a frame, a row per model, or per number by task."""
        return self.values.to_pandas().set_index(["Task", "Metric"] if self.lines else "model")

    def _repr_html_(self) -> str:
        return self.table.to_html()


def _meanings(suites: Sequence[SuiteSpec]) -> dict[str, str]:
    """What each average is a mean of."""
    found = {}
    for column in (column for suite in suites for column in suite.columns):
        names = column.pools or column.tasks
        part = f"{column.metric} of " if column.metric else ""
        if column.pools:
            words = f"all numbers of {' and '.join(names)}"
        else:
            words = f"{len(names)} tasks" if len(names) > 1 else names[0]
        found[shown(column.name)] = part + words
    return found


def _by_task(board: Leaderboard) -> Table:
    whole = [not row.partial for row in board.rows]
    rows = []
    for line in board.lines:
        # Best as printed, so that of two alike both are marked.
        rounded = [round(v, DIGITS) for v, ok in zip(line.values, whole, strict=True) if ok and v]
        best = max(rounded) if len(rounded) > 1 else None
        cells = [
            Cell(NONE)
            if value is None
            else Cell(f"{value:.{DIGITS}f}", value, best=ok and round(value, DIGITS) == best)
            for value, ok in zip(line.values, whole, strict=True)
        ]
        rows.append((Cell(shown(line.title)), Cell(line.metric), *cells))
    return Table(
        ("Task", "Metric", *map(row_title, board.rows)),
        tuple(rows),
        left=2,
        caption=caption(board.suites),
        # Of single numbers nothing is counted.
        notes=tuple(row_notes([replace(row, means={}) for row in board.rows])),
        synthetic=any(suite.synthetic for suite in board.suites),
    )


def caption(suites: Sequence[SuiteSpec]) -> str:
    """What the table is about: a synthetic suite says so, and other readings than the default."""
    names = ", ".join(suite.title for suite in suites)
    if any(suite.synthetic for suite in suites):
        names += ": synthetic data, these scores say nothing about real papers"
    default = Readings()
    readings = dict.fromkeys(
        f"{name.replace('_', ' ')}: {str(value).replace('_', ' ')}"
        for suite in suites
        for name, value in suite.readings
        if value != getattr(default, name)
    )
    return "; ".join([names, *readings])


def mean_text(mean: Mean | None) -> str:
    """``71.2``, ``71.2 [70.5, 71.9]`` with its interval, ``71.2 (12 of 27)`` where numbers are
    missing, a hyphen where all are."""
    return mean_cell(mean, DIGITS).plain


def mean_cell(
    mean: Mean | None, digits: int, *, best: float | None = None, interval: bool = True
) -> Cell:
    """A mean, marked where it is the best that the table shows."""
    if mean is None or mean.value is None:
        return Cell(NONE)
    text = f"{mean.value:.{digits}f}"
    small = ""
    if interval and mean.interval is not None:
        small = f"[{mean.interval[0]:.{digits}f}, {mean.interval[1]:.{digits}f}]"
    return Cell(
        text,
        mean.value,
        # Equal as printed is equal: a reader cannot see why one of two alike should be bold.
        best=not mean.partial and best is not None and text == f"{best:.{digits}f}",
        small=small,
        part=f"({mean.have} of {mean.need})" if mean.partial else "",
    )


def _mean_cells(
    rows: Sequence[Row], name: str, digits: int, *, interval: bool = True
) -> list[Cell]:
    """One column of the rows. A row of partial data is neither best nor one to be better than."""
    best = _best(row.means.get(name) for row in rows if not row.partial)
    return [
        mean_cell(
            row.means.get(name), digits, best=None if row.partial else best, interval=interval
        )
        for row in rows
    ]


def row_title(row: Row) -> str:
    """The row's name; a published one is marked, and one that was scored on a part of its data."""
    if row.published:
        return f"{shown(row.title)} (published)"
    return f"{shown(row.title)} {PARTIAL}" if row.partial else shown(row.title)


def row_notes(rows: Sequence[Row], systems: Sequence[Row] = ()) -> list[str]:
    """Footnotes: each text once, with the names of the rows that it is of."""
    partial = any(mean.partial and mean.have for row in rows for mean in row.means.values())
    by_text: dict[str, list[str]] = {}
    for row in (*rows, *systems):
        for note in row.notes:
            by_text.setdefault(form.one_line(note), []).append(
                row_title(replace(row, partial=False))
            )
    notes = [f"{', '.join(names)}: {text}" for text, names in by_text.items()]
    return [NOT_WHOLE, *notes] if partial else notes


def leaderboard_of(report: Report, *, intervals: bool) -> Table:
    """The leaderboard of a report, under a short caption and with notes on the systems' scores."""
    table = Leaderboard(report.rows, report.suites, intervals).table
    return replace(table, notes=tuple(row_notes(report.rows, report.systems)))


def format_table(report: Report) -> Table:
    """Means by format with intervals, one column per result."""
    names = report.formats[0].means if report.formats else ()
    rows = tuple((Cell(name), *_mean_cells(report.formats, name, 2)) for name in names)
    header = ("Format", *map(row_title, report.formats))
    return Table(header, rows, caption="Means by format", synthetic=report.synthetic)


def task_table(report: Report) -> Table:
    """Every score of every task, one column per system."""
    return _scores("Scores by task", report, [e for e in report.scores if e.field is None])


def field_table(report: Report) -> Table | None:
    """Scores of the parts of tasks, such as MDCR's fields of study; None where there are none."""
    lines = [line for line in report.scores if line.field is not None]
    return _scores("Scores by field of study", report, lines) if lines else None


def _scores(caption: str, report: Report, lines: Sequence[ScoreLine]) -> Table:
    # A published system without any of these scores would be a column of hyphens.
    places = [
        place
        for place, system in enumerate(report.systems)
        if not system.published or any(line.scores[place] for line in lines)
    ]
    rows = []
    for line in lines:
        # Best as printed, so that of two alike both are marked; see `mean_cell`.
        scores = [(line.scores[place], line.partial[place]) for place in places]
        rounded = [round(score.value, 2) for score, part in scores if score and not part]
        best = max(rounded) if len(rounded) > 1 else None
        names = (shown(line.title), shown(line.key), shown(line.group or NONE), line.format)
        rows.append((*map(Cell, names), *(_score_cell(s, part, best) for s, part in scores)))
    titles = (row_title(report.systems[place]) for place in places)
    header = ("Task", "Score", "Group", "Format", *titles)
    spare = ("Group", "Format")
    return Table(header, tuple(rows), 4, caption, synthetic=report.synthetic, spare=spare)


def _score_cell(score: ScoreRecord | None, partial: bool, best: float | None) -> Cell:
    if score is None:
        return Cell(NONE)
    return Cell(
        form.number(score.value),
        score.value,
        best=not partial and round(score.value, 2) == best,
        small="" if score.interval is None else form.range_text(score.interval, sign=False),
        part=PARTIAL if partial else "",
    )


def _best(means: Iterable[Mean | None]) -> float | None:
    """The best whole number of at least two."""
    whole = [m.value for m in means if m is not None and m.value is not None and not m.partial]
    return max(whole) if len(whole) > 1 else None


def _yes(mark: bool) -> str:
    return "yes" if mark else "no"
