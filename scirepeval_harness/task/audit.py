"""What is odd about a task's data, in numbers, before anything is embedded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.task.dataset import Coverage, Document, LoadedTask
from scirepeval_harness.task.spec import TaskSpec

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """How many of ``total`` things are odd in one way, and the first few of them.

    ``blocking`` findings stop a run that was not told to go on without what is missing.
    """

    name: str
    count: int
    total: int
    examples: tuple[str, ...] = ()
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """How often a label, grade or size occurs in each split."""

    name: str
    counts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Audit:
    findings: tuple[Finding, ...]
    distribution: tuple[Share, ...]

    @property
    def blocked(self) -> bool:
        """Whether a run of this data would end in an error."""
        return any(finding.blocking and finding.count for finding in self.findings)


def audit(task: TaskSpec, loaded: LoadedTask) -> Audit:
    """Counts over data that was loaded with ``allow_missing``, so that gaps are counted."""
    odd, shares = EVALUATIONS.get(task.evaluation).audit(loaded.data)
    return Audit((*_gaps(loaded.coverage), *odd), tuple(shares))


def same_text(document: Document) -> str:
    """A document's text without case and spacing, the key under which copies are found."""
    return " ".join(" ".join(document.parts).casefold().split())


def finding(name: str, odd: Iterable[str], total: int) -> Finding:
    """A finding from the names of what is odd, in their order."""
    listed = list(odd)
    return Finding(name, len(listed), total, tuple(listed[:SHOWN]))


def _gaps(coverage: Coverage) -> Iterator[Finding]:
    needed = coverage.documents_needed
    missing = needed - coverage.documents_found
    yield Finding("documents without text", coverage.textless, needed)
    yield Finding("ids without a document", missing, needed, coverage.missing[:SHOWN], True)
    if coverage.queries_needed:
        lost = coverage.queries_needed - coverage.queries_found
        yield Finding("queries lost with them", lost, coverage.queries_needed, blocking=True)
