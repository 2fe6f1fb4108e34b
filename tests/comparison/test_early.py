"""The gate on growing parts: how often it errs, by simulation over whole sequences of looks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scirepeval_harness.comparison.early import SHARES, fell, part_of, part_system, spend
from scirepeval_harness.comparison.gate import gate
from scirepeval_harness.comparison.policy import Policy
from scirepeval_harness.statistics.permutation import holm, sign_flip_p
from scirepeval_harness.task.draw import leading
from tests.support.made_results import queries, query_task, suite_of

QUERIES, TASKS = 160, 2


def test_looks_and_the_whole_share_alpha() -> None:
    policy = Policy.model_validate({"alpha": 0.06, "floors": {"tasks": {"t": 3}}})
    of_look, of_whole = spend(policy, 3)
    assert of_look.alpha * 3 + of_whole.alpha == pytest.approx(0.06)
    assert not of_look.floors.tasks
    assert of_whole.floors == policy.floors
    assert of_look.tolerance == policy.tolerance
    assert spend(policy, 0) == (policy, policy)


def outcomes(drop: float, trials: int) -> tuple[float, float, float]:
    """Of candidates that truly lost ``drop`` in every task: the share that fails, the share that
    fails in one look at the whole with all of alpha, and the mean share of queries needed.

    The gate's rule is written out: a fall over the tolerance whose p-value, by Holm's method over
    the tasks, is at most alpha.
    """
    random = np.random.default_rng(5)
    policy = Policy()
    of_look, of_whole = spend(policy, len(SHARES))

    def falls(differences: np.ndarray, alpha: float, seed: int) -> bool:
        corrected = holm([sign_flip_p(one, seed=seed) for one in differences])
        tolerance = policy.tolerance.ranking
        return any(
            100 * one.mean() < -tolerance and p <= alpha
            for one, p in zip(differences, corrected, strict=True)
        )

    failed, at_once, needed = 0, 0, 0.0
    for trial in range(trials):
        differences = random.normal(-drop, 0.1, (TASKS, QUERIES))
        at_once += falls(differences, policy.alpha, trial)
        for share in SHARES:
            if falls(differences[:, : math.ceil(share * QUERIES)], of_look.alpha, trial):
                failed, needed = failed + 1, needed + share
                break
        else:
            needed += 1
            failed += falls(differences, of_whole.alpha, trial)
    return failed / trials, at_once / trials, needed / trials


@pytest.mark.slow
def test_equal_models_fail_in_at_most_5_of_100_cases_whatever_the_looks() -> None:
    failed, _, needed = outcomes(0.0, trials=300)
    assert failed <= 0.05
    assert needed > 0.95


@pytest.mark.slow
def test_a_fall_is_found_nearly_as_often_as_by_one_look_and_with_less_work() -> None:
    failed, at_once, needed = outcomes(0.025, trials=100)
    assert failed >= at_once - 0.1
    assert needed < 0.95


def judged(drop: float) -> bool:
    """What the gate itself says of a part of two tasks."""
    specs = {f"t{n}": query_task(f"t{n}") for n in range(TASKS)}
    suite = suite_of(*specs.values())
    values = np.random.default_rng(1).uniform(0.3, 0.9, QUERIES)
    sides = [
        [queries(suite, task, values - lost) for task in specs.values()] for lost in (0.0, drop)
    ]
    like = sides[0][0].items
    like = like[like["item"].isin(leading(like["item"], SHARES[0]))]
    parts = [
        part_system(
            title,
            {
                name: part_of(task, one.record, one.items, like, 42)
                for (name, task), one in zip(specs.items(), side, strict=True)
            },
            (suite.name,),
        )
        for title, side in zip("AB", sides, strict=True)
    ]
    of_look, _ = spend(Policy(), len(SHARES))
    return fell(gate(*parts, [suite], specs, of_look, seed=1))


def test_a_large_fall_is_seen_in_the_first_part_and_none_in_none() -> None:
    assert outcomes(0.3, trials=3) == (1.0, 1.0, SHARES[0])
    assert judged(0.3)
    assert not judged(0.0)


def test_a_part_is_scored_by_its_own_items() -> None:
    task = query_task("t0")
    base = queries(suite_of(task), task, np.linspace(0, 1, 40))
    part = part_of(task, base.record, base.items, base.items.iloc[:10], 42)
    assert part.record.scores[0].value == pytest.approx(100 * base.items["value"][:10].mean())
    assert len(part.draws["map"]) == 1000
