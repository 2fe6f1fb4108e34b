"""A tiny made version of SciRepEval and MDCR in the benchmark's local form, full of awkward rows.

Texts follow the labels, so that a probe on any model has something to find. Among the rows: ids as
numbers and as text, an id with several texts, queries that are candidates too, repeated candidates
and labels, queries without a relevant candidate, missing and blank abstracts, texts far beyond the
longest input, grades up to 3, a class with fewer rows than there are folds, literal separators.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

GROUPS = (
    ("graph", "citation", "network", "author", "paper", "library", "index"),
    ("protein", "enzyme", "cell", "gene", "vaccine", "tissue", "blood"),
    ("galaxy", "star", "quantum", "plasma", "photon", "orbit", "gravity"),
    ("river", "climate", "soil", "ocean", "forest", "glacier", "rain"),
)
COMMON = ("we", "study", "a", "model", "of", "the", "new", "data", "method", "result", "shows")
TEXTS = tuple(" ".join(words) for words in (*GROUPS, COMMON))
"""All words, for a vocabulary that holds them whole."""
TRAIN, TEST = 96, 40
SOURCES = ("bm25", "scincl", "specter", "graph", "most_cited", "random", "true")
FIELDS = (
    "Art", "Biology", "Business", "Chemistry", "Computer Science", "Economics", "Engineering",
    "Environmental Science", "Geography", "Geology", "History", "Materials Science", "Mathematics",
    "Medicine", "Philosophy", "Physics", "Political Science", "Psychology", "Sociology",
)  # fmt: skip
# Labels of regressions are drawn so that for every system the best C leads by 0.01 in R squared and
# no rounding of the vectors (1e-6) moves the answer: scikit-learn stops there unconverged, and with
# other draws a second program on another processor ended in another C.
SEEDS = {
    "pub_year": "pub_year/3",
    "peer_review_score": "peer_review_score/1",
    "hIndex": "hIndex/6",
    "tweet_mentions": "tweet_mentions/5",
}
Id = Callable[[int], Any]


def build_local(root: Path) -> None:
    """Write every task but S2AND below ``root``."""
    for config, label, names in (
        ("mesh_descriptors", _numbered, ("mesh_descriptors",)),
        ("fos", _fields, ("fos",)),
        ("cite_count", _number, ("cite_count",)),
        ("pub_year", _number, ("pub_year",)),
        ("biomimicry", _binary, ("biomimicry",)),
        ("drsm", _named, ("drsm",)),
        ("scidocs_mag_mesh", _named, ("scidocs_mag", "scidocs_mesh")),
        ("peer_review_score_hIndex", _number, ("peer_review_score", "hIndex")),
        ("tweet_mentions", _number, ("tweet_mentions",)),
    ):
        key = hashed if config.startswith("scidocs") else int
        _documents(root / config, range(TRAIN + TEST), key)
        for name in names:
            _labels(root / name, name, label, key)
    for name, queries, grades in (
        ("same_author", False, 1),
        ("high_influence_cite", False, 1),
        ("relish", False, 3),
        ("search", True, 2),
        ("nfcorpus", True, 3),
        ("trec_covid", True, 3),
    ):
        _ranking(root / name, random.Random(name), queries, grades)
    _documents(root / "scidocs_view_cite_read", range(40), hashed)
    for name in ("scidocs_cite", "scidocs_view", "scidocs_cocite", "scidocs_read"):
        _write(root / name / "test_qrel.jsonl", _flat_labels(random.Random(name)))
    _reviewers(root)
    _pools(root)


def hashed(number: int) -> str:
    """A SciDocs id: 40 hexadecimal characters."""
    return hashlib.sha1(str(number).encode()).hexdigest()


def paper(number: int, variant: int = 0) -> dict[str, Any]:
    """Title, abstract and extras; variants of one number have other words."""
    dice = random.Random(f"{number}/{variant}")
    own = GROUPS[number % len(GROUPS)]
    words = [dice.choice(own if dice.random() < 0.6 else COMMON) for _ in range(24)]
    abstract: Any = " ".join(words[6:])
    if number % 11 == 3:
        abstract = None
    elif number % 11 == 5:
        abstract = "   "
    elif number % 11 == 7:
        abstract = ""
    elif number % 13 == 2:
        abstract = " ".join(words * 30) + " end"
    return {
        "title": " ".join(words[:6]),
        "abstract": abstract,
        "venue": None if number % 3 == 0 else "graph library",
        "year": None if number % 5 == 0 else 1990 + number,
    }


def _documents(folder: Path, numbers: Iterable[int], key: Id) -> None:
    rows = [{"doc_id": key(n), **paper(n)} for n in numbers]
    # Later rows of known ids, which must not count; the id is text where it was a number.
    rows += [{"doc_id": str(key(n)), **paper(n + 1, 9)} for n in (1, 4)]
    _write(folder / "meta.jsonl", rows)


def _labels(folder: Path, name: str, label: Callable[[int, random.Random], Any], key: Id) -> None:
    dice = random.Random(SEEDS.get(name, name))
    rows = [(key(n), label(n, dice)) for n in range(TRAIN + TEST)]
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in (("train", rows[:TRAIN]), ("test", rows[TRAIN:])):
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("paper_id", "label"), *part])


def _numbered(number: int, dice: random.Random) -> int:
    """Classes whose order as numbers is not their order as text; class 100 has two train rows."""
    return 100 if number in (10, 50, 120) else (2, 9, 10, 31)[number % 4]


def _named(number: int, dice: random.Random) -> str:
    noisy = number + (dice.random() < 0.1)
    return "rare" if number in (11, 61, 130) else f"class {noisy % 4}"


def _binary(number: int, dice: random.Random) -> int:
    return int(number % 4 in (1, 2))


def _fields(number: int, dice: random.Random) -> str:
    return json.dumps([int(number % 4 == k or dice.random() < 0.1) for k in range(3)])


def _number(number: int, dice: random.Random) -> float:
    return round((number % 4) * 2 + dice.random(), 3)


def _ranking(folder: Path, dice: random.Random, text_queries: bool, highest: int) -> None:
    rows: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for q in range(10):
        # The fourth text query has the id of a candidate.
        key = (24 if q == 4 else f"q{q}") if text_queries else q
        pool = [*dice.sample(range(20, 36), 7), 24, (q + 3) % 10]
        pool.append(pool[0])
        if not text_queries:
            pool.append(q)
        rows.append(
            {
                "doc_id": key,
                "query": f"{dice.choice(GROUPS[q % 4])} [SEP] {dice.choice(GROUPS[q % 4])} model"
                if text_queries
                else {"doc_id": key, **paper(q)},
                # Each query lists a text of its own for a paper; the first one counts.
                "candidates": [
                    {"doc_id": c if q % 2 else str(c), **paper(c, q), "score": 0}
                    for c in [*pool, 36 + q]
                ],
            }
        )
        for c in pool:
            near = c % 4 == q % 4
            grade = dice.randint(1, highest) if near or dice.random() < 0.2 else 0
            score = 0 if q == 3 else grade
            labels.append({"query_id": str(key), "cand_id": c if q % 3 else str(c), "score": score})
    labels.append({**labels[0], "score": 1 - min(1, labels[0]["score"])})
    _write(folder / "meta.jsonl", rows)
    _write(folder / "test_qrel.jsonl", labels)


def _flat_labels(dice: random.Random) -> list[dict[str, Any]]:
    return [
        {"query_id": hashed(q), "cand_id": hashed(c), "score": int(q != 2 and c % 4 == q % 4)}
        for q in range(8)
        for c in [*dice.sample(range(8, 40), 9), (q + 1) % 8]
    ]


def _reviewers(root: Path) -> None:
    dice = random.Random("reviewers")
    _documents(root / "paper_reviewer_matching", range(60), int)
    people = [
        {"r_id": f"r{n}", "papers": [p if n % 2 else str(p) for p in dice.sample(range(10, 60), m)]}
        for n, m in enumerate([1, 2, 3, 4, 5, 6, 3, 3, 2, 7, 4, 1])
    ]
    _write(root / "reviewers" / "reviewer_metadata.jsonl", people)
    hard, soft = [], []
    for q in range(8):
        for n in range(12):
            score = int(q != 5 and dice.random() < 0.3)
            hard.append({"query_id": q, "cand_id": f"r{n}", "score": score})
            soft.append({**hard[-1], "score": max(score, int(dice.random() < 0.3))})
    _write(root / "paper_reviewer_matching" / "test_hard_qrel.jsonl", hard)
    _write(root / "paper_reviewer_matching" / "test_soft_qrel.jsonl", soft)


def _pools(root: Path) -> None:
    dice = random.Random("mdcr")
    fields = {
        name: {
            str(query): {
                source: [str(dice.randrange(40, 90)) for _ in range(3 if source != "graph" else 0)]
                for source in SOURCES
            }
            for query in (2 * number, 2 * number + 1)
        }
        for number, name in enumerate(FIELDS)
    }
    (root / "mdcr_test.json").write_text(json.dumps(fields), encoding="utf-8")
    rows = [
        {"paper_id": n if n % 2 else str(n), "title": row["title"], "abstract": row["abstract"]}
        for n, row in ((n, paper(n)) for n in range(90))
    ]
    _write(root / "mdcr_test_data.jsonl", rows)


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
