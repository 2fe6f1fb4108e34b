"""A gate's report and a comparison as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import scirepeval_harness
from scirepeval_harness.comparison.gate import GateReport
from scirepeval_harness.comparison.records import Comparison


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """All numbers of a comparison at full precision, with the counts of verdicts."""
    return {
        **asdict(comparison),
        "wins": comparison.wins,
        "losses": comparison.losses,
        "ties": comparison.ties,
    }


def gate_values(report: GateReport) -> dict[str, Any]:
    """All numbers of a gate at full precision, and the policy that judged them."""
    return {
        "harness_version": scirepeval_harness.__version__,
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        "baseline": report.base,
        "candidate": report.other,
        "policy": report.policy.model_dump(mode="json"),
        "cases": [asdict(case) for case in report.cases],
        "mismatches": [asdict(entry) for entry in report.comparison.mismatches],
    }
