"""Candidates and grades of the ranking sets follow from what the papers are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tools.sample import labelled, ranked
from tools.sample.draw import Draw
from tools.sample.ranked import Query
from tools.sample.vocabulary import PLAIN, load_vocabulary
from tools.sample.writing import Paper

WORDS = load_vocabulary()
LIBRARY = ranked.library(Draw(1, "library"), WORDS, 238, 1000)


def check_pools(queries: Sequence[Query], *, most: int) -> None:
    """Every pool has relevant and other candidates, none twice and never the query itself."""
    assert len({query.id for query in queries}) == len(queries)
    for query in queries:
        ids = [paper.id for paper, _ in query.candidates]
        grades = Counter(grade for _, grade in query.candidates)
        assert len(set(ids)) == len(ids) <= most
        assert query.id not in ids
        assert grades[0] >= 3
        assert sum(grades.values()) > grades[0]


def paper_of(query: Query) -> Paper:
    assert isinstance(query.query, Paper)
    return query.query


def test_authors_are_found_within_their_block() -> None:
    queries = ranked.author_queries(Draw(1, "authors"), WORDS, 24)
    check_pools(queries, most=11)
    assert len(queries) == 24
    for query in queries:
        author = int(query.id) // 100
        assert all((int(p.id) // 100 == author) == bool(grade) for p, grade in query.candidates)
    asked = {query.id for query in queries}
    assert any(paper.id in asked for query in queries for paper, _ in query.candidates)


def test_citations_are_the_rest_of_the_line_among_papers_of_its_topic() -> None:
    lines = labelled.topic_papers(Draw(1, "topics"), WORDS, 56, 5)
    home = {paper.id: number for number, line in enumerate(lines) for paper in line}
    queries = ranked.citation_queries(Draw(1, "cite"), lines, 20)
    check_pools(queries, most=21)
    for query in queries:
        cited = {paper.id for paper, grade in query.candidates if grade}
        assert cited == {p.id for p in lines[home[query.id]]} - {query.id}
        near = [
            p for p, g in query.candidates if not g and p.main.topic == paper_of(query).main.topic
        ]
        assert len(near) == 9


def test_relatedness_is_the_number_of_common_concepts_up_to_two() -> None:
    papers = labelled.record_papers(Draw(2, "records"), WORDS, 360, 240)
    queries = ranked.related_queries(Draw(2, "related"), papers, 30)
    check_pools(queries, most=16)
    for query in queries:
        for paper, grade in query.candidates:
            assert grade == min(2, paper_of(query).shared(paper))
            assert paper.main.field == paper_of(query).main.field
        assert sum(grade == 0 for _, grade in query.candidates) == 9


def test_a_search_says_its_target_in_the_other_register() -> None:
    queries = ranked.search_queries(Draw(3, "search"), LIBRARY, 40)
    check_pools(queries, most=10)
    extras = 0
    for query in queries:
        [target] = [paper for paper, grade in query.candidates if grade == 2]
        start = 0 if target.plan.alternative else 2
        rest = str(query.query)
        for concept in target.plan.concepts:
            [said] = [form for form in concept.forms[start : start + 2] if form in rest]
            rest = rest.replace(said, "")
        assert rest.strip() in {"", target.venue, str(target.year), target.plan.name}
        extras += bool(rest.strip())
        for paper, grade in query.candidates:
            assert (grade > 0) == (target.shared(paper) == 2)
    assert 5 <= extras <= 25


def test_a_question_is_in_plain_words_and_graded_by_the_place_of_its_concept() -> None:
    queries = ranked.question_queries(Draw(4, "questions"), WORDS, LIBRARY, 28)
    check_pools(queries, most=14)
    concepts = {c.forms[PLAIN]: c for topic in WORDS.topics for c in topic.concepts}
    for query in queries:
        concept = concepts[str(query.query)]
        for paper, grade in query.candidates:
            place = paper.plan.concepts.index(concept) if concept in paper.plan.concepts else 2
            assert grade == 2 - min(place, 2)
