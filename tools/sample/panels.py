"""Paper-reviewer matching, and candidate pools in the form of MDCR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.sample.draw import Draw, proper_names
from tools.sample.labelled import concepts_of
from tools.sample.vocabulary import Concept, Vocabulary
from tools.sample.writing import Paper, Plan, write

PAPERS_PER_REVIEWER = 5
TOPICS = 9
"""Topics of a panel, few enough for several reviewers of each."""
POOL_LISTS = ("true", "bm25", "scincl", "specter", "graph", "most_cited", "random")
LIST_SIZE = 5


@dataclass(frozen=True)
class Panel:
    """Submissions, each reviewer's own papers, and the (submission, reviewer, grade) rows."""

    submissions: list[Paper]
    reviewers: dict[str, list[Paper]]
    hard: list[tuple[str, str, int]]
    soft: list[tuple[str, str, int]]


def panel(draw: Draw, words: Vocabulary, reviewers: int, submissions: int) -> Panel:
    """Reviewers know four concepts of one topic and two of another.

    A submission has two concepts: a reviewer fits in the soft labels who knows one of them, and in
    the hard labels who knows both. Some submissions have no reviewer of the hard kind.
    """
    topics = draw.sample(words.topics, TOPICS)
    names = proper_names(draw, reviewers)
    known: dict[str, list[Concept]] = {}
    papers: dict[str, list[Paper]] = {}
    for number in range(reviewers):
        topic = topics[number % TOPICS]
        second = draw.pick([other for other in topics if other is not topic])
        core = [*draw.sample(topic.concepts, 4), *draw.sample(second.concepts, 2)]
        key = f"r{number:02d}"
        known[key], papers[key] = core, []
        for k in range(PAPERS_PER_REVIEWER):
            plan = Plan(
                tuple(draw.sample(core, 2)),
                aside=draw.pick(concepts_of(words.topics, core)),
                name=names[number] if draw.chance(0.5) else None,
            )
            identity = str(33_000 + 100 * number + k)
            papers[key].append(Paper(identity, *write(draw, words, plan), plan))
    wanted: list[Paper] = []
    hard, soft = [], []
    for number in range(submissions):
        topic = topics[number % TOPICS]
        plan = Plan(
            tuple(draw.sample(topic.concepts, 2)),
            aside=draw.pick(concepts_of(words.topics, topic.concepts)),
        )
        paper = Paper(str(90_000 + number), *write(draw, words, plan), plan)
        wanted.append(paper)
        for key, core in known.items():
            fit = len(set(core) & set(plan.concepts))
            hard.append((paper.id, key, int(fit == 2)))
            soft.append((paper.id, key, int(fit >= 1)))
    return Panel(wanted, papers, hard, soft)


@dataclass(frozen=True)
class Pools:
    """MDCR's two files: field -> query -> list -> paper ids, and the papers."""

    fields: dict[str, dict[str, dict[str, list[str]]]]
    papers: list[Paper]


def pools(draw: Draw, words: Vocabulary, fields: int, queries: int) -> Pools:
    """For each field, queries with the papers that they cite and six kinds of other papers.

    The lists named after retrieval systems are made from what is known of the papers, not by these
    systems: ``bm25`` shares the query's collection, ``scincl`` and ``specter`` its topic.
    """
    everything: list[Paper] = []
    lines: dict[str, list[list[Paper]]] = {}
    chosen = draw.sample(words.fields, fields)
    for field in chosen:
        lines[field] = []
        names = proper_names(draw, queries)
        for number in range(queries):
            topic = draw.pick(words.topics_of(field))
            core = draw.sample(topic.concepts, 3)
            line: list[Paper] = []
            for _ in range(5):
                plan = Plan(
                    tuple(draw.sample(core, 2)),
                    aside=draw.pick(concepts_of(words.topics, core)),
                    name=names[number] if draw.chance(0.35) else draw.pick(names),
                )
                identity = str(2_600_000 + 13 * (len(everything) + len(line)))
                line.append(Paper(identity, *write(draw, words, plan), plan))
            lines[field].append(line)
            everything += line
    cited = {paper.id: draw.below(400) for paper in everything}
    out = {
        field: {line[0].id: _lists(draw, line, everything, cited) for line in lines[field]}
        for field in chosen
    }
    return Pools(out, everything)


def _lists(
    draw: Draw, line: Sequence[Paper], papers: Sequence[Paper], cited: dict[str, int]
) -> dict[str, list[str]]:
    query, true = line[0], list(line[1:])
    others = [paper for paper in papers if paper not in line]
    topic = [paper for paper in others if paper.main.topic == query.main.topic]
    field = [paper for paper in others if paper.main.field == query.main.field]
    named = [paper for paper in others if paper.plan.name == query.plan.name]
    most_cited = sorted(field, key=lambda paper: (-cited[paper.id], paper.id))
    found = {
        "true": true,
        # A retrieval system finds cited papers too; in the labels "true" wins.
        "bm25": [*draw.sample(true, 1), *draw.sample(named, LIST_SIZE - 1)],
        "scincl": draw.sample(topic, LIST_SIZE),
        "specter": [*draw.sample(true, 1), *draw.sample(topic, LIST_SIZE - 1)],
        "graph": draw.sample(topic, LIST_SIZE),
        "most_cited": draw.sample(most_cited[: 4 * LIST_SIZE], LIST_SIZE),
        "random": draw.sample(others, LIST_SIZE),
    }
    return {name: [paper.id for paper in found[name]] for name in POOL_LISTS}
