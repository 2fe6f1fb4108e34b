"""A gate's report as rows of a table and as markdown."""

from __future__ import annotations

from collections.abc import Sequence

from scirepeval_harness.comparison.gate import Case, GateReport, Outcome
from scirepeval_harness.comparison.render import (
    markdown_table,
    number,
    one_line,
    p_text,
    range_text,
    shown,
)
from scirepeval_harness.leaderboard.render import escape

HEADER = [
    "Outcome",
    "Task",
    "Score",
    "Why",
    "Baseline",
    "Candidate",
    "Difference",
    "95% interval",
    "p (Holm)",
    "Tolerance",
    "Detectable",
]
TITLES: dict[Outcome, str] = {
    "pass": "passed",
    "regression": "failed: a regression",
    "incomplete": "failed: the candidate is incomplete",
    "not comparable": "failed: not comparable",
}


def gate_row(case: Case) -> list[str]:
    """The cells of one case, under `HEADER`."""
    return [
        case.outcome,
        shown(case.title),
        case.key,
        one_line(case.reason),
        number(case.a),
        number(case.b),
        number(case.difference, True),
        range_text(case.interval),
        p_text(case.p_holm),
        "-" if case.tolerance is None else f"{case.tolerance:g}",
        number(case.detectable),
    ]


def verdict_line(report: GateReport) -> str:
    """``Gate failed: a regression (2 regressions, 25 passed).``"""
    counts = [
        f"{count} {word}"
        for count, word in (
            (report.count("regression"), "outside tolerance or below floor"),
            (report.count("incomplete"), "incomplete"),
            (report.count("not comparable"), "not comparable"),
            (report.count("pass"), "passed"),
        )
        if count
    ]
    return f"Gate {TITLES[report.outcome]} ({', '.join(counts) or 'nothing to judge'})."


def names_line(report: GateReport) -> str:
    """Which two were judged, and by which test."""
    alpha = report.policy.alpha
    rule = (
        "tolerance alone decides"
        if alpha >= 1
        else f"a fall over the tolerance fails when p (Holm) is at most {alpha:g}"
    )
    moves = " in either direction" if report.policy.fails_on == "change" else ""
    return f"Baseline: {shown(report.base)}. Candidate: {shown(report.other)}. Rule: {rule}{moves}."


def blind_line(report: GateReport) -> str | None:
    """How many scores have too few items for their tolerance, in words; None for none."""
    blind = [
        case
        for case in report.cases
        if case.detectable is not None
        and case.tolerance is not None
        and case.detectable > case.tolerance
    ]
    if not blind:
        return None
    return (
        f"{len(blind)} scores have too few items, or move too much from item to item, for a fall "
        "of their tolerance to stand out: Detectable is the least fall, in points, that one "
        "uncorrected test finds 95 times in 100."
    )


def gate_markdown(report: GateReport) -> str:
    """The report as markdown: what failed first, then everything."""
    lines = [f"## {escape(verdict_line(report))}", "", escape(names_line(report))]
    failed = [case for case in report.cases if case.outcome != "pass"]
    parts: list[tuple[str, Sequence[Case]]] = [("What failed", failed)] if failed else []
    for title, cases in (*parts, ("All scores", report.cases)):
        lines += ["", f"### {title}", ""]
        lines += markdown_table(HEADER, [gate_row(case) for case in cases], left=4)
    blind = blind_line(report)
    return "\n".join([*lines, *(["", blind] if blind else []), ""])
