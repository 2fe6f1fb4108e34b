"""What a look at a task's vectors says before their scores are believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from scirepeval_harness.errors import HarnessError
from scirepeval_harness.evaluations.base import VectorTable
from scirepeval_harness.model.base import Model, kept_encoders
from scirepeval_harness.task.dataset import EncodeRequest
from scirepeval_harness.task.spec import TaskSpec
from scirepeval_harness.vectors.cut import count_cut
from scirepeval_harness.vectors.store import EmbeddingStore

LOOKED_AT = 2_048
# Encoders of papers lie between 0.1 and 0.9; beyond, a small part of a vector tells papers apart.
NEARLY_ALIKE = 0.95
# How far a length may lie from 1: float16 rounds to that.
UNIT = 1e-3
# Below, what is lost moves no score that anyone could tell.
FEW_CUT = 0.01
ROWS = 1_024
ALIKE = 1e-4


def identical(request: EncodeRequest, vectors: VectorTable) -> Iterator[str]:
    """A warning where all vectors of different texts are equal, or differ by less than ``ALIKE`` of
    their length: what is scored then is rounding, or the order of ids."""
    documents = request.documents
    if len({document.parts for document in documents}) < 2:
        return
    first = vectors.take([documents[0].id])
    limit = ALIKE * np.linalg.norm(first)
    for start in range(0, len(documents), ROWS):
        rows = vectors.take([one.id for one in documents[start : start + ROWS]])
        # The first vectors that differ end it: of a sound model only one part is read.
        if (np.linalg.norm(rows - first, axis=1) > limit).any():
            return
    yield f"all {len(documents)} {request.role} vectors are identical, or nearly"


def vector_warnings(task: TaskSpec, vectors: VectorTable, ids: Sequence[str]) -> Iterator[str]:
    """Warnings about the vectors of documents ``ids``, of which an even sample is read.

    Vectors that point nearly one way are told apart by their last digits. Vectors of length 1 are
    so close to each other that a probe with C = 1 hardly moves from its start on few rows.
    """
    distinct = list(dict.fromkeys(ids))
    sample = distinct[:: -(-len(distinct) // LOOKED_AT)] if distinct else []
    rows = vectors.take(sample).astype(np.float64) if sample else np.zeros((0, 1))
    lengths = np.linalg.norm(rows, axis=1)
    rows, lengths = rows[lengths > 0], lengths[lengths > 0]
    if len(rows) < 2:
        return
    # The mean over all pairs of different rows, without the matrix of them.
    total = np.square((rows / lengths[:, None]).sum(axis=0)).sum()
    cosine = (total - len(rows)) / (len(rows) * (len(rows) - 1))
    if cosine > NEARLY_ALIKE:
        yield f"the vectors are nearly alike: their mean cosine is {cosine:.3f}"
    if task.few_shot and np.abs(lengths - 1).max() < UNIT:
        yield "vectors of length 1: a few-shot probe with C = 1 can hardly separate them"


def cut_warnings(
    task: TaskSpec, model: Model, requests: Sequence[EncodeRequest], store: EmbeddingStore
) -> Iterator[str]:
    """A warning for each role of which at least ``FEW_CUT`` of the texts lose their end at the
    model's longest input; of an ensemble, for each member."""
    encoders = kept_encoders(model, task)
    for encoder in encoders:
        member = f"{encoder.name}: " if len(encoders) > 1 else ""
        for request in requests:
            try:
                found = count_cut(encoder, request, store)
            except HarnessError as error:
                # The vectors are there and the scores stand; only this is not known.
                yield f"{member}how many {request.role} texts are cut is unknown: {error}"
                continue
            if found is not None and found.share >= FEW_CUT:
                limit = encoder.identity(request.role).details.get("max_length")
                tokens = f" of {limit} tokens" if limit else ""
                about = "" if found.exact else "about "
                yield (
                    f"{member}{about}{found.share:.1%} of the {request.role} texts are cut at the "
                    f"longest input{tokens}"
                )
