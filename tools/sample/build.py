"""Everything that the ``sample`` suite's data folder holds, as file contents by path."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tools.sample import labelled, panels, ranked
from tools.sample.draw import Draw
from tools.sample.labelled import Labels
from tools.sample.vocabulary import Vocabulary, load_vocabulary
from tools.sample.writing import Paper

SEED = 42
LINES, LINE_SIZE = 84, 5
RECORDS, RECORDS_TRAIN = 400, 260
NATURE, NATURE_TRAIN = 300, 200
AUTHORS, LIBRARY, REVIEWERS, SUBMISSIONS = 36, 238, 30, 35
POOL_FIELDS, POOL_QUERIES = 4, 12
CITING, RELATED, SEARCHES, QUESTIONS = 48, 36, 48, 42


def sample_files(seed: int = SEED, words: Vocabulary | None = None) -> dict[str, str]:
    """Relative path -> text of every file; equal seeds give equal texts."""
    words = words or load_vocabulary()
    return {
        **_topics(seed, words),
        **_records(seed, words),
        **_nature(seed, words),
        **_authors(seed, words),
        **_searches(seed, words),
        **_reviewers(seed, words),
        **_pools(seed, words),
    }


def _topics(seed: int, words: Vocabulary) -> dict[str, str]:
    draw = Draw(seed, "topics")
    lines = labelled.topic_papers(draw, words, LINES, LINE_SIZE)
    mesh = labelled.topic_labels(Draw(seed, "mesh"), words, lines)
    fos = labelled.field_labels(Draw(seed, "fos"), words, lines)
    cite = ranked.citation_queries(Draw(seed, "cite"), lines, CITING)
    papers = [paper for line in lines for paper in line]
    return {
        "topics/meta.jsonl": _jsonl(_document(paper) for paper in _blank(papers, (17, 203))),
        **_csv("topics/mesh", mesh),
        **_csv("topics/fos", fos),
        "topics/cite/test_qrel.jsonl": _qrels(cite),
    }


def _records(seed: int, words: Vocabulary) -> dict[str, str]:
    """Ids of these documents are integers in the JSON, as in some of the benchmark's configs."""
    papers = labelled.record_papers(Draw(seed, "records"), words, RECORDS, RECORDS_TRAIN)
    citations, years = labelled.record_labels(papers, RECORDS_TRAIN)
    related = ranked.related_queries(Draw(seed, "related"), papers, RELATED)
    rows = ({**_document(paper), "doc_id": int(paper.id)} for paper in papers)
    return {
        "records/meta.jsonl": _jsonl(rows),
        **_csv("records/citations", citations),
        **_csv("records/year", years),
        "related/meta.jsonl": _jsonl(_nested(query) for query in related),
        "related/test_qrel.jsonl": _qrels(related),
    }


def _nature(seed: int, words: Vocabulary) -> dict[str, str]:
    papers = labelled.nature_papers(Draw(seed, "nature"), words, NATURE, NATURE_TRAIN)
    return {
        "nature/meta.jsonl": _jsonl(_document(paper) for paper in papers),
        **_csv("nature", labelled.nature_labels(papers, NATURE_TRAIN)),
    }


def _authors(seed: int, words: Vocabulary) -> dict[str, str]:
    queries = ranked.author_queries(Draw(seed, "authors"), words, AUTHORS)
    return {
        "same_author/meta.jsonl": _jsonl(_nested(query) for query in queries),
        "same_author/test_qrel.jsonl": _qrels(queries),
    }


def _searches(seed: int, words: Vocabulary) -> dict[str, str]:
    draw = Draw(seed, "library")
    papers = _blank(ranked.library(draw, words, LIBRARY, 98_000_000), (40, 111))
    # One of the benchmark's sets has texts with a literal separator token.
    papers[5] = replace(papers[5], abstract=f"{papers[5].title} [SEP] {papers[5].abstract}")
    search = ranked.search_queries(Draw(seed, "search"), papers, SEARCHES)
    questions = ranked.question_queries(Draw(seed, "questions"), words, papers, QUESTIONS)
    return {
        "search/meta.jsonl": _jsonl(_nested(query, venue=True) for query in search),
        "search/test_qrel.jsonl": _qrels(search),
        "questions/meta.jsonl": _jsonl(_nested(query) for query in questions),
        "questions/test_qrel.jsonl": _qrels(questions),
    }


def _reviewers(seed: int, words: Vocabulary) -> dict[str, str]:
    found = panels.panel(Draw(seed, "reviewers"), words, REVIEWERS, SUBMISSIONS)
    papers = [*found.submissions, *(p for own in found.reviewers.values() for p in own)]
    return {
        "reviewers/meta.jsonl": _jsonl(_document(paper) for paper in papers),
        "reviewers/reviewer_metadata.jsonl": _jsonl(
            {"r_id": key, "papers": [paper.id for paper in own]}
            for key, own in found.reviewers.items()
        ),
        "reviewers/test_hard_qrel.jsonl": _rows(found.hard),
        "reviewers/test_soft_qrel.jsonl": _rows(found.soft),
    }


def _pools(seed: int, words: Vocabulary) -> dict[str, str]:
    found = panels.pools(Draw(seed, "pools"), words, POOL_FIELDS, POOL_QUERIES)
    rows = (
        {"paper_id": int(paper.id), "title": paper.title, "abstract": paper.abstract}
        for paper in found.papers
    )
    return {
        "pools/mdcr_test.json": json.dumps(found.fields, indent=1) + "\n",
        "pools/mdcr_test_data.jsonl": _jsonl(rows),
    }


def _blank(papers: Sequence[Paper], places: Sequence[int]) -> list[Paper]:
    """The papers, those at some places without an abstract, as a few real ones are."""
    return [replace(p, abstract=None) if k in places else p for k, p in enumerate(papers)]


def _document(paper: Paper, venue: bool = False) -> dict[str, object]:
    row = {"doc_id": paper.id, "title": paper.title, "abstract": paper.abstract}
    return {**row, "venue": paper.venue, "year": str(paper.year)} if venue else {**row}


def _nested(query: ranked.Query, venue: bool = False) -> dict[str, object]:
    text = query.query if isinstance(query.query, str) else _document(query.query)
    candidates = [{**_document(paper, venue), "score": grade} for paper, grade in query.candidates]
    return {"doc_id": query.id, "query": text, "candidates": candidates}


def _qrels(queries: Sequence[ranked.Query]) -> str:
    return _rows([(q.id, paper.id, grade) for q in queries for paper, grade in q.candidates])


def _rows(rows: Sequence[tuple[str, str, int]]) -> str:
    return _jsonl({"query_id": q, "cand_id": c, "score": grade} for q, c, grade in rows)


def _csv(folder: str, labels: Labels) -> dict[str, str]:
    def text(rows: Sequence[tuple[str, str]]) -> str:
        lines = [f'{key},"{label}"' if "," in label else f"{key},{label}" for key, label in rows]
        return "\n".join(["paper_id,label", *lines]) + "\n"

    return {f"{folder}/train.csv": text(labels.train), f"{folder}/test.csv": text(labels.test)}


def _jsonl(rows: Iterable[object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
