"""The words of the made papers, read from the TOML files beside this module."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

Forms = tuple[str, ...]
PLAIN = 4
"""Index of a concept's form in everyday words, used by queries only."""


@dataclass(frozen=True, slots=True)
class Concept:
    """A thing that papers are about, in five wordings (see topics.toml)."""

    topic: str
    field: str
    forms: Forms


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a field with its concepts."""

    name: str
    field: str
    concepts: tuple[Concept, ...]


@dataclass(frozen=True)
class Vocabulary:
    """All word lists; ``lists`` and ``nature`` hold the lists of sentences of phrases.toml."""

    topics: tuple[Topic, ...]
    lists: dict[str, Forms]
    methods: tuple[Forms, ...]
    eras: tuple[Forms, ...]
    impact: tuple[Forms, ...]
    nature: dict[str, Forms]
    functions: tuple[Forms, ...]
    ecologies: tuple[Forms, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields in the order of topics.toml."""
        return tuple(dict.fromkeys(topic.field for topic in self.topics))

    def topics_of(self, field: str) -> tuple[Topic, ...]:
        """Topics of one field."""
        return tuple(topic for topic in self.topics if topic.field == field)


def load_vocabulary(folder: Path = Path(__file__).parent) -> Vocabulary:
    """Read topics.toml and phrases.toml."""
    with (folder / "topics.toml").open("rb") as file:
        rows = tomllib.load(file)["topics"]
    with (folder / "phrases.toml").open("rb") as file:
        phrases = tomllib.load(file)
    nature = phrases.pop("nature")
    tables = {name: _forms(phrases.pop(name)) for name in ("methods", "eras", "impact")}
    return Vocabulary(
        topics=tuple(
            Topic(
                row["name"],
                row["field"],
                tuple(Concept(row["name"], row["field"], tuple(c)) for c in row["concepts"]),
            )
            for row in rows
        ),
        lists={name: tuple(values) for name, values in phrases.items()},
        methods=tables["methods"],
        eras=tables["eras"],
        impact=tables["impact"],
        functions=_forms(nature.pop("functions")),
        ecologies=_forms(nature.pop("ecologies")),
        nature={name: tuple(values) for name, values in nature.items()},
    )


def _forms(rows: list[list[str]]) -> tuple[Forms, ...]:
    return tuple(tuple(row) for row in rows)
