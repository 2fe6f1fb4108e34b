"""On every real set the exact probe gives scikit-learn's answers, and the fast probe its choice of
C or its score within 0.1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from scirepeval_harness.evaluations import metrics
from scirepeval_harness.evaluations.probe import LabelledSet
from scirepeval_harness.probes.fit import ProbeJob, fit_samples
from scirepeval_harness.probes.problem import Kind
from scirepeval_harness.roles import Format
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.official import read_official
from scirepeval_harness.task.registry import load_registry
from tests.probes.test_exact import assert_same

pytest.importorskip("torch")

ROWS, DIMENSIONS, LENGTH = 1_000, 96, 15.0
"""Rows a split, which keep the reference's part to a minute; vectors as long as embeddings."""
PLAIN = (Format.CLASSIFICATION, Format.REGRESSION)


@pytest.mark.slow
@pytest.mark.realdata
def test_same_choice_or_same_score_on_every_set(realdata: Path) -> None:
    differing = []
    for name, data, job in real_jobs(realdata):
        exact, fast, reference = (
            next(fit_samples(replace(job, probe=probe))) for probe in ("exact", "fast", "sklearn")
        )
        assert_same(exact, reference)
        measure = metrics.kendalltau if job.kind == "regression" else metrics.f1_macro
        scores = [100 * measure(data.test_labels, fit.predictions) for fit in (fast, reference)]
        if fast.chosen_c != reference.chosen_c and abs(scores[0] - scores[1]) > 0.1:
            differing.append((name, scores, fast.chosen_c, reference.chosen_c))
    assert not differing


def real_jobs(realdata: Path) -> Iterator[tuple[str, LabelledSet, ProbeJob]]:
    """A grid search by the reference on each real set, with the task's name and data."""
    registry = load_registry([realdata])
    names = [task.name for task, _ in read_official(realdata / "tasks.jsonl")]
    chosen = [pair for pair in registry.select((), names, ()) if pair[1].format in PLAIN]
    assert len(chosen) >= 10
    for suite, task in chosen:
        data = load_task(task, suite, DataOptions(directory=realdata, limit=ROWS)).data
        assert isinstance(data, LabelledSet)
        x_train, x_test = latent_vectors(data)
        regression = task.format is Format.REGRESSION
        kind: Kind = "regression" if regression else "multi" if task.multi_label else "single"
        whole = [np.arange(len(x_train))]
        job = ProbeJob(
            kind, x_train, data.train_labels, whole, x_test, grid=True, seed=42, probe="sklearn"
        )
        yield task.name, data, job


def latent_vectors(data: LabelledSet) -> tuple[np.ndarray, np.ndarray]:
    """Latent semantic vectors of both splits, unscaled as embeddings are."""
    texts = [" ".join(data.documents[key].parts) for key in (*data.train_ids, *data.test_ids)]
    words = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(texts)
    vectors = TruncatedSVD(DIMENSIONS, random_state=42).fit_transform(words)
    vectors = (LENGTH * vectors / np.linalg.norm(vectors, axis=1).mean()).astype(np.float32)
    return vectors[: len(data.train_ids)], vectors[len(data.train_ids) :]
