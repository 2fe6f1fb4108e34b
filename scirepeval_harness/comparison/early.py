"""A gate on growing parts of the tasks: it stops at the first part that shows a fall.

The parts are nested: queries in the order of a hash of their ids. Of the policy's alpha the looks
at parts share one half and the whole has the other (Bonferroni's inequality, which holds however
the parts depend on each other): whatever the number of looks, equal models fail no more often than
alpha says. A pass is never early: that nothing fell is not known from a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scirepeval_harness.comparison.gate import AVERAGES, GateReport
from scirepeval_harness.comparison.policy import Floors, HardLimits, Policy
from scirepeval_harness.comparison.systems import System
from scirepeval_harness.evaluations.base import Outcome, Score, evaluation_of
from scirepeval_harness.results.record import TaskRecord
from scirepeval_harness.task.spec import TaskSpec

SHARES = (0.125, 0.25, 0.5)
"""Parts that are looked at before the whole."""
OF_LOOKS = 0.5
"""The part of alpha that the looks share."""


def spend(policy: Policy, looks: int) -> tuple[Policy, Policy]:
    """The policy of each look at a part, and that of the whole after so many looks.

    A part is judged by its tests alone: a floor and a hard limit are of the whole score.
    """
    if not looks:
        return policy, policy
    of_look = {
        "alpha": policy.alpha * OF_LOOKS / looks,
        "floors": Floors(),
        "hard_limit": HardLimits(),
        "required": (),
    }
    whole = {"alpha": policy.alpha * (1 - OF_LOOKS)}
    return policy.model_copy(update=of_look), policy.model_copy(update=whole)


def fell(report: GateReport) -> bool:
    """Whether a part shows that a score fell. Averages over the tasks that have parts are none of
    the policy's."""
    return any(c.outcome == "regression" and c.task != AVERAGES for c in report.cases)


@dataclass(frozen=True)
class Part:
    """A task's record, items and draws as they are on a part of its items."""

    record: TaskRecord
    items: pd.DataFrame
    draws: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class PartItems:
    """Items and draws by task, as a result gives them."""

    parts: Mapping[str, Part]

    def items(self, task: str) -> pd.DataFrame:
        """The items of a task's part."""
        return self.parts[task].items

    def draws(self, task: str) -> pd.DataFrame:
        """The draws of a task's part."""
        return pd.DataFrame(dict(self.parts[task].draws))


def part_of(
    task: TaskSpec, record: TaskRecord, items: pd.DataFrame, like: pd.DataFrame, seed: int
) -> Part:
    """A task on those of its items that another frame has too; scores and draws are made of them.

    Raises:
        HarnessError, LookupError, TypeError, ValueError: items that do not hold the scores.
    """
    kind = evaluation_of(task)
    keys = list(kind.item_keys(str(record.item_kind))[0])
    own = items.merge(like[keys], on=keys)
    scores = tuple(Score(s.metric, s.value, s.setting, s.field) for s in record.scores)
    outcome = Outcome(scores, str(record.item_kind), own, record.notes)
    values = kind.rescored(task, outcome)
    said = tuple(
        score.model_copy(update={"value": values[score.key], "interval": None})
        for score in record.scores
        if score.key in values
    )
    draws = kind.draws(task, outcome, seed)
    return Part(record.model_copy(update={"scores": said}), own, draws)


def part_system(title: str, parts: Mapping[str, Part], suites: tuple[str, ...]) -> System:
    """A system of which nothing but parts is known."""
    return System(
        title=title,
        scores={
            name: {score.key: score.value for score in part.record.scores if score.field is None}
            for name, part in parts.items()
        },
        records={name: part.record for name, part in parts.items()},
        items=PartItems(parts),
        suites=suites,
    )
