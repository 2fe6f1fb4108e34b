"""From what a paper is about to its title and abstract."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tools.sample.draw import Draw
from tools.sample.vocabulary import Concept, Forms, Vocabulary


@dataclass(frozen=True)
class Plan:
    """What a paper says.

    Args:
        concepts: two or three concepts, the main one first.
        aside: a concept of another topic, mentioned in passing.
        name: a proper name that the setting sentence carries.
        extra: sentences to weave in as they are.
        alternative: probability that the paper uses the second register of words.
    """

    concepts: tuple[Concept, ...]
    aside: Concept | None = None
    name: str | None = None
    extra: tuple[str, ...] = ()
    alternative: float = 0.5


@dataclass(frozen=True)
class Paper:
    """A written paper with what it is about, from which labels are made."""

    id: str
    title: str
    abstract: str | None
    plan: Plan
    year: int = 2000
    venue: str = ""
    marks: dict[str, float] = field(default_factory=dict)

    @property
    def main(self) -> Concept:
        """The concept that decides topic and field."""
        return self.plan.concepts[0]

    def shared(self, other: Paper) -> int:
        """How many concepts two papers have in common."""
        return len(set(self.plan.concepts) & set(other.plan.concepts))


def mention(draw: Draw, forms: Sequence[str], second: bool) -> str:
    """One of the two wordings of a register; now and then one of the other register."""
    start = 2 if second != draw.chance(0.15) else 0
    return forms[start + draw.below(2)]


def fill(draw: Draw, words: Vocabulary, template: str, slots: dict[str, str]) -> str:
    """A sentence from a template; ``{A}`` is ``{a}`` with a capital."""

    def value(match: re.Match[str]) -> str:
        key = match.group(1)
        text = slots.get(key.lower()) or _common(draw, words, key.lower())
        return text[0].upper() + text[1:] if key.isupper() else text

    sentence = re.sub(r"\{(\w)\}", value, template)
    return sentence[0].upper() + sentence[1:]


def _common(draw: Draw, words: Vocabulary, key: str) -> str:
    if key == "k":
        return str(draw.between(11, 640))
    return draw.pick(words.lists[{"w": "adjectives", "p": "places"}[key]])


def write(draw: Draw, words: Vocabulary, plan: Plan) -> tuple[str, str]:
    """Title and abstract of a paper, each sentence with a fresh wording of its concepts."""
    second = draw.chance(plan.alternative)
    method: Forms = draw.pick(words.methods)

    def say(template: str) -> str:
        picked = draw.sample(plan.concepts[1:], 2)
        slots = {
            "a": mention(draw, plan.concepts[0].forms, second),
            "b": mention(draw, picked[0].forms, second),
            "c": mention(draw, picked[-1].forms, second),
            "m": draw.pick(method),
            "n": plan.name or "",
            "s": mention(draw, plan.aside.forms, second) if plan.aside else "",
        }
        return fill(draw, words, template, slots)

    def some(kind: str, count: int = 1) -> list[str]:
        return [say(template) for template in draw.sample(words.lists[kind], count)]

    [title] = some("titles")
    body = some("background") + some("approach")
    body += some("setting") if plan.name else []
    body += some("result", draw.between(1, 2))
    body += some("aside") if plan.aside else []
    for sentence in plan.extra:
        body.insert(draw.between(1, len(body)), sentence)
    return title, " ".join(body + some("closing"))
