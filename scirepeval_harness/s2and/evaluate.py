"""The protocol's S2AND score: vectors out, S2AND's experiment run on them, its table back."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scirepeval_harness.data.records import AuthorBlocks
from scirepeval_harness.errors import DataError, UsageError
from scirepeval_harness.evaluators.base import Outcome, Score, VectorTable
from scirepeval_harness.s2and import experiment
from scirepeval_harness.s2and.environment import REQUIREMENT, is_ready, python_of, run
from scirepeval_harness.s2and.exchange import write_embeddings
from scirepeval_harness.s2and.table import Table, read_table

METRIC = "b3_f1"
PRECISION, RECALL = "b3_precision", "b3_recall"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much the experiment samples and searches; the defaults are the published ones."""

    train_pairs: int = 100_000
    test_pairs: int = 10_000
    iterations: int = 25


PUBLISHED = Budget()


def evaluate_s2and(
    data: AuthorBlocks,
    vectors: VectorTable,
    environment: Path,
    *,
    seed: int,
    budget: Budget = PUBLISHED,
) -> Outcome:
    """``b3_f1``, x 100: the mean over sources and targets, and one score each pair.

    An item is a test block of a source and target; the interval resamples blocks. LightGBM sums in
    several threads, so that equal scores in two runs are likely but not certain.

    Raises:
        UsageError: the environment is not there.
        DataError: only a part of the blocks, or blocks that were not read from a folder.
        ExperimentError: the experiment failed or wrote something else.
    """
    if not is_ready(environment):
        raise UsageError(
            "S2AND's environment is not there", where=str(environment), fix="Run `s2and setup`"
        )
    if data.folder is None:
        raise DataError(
            "S2AND's experiment reads whole data sets", where="s2and", fix="Leave --limit out"
        )
    names = list(data.blocks)
    with tempfile.TemporaryDirectory(prefix="scirepeval-s2and-") as name:
        work = Path(name)
        write_embeddings(data, vectors, work)
        words = [
            *(str(python_of(environment)), experiment.__file__),
            *("--data", str(data.folder.resolve()), "--embeddings", str(work)),
            *("--output", str(work / "table.json"), "--seed", str(seed)),
            *("--train-pairs", str(budget.train_pairs), "--test-pairs", str(budget.test_pairs)),
            *("--iterations", str(budget.iterations)),
            *("--jobs", str(os.cpu_count() or 1), "--datasets", *names),
        ]
        run(words, "S2AND's experiment", environment)
        return outcome_of(read_table(work / "table.json", names))


def outcome_of(table: Table) -> Outcome:
    """Scores and items of a B-cubed table."""
    pairs = [
        Score(METRIC, 100 * entry.f1, field=_field(entry.source, entry.target))
        for entry in table.b3
    ]
    rows = [
        (_field(own.source, own.target), own.block, metric, value, own.signatures)
        for own in table.blocks
        for metric, value in ((PRECISION, own.precision), (RECALL, own.recall))
    ]
    frame = pd.DataFrame(rows, columns=["field", "item", "metric", "value", "weight"])
    return Outcome(
        scores=(Score(METRIC, 100 * table.mean), *pairs),
        kind="blocks",
        items=frame.astype({"value": np.float64, "weight": np.int64}),
        notes={"package": REQUIREMENT, "features": list(table.features)},
    )


def _field(source: str, target: str) -> str:
    return f"{source} -> {target}"
