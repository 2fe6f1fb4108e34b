"""Tables as rows of plain dictionaries, whatever file they come from; errors name file and line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.task.dataset import Coverage, Document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = Mapping[str, Any]
# UTF-8, whether or not a spreadsheet put its byte order mark in front.
ENCODING = "utf-8-sig"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with their numbers. ``name`` is the file or repository, for errors and the record."""

    name: str
    rows: Callable[[], Iterator[tuple[int, Row]]]

    def where(self, number: int) -> str:
        """The place of a row, as errors name it."""
        return f"{self.name}:{number}"

    def value(self, number: int, row: Row, *columns: str) -> Any:
        """The first of ``columns`` that the row has; raises DataError where it has none."""
        for column in columns:
            if column in row:
                return row[column]
        raise DataError(
            f"no column {' or '.join(columns)}",
            where=self.where(number),
            fix=f"The row has {', '.join(sorted(map(str, row))) or 'nothing'}",
        )

    def ids(self, number: int, row: Row, column: str) -> tuple[str, ...]:
        """A list of ids, such as a reviewer's papers."""
        listed = self.value(number, row, column)
        if not is_list(listed):
            raise DataError(
                f"{column} is {listed!r}", where=self.where(number), fix="Give a list of ids"
            )
        return tuple(self.as_id(number, value, f"an entry of {column}") for value in listed)

    def id(self, number: int, row: Row, *columns: str) -> str:
        """An id as a string; int and str ids of one paper are the same id."""
        return self.as_id(number, self.value(number, row, *columns), columns[0])

    def as_id(self, number: int, value: Any, name: str) -> str:
        """A value that was found at ``name`` as an id."""
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
            raise DataError(
                f"{name} is {value!r}", where=self.where(number), fix="Give a string or int"
            )
        return str(value)


def json_lines(path: Path) -> Table:
    """A file with one JSON object a line; blank lines are skipped."""
    return Table(str(path), lambda: _json_rows(path))


def csv_table(path: Path) -> Table:
    """A CSV file with a header line."""
    return Table(str(path), lambda: _csv_rows(path))


def is_list(value: Any) -> bool:
    """Whether a value is a list of any kind: parquet files give arrays, JSON files lists."""
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def read_json_object(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object."""
    try:
        value = json.loads(_existing(path).read_text(encoding=ENCODING))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"not valid JSON ({error})", where=str(path), fix="Repair it") from error
    if not isinstance(value, dict):
        raise DataError("not a JSON object", where=str(path), fix="See docs/protocol.md")
    return value


def _json_rows(path: Path) -> Iterator[tuple[int, Row]]:
    with _existing(path).open(encoding=ENCODING) as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _parse(line, path, number)
        except UnicodeDecodeError as error:
            raise DataError("not UTF-8 text", where=str(path), fix="Convert it") from error


def _parse(line: str, path: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise DataError(
            f"not valid JSON ({what})", where=f"{path}:{number}", fix="Repair the line"
        ) from error
    if not isinstance(row, dict):
        raise DataError("not a JSON object", where=f"{path}:{number}", fix="Repair the line")
    return row


def _csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    with _existing(path).open(encoding=ENCODING, newline="") as lines:
        reader = csv.DictReader(lines)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(
                        "another number of cells than the header",
                        where=f"{path}:{reader.line_num}",
                        fix="Repair the line",
                    )
                yield reader.line_num, row
        except UnicodeDecodeError as error:
            raise DataError("not UTF-8 text", where=str(path), fix="Convert it") from error
        except csv.Error as error:
            raise DataError(
                f"not valid CSV ({error})",
                where=f"{path}:{reader.line_num + 1}",
                fix="Repair the line",
            ) from error


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(
            "no such file", where=str(path), fix="Check --data, or leave it out to use the hub"
        )
    return path


SHOWN = 5


def parts_of(row: Row, fields: Sequence[str]) -> tuple[str, ...]:
    """The row's non-empty values of ``fields``, stripped of nothing but emptiness."""
    values = (row.get(name) for name in fields)
    texts = ("" if value is None else str(value) for value in values)
    return tuple(text for text in texts if text.strip())


@dataclass
class Collected:
    """Documents by id as they are met. The first text seen under an id stays."""

    documents: dict[str, Document] = field(default_factory=dict)
    empty: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, parts: tuple[str, ...], where: str) -> None:
        """Keep a document unless its id is known; one without text is remembered as empty."""
        if key in self.documents or key in self.empty:
            return
        if parts:
            self.documents[key] = Document(key, parts)
        else:
            self.empty[key] = where


def read_flat(table: Table, fields: Sequence[str], needed: frozenset[str]) -> Collected:
    """The needed documents of a flat table (``doc_id`` or ``paper_id``, then fields)."""
    found = Collected()
    for number, row in table.rows():
        key = table.id(number, row, "doc_id", "paper_id")
        if key in needed:
            found.add(key, parts_of(row, fields), table.where(number))
    return found


def check_coverage(
    task: str,
    documents: Mapping[str, Any],
    empty: Mapping[str, str],
    needed: Iterable[str],
    allow_missing: bool,
) -> Coverage:
    """How many of the needed documents have a text.

    Raises:
        DataError: a needed document has neither title nor abstract.
        CoverageError: a needed document is not there. Neither with ``allow_missing``.
    """
    wanted = list(dict.fromkeys(needed))
    missing = tuple(key for key in wanted if key not in documents)
    textless = [key for key in missing if key in empty]
    if textless and not allow_missing:
        raise DataError(
            f"{len(textless)} documents have no text, the first is {textless[0]}",
            where=empty[textless[0]],
            fix="Add the texts, or pass --allow-missing to score without them",
        )
    if missing and not allow_missing:
        raise CoverageError(
            f"{len(missing)} of {len(wanted)} documents are missing, such as "
            f"{', '.join(missing[:SHOWN])}",
            where=f"task {task}",
            fix="Complete the documents, or pass --allow-missing to score without them",
        )
    if len(missing) == len(wanted):
        raise CoverageError(
            "no id of the labels matches a document",
            where=f"task {task}",
            fix="Check that documents and labels belong together",
        )
    return Coverage(
        len(wanted), len(wanted) - len(missing), missing=missing[:SHOWN], textless=len(textless)
    )


def sample_rows(
    labels: NDArray[np.generic], limit: int, seed: int, *, stratified: bool
) -> NDArray[np.int64]:
    """At most ``limit`` row numbers, in order, drawn with ``seed``.

    With ``stratified`` each class (first positive class of a multi-label row) keeps its share, and
    at least one row where the limit allows.
    """
    # The one place here that counts: readers are loaded to check task files, which is to be fast.
    import numpy as np

    rows = len(labels)
    if limit >= rows:
        return np.arange(rows, dtype=np.int64)
    order = np.random.default_rng(seed).permutation(rows)
    if stratified:
        groups = labels.argmax(axis=1) if labels.ndim == 2 else labels
        # The k-th row of a class of n stands at (k + 1/2) / n: a prefix then holds all shares.
        place = np.empty(rows)
        for group in np.unique(groups):
            members = order[groups[order] == group]
            place[members] = (np.arange(len(members)) + 0.5) / len(members)
        order = order[np.argsort(place[order], kind="stable")]
    return np.sort(order[:limit]).astype(np.int64)
