"""How often the gate errs, by simulation over whole gates.

What decides is how much the two systems differ from query to query, not how good they are. Measured
on the sample suite: MiniLM in bfloat16 against float32 moves 2 to 19 of 100 queries, and the
paired difference has a standard deviation of 0.2 to 2.2 points a query; MiniLM against TF-IDF
moves nearly all, with 8 to 17 points.

The drop is therefore simulated with a change of the first kind: one query in ten moves by some 5
points, 1.6 points a query, hence 0.05 in the mean over 1,000 queries, and the fall of twice the
tolerance, 0.2, is four standard errors. Between unlike systems (10 points, 0.32 in the mean) a fall
of 0.2 is lost in noise on 1,000 queries whatever the test; the gate's reports say for every score
what could be detected.
"""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from scirepeval_harness.comparison.gate import gate
from scirepeval_harness.comparison.policy import Policy
from scirepeval_harness.statistics.bootstrap import weights
from tests.support.made_results import MadeTask, queries, query_task, suite_of, system

TRIALS = 1_000


def nudged(random: np.random.Generator, values: np.ndarray, share: float) -> np.ndarray:
    """The values after a change that moves a share of them by about 5 points, either way."""
    moved = random.uniform(size=len(values)) < share
    return values + moved * random.normal(0, 0.05, len(values))


def shares_of(stream: str, items: int) -> np.ndarray:
    """The share (1000, items) of each item in each bootstrap draw of a task."""
    seed = (42, zlib.crc32(stream.encode()))
    return np.concatenate(list(weights(items, 1000, seed))) / items


def test_the_shares_are_those_of_the_bootstrap() -> None:
    task = query_task("t0")
    values = np.linspace(0, 1, 30)
    made = queries(suite_of(task), task, values)
    assert np.allclose(made.draws["map"], 100 * shares_of("t0", 30) @ values)


def failures(tasks: int, items: int, share: float, drop: float, trials: int) -> float:
    """The share of trials in which the gate fails a candidate whose every task truly lost ``drop``.

    A baseline stays the same throughout, as in CI; candidates differ.
    """
    specs = {f"t{n}": query_task(f"t{n}") for n in range(tasks)}
    suite = suite_of(*specs.values())
    random = np.random.default_rng(17)
    start = {name: random.uniform(0.2, 0.8, items) for name in specs}

    # What `bootstrap` computes for every result anew, the shares of each draw, is always the same.
    shares = {name: shares_of(name, items) for name in specs}

    def made(name: str, values: np.ndarray) -> MadeTask:
        return queries(suite, specs[name], values, draws={"map": 100 * shares[name] @ values})

    base = system("A", *(made(name, values) for name, values in start.items()))
    failed = 0
    for trial in range(trials):
        other = system(
            "B",
            *(made(name, nudged(random, values, share) - drop) for name, values in start.items()),
        )
        report = gate(base, other, [suite], specs, Policy(), seed=trial)
        assert report.exit_code in (0, 1)
        failed += report.exit_code
    return failed / trials


@pytest.mark.slow
def test_equal_models_fail_in_at_most_5_of_100_cases() -> None:
    # All queries move, by 5 points: far more than the tolerance, so that only the test protects.
    assert failures(tasks=3, items=50, share=1.0, drop=0.0, trials=TRIALS) <= 0.05


@pytest.mark.slow
def test_a_drop_of_twice_the_tolerance_on_1000_queries_fails_in_at_least_95_of_100() -> None:
    assert failures(tasks=1, items=1000, share=0.1, drop=0.002, trials=TRIALS) >= 0.95


def test_a_large_drop_always_fails_and_none_never() -> None:
    assert failures(tasks=2, items=200, share=0.1, drop=0.02, trials=10) == 1.0
    assert failures(tasks=2, items=200, share=0.0, drop=0.0, trials=10) == 0.0
