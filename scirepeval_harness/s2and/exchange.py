"""Vectors in S2AND's file form: for each data set, a pickled pair of matrix and paper ids."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

from scirepeval_harness.atomic import write_bytes
from scirepeval_harness.data.records import AuthorBlocks
from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluators.base import VectorTable


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
