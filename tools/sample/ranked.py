"""Ranking sets: same author, citation, relatedness, and two searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.sample.draw import Draw, proper_names
from tools.sample.labelled import concepts_of
from tools.sample.vocabulary import PLAIN, Vocabulary
from tools.sample.writing import Paper, Plan, write

PAPERS_PER_AUTHOR = 5
BLOCKS = 6
SIZES = (9, 4, 3)
"""Candidates of grade 0, 1 and 2 of a query for related papers."""


@dataclass(frozen=True)
class Query:
    """A query (a paper, or a text) with its graded candidates in the order of the files."""

    id: str
    query: Paper | str
    candidates: list[tuple[Paper, int]]


def author_queries(draw: Draw, words: Vocabulary, authors: int) -> list[Query]:
    """Which papers of a name block are by the author of the query.

    An author has three concepts of the block's topic, one from elsewhere and a collection of their
    own. All candidates come from the block, so that the topic alone tells nothing.
    """
    names = proper_names(draw, authors, words=2)
    topics = draw.sample(words.topics, BLOCKS)
    blocks: list[list[list[Paper]]] = [[] for _ in topics]
    for number in range(authors):
        topic = topics[number % BLOCKS]
        others = [other for other in words.topics if other is not topic]
        core = [*draw.sample(topic.concepts, 3), draw.pick(concepts_of(others))]
        papers = []
        for k in range(PAPERS_PER_AUTHOR):
            plan = Plan(
                tuple(draw.sample(core, 2)),
                aside=draw.pick(concepts_of(words.topics, core)),
                name=names[number] if draw.chance(0.7) else draw.pick(names),
            )
            title, abstract = write(draw, words, plan)
            papers.append(Paper(f"{7_400_000 + 100 * number + k}", title, abstract, plan))
        blocks[number % BLOCKS].append(papers)
    out = []
    for block in blocks:
        for papers in block:
            foreign = [paper for other in block if other is not papers for paper in other]
            pool = [(paper, 1) for paper in papers[1:]]
            pool += [(paper, 0) for paper in draw.sample(foreign, 7)]
            out.append(Query(papers[0].id, papers[0], draw.shuffled(pool)))
    return out


def citation_queries(draw: Draw, lines: Sequence[Sequence[Paper]], queries: int) -> list[Query]:
    """Which papers a paper cites: the others of its line of work, among near and random ones."""
    out = []
    for line in draw.sample(lines, queries):
        query = draw.pick(line)
        others = [paper for other in lines if other is not line for paper in other]
        near = [paper for paper in others if paper.main.topic == query.main.topic]
        pool = [(paper, 1) for paper in line if paper is not query]
        pool += [(paper, 0) for paper in draw.sample(near, 9)]
        far = [paper for paper in others if paper.main.topic != query.main.topic]
        pool += [(paper, 0) for paper in draw.sample(far, 8)]
        out.append(Query(query.id, query, draw.shuffled(pool)))
    return out


def related_queries(draw: Draw, papers: Sequence[Paper], queries: int) -> list[Query]:
    """Graded relatedness: 2 for two common concepts, 1 for one, 0 for none, of the same topic
    and, where that has too few, of its field.
    """
    out = []
    for query in draw.sample(papers, queries):
        near = [p for p in papers if p is not query and p.main.topic == query.main.topic]
        pool = _graded(draw, {p.id: min(2, query.shared(p)) for p in near}, near, SIZES)
        missing = SIZES[0] - sum(grade == 0 for _, grade in pool)
        far = [
            paper
            for paper in papers
            if paper.main.field == query.main.field and paper.main.topic != query.main.topic
        ]
        pool += [(paper, 0) for paper in draw.sample(far, missing)]
        out.append(Query(query.id, query, draw.shuffled(pool)))
    return out


def library(draw: Draw, words: Vocabulary, count: int, first_id: int) -> list[Paper]:
    """Papers for searching, each in one register, with name, venue and year."""
    names = proper_names(draw, count // 3)
    papers = []
    for k in range(count):
        topic = words.topics[k % len(words.topics)]
        plan = Plan(
            tuple(draw.sample(topic.concepts, 2)),
            aside=draw.pick(concepts_of(words.topics, topic.concepts)),
            name=draw.pick(names) if draw.chance(0.6) else None,
            alternative=float(draw.chance(0.5)),
        )
        title, abstract = write(draw, words, plan)
        year, venue = draw.between(1988, 2023), draw.pick(words.lists["venues"])
        papers.append(Paper(str(first_id + 31 * k), title, abstract, plan, year, venue))
    return papers


def search_queries(draw: Draw, papers: Sequence[Paper], queries: int) -> list[Query]:
    """A search log: which of ten papers was chosen.

    A query says a paper's concepts in the register that the paper does not use; a third also give
    its venue, its year or the name of its collection. The other candidates share one concept, most
    of them in the query's own register, or the topic, or the venue.
    """
    out = []
    for number, target in enumerate(draw.sample(papers, queries)):
        start = 0 if target.plan.alternative else 2
        text = " ".join(concept.forms[start + draw.below(2)] for concept in target.plan.concepts)
        if draw.chance(0.4):
            text += f" {draw.pick([target.venue, str(target.year), target.plan.name or ''])}"
        others = [paper for paper in papers if target.shared(paper) < 2 and paper is not target]
        partly = [paper for paper in others if target.shared(paper) == 1]
        tempting = [p for p in partly if p.plan.alternative != target.plan.alternative]
        pool = [(target, 2)]
        pool += [(p, 1) for p in papers if p is not target and target.shared(p) == 2][:1]
        chosen = draw.sample(tempting, 3)
        rest = [paper for paper in others if paper not in chosen]
        near = [p for p in rest if p.main.field == target.main.field or p.venue == target.venue]
        chosen += draw.sample(near, 10 - len(pool) - len(chosen))
        pool += [(paper, 0) for paper in chosen]
        out.append(Query(f"search_{number:03d}", " ".join(text.split()), draw.shuffled(pool)))
    return out


def question_queries(
    draw: Draw, words: Vocabulary, papers: Sequence[Paper], queries: int
) -> list[Query]:
    """Everyday questions on a concept: 2 where it is a paper's main subject, 1 where another."""
    out = []
    for number in range(queries):
        topic = words.topics[number % len(words.topics)]
        concept = draw.pick(topic.concepts)
        grades = {
            paper.id: 2 if paper.main == concept else int(concept in paper.plan.concepts)
            for paper in papers
        }
        near = [paper for paper in papers if paper.main.topic == topic.name]
        pool = _graded(draw, grades, near, (8, 3, 3))
        out.append(Query(f"question-{number}", concept.forms[PLAIN], draw.shuffled(pool)))
    return out


def _graded(
    draw: Draw, grades: dict[str, int], papers: Sequence[Paper], sizes: Sequence[int]
) -> list[tuple[Paper, int]]:
    """Up to ``sizes[g]`` of the papers with grade g."""
    pool: list[tuple[Paper, int]] = []
    for grade, size in enumerate(sizes):
        found = [paper for paper in papers if grades[paper.id] == grade]
        pool += [(paper, grade) for paper in draw.sample(found, size)]
    return pool
