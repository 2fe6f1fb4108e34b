"""Leaks and gaps, counted on sets small enough to count by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from scirepeval_harness.evaluations.author_disambiguation import AuthorBlocks
from scirepeval_harness.evaluations.citation_pools import CitationPools
from scirepeval_harness.evaluations.probe import LabelledSet
from scirepeval_harness.evaluations.ranking import RankingSet
from scirepeval_harness.evaluations.reviewer_matching import ReviewerSet
from scirepeval_harness.task.audit import Audit, audit
from scirepeval_harness.task.dataset import Coverage, Document, LoadedTask, Provenance
from tests.support.made_results import query_task

TASKS = {
    kind: query_task(format=format_, evaluation=evaluation, metrics=(metric,))
    for kind, format_, evaluation, metric in (
        (LabelledSet, "classification", "probe", "accuracy"),
        (RankingSet, "proximity", "ranking", "map"),
        (CitationPools, "proximity", "citation_pools", "map"),
        (ReviewerSet, "proximity", "reviewer_matching", "P_5"),
        (AuthorBlocks, "proximity", "author_disambiguation", "light_b3_f1"),
    )
}
PROVENANCE = Provenance("local", "documents", "labels", None, "0")


def documents(**texts: str) -> dict[str, Document]:
    return {key: Document(key, tuple(text.split("|"))) for key, text in texts.items()}


def counts(data: Any, coverage: Coverage | None = None) -> dict[str, int]:
    return {finding.name: finding.count for finding in checked(data, coverage).findings}


def checked(data: Any, coverage: Coverage | None = None) -> Audit:
    return audit(TASKS[type(data)], LoadedTask(data, PROVENANCE, coverage or Coverage(1, 1)))


def test_leaks_between_train_and_test_are_found_by_id_and_by_text() -> None:
    data = LabelledSet(
        documents(a="One|x", b="Two", c="one  X", d="Three", e="Four"),
        ("a", "b", "b"),
        np.array([0, 1, 1]),
        ("b", "c", "d"),
        np.array([1, 0, 0]),
        ("first", "second", "third"),
    )
    found = counts(data)
    assert found["test documents that are also in train"] == 1
    assert found["test texts that are also in train"] == 1, "c repeats a, other case and spacing"
    assert found["documents labelled twice in train"] == 1
    assert found["documents labelled twice in test"] == 0
    assert found["classes without a row in train"] == found["classes without a row in test"] == 1


def test_labels_are_counted_by_class_and_numbers_by_percentile() -> None:
    papers = documents(a="One", b="Two", c="Three")
    multi = LabelledSet(
        papers, ("a", "b"), np.array([[1, 1], [0, 1]]), ("c",), np.array([[1, 0]]), ("x", "y")
    )
    assert [(s.name, s.counts) for s in checked(multi).distribution] == [
        ("x", {"train": 1, "test": 1}),
        ("y", {"train": 2, "test": 0}),
    ]
    numbers = LabelledSet(papers, ("a", "b"), np.array([1.0, 3.0]), ("c",), np.array([7.0]))
    middle = checked(numbers).distribution[2]
    assert (middle.name, middle.counts) == ("50th percentile", {"train": 2.0, "test": 7.0})


def test_rankings_are_checked_for_queries_that_cannot_tell_models_apart() -> None:
    data = RankingSet(
        documents(q="Text", r="Other", s="Third"),
        documents(a="text", b="B", r="Other"),
        {"q": {"a": 0, "b": 0}, "r": {"r": 1, "b": 2}, "s": {"b": 1}},
    )
    found = counts(data)
    assert found["queries without a relevant candidate"] == 1
    assert found["queries with relevant candidates alone"] == 1, "one candidate is counted apart"
    assert found["queries with one candidate"] == 1
    assert found["queries that are their own candidate"] == 1
    assert found["queries with a copy of their text among the candidates"] == 1
    grades = {share.name: share.counts["all"] for share in checked(data).distribution}
    assert grades["grade 0"] == 2
    assert grades["grade 1"] == 2
    assert grades["grade 2"] == 1


def test_pools_are_counted_by_field() -> None:
    data = CitationPools(
        documents(q="Q", a="A", b="B"), {"Art": {"q": {"a": 1, "b": 0}}, "Law": {"q": {"b": 0}}}
    )
    assert counts(data)["queries without a relevant candidate"] == 1
    queries = [s.counts for s in checked(data).distribution if s.name == "queries"]
    assert queries == [{"Art": 1, "Law": 1}]


def test_reviewers_own_papers_among_the_queries_are_a_leak() -> None:
    data = ReviewerSet(
        documents(p="P", a="A", b="B", c="C"),
        {"r1": ("a", "b", "c"), "r2": ("p",)},
        {"p": {"r1": 0, "r2": 0}},
        {"p": {"r1": 1, "r2": 0}},
    )
    found = counts(data)
    assert found["papers without a relevant reviewer (hard)"] == 1
    assert found["papers without a relevant reviewer (soft)"] == 0
    assert found["reviewers with fewer than 3 papers"] == 1
    assert found["papers that are also a candidate reviewer's own"] == 1


def test_blocks_that_ask_nothing_are_counted() -> None:
    data = AuthorBlocks(
        documents(p="P", q="Q"),
        {"set": {"a smith": ("1", "2"), "b jones": ("3",)}},
        {"1": "p", "2": "q", "3": "q"},
        {"1": "x", "2": "x", "3": "y"},
    )
    found = counts(data)
    assert found["blocks of one signature"] == 1
    assert found["blocks of one author"] == 2
    assert found["papers with several signatures"] == 1


def test_gaps_block_a_run() -> None:
    data = RankingSet(documents(q="Q"), documents(a="A"), {"q": {"a": 1}})
    gaps = Coverage(10, 7, 3, 1, missing=("x", "y"), textless=1)
    found = checked(data, gaps)
    assert found.blocked
    named = {finding.name: finding for finding in found.findings}
    assert named["documents without text"].count == 1
    assert named["ids without a document"].count == 3
    assert named["ids without a document"].examples == ("x", "y")
    assert named["queries lost with them"].count == 2
    assert not checked(data, Coverage(2, 2, 1, 1, textless=1)).blocked
