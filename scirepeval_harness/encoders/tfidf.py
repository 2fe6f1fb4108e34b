"""TF-IDF vectors, fitted on the documents of the task at hand."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

import numpy as np

from scirepeval_harness.data.records import Document
from scirepeval_harness.encoders.base import Advance, Identity, Vectors
from scirepeval_harness.encoders.settings import Setting, merge_settings
from scirepeval_harness.encoders.text import join_parts
from scirepeval_harness.errors import DataError, ModelError
from scirepeval_harness.roles import Role
from scirepeval_harness.specs.model import ModelSpec

DEFAULTS: dict[str, Setting] = {
    "lowercase": True,
    "max_df": 1.0,
    "max_features": 4096,
    "min_df": 1,
    "ngram_max": 1,
    "norm": "l2",
    "stop_words": "english",
    "sublinear_tf": True,
}
"""scikit-learn's names; ``stop_words`` and ``norm`` may be ``none``; n-grams run from 1."""
CHUNK = 2_048


class TfidfEncoder:
    """Sparse term weights handed out as dense vectors; satisfies :class:`~.base.Encoder`.

    A vector depends on the collection (vocabulary and document frequencies), so none is cached.
    """

    cacheable = False

    def __init__(self, spec: ModelSpec) -> None:
        self.name = spec.name
        self._settings = merge_settings(spec, DEFAULTS)
        self._vectorizer: Any = None

    def identity(self, role: Role) -> Identity:
        details = {key: str(value) for key, value in self._settings.items()}
        details["fitted_on"] = "the task's documents"
        details["library"] = f"scikit-learn {importlib.metadata.version('scikit-learn')}"
        return Identity(self.name, role, details)

    def text(self, document: Document, role: Role) -> str:
        return join_parts(document.parts, " ")

    def prepare(self, documents: Sequence[Document]) -> None:
        """Fit vocabulary and document frequencies on all documents of a task, both sides.

        Raises:
            DataError: the documents hold no term that the settings keep.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        chosen = dict(self._settings)
        ngrams = (1, int(chosen.pop("ngram_max")))
        for key in ("stop_words", "norm"):
            chosen[key] = None if chosen[key] == "none" else chosen[key]  # type: ignore[assignment]
        vectorizer = TfidfVectorizer(dtype=np.float32, ngram_range=ngrams, **chosen)
        try:
            vectorizer.fit([self.text(document, Role.PROXIMITY) for document in documents])
        except ValueError as error:
            raise DataError(
                f"TF-IDF finds no term in {len(documents)} documents: {error}",
                where=f"model {self.name}",
                fix="Check that the documents have texts",
            ) from error
        self._vectorizer = vectorizer

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Dense vectors (len(documents), terms); all zeros for a text without known terms."""
        if self._vectorizer is None:
            raise ModelError(
                "TF-IDF is not fitted yet", where=f"model {self.name}", fix="Call prepare first"
            )
        vectors = np.zeros((len(documents), len(self._vectorizer.vocabulary_)), dtype=np.float32)
        for start in range(0, len(documents), CHUNK):
            chunk = documents[start : start + CHUNK]
            texts = [self.text(document, role) for document in chunk]
            vectors[start : start + len(chunk)] = self._vectorizer.transform(texts).toarray()
            advance(len(chunk))
        return vectors
