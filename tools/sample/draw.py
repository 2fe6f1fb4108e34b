"""Random choices that are the same on every machine, Python version and hash seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Choices from one named stream.

    Built on ``random.Random.random`` alone: Python promises its sequence for a seed across
    versions, which it does not for ``choice``, ``sample`` and ``shuffle``.
    """

    def __init__(self, seed: int, stream: str) -> None:
        self._next = random.Random(f"{seed}/{stream}").random  # a string is hashed with SHA-512

    def below(self, limit: int) -> int:
        """An integer from 0 to limit - 1."""
        return int(self._next() * limit)

    def between(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._next() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One item."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], size: int) -> list[T]:
        """Up to ``size`` different items in random order (all of them where there are fewer)."""
        pool = list(items)
        taken = []
        for _ in range(min(size, len(pool))):
            taken.append(pool.pop(self.below(len(pool))))
        return taken

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All items in random order."""
        return self.sample(items, len(items))

    def noise(self) -> float:
        """A number of mean 0 and variance 1: a sum of twelve uniforms, free of libm's rounding."""
        return sum(self._next() for _ in range(12)) - 6.0


ONSETS = (
    "B",
    "D",
    "F",
    "G",
    "H",
    "K",
    "L",
    "M",
    "N",
    "P",
    "R",
    "S",
    "T",
    "V",
    "W",
    "Z",
    "Kr",
    "Tr",
)
VOWELS = ("a", "e", "i", "o", "u", "au", "ei")
MIDDLES = ("rv", "l", "nd", "sk", "m", "rt", "b", "lg", "nn", "st", "v", "zz")
ENDINGS = ("en", "is", "ow", "ak", "una", "eth", "ola", "ix", "ard", "im")


def proper_names(draw: Draw, count: int, words: int = 1) -> list[str]:
    """Different made-up names of collections, such as ``Karvis`` or ``Karvis Landim``."""
    names: dict[str, None] = {}
    while len(names) < count:
        names[" ".join(_name(draw) for _ in range(words))] = None
    return list(names)


def _name(draw: Draw) -> str:
    parts = [draw.pick(kind) for kind in (ONSETS, VOWELS, MIDDLES, ENDINGS)]
    return "".join(parts)
