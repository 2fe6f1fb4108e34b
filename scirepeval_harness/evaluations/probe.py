"""Scores of supervised tasks: a linear probe on the vectors, with few-shot settings."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scirepeval_harness.errors import DataError, ProbeError
from scirepeval_harness.evaluations.base import ItemKind, Outcome, Score, VectorTable
from scirepeval_harness.evaluations.metrics import METRICS
from scirepeval_harness.options import Probe
from scirepeval_harness.probes.fit import FitSamples, ProbeJob, fit_samples
from scirepeval_harness.probes.problem import (
    FOLDS,
    Kind,
    ProbeFit,
    grid_of,
    multilabel_samples,
    single_label_samples,
)
from scirepeval_harness.roles import Format
from scirepeval_harness.tasks.dataset import Coverage, LabelledSet
from scirepeval_harness.tasks.spec import FewShot, TaskSpec
from scirepeval_harness.tasks.tables import Table, check_coverage, read_flat, sample_rows

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
        probe: ``reference``: scikit-learn's estimators; ``fast``: the same problems, in torch.
        seed: of the estimators and the few-shot draws; the protocol's is 42.
        device: where the fast probe computes; None for the processor.
        fit: who fits: this process, or a cluster.

    Raises:
        ProbeError: labels on which the probe cannot be fitted or scored; names the task.
        CoverageError: a document without a vector.
    """
    kind: Kind = (
        "regression"
        if task.format is Format.REGRESSION
        else "multi"
        if task.multi_label
        else "single"
    )
    x_train, x_test = vectors.take(data.train_ids), vectors.take(data.test_ids)
    scores: list[Score] = []
    tables: list[pd.DataFrame] = []
    settings: dict[str, object] = {}
    patterns = _Patterns()
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
                for metric in task.metrics:
                    value = 100.0 * METRICS[metric](data.test_labels, fitted.predictions)
                    values[metric].append(round(value, 2) if shot else value)
                tables.append(_items(data, fitted.predictions, kind, name, iteration, patterns))
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
        "grid": list(grid_of(kind)),
        "folds": FOLDS,
        "settings": settings,
        **({"few_shot_rounding": ROUNDING} if task.few_shot else {}),
        **_label_notes(kind, data),
    }
    kind_of_items: ItemKind = "values" if kind == "regression" else "classes"
    items = pd.concat(tables, ignore_index=True)
    return Outcome(tuple(scores), kind_of_items, items, notes)


class _Tally:
    """Counts over the fits of one setting."""

    def __init__(self) -> None:
        self.fits = self.unconverged = self.fell_back = 0
        self.chosen: list[Any] = []

    def add(self, fitted: ProbeFit) -> None:
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


class _Patterns:
    """Sets of labels as lists, each made once: few-shot settings repeat them millions of times."""

    def __init__(self) -> None:
        self._lists: dict[bytes, list[int]] = {}

    def of(self, labels: Labels) -> list[list[int]]:
        if labels.ndim == 1:
            known = {int(value): [int(value)] for value in np.unique(labels)}
            return [known[int(value)] for value in labels]
        packed = np.packbits(labels != 0, axis=1)
        out: list[list[int]] = []
        for row, bits in zip(labels, packed, strict=True):
            key = bits.tobytes()
            if key not in self._lists:
                self._lists[key] = np.flatnonzero(row).tolist()
            out.append(self._lists[key])
        return out


def _samples(
    kind: Kind, labels: Labels, shot: FewShot | None, seed: int
) -> Sequence[NDArray[np.int64]]:
    if shot is None:
        return [np.arange(len(labels))]
    if kind == "multi":
        return multilabel_samples(labels, shot, seed)
    return single_label_samples(labels, shot)


def _items(
    data: LabelledSet,
    predictions: Labels,
    kind: Kind,
    setting: str,
    iteration: int,
    patterns: _Patterns,
) -> pd.DataFrame:
    truth: object = data.test_labels.astype(np.float64)
    predicted: object = predictions.astype(np.float64)
    if kind != "regression":
        truth, predicted = patterns.of(data.test_labels), patterns.of(predictions)
    return pd.DataFrame(
        {
            "setting": setting,
            "iteration": iteration,
            "item": list(data.test_ids),
            "truth": truth,
            "prediction": predicted,
        }
    )


def _label_notes(kind: Kind, data: LabelledSet) -> dict[str, object]:
    """How many classes there are, and how many have fewer training rows than the grid has folds."""
    if kind == "regression":
        return {}
    labels = data.train_labels
    count = labels.shape[1] if kind == "multi" else len(data.classes) or np.unique(labels).size
    per_class = (
        (labels != 0).sum(axis=0)
        if kind == "multi"
        else np.bincount(labels.astype(np.int64), minlength=int(count))
    )
    return {"classes": int(count), "rare_classes": int((per_class < FOLDS).sum())}


def _range(sizes: Sequence[int]) -> list[int]:
    return [min(sizes), max(sizes)]


def read_labelled(
    task: TaskSpec,
    documents: Table,
    train: Table,
    test: Table,
    *,
    limit: int | None,
    seed: int,
    allow_missing: bool,
) -> tuple[LabelledSet, Coverage]:
    """A classification or regression task; rows keep their order, which decides the folds.

    Raises:
        DataError: a label outside the task's kind, an empty split, a document without text.
        CoverageError: a label without a document.
    """
    splits = [_rows(task, table) for table in (train, test)]
    values, classes = _encode(task, [labels for _, labels in splits])
    ids = [list(keys) for keys, _ in splits]
    if limit is not None:
        for place in (0, 1):
            kept = sample_rows(values[place], limit, seed, stratified=bool(classes))
            ids[place] = [ids[place][row] for row in kept]
            values[place] = values[place][kept]
    needed = [*ids[0], *ids[1]]
    found = read_flat(documents, task.fields, frozenset(needed))
    coverage = check_coverage(task.name, found.documents, found.empty, needed, allow_missing)
    for place in (0, 1):
        rows = [row for row, key in enumerate(ids[place]) if key in found.documents]
        ids[place] = [ids[place][row] for row in rows]
        values[place] = values[place][rows]
    data = LabelledSet(found.documents, tuple(ids[0]), values[0], tuple(ids[1]), values[1], classes)
    return data, coverage


def _rows(task: TaskSpec, table: Table) -> tuple[list[str], list[Any]]:
    keys, labels = [], []
    for number, row in table.rows():
        keys.append(table.id(number, row, "paper_id", "doc_id"))
        labels.append(_label(task, table.value(number, row, "label"), table.where(number)))
    if not keys:
        raise DataError("no rows", where=table.name, fix="Both splits need labels")
    return keys, labels


def _label(task: TaskSpec, value: Any, where: str) -> Any:
    """A label in the task's kind: float, tuple of 0/1, or class name."""
    if task.format is Format.REGRESSION:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise DataError(f"label is {value!r}", where=where, fix="Give a finite number")
        return number
    if task.multi_label:
        listed = _parse_list(value)
        if not isinstance(listed, (list, tuple, np.ndarray)) or not all(
            v in (0, 1) for v in listed
        ):
            raise DataError(
                f"label is {str(value)[:40]!r}", where=where, fix="Give a list of 0 and 1"
            )
        return tuple(int(v) for v in listed)
    if value is None or isinstance(value, (list, dict, float)) or str(value).strip() == "":
        whole = isinstance(value, float) and value.is_integer()
        if not whole:
            raise DataError(f"label is {value!r}", where=where, fix="Give one class a row")
        return str(int(value))
    return str(value)


def _parse_list(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return None
    return value


def _encode(
    task: TaskSpec, splits: Sequence[Sequence[Any]]
) -> tuple[list[Labels], tuple[str, ...]]:
    if task.format is Format.REGRESSION:
        return [np.array(labels, dtype=np.float64) for labels in splits], ()
    if task.multi_label:
        widths = {len(label) for labels in splits for label in labels}
        if len(widths) != 1:
            raise DataError(
                f"label lists of lengths {', '.join(map(str, sorted(widths)))}",
                where=f"task {task.name}",
                fix="Give every row one entry a class",
            )
        classes = tuple(str(number) for number in range(widths.pop()))
        return [np.array(labels, dtype=np.int64) for labels in splits], classes
    names = sorted({label for labels in splits for label in labels}, key=_class_order)
    index = {name: number for number, name in enumerate(names)}
    if "f1" in task.metrics and len(names) != 2:
        raise DataError(
            f"{len(names)} classes, where f1 needs two",
            where=f"task {task.name}",
            fix="Use f1_macro, or check the labels",
        )
    arrays: list[Labels] = [
        np.array([index[label] for label in labels], dtype=np.int64) for labels in splits
    ]
    return arrays, tuple(names)


def _class_order(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
