"""Supervised sets: topics and fields of study, citations and years, inspiration from nature."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.sample.draw import Draw, proper_names
from tools.sample.vocabulary import Concept, Topic, Vocabulary
from tools.sample.writing import Paper, Plan, fill, write

FIRST_YEAR = 1965
YEARS_PER_ERA = 10
LINE_TRAIN = 3
"""Papers of a line of work that go to the train split; the rest are test rows."""


@dataclass(frozen=True)
class Labels:
    """Rows (document id, label as it stands in the CSV) of both splits, in the files' order."""

    train: list[tuple[str, str]]
    test: list[tuple[str, str]]


def concepts_of(topics: Sequence[Topic], but: Sequence[Concept] = ()) -> list[Concept]:
    """The concepts of some topics, without those given."""
    return [concept for topic in topics for concept in topic.concepts if concept not in but]


def topic_papers(draw: Draw, words: Vocabulary, lines: int, size: int) -> list[list[Paper]]:
    """Lines of work: papers with common concepts and a proper name that most of them mention.

    Half of the papers also treat a concept of another field, so that topics blur and papers have
    several fields. Test papers (the last of a line) prefer the wordings that are rare in training.
    """
    names = proper_names(draw, lines, words=2)
    out: list[list[Paper]] = []
    for number, name in enumerate(names):
        topic = words.topics[number % len(words.topics)]
        foreign = [other for other in words.topics if other.field != topic.field]
        core = draw.sample(topic.concepts, 3)
        papers = []
        for k in range(size):
            main, second = draw.sample(core, 2)
            if draw.chance(0.5):
                second = draw.pick(concepts_of(foreign))
            plan = Plan(
                concepts=(main, second),
                aside=draw.pick(concepts_of(words.topics, (main, second))),
                name=name if draw.chance(0.85) else draw.pick(names),
                alternative=0.1 if k < LINE_TRAIN else 0.9,
            )
            title, abstract = write(draw, words, plan)
            digest = hashlib.sha256(f"sample/{number}/{k}".encode()).hexdigest()[:40]
            papers.append(Paper(digest, title, abstract, plan))
        out.append(papers)
    return out


def topic_labels(draw: Draw, words: Vocabulary, lines: Sequence[Sequence[Paper]]) -> Labels:
    """The topic of the main concept, as a class index."""
    index = {topic.name: k for k, topic in enumerate(words.topics)}
    return _split_lines(draw, lines, lambda paper: str(index[paper.main.topic]))


def field_labels(draw: Draw, words: Vocabulary, lines: Sequence[Sequence[Paper]]) -> Labels:
    """The fields of all treated concepts, as a 0/1 list in a string."""

    def label(paper: Paper) -> str:
        present = {concept.field for concept in paper.plan.concepts}
        return str([int(field in present) for field in words.fields])

    return _split_lines(draw, lines, label)


def _split_lines(
    draw: Draw, lines: Sequence[Sequence[Paper]], label: Callable[[Paper], str]
) -> Labels:
    train = [(paper.id, label(paper)) for line in lines for paper in line[:LINE_TRAIN]]
    test = [(paper.id, label(paper)) for line in lines for paper in line[LINE_TRAIN:]]
    return Labels(draw.shuffled(train), draw.shuffled(test))


def record_papers(draw: Draw, words: Vocabulary, count: int, train: int) -> list[Paper]:
    """Papers with a year that their equipment gives away, and a citation count.

    Topics come and go: each has a time at which it is most common. Citations follow the strength
    of what a paper claims, its topic's popularity and noise.
    """
    popularity = {topic.name: draw.noise() for topic in words.topics}
    by_age = draw.shuffled(words.topics)
    papers = []
    for k in range(count):
        age = draw.below(len(words.eras) * YEARS_PER_ERA)
        heyday = age * len(by_age) // (len(words.eras) * YEARS_PER_ERA)
        topic = by_age[_near(draw, heyday, len(by_age), 0.8, reach=5)]
        level = draw.below(len(words.impact))
        era = _near(draw, age // YEARS_PER_ERA, len(words.eras), 0.15)
        claims = draw.sample(words.impact[_near(draw, level, len(words.impact), 0.3)], 1)
        # Train and test rows share only half of the wordings of an era.
        equipment = words.eras[era][draw.below(3) + (k >= train)]
        plan = Plan(
            tuple(draw.sample(topic.concepts, draw.between(2, 3))), extra=(equipment, *claims)
        )
        title, abstract = write(draw, words, plan)
        strength = 0.5 * (level - 2) + 0.9 * popularity[topic.name] + 0.6 * draw.noise()
        marks = {"log_citations": round(max(0.0, 2.5 + strength), 3)}
        papers.append(
            Paper(str(240_100 + 7 * k), title, abstract, plan, FIRST_YEAR + age, marks=marks)
        )
    return papers


def _near(draw: Draw, value: int, limit: int, slip: float, reach: int = 1) -> int:
    """The value, or with probability ``slip`` one at most ``reach`` away."""
    if draw.chance(slip):
        value += draw.between(1, reach) * (1 if draw.chance(0.5) else -1)
    return min(max(value, 0), limit - 1)


def record_labels(papers: Sequence[Paper], train: int) -> tuple[Labels, Labels]:
    """Citation labels (natural logarithm of one more than the count) and years."""
    citations = [(paper.id, str(paper.marks["log_citations"])) for paper in papers]
    years = [(paper.id, str(paper.year)) for paper in papers]
    return (
        Labels(citations[:train], citations[train:]),
        Labels(years[:train], years[train:]),
    )


def nature_papers(draw: Draw, words: Vocabulary, count: int, train: int) -> list[Paper]:
    """Papers on living things; positive where the subject is a function worth copying.

    Half of the papers also mention a subject of the other kind in passing, test rows use wordings
    that training rows lack, and one label in twenty is wrong.
    """
    papers = []
    for k in range(count):
        positive = draw.chance(0.4)
        kinds = (words.functions, words.ecologies)
        subjects, others = kinds if positive else kinds[::-1]
        late = int(k >= train)  # one of four wordings is new to the test rows
        picked = [forms[draw.below(3) + late] for forms in draw.sample(subjects, 2)]
        passing = [draw.pick(forms) for forms in draw.sample(others, draw.below(2))]
        in_title = draw.shuffled([*picked, *passing])
        slots = {"o": draw.pick(words.nature["organisms"]), "y": in_title[1]}

        def say(kind: str, subject: str, slots: dict[str, str] = slots) -> str:
            template = draw.pick(words.nature[kind])
            return fill(draw, words, template, {**slots, "x": subject})

        title = say("titles", in_title[0])
        body = [say("statements", subject) for subject in picked]
        body += [say("passing", subject) for subject in passing]
        marks = {"positive": float(positive != draw.chance(0.05))}
        abstract = " ".join(draw.shuffled(body))
        papers.append(Paper(str(51_000 + 3 * k), title, abstract, Plan(()), marks=marks))
    return papers


def nature_labels(papers: Sequence[Paper], train: int) -> Labels:
    """1 for a paper on a function, 0 for one on ecology."""
    rows = [(paper.id, str(int(paper.marks["positive"]))) for paper in papers]
    return Labels(rows[:train], rows[train:])
