"""The protocol's S2AND score: vectors out, S2AND's experiment run on them, its table back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scirepeval_harness.errors import DataError, UsageError
from scirepeval_harness.evaluations.author_disambiguation import S2AND_METRIC, AuthorBlocks
from scirepeval_harness.evaluations.base import Outcome, Score, VectorTable
from scirepeval_harness.evaluations.s2and import environment as installed
from scirepeval_harness.evaluations.s2and import experiment
from scirepeval_harness.evaluations.s2and.files import (
    Table,
    check_pickle,
    read_table,
    write_embeddings,
)
from scirepeval_harness.files import working_folder


@dataclass(frozen=True, slots=True)
class Budget:
    """How much the experiment samples and searches; the defaults are those of S2AND's script.

    ``seed`` draws the blocks that are tested, so that it stays the script's own whatever the seed
    of a run is.
    """

    train_pairs: int = 100_000
    test_pairs: int = 10_000
    iterations: int = 25
    seed: int = 1


PUBLISHED = Budget()


def evaluate_s2and(
    data: AuthorBlocks,
    vectors: VectorTable,
    environment: Path,
    *,
    budget: Budget = PUBLISHED,
    say: installed.Say | None = None,
) -> Outcome:
    """``b3_f1``, x 100: the mean over sources and targets, and one score each pair.

    An item is a test block of a source and target; the interval resamples blocks.

    Raises:
        UsageError: the environment is not there.
        DataError: only a part of the blocks, or blocks that were not read from a folder.
        CoverageError: a paper without a vector.
        ExperimentError: the experiment failed or wrote something else.
    """
    if data.folder is None:
        raise DataError(
            "S2AND's experiment reads whole data sets", where="s2and", fix="Leave --limit out"
        )
    with working_folder("s2and") as folder:
        write_embeddings(data, vectors, folder)
        table = run_experiment(
            data.folder, folder, list(data.blocks), environment, budget=budget, say=say
        )
    return outcome_of(table, budget)


def run_experiment(
    data: Path,
    embeddings: Path,
    names: Sequence[str],
    environment: Path,
    *,
    budget: Budget = PUBLISHED,
    say: installed.Say | None = None,
) -> Table:
    """The B-cubed table of data sets in ``data`` with vectors of :func:`write_embeddings`.

    Raises:
        UsageError: the environment is not there.
        DataError: a pickle of anything but plain values.
        ExperimentError: the experiment failed or wrote something else.
    """
    if not installed.is_ready(environment):
        raise UsageError(
            "S2AND's environment is not there", where=str(environment), fix="Run `s2and setup`"
        )
    counts = data / experiment.NAME_COUNTS
    for path in (
        *([counts] if counts.is_file() else []),
        *(embeddings / name / f"{name}_specter.pickle" for name in names),
    ):
        check_pickle(path)
    with working_folder("s2and") as folder:
        output = folder / "table.json"
        words = [
            # Isolated, so that neither this folder nor the caller's settings shadow a library.
            *(str(installed.python_of(environment)), "-I", experiment.__file__),
            *("--data", str(data.resolve()), "--embeddings", str(embeddings.resolve())),
            *("--output", str(output), "--seed", str(budget.seed)),
            *("--train-pairs", str(budget.train_pairs), "--test-pairs", str(budget.test_pairs)),
            *("--iterations", str(budget.iterations)),
            *("--jobs", str(os.cpu_count() or 1), "--datasets", *names),
        ]
        installed.run(words, "S2AND's experiment", environment, say)
        return read_table(output, names)


def outcome_of(table: Table, budget: Budget = PUBLISHED) -> Outcome:
    """Scores and items of a B-cubed table."""
    pairs = [
        Score(S2AND_METRIC, 100 * entry.f1, field=_field(entry.source, entry.target))
        for entry in table.b3
    ]
    rows = [
        (_field(own.source, own.target), own.block, metric, value, own.signatures)
        for own in table.blocks
        for metric, value in (("b3_precision", own.precision), ("b3_recall", own.recall))
    ]
    frame = pd.DataFrame(rows, columns=["field", "item", "metric", "value", "weight"])
    return Outcome(
        scores=(Score(S2AND_METRIC, 100 * table.mean), *pairs),
        kind="blocks",
        items=frame.astype({"value": np.float64, "weight": np.int64}),
        notes={
            "package": installed.REQUIREMENT,
            "pins": list(installed.PINS),
            "experiment": asdict(budget),
            "features": list(table.features),
            "left_out": dict(table.left_out),
            "fixed_splits": list(table.fixed_splits),
        },
    )


def _field(source: str, target: str) -> str:
    return f"{source} -> {target}"
