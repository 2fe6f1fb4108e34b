"""Whether a task's scores of two systems may be compared, and if not, why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scirepeval_harness.comparison.records import Mismatch
from scirepeval_harness.comparison.subjects import Subject
from scirepeval_harness.records.schema import TaskRecord
from scirepeval_harness.specs.suite import SuiteSpec
from scirepeval_harness.specs.task import Evaluation

SETTINGS = ("limit", "width", "seed")
"""What a user may choose and what moves a score for one and the same model; so does the probe,
where there is one."""


def mismatches(base: Subject, other: Subject, task: str, suite: SuiteSpec) -> tuple[Mismatch, ...]:
    """All reasons against comparing a task; none where it may be compared."""
    lost = [
        Mismatch(task, reason, missing=True)
        for subject in (base, other)
        for reason in _absence(subject, task)
    ]
    if lost:
        return tuple(lost)
    a, b = base.records.get(task), other.records.get(task)
    reasons = [
        f"{subject.title}: {text}"
        for subject, record in ((base, a), (other, b))
        if record is not None
        for text in _shortfall(record)
    ]
    if a is not None and b is not None:
        reasons += _differences(a, b)
    elif a is not None or b is not None:
        record = a or b
        reasons += [] if record is None else _against_published(record, suite)
    return tuple(Mismatch(task, reason) for reason in reasons)


def by_reason(entries: Iterable[Mismatch]) -> dict[str, list[str]]:
    """The tasks of each reason, in order: a whole benchmark often differs in one thing."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        found.setdefault(entry.reason, []).append(entry.task)
    return found


def _absence(subject: Subject, task: str) -> list[str]:
    record = subject.records.get(task)
    if record is not None and record.status != "ok":
        return [f"{record.status} in {subject.title}: {record.error or 'no reason given'}"]
    return [] if subject.scores.get(task) else [f"no score in {subject.title}"]


def _shortfall(record: TaskRecord) -> Iterator[str]:
    if record.coverage is not None and not record.coverage.complete:
        yield f"scored on {record.coverage}"


def _differences(a: TaskRecord, b: TaskRecord) -> Iterator[str]:
    if a.version != b.version:
        yield f"task version {a.version} against {b.version}"
    elif a.definition_hash != b.definition_hash:
        yield f"task definition {a.definition_hash} against {b.definition_hash}"
    if a.data and b.data and a.data.fingerprint != b.data.fingerprint:
        if a.data.revision != b.data.revision:
            yield f"data revision {a.data.revision} against {b.data.revision}"
        else:
            yield f"other rows: data {a.data.fingerprint[:12]} against {b.data.fingerprint[:12]}"
    probed = (*SETTINGS, "probe") if a.evaluation is Evaluation.PROBE else SETTINGS
    for name in probed:
        first, second = a.settings.get(name), b.settings.get(name)
        if first != second:
            yield f"{name} {_shown(first)} against {_shown(second)}"
    precisions = _precisions(a), _precisions(b)
    # A model without a network (BM25, TF-IDF, given vectors) has no precision to differ in.
    if all(precisions) and precisions[0] != precisions[1]:
        yield f"precision {', '.join(precisions[0])} against {', '.join(precisions[1])}"


def _against_published(record: TaskRecord, suite: SuiteSpec) -> Iterator[str]:
    """Published numbers are of the whole benchmark; everything else about them is unknown."""
    if record.settings.get("limit"):
        yield f"limit {record.settings['limit']} against the whole published test set"
    if suite.synthetic:
        yield "synthetic data against published numbers"


def _precisions(record: TaskRecord) -> list[str]:
    found = {detail["dtype"] for detail in record.model.roles.values() if "dtype" in detail}
    return sorted(found)


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
