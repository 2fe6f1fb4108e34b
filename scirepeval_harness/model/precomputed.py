"""Vectors that were made elsewhere, read from JSON lines, parquet or npz files. Needs no torch."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.model.base import Advance, Identity, Vectors, join_parts
from scirepeval_harness.model.kinds import PrecomputedSpec
from scirepeval_harness.model.weights import fingerprint
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.tables import json_lines


@dataclass(frozen=True)
class VectorFile:
    """Vectors (documents, dimensions) of a file and the row of each id."""

    rows: dict[str, int]
    vectors: Vectors


class PrecomputedEncoder:
    """Looks vectors up by document id; satisfies :class:`~.base.Encoder`.

    One file for ``all`` roles, or one a role. The text of a document plays no part.
    """

    cacheable = False

    def __init__(self, spec: PrecomputedSpec) -> None:
        self.name = spec.name
        self._files = {key: Path(path).expanduser() for key, path in spec.files.items()}
        self._read: dict[Path, VectorFile] = {}
        # Asked here and not when first read: a run must not fail in its last hour over a path.
        for path in self._files.values():
            if not path.is_file():
                raise DataError("no such file of vectors", where=str(path), fix="Check the path")

    def identity(self, role: Role) -> Identity:
        path = self._file(role)
        details = {"file": path.name, "sha256": fingerprint([path])}
        return Identity(self.name, role, details, places=frozenset({"file"}))

    def text(self, document: Document, role: Role) -> str:
        return join_parts(document.parts, " ")

    def prepare(self, documents: Sequence[Document]) -> None:
        """Nothing: the vectors are there already."""

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Vectors (len(documents), dimensions), float32, in the order given.

        Raises:
            CoverageError: documents without a vector, with their number and the first ids.
            DataError: a file that is malformed; the line or the id is named.
        """
        table = self._table(role)
        # Never scored on what happens to be there: losing half of the negatives raises a MAP.
        if missing := self.lacks(documents, role):
            raise CoverageError(
                f"{len(missing)} of {len(documents)} documents have no vector "
                f"(first: {', '.join(missing[:5])})",
                where=str(self._file(role)),
                fix=f"Add them to its {len(table.rows)} vectors, or pass --allow-missing",
            )
        vectors = table.vectors[[table.rows[document.id] for document in documents]]
        advance(len(documents))
        return vectors

    def lacks(self, documents: Sequence[Document], role: Role) -> list[str]:
        """Ids of the documents that have no vector in a role; raises as :meth:`encode` does."""
        rows = self._table(role).rows
        return [document.id for document in documents if document.id not in rows]

    def _table(self, role: Role) -> VectorFile:
        path = self._file(role)
        if path not in self._read:
            self._read[path] = read_vectors(path)
        return self._read[path]

    def _file(self, role: Role) -> Path:
        path = self._files.get(role.value) or self._files.get("all")
        if path is None:
            raise CoverageError(
                f"no vectors for the role {role}",
                where=f"model {self.name}",
                fix="Give a file for it, or one for all roles",
            )
        return path


def read_vectors(path: Path) -> VectorFile:
    """Read and check a file of vectors.

    JSON lines of {"doc_id", "embedding"}; parquet with these two columns; npz with the arrays
    ``ids`` (n,) and ``vectors`` (n, dimensions).

    Raises:
        DataError: no vectors, a missing column or array, a malformed line, a repeated id, vectors
            of different lengths, a value that is no finite number, more than memory holds.
    """
    readers = {".jsonl": _read_jsonl, ".parquet": _read_parquet, ".npz": _read_npz}
    try:
        values, vectors, place = readers[path.suffix](path)
    except (OSError, MemoryError) as error:
        problem = f"cannot be read ({getattr(error, 'strerror', None) or error or 'no memory'})"
        raise DataError(
            problem, where=str(path), fix="Check the file, or write it again"
        ) from error
    if not values or vectors.shape[1] == 0:
        raise DataError("the file holds no vectors", where=str(path), fix="Write the vectors again")
    rows: dict[str, int] = {}
    for row, value in enumerate(values):
        # True is an int for Python, and would become the id "True".
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            problem = f"doc_id {value!r} is neither a text nor an integer"
            raise DataError(problem, where=place(row), fix="Give the id of the document")
        if rows.setdefault(str(value), row) != row:
            problem = f"the id {value} is repeated, first in {place(rows[str(value)])}"
            raise DataError(problem, where=place(row), fix="Give each document one vector")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        problem = f"{len(bad)} vectors hold NaN or infinity (first: {values[int(bad[0])]})"
        raise DataError(problem, where=place(int(bad[0])), fix="Make these vectors again")
    return VectorFile(rows, vectors)


# Ids as they stand in the file, vectors (n, dimensions), and what errors call the place of a row.
Content = tuple[list[object], Vectors, Callable[[int], str]]


def _read_jsonl(path: Path) -> Content:
    table = json_lines(path)
    ids: list[object] = []
    vectors: list[Vectors] = []
    lines: list[int] = []
    for number, row in table.rows():
        where = table.where(number)
        if not {"doc_id", "embedding"} <= row.keys():
            problem = 'not of the form {"doc_id", "embedding"}'
            raise DataError(problem, where=where, fix="Give both keys in every line")
        value = row["embedding"]
        # By type: numpy would take "1.5", true and null for numbers as well.
        if not isinstance(value, list) or not {int, float}.issuperset(map(type, value)):
            problem = "the embedding is no flat list of numbers"
            raise DataError(problem, where=where, fix="Give one list of numbers")
        try:
            # Silent: what float32 cannot hold becomes infinity, which is refused with its place.
            with np.errstate(over="ignore"):
                vectors.append(np.asarray(value, dtype=np.float64).astype(np.float32))
        except OverflowError as error:  # an integer beyond any float
            problem, fix = "the embedding holds a number too large", "Make this vector again"
            raise DataError(problem, where=where, fix=fix) from error
        ids.append(row["doc_id"])
        lines.append(number)
        if len(value) != len(vectors[0]):
            raise _uneven(len(value), len(vectors[0]), where)
    stacked = np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)
    return ids, stacked, lambda row: table.where(lines[row])


def _read_parquet(path: Path) -> Content:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    def place(row: int) -> str:
        return f"{path}, row {row + 1}"

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        for column in ("doc_id", "embedding"):
            if names.count(column) != 1:
                problem = f"{names.count(column) or 'no'} column{'s' * (column in names)} {column}"
                fix = "Name one column doc_id and one embedding"
                raise DataError(problem, where=str(path), fix=fix)
        groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
        values = sum(one.column(at).num_values for one in groups for at in range(one.num_columns))
        # Asked of the footer: pages can be packed a thousandfold.
        _demand_memory(4 * values, path.stat().st_size, path)
        table = file.read(columns=["doc_id", "embedding"])
    except pa.ArrowException as error:
        problem = f"not a parquet file: {error}"
        raise DataError(problem, where=str(path), fix="Write the file again") from error
    column = table.column("embedding")
    kind, types = column.type, pa.types
    # Writers differ in the kind of list: pandas makes plain ones, polars large, datasets fixed.
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not lists or not (types.is_floating(kind.value_type) or types.is_integer(kind.value_type)):
        problem = f"the column embedding holds {kind}, not lists of numbers"
        raise DataError(problem, where=str(path), fix="Write one list of floats a row")
    if column.null_count:
        first = column.is_null().to_pylist().index(True)
        fix = "Give it a vector, or leave the row out"
        raise DataError("the embedding is null", where=place(first), fix=fix)
    sizes = pc.list_value_length(column).to_numpy()
    different = np.flatnonzero(sizes != sizes[0]) if len(sizes) else sizes
    if len(different):
        raise _uneven(sizes[different[0]], sizes[0], place(int(different[0])))
    # One flat array and not a list of floats a row, which would take eight times the memory.
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        vectors = flat.astype(np.float32)
    vectors = vectors.reshape(len(table), int(sizes[0]) if len(sizes) else 0)
    return table.column("doc_id").to_pylist(), vectors, place


def _read_npz(path: Path) -> Content:
    try:
        with zipfile.ZipFile(path) as archive:
            ids, vectors = (_read_array(archive, name, path) for name in ("ids", "vectors"))
    # What zipfile and numpy raise for archives that are cut, flipped, encrypted or no archives.
    except (ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        fix = "Save ids as strings or integers and vectors as numbers"
        raise DataError(f"not a plain npz file: {error}", where=str(path), fix=fix) from error
    if ids.ndim != 1 or vectors.ndim != 2 or len(ids) != len(vectors):
        problem = f"ids {ids.shape} and vectors {vectors.shape} do not fit (n,) and (n, dimensions)"
        raise DataError(problem, where=str(path), fix="Save one row of vectors for each id")
    if vectors.dtype.kind not in "fiu":
        problem = f"vectors of type {vectors.dtype}"
        raise DataError(problem, where=str(path), fix="Save them as float32")
    with np.errstate(over="ignore"):
        return ids.tolist(), vectors.astype(np.float32), lambda row: f"{path}, row {row + 1}"


def _read_array(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    """An array of an npz file, once its header has said that it is plain and fits into memory."""
    entries = [entry for entry in archive.infolist() if entry.filename == f"{name}.npy"]
    if len(entries) != 1:
        problem = f"{len(entries) or 'no'} array{'s' * bool(entries)} {name}"
        raise DataError(problem, where=str(path), fix="Save the arrays ids and vectors")
    with archive.open(entries[0]) as stream:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise ValueError(f"array {name} has the version {version}")
        shape, _, dtype = readers[version](stream)
        header = stream.tell()
    # Pickles stay unread: a file of vectors from elsewhere must not be able to run code.
    if dtype.hasobject:
        raise ValueError(f"array {name} holds Python objects")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or header + size != entries[0].file_size:
        held = entries[0].file_size - header
        raise ValueError(f"array {name} of shape {shape} takes {size} bytes, the file has {held}")
    _demand_memory(size, entries[0].compress_size, path)
    with archive.open(entries[0]) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


# Beside the array as it stands in the file, its float32 copy.
COPIES = 2
# Deflate packs zeros a thousandfold; vectors, even of word counts, stay well below this.
PACKED, SMALL = 500, 2**28


def _demand_memory(size: int, packed: int, path: Path) -> None:
    """Raises DataError for ``size`` bytes that memory cannot hold, or that no vectors fill: a small
    file may claim any number."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if COPIES * size > there or size > max(SMALL, PACKED * packed):
        problem = (
            f"the file unpacks {packed:,} bytes to {size:,}, where memory holds {there:,} "
            f"and vectors pack less than {PACKED}-fold"
        )
        raise DataError(problem, where=str(path), fix="Check the file, or write it in parts")


def _uneven(dimensions: int, before: int, where: str) -> DataError:
    problem = f"a vector of {dimensions} dimensions after vectors of {before}"
    return DataError(problem, where=where, fix="Give all vectors the same dimensions")
