"""A gate's verdict: its table and sentences, as markdown, JSON and JUnit, and where CI shows it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

import scirepeval_harness
from scirepeval_harness.comparison.gate import AVERAGES, Case, GateReport, Outcome
from scirepeval_harness.errors import StorageError
from scirepeval_harness.files import write_json, write_text
from scirepeval_harness.reporting import table as form
from scirepeval_harness.reporting.comparison import frame_of, harmless_lines
from scirepeval_harness.reporting.table import Cell, Table, number, one_line, shown

HEADER = (
    *("Outcome", "Task", "Score", "Why", "Baseline", "Candidate", "Difference"),
    *("95% interval", "p (Holm)", "Tolerance", "Detectable"),
)
SPARE = ("Detectable", "Tolerance", "95% interval", "p (Holm)", "Baseline", "Candidate")
LEGEND = {
    "Difference": "candidate minus baseline, in points",
    "p (Holm)": "of a paired test, corrected over all scores",
    "Tolerance": "points that a score may fall",
    "Detectable": "the least fall that one test would find",
}
TITLES: dict[Outcome, str] = {
    "pass": "passed",
    "regression": "failed: a regression",
    "incomplete": "failed: the candidate is incomplete",
    "not comparable": "failed: not comparable",
}
FAILURE, ERROR = "failure", "error"
"""JUnit's words: a test that failed, and one that could not be run."""
VARIABLE = "GITHUB_STEP_SUMMARY"
LARGEST = 1_000_000
"""GitHub refuses a summary of more than 1 MiB (docs.github.com, workflow commands)."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a candidate, in every form: a notebook's, frame, markdown, JUnit."""

    report: GateReport

    @property
    def passed(self) -> bool:
        """Whether the candidate may take the baseline's place."""
        return self.report.passed

    @property
    def failures(self) -> tuple[Case, ...]:
        """Every case that did not pass."""
        return self.report.failures

    @property
    def exit_code(self) -> int:
        """0 pass, 1 regression, 3 incomplete, 4 not comparable."""
        return self.report.exit_code

    def to_pandas(self) -> pd.DataFrame:
        """A row per case, at full precision; columns are the fields of `Case`, with the ends of
        the interval as ``low`` and ``high``."""
        return frame_of(self.report.cases, Case)

    def to_markdown(self) -> str:
        """What failed first, then everything."""
        return gate_markdown(self.report)

    def to_json(self) -> dict[str, Any]:
        """All numbers and the policy, JSON-ready."""
        return gate_values(self.report)

    def to_junit(self) -> str:
        """JUnit XML, which CI servers show."""
        return junit_xml(self.report)

    def write(
        self, *, json: Path | None = None, junit: Path | None = None, markdown: Path | None = None
    ) -> None:
        """Write the forms that are named; raises StorageError where a file cannot be written."""
        if json is not None:
            write_json(json, self.to_json())
        if junit is not None:
            write_text(junit, self.to_junit())
        if markdown is not None:
            write_text(markdown, self.to_markdown())

    def append_step_summary(self, environment: Mapping[str, str]) -> Path | None:
        """Add the markdown to GitHub's step summary, where the environment names one."""
        return append_step_summary(self.to_markdown(), environment)

    def parts(self, *, everything: bool = False) -> Iterator[str | Table]:
        """What a terminal shows, in order: the verdict, what failed, and, where it is asked for,
        ``everything`` that was judged; an empty line stands between two parts."""
        yield verdict_line(self.report)
        yield names_line(self.report)
        if cases := self.report.cases if everything else self.failures:
            yield gate_table(cases)
        if blind := blind_line(self.report):
            yield blind
        yield from harmless_lines(self.report.comparison)

    def _repr_html_(self) -> str:
        return gate_table(self.report.cases, verdict_line(self.report)).to_html()


def gate_table(cases: Sequence[Case], caption: str = "") -> Table:
    """One row per case."""
    rows = tuple(
        (
            Cell(case.outcome),
            Cell(shown(case.title)),
            Cell(case.key),
            Cell(one_line(case.reason)),
            Cell(number(case.a), case.a),
            Cell(number(case.b), case.b),
            Cell(number(case.difference, True), case.difference),
            Cell(form.range_text(case.interval)),
            Cell(form.p_text(case.p_holm), case.p_holm),
            Cell(form.NONE if case.tolerance is None else f"{case.tolerance:g}", case.tolerance),
            Cell(number(case.detectable), case.detectable),
        )
        for case in cases
    )
    return Table(HEADER, rows, left=4, caption=caption, spare=SPARE, legend=LEGEND)


def verdict_line(report: GateReport) -> str:
    """``Gate failed: a regression (2 regressions, 25 passed).``"""
    words: dict[Outcome, str] = {
        "regression": "outside tolerance or below floor",
        "incomplete": "incomplete",
        "not comparable": "not comparable",
        "pass": "passed",
    }
    counts = [f"{n} {word}" for outcome, word in words.items() if (n := report.count(outcome))]
    return f"Gate {TITLES[report.outcome]} ({', '.join(counts) or 'nothing to judge'})."


def names_line(report: GateReport) -> str:
    """Which two were judged, and by which test."""
    alpha = report.policy.alpha
    # No p-value is over 1, so that at an alpha of 1 every test passes for a finding.
    rule = (
        "tolerance alone decides"
        if alpha >= 1
        else f"a fall over the tolerance fails when p (Holm) is at most {alpha:g}"
    )
    policy = report.policy
    moves = " in either direction" if policy.fails_on == "change" else ""
    # Said only where the policy has some: a reader need not know of rules that do not hold.
    words = {"hard limit": policy.hard_limit, "floor": policy.floors}
    bounds = [word for word, table in words.items() if table != type(table)()]
    always = f"; breaking a {' or a '.join(bounds)} always fails" if bounds else ""
    return (
        f"Baseline: {shown(report.base)}. Candidate: {shown(report.other)}. "
        f"Rule: {rule}{moves}{always}."
    )


def blind_line(report: GateReport) -> str | None:
    """How many scores have too few items for their tolerance, in words; None for none."""
    pairs = [(case.detectable, case.tolerance) for case in report.cases]
    blind = sum(d is not None and t is not None and d > t for d, t in pairs)
    if not blind:
        return None
    return (
        f"{blind} scores have too few items, or move too much from item to item, for a fall "
        "of their tolerance to stand out: Detectable is the least fall, in points, that one "
        "uncorrected test finds 95 times in 100."
    )


def gate_markdown(report: GateReport) -> str:
    """The report as markdown: what failed first, then everything."""
    escape = form.escape_markdown
    lines = [f"## {escape(verdict_line(report))}", "", escape(names_line(report))]
    # Twice, since a summary in CI is read from its top, and all scores are a long table.
    parts = [("What failed", report.failures)] if report.failures else []
    for title, cases in (*parts, ("All scores", report.cases)):
        lines += ["", f"### {title}", "", *gate_table(cases).markdown_lines()]
    blind = blind_line(report)
    said = [*([blind] if blind else []), *harmless_lines(report.comparison)]
    return "\n".join([*lines, *(part for line in said for part in ("", escape(line))), ""])


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
        "harmless": [asdict(entry) for entry in report.comparison.harmless],
    }


def junit_xml(report: GateReport) -> str:
    """The report as JUnit XML: a regression is a failure, what cannot be judged an error.

    A suite of the benchmark is a ``testsuite``; the averages are one of their own.
    """
    root = ET.Element("testsuites", name=f"scirepeval-harness check: {shown(report.other)}")
    _count(root, report.cases)
    # `groupby` joins neighbours only; the averages, which have no suite, go last.
    cases = sorted(report.cases, key=lambda case: (case.suite == "", case.suite))
    for suite, members in groupby(cases, key=lambda case: case.suite or AVERAGES):
        of_suite = tuple(members)
        element = ET.SubElement(root, "testsuite", name=suite)
        _count(element, of_suite)
        element.extend(map(_testcase, of_suite))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _count(element: ET.Element, cases: tuple[Case, ...]) -> None:
    kinds = [_kind(case) for case in cases]
    element.set("tests", str(len(cases)))
    element.set("failures", str(kinds.count(FAILURE)))
    element.set("errors", str(kinds.count(ERROR)))
    element.set("skipped", "0")
    element.set("time", "0")


def _kind(case: Case) -> str | None:
    if case.outcome == "pass":
        return None
    return FAILURE if case.outcome == "regression" else ERROR


def _testcase(case: Case) -> ET.Element:
    name = case.title if case.task == AVERAGES else case.key
    # Jenkins groups by the part of the class name before the last dot.
    of = AVERAGES if case.task == AVERAGES else f"{case.suite}.{case.task}"
    element = ET.Element("testcase", name=shown(name), classname=shown(of), time="0")
    kind = _kind(case)
    if kind is None:
        ET.SubElement(element, "system-out").text = _numbers(case)
    else:
        problem = ET.SubElement(element, kind, message=one_line(case.reason), type=case.outcome)
        problem.text = _numbers(case)
    return element


def _numbers(case: Case) -> str:
    if case.b is None:
        return shown(case.title)
    parts = [
        shown(case.title),
        f"baseline {number(case.a)}",
        f"candidate {number(case.b)}",
        f"difference {number(case.difference, True)}",
        f"95% interval {form.range_text(case.interval)}",
        f"p (Holm) {form.p_text(case.p_holm)}",
        "tolerance -" if case.tolerance is None else f"tolerance {case.tolerance:g}",
        *(() if case.rule is None else (f"broken: {case.rule}",)),
    ]
    return ", ".join(parts)


def append_step_summary(markdown: str, environment: Mapping[str, str]) -> Path | None:
    """Append ``markdown`` to the job's summary; None where the variable is not set.

    Raises:
        StorageError: the file cannot be written.
    """
    name = environment.get(VARIABLE)
    if not name:
        return None
    # Bytes, not characters; the cut may split one, which is then dropped.
    if len(markdown.encode()) > LARGEST:
        markdown = markdown.encode()[:LARGEST].decode(errors="ignore") + "\n\n(cut: too long)\n"
    path = Path(name)
    try:
        # Appended: earlier steps of the job may have written theirs.
        with path.open("a", encoding="utf-8") as summary:
            summary.write(markdown)
    except OSError as error:
        raise StorageError(
            f"cannot write the step summary ({error.strerror or error})",
            where=name,
            fix=f"Unset {VARIABLE} or make the file writable",
        ) from error
    return path
