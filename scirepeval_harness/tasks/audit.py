"""What is odd about a task's data, in numbers, before anything is embedded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scirepeval_harness.tasks.dataset import (
    AuthorBlocks,
    CitationPools,
    Coverage,
    Document,
    LabelledSet,
    LoadedTask,
    Qrels,
    RankingSet,
    ReviewerSet,
)

SHOWN = 3
TOP_PAPERS = 3
"""Papers of a reviewer that count in reviewer matching."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How many of ``total`` things are odd in one way, and the first few of them.

    ``blocking`` findings stop a run that was not told to go on without what is missing.
    """

    name: str
    count: int
    total: int
    examples: tuple[str, ...] = ()
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """How often a label, grade or size occurs in each split."""

    name: str
    counts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Audit:
    findings: tuple[Finding, ...]
    distribution: tuple[Share, ...]

    @property
    def blocked(self) -> bool:
        """Whether a run of this data would end in an error."""
        return any(finding.blocking and finding.count for finding in self.findings)


def audit(loaded: LoadedTask) -> Audit:
    """Counts over data that was loaded with ``allow_missing``, so that gaps are counted."""
    data, findings = loaded.data, list(_gaps(loaded.coverage))
    match data:
        case LabelledSet():
            return Audit((*findings, *_splits(data)), tuple(_labels(data)))
        case RankingSet():
            odd = _rankings(data.qrels, {**data.candidates, **data.queries})
            return Audit((*findings, *odd), tuple(_grades({"all": data.qrels})))
        case CitationPools():
            merged = {
                f"{field}: {query}": grades
                for field, qrels in data.fields.items()
                for query, grades in qrels.items()
            }
            odd = _rankings(merged, data.documents)
            return Audit((*findings, *odd), tuple(_grades(data.fields)))
        case ReviewerSet():
            shares = _grades({"hard": data.hard, "soft": data.soft})
            return Audit((*findings, *_reviewers(data)), tuple(shares))
        case AuthorBlocks():
            return Audit((*findings, *_blocks(data)), tuple(_block_sizes(data)))


def same_text(document: Document) -> str:
    """A document's text without case and spacing, the key under which copies are found."""
    return " ".join(" ".join(document.parts).casefold().split())


def _finding(name: str, odd: Iterable[str], total: int) -> Finding:
    listed = list(odd)
    return Finding(name, len(listed), total, tuple(listed[:SHOWN]))


def _gaps(coverage: Coverage) -> Iterator[Finding]:
    needed = coverage.documents_needed
    missing = needed - coverage.documents_found - coverage.textless
    yield Finding("documents without text", coverage.textless, needed, blocking=True)
    yield Finding("ids without a document", missing, needed, coverage.missing[:SHOWN], True)
    if coverage.queries_needed:
        lost = coverage.queries_needed - coverage.queries_found
        yield Finding("queries lost with them", lost, coverage.queries_needed, blocking=True)


def _splits(data: LabelledSet) -> Iterator[Finding]:
    train, test = data.train_ids, data.test_ids
    known = set(train)
    yield _finding(
        "test documents that are also in train", (k for k in test if k in known), len(test)
    )
    for name, ids in (("train", train), ("test", test)):
        copies = [key for key, count in Counter(ids).items() if count > 1]
        yield _finding(f"documents labelled twice in {name}", copies, len(ids))
    seen = {same_text(data.documents[key]) for key in train}
    leaked = [k for k in test if k not in known and same_text(data.documents[k]) in seen]
    yield _finding("test texts that are also in train", leaked, len(test))
    if data.classes:
        for name, labels in (("train", data.train_labels), ("test", data.test_labels)):
            present = _class_counts(labels, len(data.classes)) > 0
            absent = [c for c, there in zip(data.classes, present, strict=True) if not there]
            yield _finding(f"classes without a row in {name}", absent, len(data.classes))


def _labels(data: LabelledSet) -> Iterator[Share]:
    splits = {"train": data.train_labels, "test": data.test_labels}
    if data.classes:
        counts = {name: _class_counts(labels, len(data.classes)) for name, labels in splits.items()}
        for number, name in enumerate(data.classes):
            yield Share(name, {split: int(values[number]) for split, values in counts.items()})
        return
    for share in (0, 25, 50, 75, 100):
        yield Share(
            f"{share}th percentile",
            {
                name: float(np.percentile(labels.astype(np.float64), share))
                for name, labels in splits.items()
            },
        )


def _class_counts(
    labels: np.typing.NDArray[np.generic], classes: int
) -> np.typing.NDArray[np.int64]:
    if labels.ndim == 2:
        return np.asarray(labels.astype(np.int64).sum(axis=0))
    return np.bincount(labels.astype(np.int64), minlength=classes)


def _rankings(qrels: Qrels, documents: Mapping[str, Document]) -> Iterator[Finding]:
    total = len(qrels)
    plain = {query: query.split(": ", 1)[-1] for query in qrels}
    without = [query for query, grades in qrels.items() if not any(grades.values())]
    yield _finding("queries without a relevant candidate", without, total)
    alike = [query for query, grades in qrels.items() if len(grades) > 1 and all(grades.values())]
    yield _finding("queries with relevant candidates alone", alike, total)
    single = [query for query, grades in qrels.items() if len(grades) == 1]
    yield _finding("queries with one candidate", single, total)
    itself = [query for query, grades in qrels.items() if plain[query] in grades]
    yield _finding("queries that are their own candidate", itself, total)
    keys = {key: same_text(document) for key, document in documents.items()}
    copies = [
        query
        for query, grades in qrels.items()
        if any(keys[key] == keys[plain[query]] for key in grades if key != plain[query])
    ]
    yield _finding("queries with a copy of their text among the candidates", copies, total)


def _grades(sets: Mapping[str, Qrels]) -> Iterator[Share]:
    counts = {
        name: Counter(grade for grades in qrels.values() for grade in grades.values())
        for name, qrels in sets.items()
    }
    for grade in sorted({grade for counter in counts.values() for grade in counter}):
        yield Share(f"grade {grade}", {name: counter[grade] for name, counter in counts.items()})
    yield Share("queries", {name: len(qrels) for name, qrels in sets.items()})
    yield Share(
        "candidates a query (median)",
        {
            name: float(np.median([len(g) for g in qrels.values()])) if qrels else 0.0
            for name, qrels in sets.items()
        },
    )


def _reviewers(data: ReviewerSet) -> Iterator[Finding]:
    for name, qrels in (("hard", data.hard), ("soft", data.soft)):
        without = [query for query, grades in qrels.items() if not any(grades.values())]
        yield _finding(f"papers without a relevant reviewer ({name})", without, len(qrels))
    few = [name for name, papers in data.reviewers.items() if len(papers) < TOP_PAPERS]
    yield _finding(f"reviewers with fewer than {TOP_PAPERS} papers", few, len(data.reviewers))
    own = [
        query
        for query, grades in data.hard.items()
        if any(query in data.reviewers[name] for name in grades)
    ]
    yield _finding("papers that are also a candidate reviewer's own", own, len(data.hard))


def _blocks(data: AuthorBlocks) -> Iterator[Finding]:
    blocks = {
        f"{field}: {name}": signatures
        for field, own in data.blocks.items()
        for name, signatures in own.items()
    }
    single = [name for name, signatures in blocks.items() if len(signatures) == 1]
    yield _finding("blocks of one signature", single, len(blocks))
    one = [n for n, s in blocks.items() if len({data.cluster_of[key] for key in s}) == 1]
    yield _finding("blocks of one author", one, len(blocks))
    papers = Counter(data.paper_of[key] for own in blocks.values() for key in own)
    shared = [paper for paper, count in papers.items() if count > 1]
    yield _finding("papers with several signatures", shared, len(papers))


def _block_sizes(data: AuthorBlocks) -> Iterator[Share]:
    signatures = {
        field: [key for own in blocks.values() for key in own]
        for field, blocks in data.blocks.items()
    }
    yield Share("blocks", {field: len(blocks) for field, blocks in data.blocks.items()})
    yield Share("signatures", {field: len(keys) for field, keys in signatures.items()})
    yield Share("authors", {f: _distinct(data.cluster_of, keys) for f, keys in signatures.items()})
    yield Share("papers", {f: _distinct(data.paper_of, keys) for f, keys in signatures.items()})


def _distinct(of: Mapping[str, str], keys: Sequence[str]) -> int:
    return len({of[key] for key in keys})
