"""What a comparison of two systems says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["better", "worse", "same", "unknown"]


@dataclass(frozen=True)
class Difference:
    """One score of one task in both systems, x 100.

    ``interval`` is the 95% interval of the paired difference and ``p_value`` that of the paired
    permutation test, both None where the items of the two are not known to be the same;
    ``p_holm`` is corrected over all tested scores and averages of the comparison. ``verdict``
    tells of ``other``, by ``p_holm`` at 5%.
    """

    suite: str
    task: str
    title: str
    format: str
    group: str | None
    key: str
    a: float
    b: float
    difference: float
    interval: tuple[float, float] | None
    p_value: float | None
    p_holm: float | None
    items: int
    verdict: Verdict
    untested: str | None = None
    """Why there is no test, where there is none."""

    @property
    def few_shot(self) -> bool:
        """Whether the score is one of a few-shot setting."""
        return "@" in self.key


@dataclass(frozen=True)
class Summary:
    """A mean over scores that both systems have: ``numbers`` of the ``need`` that it takes.

    ``p_value`` is that of the bootstrap error of the difference; ``p_holm`` of an average is
    corrected together with the scores, that of a format over the formats.
    """

    name: str
    a: float
    b: float
    difference: float
    interval: tuple[float, float] | None
    numbers: int
    need: int = 0
    p_value: float | None = None
    p_holm: float | None = None
    untested: str | None = None

    @property
    def partial(self) -> bool:
        """Whether numbers are missing, so that it stands for less than its name says."""
        return self.numbers < self.need


@dataclass(frozen=True)
class Mismatch:
    """Why a task was not compared, or only with ``--allow-mismatch``.

    ``missing`` marks a score that one side does not have: listed, but no reason to refuse.
    """

    task: str
    reason: str
    missing: bool = False


@dataclass(frozen=True)
class Comparison:
    """``other`` against ``base``. ``averages`` are all columns of the suites, ``groups`` those of
    them that list tasks, ``formats`` the means over the tasks of a format."""

    base: str
    other: str
    tasks: tuple[Difference, ...]
    formats: tuple[Summary, ...]
    groups: tuple[Summary, ...]
    averages: tuple[Summary, ...]
    mismatches: tuple[Mismatch, ...]
    harmless: tuple[Mismatch, ...] = ()
    """How compared tasks were scored differently, to the same scores: by another probe."""

    @property
    def wins(self) -> int:
        """Scores in which ``other`` is better."""
        return self._count("better")

    @property
    def losses(self) -> int:
        """Scores in which ``other`` is worse."""
        return self._count("worse")

    @property
    def ties(self) -> int:
        """Tested scores that the test cannot tell apart."""
        return self._count("same")

    def _count(self, verdict: Verdict) -> int:
        return sum(difference.verdict == verdict for difference in self.tasks)
