"""Tables as rows of plain dictionaries, whatever file they come from; errors name file and line."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.files import parse_json
from scirepeval_harness.schema import shown
from scirepeval_harness.task.dataset import Coverage, Document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = Mapping[str, Any]
# UTF-8, whether or not a spreadsheet put its byte order mark in front.
ENCODING = "utf-8-sig"
# ASCII alone: float() also takes 1_000, digits of other scripts, nan and inf.
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)


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
        return as_id(value, name, self.where(number))


def json_lines(path: Path) -> Table:
    """A file with one JSON object a line; blank lines are skipped."""
    return Table(str(path), lambda: _json_rows(path))


def csv_table(path: Path) -> Table:
    """A CSV file with a header line."""
    return Table(str(path), lambda: _csv_rows(path))


def is_list(value: Any) -> bool:
    """Whether a value is a list of any kind: parquet files give arrays, JSON files lists."""
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def as_id(value: Any, name: str, where: str) -> str:
    """A value that was found at ``name`` as an id; raises DataError for what is no text or int."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text.strip() or len(text) > LONGEST_ID:
        raise DataError(f"{name} is {shown(value)}", where=where, fix="Give a short string or int")
    return as_text(text, name, where)


def as_text(value: Any, name: str, where: str) -> str:
    """A text or number that was found at ``name`` as a text; empty for null.

    Raises:
        DataError: a list, an object, a truth value, NaN, infinity, or half of a surrogate pair.
    """
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            # What UTF-8 cannot hold, no tokenizer takes.
            raise DataError(
                f"{name} holds half of a surrogate pair", where=where, fix="Repair the text"
            ) from error
        return value
    if value is None:
        return ""
    if as_number(value) is None:
        raise DataError(f"{name} is {shown(value)}", where=where, fix="Give a text, or null")
    return str(value)


def as_number(value: Any) -> float | None:
    """A finite number, or a text that is one in plain digits; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def read_json_object(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object; raises DataError where it does not."""
    with _opened(path) as file:
        return _object(file.read(), str(path), "Repair the file")


def _json_rows(path: Path) -> Iterator[tuple[int, Row]]:
    with _opened(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, _object(line, f"{path}:{number}", "Repair the line")


def _object(text: str, where: str, fix: str) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except ValueError as error:
        raise DataError(f"not valid JSON ({error})", where=where, fix=fix) from error
    if not isinstance(value, dict):
        raise DataError("not a JSON object", where=where, fix=fix)
    return value


def _csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    with _opened(path, newline="") as lines:
        # Strict: a quote that is never closed would make one cell of all that follows.
        reader = csv.DictReader(lines, strict=True)
        try:
            names = list(reader.fieldnames or ())
            if twice := [name for name in names if names.count(name) > 1]:
                raise DataError(
                    f"the column {twice[0]!r} twice", where=f"{path}:1", fix="Keep one of them"
                )
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(
                        "another number of cells than the header",
                        where=f"{path}:{reader.line_num}",
                        fix="Repair the line",
                    )
                if any("\0" in cell for cell in row.values()):
                    raise DataError(
                        "a NUL character", where=f"{path}:{reader.line_num}", fix="Repair the line"
                    )
                yield reader.line_num, row
        except csv.Error as error:
            raise DataError(
                f"not valid CSV ({error})",
                where=f"{path}:{reader.line_num + 1}",
                fix="Repair the line",
            ) from error


@contextmanager
def _opened(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """The text of a data file, the one way in; raises DataError for what cannot be read."""
    try:
        if not path.is_file():
            what = "not a regular file" if path.exists() else "no such file"
            fix = "Check --data, or leave it out to use the hub"
            raise DataError(what, where=str(path), fix=fix)
        with path.open(encoding=ENCODING, newline=newline) as file:
            yield file
    except UnicodeDecodeError as error:
        raise DataError("not UTF-8 text", where=str(path), fix="Convert it") from error
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", where=str(path), fix="Check its permissions"
        ) from error


SHOWN, LONGEST_ID = 5, 1_000


def parts_of(row: Row, fields: Sequence[str], where: str) -> tuple[str, ...]:
    """The row's values of ``fields`` as texts, without those that are null, empty or 0.

    White space alone is a value, as in the reference (docs/protocol.md).

    Raises:
        DataError: a value that is no text, or a field that is spelled otherwise.
    """
    for name in fields:
        if name not in row:
            for other in row:
                if other.strip().casefold() == name.casefold():
                    raise DataError(
                        f"a column {other!r}", where=where, fix=f"Name it {name!r}, as others do"
                    )
    texts = ((as_text(row.get(name), name, where), row.get(name)) for name in fields)
    return tuple(text for text, value in texts if value)


@dataclass
class Collected:
    """Documents by id as they are met. The first text seen under an id stays, also an empty one.

    ``empty`` has the place of each document without text.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    empty: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, parts: tuple[str, ...], where: str) -> None:
        """Keep a document unless its id is known."""
        if key in self.documents:
            return
        self.documents[key] = Document(key, parts)
        if not any(part.strip() for part in parts):
            self.empty[key] = where


def read_flat(table: Table, fields: Sequence[str], needed: frozenset[str]) -> Collected:
    """The needed documents of a flat table (``doc_id`` or ``paper_id``, then fields)."""
    found = Collected()
    for number, row in table.rows():
        key = table.id(number, row, "doc_id", "paper_id")
        if key in needed:
            where = table.where(number)
            found.add(key, parts_of(row, fields, where), where)
    return found


def check_coverage(
    task: str,
    documents: Mapping[str, Any],
    empty: Mapping[str, str],
    needed: Iterable[str],
    allow_missing: bool,
) -> Coverage:
    """How many of the needed documents there are, and how many of them are without a text.

    Raises:
        CoverageError: a needed document is not there; not with ``allow_missing``.
        DataError: no document has a text.
    """
    wanted = list(dict.fromkeys(needed))
    missing = tuple(key for key in wanted if key not in documents)
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
    found = [key for key in wanted if key in documents]
    textless = [key for key in found if key in empty]
    if len(textless) == len(found):
        raise DataError(
            f"no document of task {task} has a text",
            where=empty[textless[0]],
            fix="Check that the documents' columns are the task's fields",
        )
    return Coverage(len(wanted), len(found), missing=missing[:SHOWN], textless=len(textless))


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
