"""Probes cut into pieces: the same fits as in one piece. No cluster is needed for that."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from scirepeval_harness.cluster.probes import Piece, fit_piece, join_classes, pieces_of
from scirepeval_harness.probes.fit import ProbeJob, fit_samples
from scirepeval_harness.probes.problem import Kind, ProbeFit

RNG = np.random.default_rng(5)
X = RNG.normal(size=(90, 6)).astype(np.float32)
X_TEST = RNG.normal(size=(40, 6)).astype(np.float32)
LABELS = {
    "single": (X[:, 0] + 0.5 * RNG.normal(size=90) > 0).astype(np.int64),
    "multi": (X[:, :5] + RNG.normal(size=(90, 5)) > 0.3).astype(np.int64),
    "regression": X[:, 0] * 2 + RNG.normal(size=90),
}
SAMPLES = [np.arange(90), np.arange(10, 80), np.arange(0, 90, 2)]


@pytest.mark.parametrize("kind", ["single", "multi", "regression"])
@pytest.mark.parametrize("places", [1, 7])
def test_pieces_give_the_fits_of_the_whole(kind: Kind, places: int) -> None:
    labels = LABELS[kind]
    job = ProbeJob(kind, X, labels, SAMPLES, X_TEST, grid=True, seed=42, probe="exact")
    whole = list(fit_samples(job))
    pieces = pieces_of(kind, "exact", len(SAMPLES), 5 if kind == "multi" else 1, places)
    parts: dict[int, list] = {}
    jobs = 2 if kind == "multi" and places == 1 else 1
    for piece in pieces:
        fits = fit_piece(job, piece, jobs, False)
        parts.setdefault(piece.first, []).extend(fits)
    assert len(pieces) == (6 if kind == "multi" and places == 7 else 3)
    for number, one in enumerate(whole):
        other = join_classes(parts[number])
        np.testing.assert_array_equal(one.predictions, other.predictions)
        assert one.chosen_c == other.chosen_c
        assert (one.fits, one.unconverged) == (other.fits, other.unconverged)


def test_joined_classes_fell_back_where_some_did() -> None:
    own = ProbeFit(np.zeros((2, 1)), (1.0,), fits=1, unconverged=0)
    other = replace(own, fell_back_to_reference=True)
    assert join_classes([own, other]).fell_back_to_reference
    assert not join_classes([own, own]).fell_back_to_reference


@pytest.mark.parametrize("samples", [1, 2, 50])
@pytest.mark.parametrize("classes", [2, 3, 23])
@pytest.mark.parametrize("places", [1, 4, 64])
def test_every_class_of_every_sample_is_in_one_piece(
    samples: int, classes: int, places: int
) -> None:
    pieces = pieces_of("multi", "exact", samples, classes, places)
    for sample in range(samples):
        own = [piece for piece in pieces if piece.first == sample]
        covered = [k for piece in own for k in range(classes)[piece.columns]]
        assert covered == list(range(classes))
        # To scikit-learn a single column of labels is another problem.
        assert all(len(range(classes)[piece.columns]) >= 2 for piece in own)
        assert all(piece.last == sample + 1 for piece in own)


@pytest.mark.parametrize(("samples", "places", "count"), [(50, 8, 8), (3, 8, 3), (1, 8, 1)])
def test_the_fast_probe_keeps_samples_together(samples: int, places: int, count: int) -> None:
    pieces = pieces_of("multi", "fast", samples, 9, places)
    assert len(pieces) == count
    assert pieces[0].first == 0
    assert pieces[-1].last == samples
    assert all(a.last == b.first for a, b in pairwise(pieces))
    assert all(piece.columns == slice(None, None) for piece in pieces)


def test_slices_of_a_piece() -> None:
    assert Piece(0, 1, 2, 4).columns == slice(2, 4)
