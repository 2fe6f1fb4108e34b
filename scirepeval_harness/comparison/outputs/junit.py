"""A gate's report as JUnit XML, the form that CI systems read: one case a task and score."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import groupby

from scirepeval_harness.comparison.gate import AVERAGES, Case, GateReport
from scirepeval_harness.comparison.render import number, one_line, p_text, range_text, shown

FAILURE, ERROR = "failure", "error"


def junit_xml(report: GateReport) -> str:
    """The report as JUnit XML: a regression is a failure, what cannot be judged an error.

    A suite of the benchmark is a ``testsuite``; the averages are one of their own.
    """
    root = ET.Element("testsuites", name=f"scirepeval-harness check: {shown(report.other)}")
    _count(root, report.cases)
    cases = sorted(report.cases, key=lambda case: (case.suite == "", case.suite))
    for suite, members in groupby(cases, key=lambda case: case.suite or AVERAGES):
        own = tuple(members)
        element = ET.SubElement(root, "testsuite", name=suite)
        _count(element, own)
        for case in own:
            element.append(_testcase(case))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ("<?xml version='1.0' encoding='utf-8'?>\n", "\n")
    )


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
        f"95% interval {range_text(case.interval)}",
        f"p (Holm) {p_text(case.p_holm)}",
        "tolerance -" if case.tolerance is None else f"tolerance {case.tolerance:g}",
    ]
    return ", ".join(parts)
