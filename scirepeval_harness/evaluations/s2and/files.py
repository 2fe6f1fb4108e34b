"""Vectors in S2AND's file form: for each data set, a pickled pair of matrix and paper ids."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from scirepeval_harness.errors import DataError, ExperimentError
from scirepeval_harness.evaluations.author_disambiguation import AuthorBlocks
from scirepeval_harness.evaluations.base import VectorTable
from scirepeval_harness.files import read_json, write_bytes


def write_embeddings(data: AuthorBlocks, vectors: VectorTable, folder: Path) -> tuple[Path, ...]:
    """Write ``<set>/<set>_specter.pickle`` below ``folder``: (float32 matrix, list of paper ids).

    The form is S2AND's. It is written for that package alone; the harness itself reads no pickle.

    Raises:
        CoverageError: a paper without a vector.
        StorageError: the folder cannot be written.
    """
    paths = []
    for name, blocks in data.blocks.items():
        signatures = [key for own in blocks.values() for key in own]
        papers = list(dict.fromkeys(data.paper_of[key] for key in signatures))
        ids = [paper.removeprefix(f"{name}/") for paper in papers]
        out = io.BytesIO()
        pickle.dump((vectors.take(papers), ids), out, protocol=4)
        path = folder / name / f"{name}_specter.pickle"
        write_bytes(path, out.getvalue())
        paths.append(path)
    return tuple(paths)


class _PlainUnpickler(pickle.Unpickler):
    """Reads tables and arrays; whatever would call anything else is refused before it is called."""

    def find_class(self, module: str, name: str) -> Any:
        # numpy moved its parts from ``core`` to ``_core``.
        if f"{module}.{name}".replace("numpy._core.", "numpy.core.") not in PLAIN:
            raise pickle.UnpicklingError(f"it would call {module}.{name}")
        return super().find_class(module, name)


PLAIN = frozenset(
    {
        "_codecs.encode",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "collections.Counter",
        "collections.OrderedDict",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy.core.numeric._frombuffer",
        "numpy.dtype",
        "numpy.ndarray",
    }
)
"""What the pickles of S2AND's release and of :func:`write_embeddings` call."""


def check_pickle(path: Path) -> None:
    """Raises DataError for a pickle of anything but plain values and arrays.

    S2AND's package loads whole what lies in its folders, and a pickle can run any code.
    """
    try:
        with open(path, "rb") as stream:
            _PlainUnpickler(stream).load()
    # Of damaged pickles the unpickler raises whatever a wrong byte leads to.
    except Exception as error:
        raise DataError(
            f"not a pickle of plain values ({error})",
            where=str(path),
            fix="Take the file of S2AND's release, or write vectors with `s2and embed`",
        ) from error


def embedded_sets(embeddings: Path, data: Path) -> list[str]:
    """Names of the data sets that have a file of vectors, all of which must be in ``data``.

    Raises:
        DataError: no vectors, or vectors of a data set that is not there.
    """
    names = sorted(
        path.name
        for path in embeddings.glob("*")
        if (path / f"{path.name}_specter.pickle").is_file()
    )
    if not names:
        raise DataError(
            "no vectors in S2AND's form",
            where=str(embeddings),
            fix="Write them with `s2and embed --output` of this folder",
        )
    for name in names:
        if not (data / name / f"{name}_papers.json").is_file():
            raise DataError(
                f"no data set {name}, for which there are vectors",
                where=str(data),
                fix="Check --data",
            )
    return names


UNION, GIVEN = "union", "s2"
"""Sources besides the data sets: all the others together, and the clusters that the data names."""


class Entry(BaseModel):
    """One source and target: B-cubed precision, recall and F1 in 0..1, rounded by the package."""

    model_config = ConfigDict(frozen=True)

    source: str
    target: str
    precision: float
    recall: float
    f1: float


class BlockMeans(BaseModel):
    """Mean B-cubed precision and recall over the signatures of a test block, in 0..1."""

    model_config = ConfigDict(frozen=True)

    source: str
    target: str
    block: str
    signatures: int
    precision: float
    recall: float


class Table(BaseModel):
    """What the experiment wrote. ``left_out`` gives a reason for each feature that was not used;
    ``fixed_splits`` names the data sets whose blocks the benchmark itself divides."""

    model_config = ConfigDict(frozen=True)

    features: tuple[str, ...]
    left_out: dict[str, str] = {}
    fixed_splits: tuple[str, ...] = ()
    b3: tuple[Entry, ...]
    blocks: tuple[BlockMeans, ...]

    @property
    def mean(self) -> float:
        """The benchmark's number: the mean of all F1 values, in 0..1."""
        return sum(entry.f1 for entry in self.b3) / len(self.b3)


def read_table(path: Path, data_sets: Sequence[str]) -> Table:
    """The table, with a cell for every source and target; the row ``s2`` may be absent.

    Raises:
        ExperimentError: not the form, a cell that is missing or repeated, or a value outside 0..1.
    """
    fix = "Run the experiment again"
    try:
        table = Table.model_validate(read_json(path))
    except (OSError, ValueError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ExperimentError(f"not a B-cubed table ({what})", where=str(path), fix=fix) from error
    sources = [*data_sets, UNION] if len(data_sets) > 1 else list(data_sets)
    found = [(entry.source, entry.target) for entry in table.b3]
    if any(source == GIVEN for source, _ in found):
        sources.append(GIVEN)
    wanted = [(source, target) for source in sources for target in data_sets]
    if sorted(found) != sorted(wanted):
        raise ExperimentError(
            f"{len(set(wanted) - set(found))} of {len(wanted)} cells are missing, "
            f"{len(found) - len(set(found) & set(wanted))} are not expected",
            where=str(path),
            fix=fix,
        )
    for entry in table.b3:
        for value in (entry.precision, entry.recall, entry.f1):
            if not (math.isfinite(value) and 0 <= value <= 1):
                raise ExperimentError(
                    f"{entry.source} -> {entry.target} holds {value}", where=str(path), fix=fix
                )
    return table
