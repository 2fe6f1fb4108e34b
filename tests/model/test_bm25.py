"""BM25 against the formula worked out by hand and against the library's own scoring."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import bm25s
import numpy as np
import pytest

from scirepeval_harness.errors import CoverageError, SpecError
from scirepeval_harness.model.kinds import Bm25Settings, Bm25Spec
from scirepeval_harness.model.lexical import Bm25Ranker
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document


def make(**settings: str | int | float | bool) -> Bm25Ranker:
    chosen = Bm25Settings.model_validate(settings)
    return Bm25Ranker(Bm25Spec(name="bm25", title="BM25", settings=chosen))


DOCUMENTS = [
    Document("a", ("graph networks", "graph embedding")),
    Document("b", ("ocean currents",)),
    Document("c", ("embedding oceans",)),
    Document("d", ()),
]


def by_hand(query: list[str], document: list[str], collection: list[list[str]]) -> float:
    """Lucene's BM25: idf ln(1 + (N - df + .5) / (df + .5)), no factor k1 + 1."""
    k1, b = 1.5, 0.75
    mean = sum(map(len, collection)) / len(collection)
    total = 0.0
    for term in query:
        df = sum(term in other for other in collection)
        tf = document.count(term)
        if tf:
            idf = math.log(1 + (len(collection) - df + 0.5) / (df + 0.5))
            total += idf * tf / (tf + k1 * (1 - b + b * len(document) / mean))
    return total


def test_scores_by_hand() -> None:
    ranker = make(stemmer="none", stop_words="none")
    ranker.prepare(DOCUMENTS)
    collection = [" ".join(document.parts).split() for document in DOCUMENTS]
    query = ["graph", "embedding", "graph", "unseen"]
    scores = ranker.score(Document("q", (" ".join(query),)), DOCUMENTS)
    assert scores.dtype == np.float64
    expected = [by_hand(query, document, collection) for document in collection]
    np.testing.assert_allclose(scores, expected, rtol=1e-9)
    assert expected[0] > expected[2] > 0


def test_only_the_asked_candidates_in_the_order_given() -> None:
    ranker = make()
    ranker.prepare(DOCUMENTS)
    query = Document("q", ("ocean embeddings",))
    every = ranker.score(query, DOCUMENTS)
    assert ranker.score(query, [DOCUMENTS[2], DOCUMENTS[0]]).tolist() == [every[2], every[0]]
    assert ranker.score(query, []).tolist() == []


def test_equal_to_the_librarys_scores_of_a_whole_collection() -> None:
    words = [f"w{index}x" for index in range(40)]
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(words, rng.integers(1, 30))) for _ in range(120)]
    documents = [Document(str(index), (text,)) for index, text in enumerate(texts)]
    ranker = make(stop_words="none", stemmer="none", k1=1.2, b=0.5, method="robertson")
    ranker.prepare(documents)
    library = bm25s.BM25(k1=1.2, b=0.5, method="robertson", dtype="float64")
    library.index([text.split() for text in texts], show_progress=False)
    for _ in range(10):
        query = list(rng.choice(words, 6))
        np.testing.assert_allclose(
            ranker.score(Document("q", (" ".join(query),)), documents),
            library.get_scores(query),
            rtol=1e-9,
        )


def test_stemming_and_stop_words() -> None:
    ranker = make()
    ranker.prepare(DOCUMENTS)
    scores = ranker.score(Document("q", ("the oceans",)), DOCUMENTS)
    assert scores[1] > 0
    assert scores[2] > 0
    assert not ranker.score(Document("q", ("the of and",)), DOCUMENTS).any()


@pytest.mark.parametrize("parts", [(), ("",), ("zzzz",)])
def test_a_query_without_known_terms_scores_zero(parts: tuple[str, ...]) -> None:
    ranker = make()
    ranker.prepare(DOCUMENTS)
    assert ranker.score(Document("q", parts), DOCUMENTS).tolist() == [0.0] * 4


def test_a_collection_without_terms_scores_zero() -> None:
    ranker = make()
    ranker.prepare([Document("a", ()), Document("b", ("the",))])
    assert ranker.score(Document("q", ("ocean",)), [Document("a", ())]).tolist() == [0.0]


def test_an_id_keeps_its_first_text() -> None:
    ranker = make()
    ranker.prepare([Document("a", ("ocean",)), Document("a", ("graph",))])
    assert ranker.score(Document("q", ("graph",)), [Document("a", ())]).tolist() == [0.0]


def test_a_candidate_that_is_not_indexed() -> None:
    ranker = make()
    ranker.prepare(DOCUMENTS)
    with pytest.raises(CoverageError, match=r"1 candidates are not in the index .first: z"):
        ranker.score(Document("q", ("graph",)), [Document("z", ("graph",))])


def test_identity_holds_settings_and_versions() -> None:
    details = make(k1=0.9).identity(Role.PROXIMITY).details
    assert details["k1"] == "0.9"
    assert {"b", "method", "stemmer", "stop_words"} <= set(details)
    assert details["library"].startswith("bm25s 0.")


def test_an_unknown_language() -> None:
    with pytest.raises(SpecError, match="no stemmer for klingon"):
        make(stemmer="klingon")


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    code = (
        "import sys; from scirepeval_harness.model.lexical import Bm25Ranker\n"
        "from scirepeval_harness.task.dataset import Document\n"
        "from scirepeval_harness.model.kinds import Bm25Spec\n"
        "r = Bm25Ranker(Bm25Spec(name='b', title='b'))\n"
        "d = [Document(str(i), (' '.join(f'w{(i * j) % 97}' for j in range(60)),))"
        " for i in range(80)]\n"
        "r.prepare(d); sys.stdout.write(r.score(d[7], d).tobytes().hex())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
