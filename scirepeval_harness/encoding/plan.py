"""What a run will encode: distinct texts by way of encoding, counted before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.encoding.keys import KEY, Keys, first_places

Way = Literal["encode", "fit", "rank", "look up"]
"""How a model comes to its scores: vectors that are kept, vectors fitted on each task, scores of
pairs, vectors from a file."""


@dataclass(frozen=True, slots=True)
class SpacePlan:
    """One way of encoding (weights, adapter, length, precision) and the texts it is asked for.

    ``documents`` counts every mention in every task, ``texts`` distinct texts not planned before,
    ``cached`` those with a vector in the store; ``tokens`` those of the rest, None where they
    cannot be counted, an estimate unless ``exact``; ``rate`` in tokens a second, None where no
    earlier run measured it.
    """

    roles: tuple[str, ...]
    documents: int
    texts: int
    cached: int
    tokens: int | None
    exact: bool
    rate: float | None

    @property
    def to_encode(self) -> int:
        return self.texts - self.cached

    @property
    def seconds(self) -> float | None:
        """Expected time; None where rate or tokens are unknown."""
        if not self.to_encode:
            return 0.0
        if self.tokens is None or not self.rate:
            return None
        return self.tokens / self.rate


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What one model has to do; ``spaces`` is empty unless its vectors are kept."""

    model: str
    way: Way
    documents: int
    spaces: tuple[SpacePlan, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be planned, in words."""

    @property
    def seconds(self) -> float | None:
        times = [space.seconds for space in self.spaces]
        return None if None in times else sum(time for time in times if time is not None)


class Ledger:
    """Texts that are planned already, by space: 16 bytes each, no texts."""

    def __init__(self) -> None:
        self._keys: dict[str, Keys] = {}

    def new(self, space: str, keys: Keys) -> NDArray[np.int64]:
        """Positions in ``keys`` of texts met for the first time, which are noted as met."""
        first, _ = first_places(keys)
        known = self._keys.get(space, np.zeros(0, KEY))
        fresh = first[~np.isin(keys[first], known)]
        self._keys[space] = np.concatenate((known, keys[fresh]))
        return fresh


@dataclass
class Tally:
    """Running sums of one space over the tasks of a plan."""

    roles: list[str] = field(default_factory=list)
    documents: int = 0
    texts: int = 0
    cached: int = 0
    tokens: float | None = 0.0
    exact: bool = True

    def add(self, role: str, documents: int, texts: int, cached: int) -> None:
        """Count one request of one task."""
        if role not in self.roles:
            self.roles.append(role)
        self.documents += documents
        self.texts += texts
        self.cached += cached

    def add_tokens(self, counted: NDArray[np.int64] | None, texts: int) -> None:
        """Count the tokens of ``texts`` texts, of which an even sample was ``counted``."""
        if counted is None or self.tokens is None:
            self.tokens = None
        elif texts:
            self.tokens += float(counted.mean()) * texts
            self.exact = self.exact and len(counted) == texts

    def plan(self, rate: float | None) -> SpacePlan:
        """The sums as a record."""
        tokens = None if self.tokens is None else round(self.tokens)
        return SpacePlan(
            tuple(self.roles), self.documents, self.texts, self.cached, tokens, self.exact, rate
        )


def even_sample(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` of ``count`` positions, evenly spread; all where they are fewer."""
    if count <= most:
        return np.arange(count)
    return np.arange(most, dtype=np.int64) * count // most


def summary(plan: ModelPlan) -> str:
    """One line: documents, texts, what is cached, tokens and expected time."""
    if plan.way == "rank":
        return f"{plan.model}  plan: scores the texts of {plan.documents:,} documents, no vectors"
    if plan.way == "fit":
        return f"{plan.model}  plan: {plan.documents:,} documents, fitted on each task, none kept"
    if plan.way == "look up":
        return f"{plan.model}  plan: looks up vectors of {plan.documents:,} documents"
    spaces = plan.spaces
    texts, cached = sum(space.texts for space in spaces), sum(space.cached for space in spaces)
    line = f"{plan.model}  plan: {plan.documents:,} documents, {texts:,} texts, {cached:,} cached"
    if texts == cached:
        return f"{line}, nothing to encode"
    tokens = tokens_in_words(spaces)
    return f"{line}, {texts - cached:,} to encode ({tokens}), {time_in_words(plan.seconds)}"


def tokens_in_words(spaces: Sequence[SpacePlan]) -> str:
    """``1,234 tokens``, ``about 1,200,000 tokens`` of an estimate, or that they are unknown."""
    if any(space.tokens is None for space in spaces):
        return "tokens unknown"
    total = sum(space.tokens or 0 for space in spaces)
    if all(space.exact for space in spaces):
        return f"{total:,} tokens"
    digits = max(0, len(str(total)) - 3)
    return f"about {round(total, -digits):,} tokens"


def time_in_words(seconds: float | None) -> str:
    """``about 3 min``; says so where no earlier run measured a rate."""
    if seconds is None:
        return "time unknown (no rate measured here yet)"
    if seconds < 90:
        return f"about {max(1, round(seconds))} s" if seconds else "no time"
    if seconds < 5_400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
