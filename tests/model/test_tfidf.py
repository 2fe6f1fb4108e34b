"""TF-IDF against the formula worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scirepeval_harness.errors import DataError, ModelError
from scirepeval_harness.model.kinds import TfidfSettings, TfidfSpec
from scirepeval_harness.model.lexical import TfidfEncoder
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document


def make(**settings: str | int | float | bool) -> TfidfEncoder:
    chosen = TfidfSettings.model_validate(settings)
    return TfidfEncoder(TfidfSpec(name="tfidf", title="TF-IDF", settings=chosen))


DOCUMENTS = [
    Document("a", ("graph graph", "protein")),
    Document("b", ("graph",)),
    Document("c", ("ocean",)),
]


def test_values_by_hand() -> None:
    encoder = make()
    encoder.prepare(DOCUMENTS)
    vectors = encoder.encode(DOCUMENTS, Role.PROXIMITY, lambda count: None)
    assert vectors.dtype == np.float32
    # Terms in alphabetical order: graph (2 of 3 documents), ocean (1), protein (1).
    idf = [math.log(4 / 3) + 1, math.log(4 / 2) + 1, math.log(4 / 2) + 1]
    first = np.array([(1 + math.log(2)) * idf[0], 0.0, idf[2]])
    expected = np.stack([first / np.linalg.norm(first), [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_unknown_terms_give_a_vector_of_zeros() -> None:
    encoder = make()
    encoder.prepare(DOCUMENTS)
    vectors = encoder.encode([Document("x", ("quasar",))], Role.QUERY, lambda count: None)
    assert vectors.tolist() == [[0.0, 0.0, 0.0]]


def test_progress_counts_every_document() -> None:
    encoder, counts = make(), []
    encoder.prepare(DOCUMENTS)
    encoder.encode(DOCUMENTS * 1_000, Role.QUERY, counts.append)
    assert sum(counts) == 3_000
    assert len(counts) > 1


def test_settings_are_used_and_recorded() -> None:
    encoder = make(max_features=1, stop_words="none", norm="none")
    encoder.prepare(DOCUMENTS)
    assert encoder.encode(DOCUMENTS, Role.QUERY, lambda count: None).shape == (3, 1)
    details = encoder.identity(Role.QUERY).details
    assert details["max_features"] == "1"
    assert details["fitted_on"] == "the task's documents"
    assert not encoder.cacheable


def test_documents_without_terms() -> None:
    with pytest.raises(DataError, match="no term in 1 documents"):
        make().prepare([Document("a", ())])


def test_encode_before_prepare() -> None:
    with pytest.raises(ModelError, match="not fitted"):
        make().encode(DOCUMENTS, Role.QUERY, lambda count: None)
