"""Scores of supervised tasks: a linear probe on the vectors, with few-shot settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.evaluations.base import Outcome, Score, VectorTable, not_resampled
from scirepeval_harness.evaluations.metrics import why_not_resampled
from scirepeval_harness.evaluations.probe import LabelledSet, class_counts
from scirepeval_harness.evaluations.scorers import is_sparse
from scirepeval_harness.extensions import METRICS
from scirepeval_harness.options import Probe
from scirepeval_harness.probes import problem
from scirepeval_harness.probes.fit import FitSamples, ProbeJob, Rows, fit_samples
from scirepeval_harness.roles import Format
from scirepeval_harness.statistics.labels import LabelSets
from scirepeval_harness.task.spec import FewShot, TaskSpec

ROUNDING = "each iteration's score x 100 rounded to 2 decimals, then their mean"
Labels = NDArray[np.generic]


def evaluate_probe(
    task: TaskSpec,
    data: LabelledSet,
    vectors: VectorTable,
    *,
    probe: Probe,
    seed: int,
    device: str | None = None,
    fit: FitSamples = fit_samples,
) -> Outcome:
    """Fits the protocol's probe on the train rows and scores the test rows.

    The ``full`` setting searches C by cross validation and is scored at full precision. A few-shot
    setting is the mean over its iterations of scores rounded to two decimals, as published.

    Args:
        probe: ``exact``: the steps of scikit-learn's estimators in machine code; ``sklearn``: the
            estimators; ``fast``: the same problems, in torch.
        seed: of the estimators and the few-shot draws; the protocol's is 42.
        device: where the fast probe computes; None for the processor.
        fit: who fits: this process, or a cluster.

    Raises:
        ProbeError: labels on which the probe cannot be fitted or scored; names the task.
        CoverageError: a document without a vector.
    """
    kind: problem.Kind = (
        "regression"
        if task.format is Format.REGRESSION
        else "multi"
        if task.multi_label
        else "single"
    )
    x_train, x_test = (probe_rows(vectors, ids) for ids in (data.train_ids, data.test_ids))
    truth = _positive_last(data, data.test_labels)
    scores: list[Score] = []
    tables: list[pd.DataFrame] = []
    settings: dict[str, object] = {}
    ids = pd.Series(list(data.test_ids))
    try:
        for shot in (None, *task.few_shot):
            name = shot.setting if shot else "full"
            samples = _samples(kind, data.train_labels, shot, seed)
            grid = shot is None or kind == "multi"
            job = ProbeJob(
                kind, x_train, data.train_labels, samples, x_test,
                grid=grid, seed=seed, probe=probe, device=device,
            )  # fmt: skip
            values: dict[str, list[float]] = {metric: [] for metric in task.metrics}
            tally = _Tally()
            for iteration, fitted in enumerate(fit(job)):
                tally.add(fitted)
                predicted = _positive_last(data, fitted.predictions)
                for metric in task.metrics:
                    value = 100.0 * METRICS.get(metric).value(truth, predicted)
                    # Rounded as published, or few-shot scores would differ from the papers'.
                    values[metric].append(round(value, 2) if shot else value)
                tables.append(_items(ids, truth, predicted, name, iteration))
            scores += [Score(m, float(np.mean(v)), name) for m, v in values.items()]
            settings[name] = {
                **tally.notes(grid),
                "iterations": len(samples),
                "train_rows": _range([len(rows) for rows in samples]),
                **({"iteration_scores": values} if shot else {}),
            }
    except ProbeError as error:
        raise ProbeError(error.what, where=task.name, fix=error.fix) from error
    notes = {
        "probe": probe,
        "seed": seed,
        "grid": list(problem.grid_of(kind)),
        "folds": problem.FOLDS,
        "settings": settings,
        **({"few_shot_rounding": ROUNDING} if task.few_shot else {}),
        **_label_notes(kind, data),
        **not_resampled(scores, why_not_resampled),
    }
    kind_of_items = "values" if kind == "regression" else "classes"
    items = pd.concat(tables, ignore_index=True)
    return Outcome(tuple(scores), kind_of_items, items, notes)


# Numbers up to which sparse vectors are written out (256 MB), where every probe can fit them.
WRITTEN_OUT = 2**26


def probe_rows(vectors: VectorTable, ids: Sequence[str]) -> Rows:
    """Vectors (len(ids), dimensions); in compressed rows where they would fill memory with zeros,
    which scikit-learn fits to the same answer."""
    if not is_sparse(vectors):
        return vectors.take(ids)
    rows = vectors.take_sparse(ids)
    return rows if rows.shape[0] * rows.shape[1] > WRITTEN_OUT else rows.toarray()


class _Tally:
    """Counts over the fits of one setting."""

    def __init__(self) -> None:
        self.fits = self.unconverged = self.fell_back = 0
        self.chosen: list[Any] = []

    def add(self, fitted: problem.ProbeFit) -> None:
        self.fits += fitted.fits
        self.unconverged += fitted.unconverged
        self.fell_back += fitted.fell_back_to_reference
        self.chosen.append(fitted.chosen_c)

    def notes(self, grid: bool) -> dict[str, object]:
        """JSON-ready: the choice itself for one fit, how often each C won for many."""
        counts = {"fits": self.fits, "unconverged": self.unconverged}
        if self.fell_back:
            counts["given_back_to_reference"] = self.fell_back
        if not grid:
            return {**counts, "chosen_c": None}
        if len(self.chosen) == 1:
            only = self.chosen[0]
            return {**counts, "chosen_c": list(only) if isinstance(only, tuple) else only}
        flat = Counter(
            f"{value:g}"
            for choice in self.chosen
            for value in (choice if isinstance(choice, tuple) else (choice,))
            if value is not None
        )
        return {**counts, "chosen_c_counts": dict(sorted(flat.items(), key=lambda p: float(p[0])))}


def _samples(
    kind: problem.Kind, labels: Labels, shot: FewShot | None, seed: int
) -> Sequence[NDArray[np.int64]]:
    if shot is None:
        return [np.arange(len(labels))]
    if kind == "multi":
        return problem.multilabel_samples(labels, shot, seed)
    return problem.single_label_samples(labels, shot)


def _items(
    ids: pd.Series[Any], truth: Labels, predicted: Labels, setting: str, iteration: int
) -> pd.DataFrame:
    """The items of one fit (:class:`~.base.Outcome`); lists of classes are in Arrow's form."""
    regression = truth.dtype.kind == "f"
    truths, predictions = (
        side.astype(np.float64) if regression else LabelSets.of_matrix(side).column()
        for side in (truth, predicted)
    )
    return pd.DataFrame(
        {
            "setting": setting,
            "iteration": iteration,
            "item": ids,
            "truth": truths,
            "prediction": predictions,
        }
    )


def _positive_last(data: LabelledSet, labels: Labels) -> Labels:
    """Class indices of which 1 is the class that ``f1`` is of. Not before the fit: the order of the
    classes is part of its answer."""
    return labels if data.positive else 1 - labels.astype(np.int64)


def _label_notes(kind: problem.Kind, data: LabelledSet) -> dict[str, object]:
    """How many classes there are, and how many have fewer training rows than the grid has folds."""
    if kind == "regression":
        return {}
    labels = data.train_labels
    count = labels.shape[1] if kind == "multi" else len(data.classes) or np.unique(labels).size
    per_class = class_counts(labels, int(count))
    return {"classes": int(count), "rare_classes": int((per_class < problem.FOLDS).sum())}


def _range(sizes: Sequence[int]) -> list[int]:
    return [min(sizes), max(sizes)]
