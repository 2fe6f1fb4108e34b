"""The lexical baselines: BM25 and TF-IDF. The one module that touches ``bm25s``."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import bm25s
import numpy as np
import Stemmer
from numpy.typing import NDArray

from scirepeval_harness.errors import CoverageError, DataError, ModelError, SpecError
from scirepeval_harness.model.base import Advance, Identity, Vectors, join_parts
from scirepeval_harness.model.kinds import Bm25Spec, TfidfSpec
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Bm25Ranker:
    """Scores candidates by BM25; satisfies :class:`~.base.Ranker`.

    Document frequencies and the mean length come from the documents given to ``prepare``; scores
    are computed for the asked candidates only.
    """

    def __init__(self, spec: Bm25Spec) -> None:
        self.name = spec.name
        self._settings = spec.settings
        language, where = spec.settings.stemmer, f"model {spec.name}"
        if language != "none" and language not in Stemmer.algorithms():
            fix = "Leave the setting out, or name a language in English"
            raise SpecError(f"no stemmer for {language}", where=where, fix=fix)
        self._stemmer = None if language == "none" else Stemmer.Stemmer(language)
        self._rows: dict[str, int] = {}
        self._terms: dict[str, int] = {}
        self._weights: Any = None

    def identity(self, role: Role) -> Identity:
        details = {key: str(value) for key, value in self._settings}
        details["statistics_from"] = "the task's candidate documents"
        details["library"] = (
            f"bm25s {importlib.metadata.version('bm25s')}, "
            f"PyStemmer {importlib.metadata.version('PyStemmer')}"
        )
        return Identity(self.name, role, details)

    def text(self, document: Document) -> str:
        """The exact text that is indexed or searched with."""
        return join_parts(document.parts, " ")

    def prepare(self, documents: Sequence[Document]) -> None:
        """Index the candidate documents of a task; an id keeps the first text seen under it."""
        from scipy.sparse import csc_matrix

        # Once an id: a document that stands twice would count twice in the frequencies.
        first: dict[str, Document] = {}
        for document in documents:
            first.setdefault(document.id, document)
        self._rows = {key: row for row, key in enumerate(first)}
        self._terms, self._weights = {}, None
        tokens = self._tokens([self.text(document) for document in first.values()])
        if not any(tokens):
            return  # all scores are 0 then; bm25s would divide by the mean length, which is 0
        model = bm25s.BM25(
            k1=float(self._settings.k1),
            b=float(self._settings.b),
            method=self._settings.method,
            dtype="float64",
        )
        # Terms are numbered here by first occurrence: the library numbers them in a set's order,
        # and sums in another order may differ in the last bit from one process to the next.
        distinct = dict.fromkeys(term for document in tokens for term in document)
        self._terms = {term: number for number, term in enumerate(distinct)}
        numbered = [[self._terms[term] for term in document] for document in tokens]
        model.index((numbered, self._terms), create_empty_token=False, show_progress=False)
        columns = (model.scores["data"], model.scores["indices"], model.scores["indptr"])
        shape = (len(first), len(columns[2]) - 1)
        # By rows: a pool of candidates is a slice, and the whole collection is never scored.
        self._weights = csc_matrix(columns, shape=shape).tocsr()

    def score(self, query: Document, candidates: Sequence[Document]) -> NDArray[np.float64]:
        """BM25 scores (len(candidates),), float64; a term repeated in the query counts each time.

        Raises:
            CoverageError: a candidate that was not given to ``prepare``.
        """
        unknown = [document.id for document in candidates if document.id not in self._rows]
        if unknown:
            first = ", ".join(unknown[:3])
            raise CoverageError(
                f"{len(unknown)} candidates are not in the index (first: {first})",
                where=f"model {self.name}, query {query.id}",
                fix="Check that documents and labels belong together",
            )
        scores = np.zeros(len(candidates), dtype=np.float64)
        counts = Counter(self._tokens([self.text(query)])[0])
        known = [term for term in counts if term in self._terms]
        if self._weights is None or not known or not candidates:
            return scores
        pool = self._weights[[self._rows[document.id] for document in candidates]]
        weights = np.zeros(self._weights.shape[1], dtype=np.float64)
        weights[[self._terms[term] for term in known]] = [counts[term] for term in known]
        result: NDArray[np.float64] = np.asarray(pool @ weights, dtype=np.float64)
        return result

    def _tokens(self, texts: list[str]) -> list[list[str]]:
        given = self._settings.stop_words
        words = None if given == "none" else given
        # Words and not ids: each call numbers its terms anew, and a query would not fit the index.
        tokens: list[list[str]] = bm25s.tokenize(
            texts, stopwords=words, stemmer=self._stemmer, return_ids=False, show_progress=False
        )
        return tokens


CHUNK = 2_048


class TfidfEncoder:
    """Sparse term weights; satisfies :class:`~.base.SparseEncoder`.

    A vector depends on the collection (vocabulary and document frequencies), so none is cached.
    """

    cacheable = False

    def __init__(self, spec: TfidfSpec) -> None:
        self.name = spec.name
        self._settings = spec.settings
        self._vectorizer: Any = None

    def identity(self, role: Role) -> Identity:
        details = {key: str(value) for key, value in self._settings}
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

        chosen = {key: None if value == "none" else value for key, value in self._settings}
        ngrams = (1, chosen.pop("ngram_max"))
        # float32 from the start: float64 would be rounded anyway when it becomes a vector.
        vectorizer = TfidfVectorizer(dtype=np.float32, ngram_range=ngrams, **chosen)
        try:
            vectorizer.fit(self.text(document, Role.PROXIMITY) for document in documents)
        except ValueError as error:
            raise DataError(
                f"TF-IDF finds no term in {len(documents)} documents: {error}",
                where=f"model {self.name}",
                fix="Check that the documents have texts",
            ) from error
        self._vectorizer = vectorizer

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Dense vectors (len(documents), terms); all zeros for a text without known terms."""
        vectors: Vectors = self.encode_sparse(documents, role, advance).toarray()
        return vectors

    def encode_sparse(
        self, documents: Sequence[Document], role: Role, advance: Advance
    ) -> csr_matrix:
        """The same vectors in compressed rows: some dozens of numbers a document."""
        from scipy.sparse import csr_matrix, vstack

        if self._vectorizer is None:
            raise ModelError(
                "TF-IDF is not fitted yet", where=f"model {self.name}", fix="Call prepare first"
            )
        none = np.zeros((0, len(self._vectorizer.vocabulary_)), dtype=np.float32)
        rows: list[Any] = [csr_matrix(none)]
        for start in range(0, len(documents), CHUNK):
            chunk = documents[start : start + CHUNK]
            rows.append(self._vectorizer.transform(self.text(one, role) for one in chunk))
            advance(len(chunk))
        stacked: csr_matrix = vstack(rows, format="csr")
        return stacked
