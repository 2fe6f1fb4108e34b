"""Vectors in S2AND's file form: for each data set, a pickled pair of matrix and paper ids."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

from scirepeval_harness.atomic import write_bytes
from scirepeval_harness.data.records import AuthorBlocks
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
