"""What the gate lets pass, and what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from scirepeval_harness.comparison.gate import GateReport, gate
from scirepeval_harness.comparison.policy import Floors, HardLimits, Policy, Tolerances
from scirepeval_harness.comparison.systems import System
from scirepeval_harness.results.record import CoverageRecord
from scirepeval_harness.roles import Format
from tests.support.made_results import SETTINGS, queries, query_task, suite_of, system

ONE, TWO = query_task("one"), query_task("two")
SUITE = suite_of(ONE, TWO)
TASKS = {"one": ONE, "two": TWO}
RANDOM = np.random.default_rng(1)
START = RANDOM.uniform(0.2, 0.7, 400)
NOISE = RANDOM.normal(0, 0.02, 400)
NOISE -= NOISE.mean()
BASE = system("A", queries(SUITE, ONE, START), queries(SUITE, TWO, START))


def judged(candidate: System, policy: Policy | None = None, base: System = BASE) -> GateReport:
    return gate(base, candidate, [SUITE], TASKS, policy or Policy(), seed=1)


def candidate(one: float, two: float = 0.0, noise: float = 1.0) -> System:
    """Whose scores differ by so many points from the base's."""
    return system(
        "B",
        queries(SUITE, ONE, START + one / 100 + noise * NOISE),
        queries(SUITE, TWO, START + two / 100 + noise * NOISE[::-1]),
    )


def outcomes(report: GateReport) -> dict[str, str]:
    return {f"{case.task}:{case.title}": case.outcome for case in report.cases}


def test_a_real_drop_over_the_tolerance_is_a_regression() -> None:
    report = judged(candidate(-1.0))
    one, two, average = report.cases
    assert (one.outcome, two.outcome, average.outcome) == ("regression", "pass", "regression")
    assert one.reason.startswith("fell by 1.00, tolerance 0.1; not noise (p 0.0003)")
    assert report.exit_code == 1
    assert report.count("regression") == 2


def test_a_drop_within_the_tolerance_passes_however_sure_it_is() -> None:
    report = judged(candidate(-0.09, noise=0.0))
    assert report.cases[0].p_holm == pytest.approx(3 / 10_001)
    assert report.cases[0].reason == "fell by 0.09, within tolerance"
    assert report.exit_code == 0


def test_a_drop_over_the_tolerance_that_may_be_noise_passes() -> None:
    report = judged(candidate(-0.15))
    assert report.cases[0].reason.startswith("fell by 0.15, tolerance 0.1; may be noise (p ")
    assert report.exit_code == 0
    assert report.cases[0].detectable == pytest.approx(3.6 * 2 / 20, rel=0.1)


def test_with_alpha_1_the_tolerance_alone_decides() -> None:
    assert judged(candidate(-0.15), Policy(alpha=1)).exit_code == 1
    assert judged(candidate(+0.15), Policy(alpha=1)).exit_code == 0


def test_a_rise_fails_only_where_scores_should_stay() -> None:
    rising = candidate(2.0)
    assert judged(rising).exit_code == 0
    report = judged(rising, Policy(fails_on="change"))
    assert report.exit_code == 1
    assert report.cases[0].reason.startswith("rose by 2.00, tolerance 0.1")


def test_two_opposite_moves_show_in_the_tasks_though_not_in_the_average() -> None:
    report = judged(candidate(-1.0, +1.0))
    assert [case.outcome for case in report.cases] == ["regression", "pass", "pass"]


def test_floors_hold_whatever_the_baseline_is() -> None:
    score = judged(candidate(0.0)).cases[0].b
    assert score is not None
    policy = Policy(floors=Floors(tasks={"one": score + 1}, columns={"Average": score + 1}))
    report = judged(candidate(0.0), policy)
    assert [case.outcome for case in report.cases] == ["regression", "pass", "regression"]
    assert "below the floor" in report.cases[0].reason


FEW = np.random.default_rng(4).uniform(0.2, 0.7, 12)
SWINGS = np.random.default_rng(4).normal(0, 0.15, 12)
NOISY = system("B", queries(SUITE, ONE, FEW - 0.08 + SWINGS - SWINGS.mean()))
"""Eight points below the base, on so few queries that no test can say so."""


@pytest.mark.parametrize(
    ("limits", "where"),
    [
        (HardLimits(tasks={"one": 5}), "one"),
        (HardLimits(tasks={"one:map": 5}), "one"),
        (HardLimits(formats={Format.PROXIMITY: 5}), "one"),
        (HardLimits(columns={"Average": 5}), "averages"),
    ],
)
def test_a_fall_over_a_hard_limit_fails_whatever_the_noise(limits: HardLimits, where: str) -> None:
    base = system("A", queries(SUITE, ONE, FEW))
    assert judged(NOISY, base=base).passed, "the test calls it noise"
    report = judged(NOISY, Policy(hard_limit=limits), base)
    [failed] = report.failures
    assert (failed.task, failed.rule, report.exit_code) == (where, "hard_limit", 1)
    assert failed.reason.startswith("fell by 8.00, over the hard limit of 5")
    looser = HardLimits.model_validate(
        {name: dict.fromkeys(table, 8.5) for name, table in limits.model_dump().items()}
    )
    assert judged(NOISY, Policy(hard_limit=looser), base).passed


def test_each_regression_names_the_rule_that_it_broke() -> None:
    policy = Policy(floors=Floors(tasks={"two": 99}))
    rules = {case.task: case.rule for case in judged(candidate(-1.0), policy).cases}
    assert rules == {"one": "tolerance", "two": "floor", "averages": "tolerance"}


def test_what_has_a_floor_must_be_there() -> None:
    one = system("A", queries(SUITE, ONE, START))
    policy = Policy(floors=Floors(tasks={"two:map": 1}))
    assert [case.task for case in judged(one, policy, one).failures] == ["two"]
    assert judged(candidate(0.0), policy, one).passed
    policy = Policy(floors=Floors(columns={"Other": 1}))
    [failed] = judged(one, policy, one).failures
    assert (failed.title, failed.outcome) == ("Other", "incomplete")


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"status": "failed", "error": "no memory"}, "failed in the candidate: no memory"),
        ({"status": "interrupted"}, "interrupted in the candidate"),
        (
            {"coverage": CoverageRecord(documents_needed=400, documents_found=399)},
            "scored on 399 of 400 documents",
        ),
        (
            {
                "coverage": CoverageRecord(
                    documents_needed=4, documents_found=4, queries_needed=2, queries_found=1
                )
            },
            "scored on 4 of 4 documents and 1 of 2 queries",
        ),
        ({"scores": ()}, "missing in the candidate"),
    ],
)
def test_what_the_candidate_lacks_is_a_failure(update: dict[str, object], reason: str) -> None:
    poor = system("B", queries(SUITE, ONE, START).with_record(**update), queries(SUITE, TWO, START))
    report = judged(poor)
    assert report.cases[0].outcome == "incomplete"
    assert reason in report.cases[0].reason
    assert report.exit_code == 3
    allowed = gate(BASE, poor, [SUITE], TASKS, Policy(), seed=1, allow_mismatch=True)
    assert allowed.exit_code == 3, "--allow-mismatch does not excuse what is missing"


def test_a_task_that_is_not_there_is_a_failure() -> None:
    report = judged(system("B", queries(SUITE, TWO, START)))
    assert [(c.task, c.outcome) for c in report.cases][:1] == [("one", "incomplete")]
    assert report.exit_code == 3


def test_a_score_that_is_not_there_is_a_failure() -> None:
    two = query_task("two", metrics=("map", "ndcg"))
    suite = suite_of(two)
    base, poor = system("A", queries(suite, two, START)), system("B", queries(SUITE, TWO, START))
    report = gate(base, poor, [suite], {"two": two}, Policy(), seed=1, allow_mismatch=True)
    assert "no ndcg in the candidate" in [case.reason for case in report.cases]
    assert report.exit_code == 3


def test_other_protocols_are_not_compared_unless_allowed() -> None:
    limited = queries(SUITE, ONE, START).with_record(settings={**SETTINGS, "limit": 400})
    other = system("B", limited, queries(SUITE, TWO, START))
    report = judged(other)
    assert report.cases[0].outcome == "not comparable"
    assert "limit none against 400" in report.cases[0].reason
    assert report.exit_code == 4
    assert gate(BASE, other, [SUITE], TASKS, Policy(), seed=1, allow_mismatch=True).exit_code == 0


def test_a_failed_baseline_cannot_judge() -> None:
    failed = queries(SUITE, ONE, START).with_record(status="failed", error="x")
    base = system("A", failed, queries(SUITE, TWO, START))
    assert judged(candidate(0), base=base).exit_code == 4


def test_without_items_the_tolerance_alone_decides() -> None:
    printed = {"one": {"map": 100 * START.mean() + 0.2}, "two": {"map": 100 * START.mean()}}
    base = System(title="P (published)", scores=printed, columns={"Average": 100 * START.mean()})
    report = judged(candidate(0.0), base=base)
    assert [case.outcome for case in report.cases] == ["regression", "pass", "pass"]
    assert "not tested" in report.cases[0].reason
    short = judged(system("B", queries(SUITE, ONE, START + 0.01)), base=base)
    assert outcomes(short) == {
        "one:Task one": "pass",
        "two:Task two": "incomplete",
        "averages:Average": "incomplete",
    }


def test_a_required_task_must_be_there_though_the_baseline_has_none() -> None:
    base = system("A", queries(SUITE, ONE, START))
    policy = Policy(required=("two",), floors=Floors(tasks={"two": 99.0}))
    assert judged(system("B", queries(SUITE, ONE, START)), policy, base).exit_code == 3
    assert judged(candidate(0.0), policy, base).exit_code == 1
    assert judged(candidate(0.0), Policy(required=("two",)), base).exit_code == 0


def test_an_exact_tolerance_is_not_exceeded_by_rounding() -> None:
    policy = Policy(alpha=1, tolerance=Tolerances(ranking=0.3, averages=0.3))
    assert judged(candidate(-0.3, -0.3, noise=0.0), policy).exit_code == 0


def test_the_outcome_that_comes_first_decides_the_exit_code() -> None:
    base = system(
        "A", queries(SUITE, ONE, START), queries(SUITE, TWO, START).with_record(version=2)
    )
    report = judged(system("B", queries(SUITE, TWO, START)), base=base)
    assert {case.outcome for case in report.cases} == {"incomplete", "not comparable"}
    assert report.exit_code == 4
