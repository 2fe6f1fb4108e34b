"""The regression gate: may a candidate take the place of a baseline?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

from scirepeval_harness.comparison.compare import NOT_RESAMPLED, examine
from scirepeval_harness.comparison.policy import Policy
from scirepeval_harness.comparison.records import Comparison, Difference, Summary
from scirepeval_harness.comparison.systems import System
from scirepeval_harness.results.record import shortfall
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec

Outcome = Literal["pass", "regression", "incomplete", "not comparable"]
EXIT_CODES: Mapping[Outcome, int] = {
    # No 2, which every command keeps for wrong usage.
    "not comparable": 4,
    "incomplete": 3,
    "regression": 1,
    "pass": 0,
}
"""The first outcome that any case has decides: a number that is not there or not comparable says
nothing of a regression, so it is mended first. The cases show all of them."""
Rule = Literal["floor", "hard_limit", "tolerance"]
"""What a regression broke; the tolerance counts together with the test."""
AVERAGES = "averages"
"""Stands for the task in the case of an average."""
POWER = 0.95
# 70.1 - 70.0 is a little more than 0.1 in binary.
HAIR = 1e-9
HALF_WIDTH = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Case:
    """One judged score, or a task that cannot be judged (its ``key`` is then ``-``).

    ``detectable`` is the fall in points that the test would find in 95 of 100 repetitions, for one
    test without correction; where it is larger than ``tolerance``, more items are needed to hold
    the candidate to the tolerance.
    """

    suite: str
    task: str
    title: str
    key: str
    outcome: Outcome
    reason: str
    a: float | None = None
    b: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    p_holm: float | None = None
    tolerance: float | None = None
    detectable: float | None = None
    rule: Rule | None = None


@dataclass(frozen=True)
class GateReport:
    """Every case, in the order of the suites, the averages last."""

    base: str
    other: str
    cases: tuple[Case, ...]
    policy: Policy
    comparison: Comparison

    @property
    def outcome(self) -> Outcome:
        """The gravest outcome of any case, in the order of `EXIT_CODES`."""
        outcomes = {case.outcome for case in self.cases}
        return next((outcome for outcome in EXIT_CODES if outcome in outcomes), "pass")

    @property
    def passed(self) -> bool:
        """Whether the candidate may take the baseline's place."""
        return self.outcome == "pass"

    @property
    def failures(self) -> tuple[Case, ...]:
        """Every case that did not pass."""
        return tuple(case for case in self.cases if case.outcome != "pass")

    @property
    def exit_code(self) -> int:
        """0 pass, 1 regression, 3 incomplete, 4 not comparable."""
        return EXIT_CODES[self.outcome]

    def count(self, outcome: Outcome) -> int:
        """How many cases have the outcome."""
        return sum(case.outcome == outcome for case in self.cases)


def gate(
    base: System,
    candidate: System,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    policy: Policy,
    *,
    seed: int,
    allow_mismatch: bool = False,
) -> GateReport:
    """Judge every score that the baseline has.

    A score fails when it falls by more than its tolerance and the paired permutation test, two
    sided, says at ``policy.alpha`` that this is no noise; an average likewise, by the error of its
    bootstrap draws. All these tests are Holm-corrected together and half of alpha lies on the side
    of falls, so equal models fail with a chance of about half of alpha. Without the same items on
    both sides (a published baseline), tolerance alone decides. A fall over a hard limit and a score
    below its floor fail without a test.

    Raises:
        StorageError: items or draws that cannot be read.
    """
    comparison = examine(base, candidate, suites, tasks, seed=seed, allow_mismatch=allow_mismatch)
    cases = [
        *_unjudged(base, candidate, suites, tasks, policy, comparison, allow_mismatch),
        *(_judge_score(entry, policy) for entry in comparison.tasks),
        *_judge_averages(base, candidate, comparison, policy),
    ]
    order = {name: n for n, name in enumerate(n for s in suites for n in s.task_names())}
    # Stable, and averages, which are no task of any suite, go last.
    cases.sort(key=lambda case: order.get(case.task, len(order)))
    return GateReport(base.title, candidate.title, tuple(cases), policy, comparison)


def _unjudged(
    base: System,
    candidate: System,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    policy: Policy,
    comparison: Comparison,
    allow_mismatch: bool,
) -> Iterator[Case]:
    """Tasks whose candidate or baseline gives no score to judge, once each; never skipped."""
    reasons: dict[str, list[str]] = {}
    for entry in comparison.mismatches:
        if not entry.missing:
            reasons.setdefault(entry.task, []).append(entry.reason)
    for suite in suites:
        for name in suite.task_names():
            if not policy.needs(name) and name not in base.scores and name not in base.records:
                continue
            gap = _gap(candidate, name)
            present = candidate.scores.get(name, {})
            lost = [key for key in base.scores.get(name, {}) if key not in present]
            # The candidate's gaps go first: they are its makers' to mend, whatever the baseline is.
            outcome: Outcome = "incomplete"
            if gap is not None:
                reason = gap
            elif lost:
                reason = f"no {', '.join(lost)} in the candidate"
            elif name in base.records and base.records[name].status != "ok":
                outcome, reason = "not comparable", f"{base.records[name].status} in the baseline"
            elif name in reasons and not allow_mismatch:
                outcome, reason = "not comparable", "; ".join(reasons[name])
            elif name not in base.scores:
                yield from _required_only(candidate, suite, tasks[name], policy)
                continue
            else:
                continue
            yield Case(suite.name, name, tasks[name].title, "-", outcome, reason)


def _gap(candidate: System, task: str) -> str | None:
    """Why the candidate's score of a task is missing or covers too little, if so."""
    record = candidate.records.get(task)
    if record is not None and record.status != "ok":
        return f"{record.status} in the candidate: {record.error or 'no reason given'}"
    if not candidate.scores.get(task):
        return "missing in the candidate"
    return shortfall(record)


def _required_only(
    candidate: System, suite: SuiteSpec, task: TaskSpec, policy: Policy
) -> Iterator[Case]:
    """A required task that the baseline does not have: only its floors can be judged."""
    for key, value in candidate.scores[task.name].items():
        floor = policy.floor_of(task.name, key)
        below = floor is not None and value < floor
        outcome: Outcome = "regression" if below else "pass"
        reason = f"below the floor of {floor:g}" if below else "there; the baseline has none"
        rule: Rule | None = "floor" if below else None
        yield Case(suite.name, task.name, task.title, key, outcome, reason, b=value, rule=rule)


@dataclass(frozen=True)
class _Bounds:
    """What one score is held to, in points."""

    tolerance: float
    hard_limit: float | None
    floor: float | None


def _judge_score(entry: Difference, policy: Policy) -> Case:
    bounds = _Bounds(
        policy.tolerance_of(entry.task, entry.key, entry.format, entry.group),
        policy.hard_limit_of(entry.task, entry.key, entry.format),
        policy.floor_of(entry.task, entry.key),
    )
    return _judged((entry.suite, entry.task, entry.title, entry.key), entry, bounds, policy)


def _judge_averages(
    base: System, candidate: System, comparison: Comparison, policy: Policy
) -> Iterator[Case]:
    for entry in comparison.averages:
        bounds = _Bounds(
            policy.column_tolerance(entry.name),
            policy.hard_limit.columns.get(entry.name),
            policy.floors.columns.get(entry.name),
        )
        case = _judged(("", AVERAGES, entry.name, "mean"), entry, bounds, policy)
        if entry.partial:
            part = f"{entry.numbers} of {entry.need} numbers"
            case = replace(case, reason=f"{case.reason}; over {part}")
        yield case
    compared = {entry.name for entry in comparison.averages}
    for lost in comparison.mismatches:
        # A printed average that the candidate does not have whole.
        if lost.task in base.columns and lost.task not in compared:
            compared.add(lost.task)
            yield Case("", AVERAGES, lost.task, "mean", "incomplete", lost.reason)
    for name in dict.fromkeys((*policy.floors.columns, *policy.hard_limit.columns)):
        if name not in compared:
            reason = "has a floor or a hard limit, but no score that both have"
            yield Case("", AVERAGES, name, "mean", "incomplete", reason)


def _judged(
    names: tuple[str, str, str, str],
    entry: Difference | Summary,
    bounds: _Bounds,
    policy: Policy,
) -> Case:
    """The case of a score or an average: ``names`` are its suite, task, title and key."""
    rule, reason = _judge(entry, bounds, policy)
    outcome: Outcome = "pass" if rule is None else "regression"
    detectable = _detectable(entry.interval, policy)
    return Case(
        *(*names, outcome, reason, entry.a, entry.b, entry.difference),
        *(entry.interval, entry.p_holm, bounds.tolerance, detectable, rule),
    )


def _judge(entry: Difference | Summary, bounds: _Bounds, policy: Policy) -> tuple[Rule | None, str]:
    """The rule that the entry breaks, if any, and what to say of it."""
    tolerance, limit, floor = bounds.tolerance, bounds.hard_limit, bounds.floor
    # A floor is absolute: neither chance nor a worse baseline excuses what lies below it.
    if floor is not None and entry.b < floor:
        return "floor", f"below the floor of {floor:g}"
    difference, p_holm = entry.difference, entry.p_holm
    moved = abs(difference) if policy.fails_on == "change" else -difference
    word = "fell" if difference < 0 else "rose"
    # Before the tolerance, and without a test: a hard limit is for falls too large to be excused.
    if limit is not None and moved > limit + HAIR:
        return "hard_limit", f"{word} by {moved:.2f}, over the hard limit of {limit:g}"
    if moved <= tolerance + HAIR:
        if difference == 0:
            return None, "unchanged"
        within = ", within tolerance" if moved > 0 else ""
        return None, f"{word} by {abs(difference):.2f}{within}"
    text = f"{word} by {moved:.2f}, tolerance {tolerance:g}"
    if policy.alpha >= 1:
        return "tolerance", text
    if p_holm is None:
        # Without a test, tolerance alone decides: a gate that passes what it cannot test is none.
        why = NOT_RESAMPLED if entry.untested == NOT_RESAMPLED else "no common items"
        return "tolerance", f"{text}; {why}, so not tested"
    if p_holm <= policy.alpha:
        return "tolerance", f"{text}; not noise (p {p_holm:.4f})"
    return None, f"{text}; may be noise (p {p_holm:.4f})"


def _detectable(interval: tuple[float, float] | None, policy: Policy) -> float | None:
    """The fall that a two-sided test at alpha finds with 95% power, from the interval's width."""
    if interval is None or policy.alpha >= 1:
        return None
    # Read backwards from the 95% interval, as if it were a normal one.
    error = (interval[1] - interval[0]) / (2 * HALF_WIDTH)
    normal = NormalDist()
    return error * (normal.inv_cdf(1 - policy.alpha / 2) + normal.inv_cdf(POWER))
