"""A comparison of two systems: its tables, its sentences, and its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from scirepeval_harness.comparison.compare import NOT_RESAMPLED
from scirepeval_harness.comparison.records import Comparison, Difference, Mismatch, Summary
from scirepeval_harness.comparison.systems import by_reason
from scirepeval_harness.files import write_json, write_text
from scirepeval_harness.reporting import table as form
from scirepeval_harness.reporting.table import Cell, Table, number, shown

SCORES = ("Task", "Score", "A", "B", "B - A", "95% interval", "p", "p (Holm)", "B is")
MEANS = ("Mean", "A", "B", "B - A", "95% interval", "p (Holm)", "Numbers")
SPARE = ("p", "Numbers", "p (Holm)", "95% interval")
METHOD = (
    "Intervals: paired bootstrap over the same queries or rows. p: paired permutation test, for a "
    "mean by its bootstrap error. Holm: corrected over all scores and averages (over the formats, "
    "for formats), and what better, worse and same go by, at 5%."
)


class Comparisons(tuple[Comparison, ...]):
    """One or several systems against the same base, which show themselves in every form."""

    __slots__ = ()

    def to_pandas(self) -> pd.DataFrame:
        """A row per score that both have, at full precision; columns are the two systems and the
        fields of `Difference`, with the ends of the interval as ``low`` and ``high``."""
        frames = [frame_of(entry.tasks, Difference) for entry in self]
        for frame, entry in zip(frames, self, strict=True):
            frame.insert(0, "base", entry.base)
            frame.insert(1, "other", entry.other)
        return pd.concat(frames, ignore_index=True)

    def to_markdown(self) -> str:
        """The tables of each with the method below."""
        return "\n".join(map(comparison_markdown, self))

    def to_json(self) -> list[dict[str, Any]]:
        """All numbers, JSON-ready."""
        return list(map(comparison_values, self))

    def write(self, path: Path, form: Literal["md", "json"]) -> None:
        """Write them to a file; raises StorageError where that cannot be written."""
        if form == "json":
            write_json(path, self.to_json())
        else:
            write_text(path, self.to_markdown())

    def parts(self) -> Iterator[str | Table]:
        """What a terminal shows, in order; an empty line stands between two parts."""
        for entry in self:
            yield heading(entry)
            yield from (table for table in (score_table(entry), *mean_tables(entry)) if table.rows)
            if entry.mismatches:
                lines = (f"\n  {line}" for line in mismatch_lines(entry.mismatches))
                yield "Not comparable:" + "".join(lines)
            yield from harmless_lines(entry)
            yield from untested_lines(entry)
            yield METHOD

    def _repr_html_(self) -> str:
        # Sentences are for terminals: a notebook shows the tables, which have their captions.
        return "".join(part.to_html() for part in self.parts() if isinstance(part, Table))


def frame_of(entries: Sequence[Any], kind: type) -> pd.DataFrame:
    """Records of one dataclass as a frame, its interval in two columns at the end."""
    # Columns and types are given, so that no entries make the same frame as many, without rows.
    frame = pd.DataFrame(map(asdict, entries), columns=[field.name for field in fields(kind)])
    ends = [entry.interval or (None, None) for entry in entries]
    frame["low"] = pd.Series([low for low, _ in ends], dtype="float64")
    frame["high"] = pd.Series([high for _, high in ends], dtype="float64")
    return frame.drop(columns="interval")


def score_table(comparison: Comparison, *, named: bool = False, synthetic: bool = False) -> Table:
    """Every score of both. ``named`` puts the systems' names into the header, for A and B."""
    rows = tuple(map(_score_row, comparison.tasks))
    header = _named(SCORES, comparison) if named else SCORES
    return Table(header, rows, 2, _against(comparison), (), synthetic, spare=SPARE)


def mean_tables(comparison: Comparison) -> list[Table]:
    """Means by format and the averages, where there are any."""
    parts = (("By format", comparison.formats), ("Averages", comparison.averages))
    return [
        Table(MEANS, tuple(map(_mean_row, entries)), caption=title, spare=SPARE)
        for title, entries in parts
        if entries
    ]


def named_means(comparison: Comparison, *, synthetic: bool) -> Table:
    """All means in one table, under the systems' names."""
    rows = tuple(map(_mean_row, (*comparison.formats, *comparison.averages)))
    title = f"Means: {_against(comparison)}"
    return Table(_named(MEANS, comparison), rows, 1, title, (), synthetic)


def _score_row(entry: Difference) -> tuple[Cell, ...]:
    return (
        Cell(shown(entry.title)),
        Cell(entry.key),
        *_numbers(entry, entry.verdict),
        Cell(form.p_text(entry.p_value), entry.p_value),
        Cell(form.p_text(entry.p_holm), entry.p_holm),
        Cell(entry.verdict, tone=entry.verdict),
    )


def _mean_row(entry: Summary) -> tuple[Cell, ...]:
    return (
        Cell(shown(entry.name)),
        *_numbers(entry),
        Cell(form.p_text(entry.p_holm), entry.p_holm),
        Cell(f"{entry.numbers} of {entry.need}" if entry.partial else str(entry.numbers)),
    )


def _numbers(entry: Difference | Summary, tone: str = "") -> tuple[Cell, ...]:
    return (
        Cell(number(entry.a), entry.a),
        Cell(number(entry.b), entry.b),
        Cell(number(entry.difference, True), entry.difference, tone=tone),
        # An interval has no order of its own: its column sorts as the differences do.
        Cell(form.range_text(entry.interval), entry.difference),
    )


def _against(comparison: Comparison) -> str:
    return f"{shown(comparison.other)} against {shown(comparison.base)}"


def _named(header: Sequence[str], comparison: Comparison) -> tuple[str, ...]:
    a, b = shown(comparison.base), shown(comparison.other)
    names = {"A": a, "B": b, "B - A": "Difference", "B is": "Verdict"}
    return tuple(names.get(name, name) for name in header)


def heading(comparison: Comparison) -> str:
    """``A: TF-IDF. B: MiniLM. Of 22 scores B is better in 9, worse in 1, the same in 12.``"""
    unknown = len(comparison.tasks) - comparison.wins - comparison.losses - comparison.ties
    text = f"A: {shown(comparison.base)}. B: {shown(comparison.other)}. "
    if not comparison.tasks:
        return text + "No task has a score in both."
    text += (
        f"Of {len(comparison.tasks)} scores B is better in {comparison.wins}, "
        f"worse in {comparison.losses}, the same in {comparison.ties}"
    )
    return text + (f", not tested in {unknown}." if unknown else ".")


def untested_lines(comparison: Comparison) -> list[str]:
    """Why scores on the same items have no interval or test: ``reason: task key, task key``."""
    names = [shown(f"{e.task} {e.key}") for e in comparison.tasks if e.untested == NOT_RESAMPLED]
    return [f"No interval and no test, {NOT_RESAMPLED}: {', '.join(names)}."] if names else []


def harmless_lines(comparison: Comparison) -> list[str]:
    """``Scored differently, to the same scores: probe reference against exact: task, task.``"""
    lines = mismatch_lines(comparison.harmless)
    return [f"Scored differently, to the same scores: {'; '.join(lines)}."] if lines else []


def mismatch_lines(entries: Sequence[Mismatch]) -> list[str]:
    """``reason: task, task``, one line a reason, each on one line of the page."""
    lines = (f"{reason}: {', '.join(names)}" for reason, names in by_reason(entries).items())
    return [form.one_line(line) for line in lines]


def comparison_markdown(comparison: Comparison) -> str:
    """The comparison as markdown tables with the method below."""
    lines = [form.escape_markdown(heading(comparison)), ""]
    lines += score_table(comparison).markdown_lines()
    for means in mean_tables(comparison):
        lines += ["", f"{means.caption}:", "", *means.markdown_lines()]
    if comparison.mismatches:
        lines += ["", "Not comparable:", ""]
        lines += [f"- {form.escape_markdown(e)}" for e in mismatch_lines(comparison.mismatches)]
    for line in (*harmless_lines(comparison), *untested_lines(comparison)):
        lines += ["", form.escape_markdown(line)]
    return "\n".join([*lines, "", METHOD, ""])


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """All numbers of a comparison at full precision, with the counts of verdicts."""
    counts = {name: getattr(comparison, name) for name in ("wins", "losses", "ties")}
    return {**asdict(comparison), **counts}
