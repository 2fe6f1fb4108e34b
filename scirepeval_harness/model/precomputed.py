"""Vectors that were made elsewhere, read from JSON lines, parquet or npz files. Needs no torch."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scirepeval_harness.errors import CoverageError, DataError, SpecError
from scirepeval_harness.model.base import Advance, Identity, Vectors, join_parts
from scirepeval_harness.model.kinds import ROLE_FILES, VECTOR_SUFFIXES, PrecomputedSpec
from scirepeval_harness.model.weights import fingerprint
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document


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
        if unknown := sorted(set(self._files) - set(ROLE_FILES)):
            raise SpecError(
                f"unknown role {unknown[0]} for a file of vectors",
                where=f"model {spec.name}",
                fix="Roles are " + ", ".join(sorted(ROLE_FILES)),
            )
        for path in self._files.values():
            if path.suffix not in VECTOR_SUFFIXES:
                problem = f"unknown form of vectors {path.suffix or '(no suffix)'}"
                fix = "Use " + ", ".join(VECTOR_SUFFIXES)
                raise DataError(problem, where=str(path), fix=fix)
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
        path = self._file(role)
        if path not in self._read:
            self._read[path] = read_vectors(path)
        table = self._read[path]
        # Never scored on what happens to be there: losing half of the negatives raises a MAP.
        missing = [document.id for document in documents if document.id not in table.rows]
        if missing:
            raise CoverageError(
                f"{len(missing)} of {len(documents)} documents have no vector "
                f"(first: {', '.join(missing[:5])})",
                where=str(path),
                fix=f"Add them; the file holds {len(table.rows)} vectors",
            )
        vectors = table.vectors[[table.rows[document.id] for document in documents]]
        advance(len(documents))
        return vectors

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
            of different lengths, a value that is not finite.
    """
    readers = {".jsonl": _read_jsonl, ".parquet": _read_parquet, ".npz": _read_npz}
    where = str(path)
    ids, vectors = readers[path.suffix](path, where)
    if not ids or vectors.shape[1] == 0:
        raise DataError("the file holds no vectors", where=where, fix="Write the vectors again")
    rows = {key: row for row, key in enumerate(ids)}
    if len(rows) < len(ids):
        twice = next(key for row, key in enumerate(ids) if rows[key] != row)
        problem = f"{len(ids) - len(rows)} ids are repeated (first: {twice})"
        raise DataError(problem, where=where, fix="Give each document one vector")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        problem = f"{len(bad)} vectors hold NaN or infinity (first: {ids[int(bad[0])]})"
        raise DataError(problem, where=where, fix="Make these vectors again")
    return VectorFile(rows, vectors)


def _read_jsonl(path: Path, file: str) -> tuple[list[str], Vectors]:
    ids: list[str] = []
    vectors: list[Vectors] = []
    with open(path, encoding="utf-8") as stream:
        try:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                where = f"{file}, line {number}"
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise DataError(
                        f"not JSON: {error}", where=where, fix="Repair the line"
                    ) from error
                if not isinstance(row, dict) or not {"doc_id", "embedding"} <= row.keys():
                    problem = 'not of the form {"doc_id", "embedding"}'
                    raise DataError(problem, where=where, fix="Give both keys in every line")
                ids.append(_checked_id(row["doc_id"], where))
                vectors.append(_checked_vector(row["embedding"], vectors, where))
        # Around the loop: a file is decoded in blocks, so that the line at fault is not known.
        except UnicodeDecodeError as error:
            raise DataError(
                f"not UTF-8: {error}", where=file, fix="Save the file as UTF-8"
            ) from error
    return ids, np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)


def _read_parquet(path: Path, where: str) -> tuple[list[str], Vectors]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = set(file.schema_arrow.names)
        for column in ("doc_id", "embedding"):
            if column not in names:
                raise DataError(
                    f"no column {column}", where=where, fix="Name the columns doc_id and embedding"
                )
        table = file.read(columns=["doc_id", "embedding"])
    except pa.ArrowInvalid as error:
        raise DataError(
            f"not a parquet file: {error}", where=where, fix="Write the file again"
        ) from error
    ids = [_checked_id(value, where) for value in table.column("doc_id").to_pylist()]
    column = table.column("embedding")
    kind, types = column.type, pa.types
    # Writers differ in the kind of list: pandas makes plain ones, polars large, datasets fixed.
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not lists or not (types.is_floating(kind.value_type) or types.is_integer(kind.value_type)):
        problem = f"the column embedding holds {kind}, not lists of numbers"
        raise DataError(problem, where=where, fix="Write one list of floats a row")
    if column.null_count:
        bad = ids[column.is_null().to_pylist().index(True)]
        where = f"{where}, document {bad}"
        fix = "Give it a vector, or leave the row out"
        raise DataError("the embedding is null", where=where, fix=fix)
    sizes = pc.list_value_length(column).to_numpy()
    different = np.flatnonzero(sizes != sizes[0]) if len(sizes) else sizes
    if len(different):
        first = int(different[0])
        raise _uneven(sizes[first], sizes[0], f"{where}, document {ids[first]}")
    # One flat array and not a list of floats a row, which would take eight times the memory.
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        vectors = flat.astype(np.float32)
    return ids, vectors.reshape(len(ids), int(sizes[0]) if len(sizes) else 0)


def _read_npz(path: Path, where: str) -> tuple[list[str], Vectors]:
    try:
        # Pickles stay unread: a file of vectors from elsewhere must not be able to run code.
        with np.load(path, allow_pickle=False) as archive:
            for name in ("ids", "vectors"):
                if name not in archive.files:
                    raise DataError(
                        f"no array {name}", where=where, fix="Save the arrays ids and vectors"
                    )
            ids, vectors = archive["ids"], archive["vectors"]
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        fix = "Save ids as strings or integers and vectors as numbers"
        raise DataError(f"not a plain npz file: {error}", where=where, fix=fix) from error
    if ids.ndim != 1 or vectors.ndim != 2 or len(ids) != len(vectors):
        problem = f"ids {ids.shape} and vectors {vectors.shape} do not fit (n,) and (n, dimensions)"
        raise DataError(problem, where=where, fix="Save one row of vectors for each id")
    if vectors.dtype.kind not in "fiu":
        raise DataError(f"vectors of type {vectors.dtype}", where=where, fix="Save them as float32")
    keys = [_checked_id(value, where) for value in ids.tolist()]
    # Silent: what float32 cannot hold becomes infinity, which is refused with the id beside it.
    with np.errstate(over="ignore"):
        return keys, vectors.astype(np.float32)


def _checked_id(value: object, where: str) -> str:
    # True is an int for Python, and would become the id "True".
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise DataError(
            f"doc_id {value!r} is neither a text nor an integer",
            where=where,
            fix="Give the id of the document",
        )
    return str(value)


def _checked_vector(value: object, before: Sequence[Vectors], where: str) -> Vectors:
    fix = "Give one list of numbers"
    try:
        with np.errstate(over="ignore"):
            vector = np.asarray(value, dtype=np.float32)
    except (ValueError, TypeError) as error:
        problem = f"the embedding is no list of numbers: {error}"
        raise DataError(problem, where=where, fix=fix) from error
    if vector.ndim != 1:
        raise DataError("the embedding is no flat list of numbers", where=where, fix=fix)
    if before and len(vector) != len(before[0]):
        raise _uneven(len(vector), len(before[0]), where)
    return vector


def _uneven(dimensions: int, before: int, where: str) -> DataError:
    problem = f"a vector of {dimensions} dimensions after vectors of {before}"
    return DataError(problem, where=where, fix="Give all vectors the same dimensions")
