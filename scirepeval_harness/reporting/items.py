"""Single items of a task as a person reads them: numbers, texts, and ranked candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from scirepeval_harness.comparison.items import ERROR, KEYS, ItemValues, item_values
from scirepeval_harness.comparison.records import Comparison
from scirepeval_harness.reporting.content import ItemGroup, ItemLine
from scirepeval_harness.reporting.table import NONE, Cell, Table, number, one_line, shown
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec

if TYPE_CHECKING:
    from scirepeval_harness.results.folder import Result

Texts = tuple[Mapping[str, Any], Sequence[str], str | None]
"""Documents by id and names of classes, or why they could not be read."""
Read = Callable[[SuiteSpec, TaskSpec], Texts]
MOST = 4
"""Results each of which has its own worst and best; of more, those on average are shown."""
WORDS = {"queries": "Query", "blocks": "Block", "classes": "Row", "values": "Row"}
IN_TABLE, WHOLE = 120, 1200
"""Characters of a text in a table, and by itself."""


@dataclass(frozen=True)
class Candidate:
    """A candidate of a query: its grade, its text where that is here, and its rank (from 1) in the
    result and in the one beside it, None where it was not ranked again."""

    id: str
    grade: int
    text: str | None
    rank: int | None = None
    other_rank: int | None = None


@dataclass(frozen=True)
class ShownItem:
    """An item with its numbers. ``truth``, ``prediction`` and ``other_prediction`` are those of a
    probe's row, ``candidates`` those of a query, best first."""

    item: str
    field: str
    value: float
    other: float | None = None
    text: str | None = None
    truth: str = ""
    prediction: str = ""
    other_prediction: str = ""
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class ItemsView:
    """Items of a task in one result, or in two. ``groups`` are items under a caption, ``notes`` say
    what could not be had; `to_pandas` holds every item.

    Example:
        >>> import scirepeval_harness as sh
        >>> view = sh.items("results/baselines/sample/bm25", "sample-search", cache=None)
        >>> [name for name, shown in view.groups]
        ['Worst 5', 'Best 5']
    """

    title: str
    task: str
    kind: str
    measure: str
    beside: str | None
    frame: pd.DataFrame
    groups: tuple[tuple[str, tuple[ShownItem, ...]], ...]
    notes: tuple[str, ...] = ()
    candidates: int = 5

    @property
    def heading(self) -> str:
        """What is shown, of how many items, and their mean."""
        many = f"{len(self.frame):,} {WORDS[self.kind].lower()}s".replace("querys", "queries")
        text = f"{shown(self.title)} on {shown(self.task)}: {in_words(self.measure)} of {many}"
        if self.beside is None:
            return f"{text}, mean {number(self.frame['value'].mean())}."
        means = [number(self.frame[name].mean()) for name in ("value", "other")]
        return f"{text}, mean {means[0]}; {shown(self.beside)}: {means[1]}."

    def to_pandas(self) -> pd.DataFrame:
        """A row an item, the worst first: field, item, value and, where there are two results,
        other and difference; of rows also truth and prediction."""
        return self.frame.drop(columns="copy").reset_index(drop=True)

    def to_json(self) -> list[dict[str, Any]]:
        """The rows of `to_pandas`, JSON-ready."""
        records = self.to_pandas().to_dict("records")
        return [{str(name): _plain(value) for name, value in row.items()} for row in records]

    def tables(self) -> Iterator[Table]:
        """A table a group."""
        for caption, items in self.groups:
            yield self._table(caption, items)

    def parts(self) -> Iterator[str | Table]:
        """What a terminal shows, in order; an empty line stands between two parts."""
        yield self.heading
        for caption, items in self.groups:
            yield f"{caption}:"
            yield self._table(caption, items)
            for item in items:
                if item.candidates:
                    name = f"{item.field}: {item.item}" if item.field else item.item
                    yield f"{one_line(name)}: {cut(item.text, WHOLE) or 'no text here'}"
                    yield candidate_table(item, self.beside, self.candidates)
        if self.notes:
            yield "\n".join(self.notes)

    def _table(self, caption: str, items: Sequence[ShownItem]) -> Table:
        word = WORDS[self.kind]
        left: list[tuple[str, list[str]]] = [(word, [one_line(item.item) for item in items])]
        if any(item.field for item in items):
            left.append(("Field", [one_line(item.field) for item in items]))
        if any(item.text is not None for item in items):
            left.append(("Text", [cut(item.text, IN_TABLE) for item in items]))
        if self.kind in ("classes", "values"):
            left.append(("Truth", [cut(item.truth, IN_TABLE) for item in items]))
            left.append(("Prediction", [cut(item.prediction, IN_TABLE) for item in items]))
        if self.beside is not None and self.kind in ("classes", "values"):
            name = f"Prediction of {shown(self.beside)}"
            left.append((name, [cut(item.other_prediction, IN_TABLE) for item in items]))
        own = shown(self.title) if self.beside is not None else self.measure
        right: list[tuple[str, list[float | None]]] = [(own, [item.value for item in items])]
        if self.beside is not None:
            right.append((shown(self.beside), [item.other for item in items]))
            gaps = [None if i.other is None else i.value - i.other for i in items]
            right.append(("Difference", gaps))
        columns = [[Cell(text or NONE) for text in texts] for _, texts in left]
        for name, values in right:
            signed = name == "Difference"
            columns.append([Cell(number(value, signed), value) for value in values])
        header = (*(name for name, _ in left), *(name for name, _ in right))
        rows = tuple(zip(*columns, strict=True))
        return Table(header, rows, len(left), caption, spare=("Field",))

    def _repr_html_(self) -> str:
        from markupsafe import escape

        return f"<p>{escape(self.heading)}</p>" + "".join(t.to_html() for t in self.tables())


def _plain(value: Any) -> Any:
    """Lists of class indices come back from a file as arrays."""
    return value if isinstance(value, (str, float)) else [int(index) for index in value]


def candidate_table(item: ShownItem, beside: str | None, most: int) -> Table:
    """The first candidates, and as many of the relevant ones, wherever they stand."""
    relevant = {c.id for c in [c for c in item.candidates if c.grade > 0][:most]}
    kept = [c for n, c in enumerate(item.candidates) if n < most or c.id in relevant]
    header = ["Candidate"]
    rows = [[Cell(one_line(c.id))] for c in kept]
    left = 1
    if any(c.text is not None for c in kept):
        header.append("Text")
        left = 2
        for row, c in zip(rows, kept, strict=True):
            row.append(Cell(cut(c.text, IN_TABLE) or NONE))
    header.append("Grade")
    for row, c in zip(rows, kept, strict=True):
        row.append(Cell(str(c.grade), c.grade))
    for name, ranks in (
        ("Rank", [c.rank for c in kept]),
        (f"Rank in {shown(beside or '')}", [c.other_rank for c in kept]),
    ):
        if any(rank is not None for rank in ranks):
            header.append(name)
            for row, rank in zip(rows, ranks, strict=True):
                row.append(Cell(NONE if rank is None else str(rank), rank))
    rest = len(item.candidates) - len(kept)
    notes = (f"{rest} more candidates.",) if rest else ()
    return Table(tuple(header), tuple(map(tuple, rows)), left, notes=notes)


def in_words(measure: str) -> str:
    """The measure, with which way it goes where that is not up."""
    return f"{measure} (lower is better)" if measure == ERROR else measure


def cut(text: str | None, most: int) -> str:
    """A text on one line, cut where it would fill the page."""
    plain = one_line(text or "")
    return plain if len(plain) <= most else plain[: most - 3].rstrip() + "..."


def classes_in_words(indices: Any, names: Sequence[str]) -> str:
    """Class indices as their names, where these are here; a regression's number as it is."""
    if isinstance(indices, float):
        return f"{indices:.4g}"
    words = [names[i] if i < len(names) else str(i) for i in map(int, indices)]
    return ", ".join(words) or "none"


def by_id(found: Mapping[str, Any], key: str) -> str | None:
    """The text of a document; None where it is not here."""
    document = found.get(key)
    return None if document is None else " | ".join(document.parts) or "(no text)"


def item_groups(
    results: Sequence[tuple[str, Result]],
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    comparisons: Sequence[Comparison],
    most: int,
    read: Read | None,
) -> Iterator[ItemGroup]:
    """For each task the items that are worth a look: the worst and the best of each result, and
    where each is furthest behind and ahead of the baseline.

    Raises:
        StorageError: items that cannot be read.
    """
    for suite in suites:
        for name in suite.task_names():
            values: dict[str, ItemValues] = {}
            for title, result in results:
                record = result.tasks.get(name)
                if record is not None and record.status == "ok" and record.item_kind in WORDS:
                    values[title] = item_values(result, record)
            if not values:
                continue
            first = next(iter(values.values()))
            reasons = _reasons(values, name, comparisons, most)
            documents, classes, why = read(suite, tasks[name]) if read else ({}, (), None)
            rows = {title: own.frame.set_index(KEYS) for title, own in values.items()}
            note = f"No texts: {why}." if why else ""
            lines = (
                _line(key, texts, [rows.get(title) for title, _ in results], documents, classes)
                for key, texts in reasons.items()
            )
            yield ItemGroup(tasks[name].title, first.measure, tuple(lines), note)


Key = tuple[str, str, int]


def _reasons(
    values: Mapping[str, ItemValues], task: str, comparisons: Sequence[Comparison], most: int
) -> dict[Key, list[str]]:
    """Items with why they are shown, in the order of the reasons."""
    found: dict[Key, list[str]] = {}

    def note(keys: Iterable[Any], reason: str) -> None:
        for key in keys:
            found.setdefault(key, []).append(reason)

    lower = next(iter(values.values())).lower_is_better
    table = pd.concat(
        {title: own.frame.set_index(KEYS)["value"] for title, own in values.items()}, axis=1
    )
    signed = -table if lower else table
    ends: list[tuple[pd.Series, str, str]] = []
    if len(values) > MOST:
        ends.append((signed.mean(axis=1), "worst on average", "best on average"))
        ends.append((signed.min(axis=1) - signed.max(axis=1), "most different", ""))
    else:
        ends += [(signed[title], f"worst of {title}", f"best of {title}") for title in table]
        for entry in comparisons:
            # What is not compared in data or protocol is not compared query by query.
            known = {entry.base, entry.other} <= values.keys()
            if known and task not in {mismatch.task for mismatch in entry.mismatches}:
                gap = signed[entry.other] - signed[entry.base]
                behind, ahead = (f"{entry.other} {side} most" for side in ("behind", "ahead"))
                ends.append((gap, behind, ahead))
    for series, low, high in ends:
        ordered = series.dropna().sort_values(kind="stable")
        note(ordered.index[:most], low)
        if high:
            note(ordered.index[::-1][:most], high)
    return found


def _line(
    key: Key,
    reasons: Sequence[str],
    rows: Sequence[pd.DataFrame | None],
    documents: Mapping[str, Any],
    classes: Sequence[str],
) -> ItemLine:
    place: Any = key  # of an index of three levels, which the stubs do not know
    there = [own.loc[place] if own is not None and key in own.index else None for own in rows]
    labelled = [row for row in there if row is not None and "truth" in row]
    return ItemLine(
        item=key[1],
        field=key[0],
        reasons=tuple(reasons),
        text=by_id(documents, key[1]),
        truth=classes_in_words(labelled[0]["truth"], classes) if labelled else "",
        values=tuple(None if row is None else float(row["value"]) for row in there),
        predictions=tuple(
            classes_in_words(row["prediction"], classes)
            if row is not None and "prediction" in row
            else ""
            for row in there
        ),
    )


def group_table(group: ItemGroup, titles: Sequence[str], *, synthetic: bool) -> Table:
    """A row an item, a column a result that has the task; ids stand below texts."""
    names = [
        Cell(cut(line.text, IN_TABLE), small=cut(line.item, IN_TABLE))
        if line.text
        else Cell(cut(line.item, IN_TABLE))
        for line in group.lines
    ]
    columns = [names]
    header = ["Item"]
    for name, texts in (
        ("Field", [line.field for line in group.lines]),
        ("Why shown", [", ".join(map(shown, line.reasons)) for line in group.lines]),
        ("Truth", [line.truth for line in group.lines]),
    ):
        if any(texts):
            header.append(name)
            columns.append([Cell(cut(text, IN_TABLE) or NONE) for text in texts])
    left = len(columns)
    for place, title in enumerate(titles):
        values = [line.values[place] for line in group.lines]
        if any(value is not None for value in values):
            header.append(shown(title))
            said = [cut(line.predictions[place], IN_TABLE) for line in group.lines]
            columns.append([Cell(number(v), v, small=s) for v, s in zip(values, said, strict=True)])
    rows = tuple(zip(*columns, strict=True))
    caption = f"{shown(group.title)}: {in_words(group.measure)}"
    spare = ("Field", "Why shown")
    return Table(tuple(header), rows, left, caption, synthetic=synthetic, spare=spare)
