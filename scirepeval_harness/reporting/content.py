"""What a report says, as plain values; how it looks is the business of the modules beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scirepeval_harness.comparison.records import Comparison
from scirepeval_harness.results.leaderboard import Row
from scirepeval_harness.results.record import ScoreRecord
from scirepeval_harness.task.spec import SuiteSpec


@dataclass(frozen=True)
class ScoreLine:
    """One score key of one task in every system. ``field`` is set for a part of a task."""

    suite: str
    task: str
    title: str
    format: str
    group: str | None
    key: str
    field: str | None
    scores: tuple[ScoreRecord | None, ...]
    partial: tuple[bool, ...]
    """For each system, whether its score is of a part of the documents or queries."""


@dataclass(frozen=True)
class NumberLine:
    """A number with which a task enters the averages, in every result."""

    title: str
    group: str | None
    metric: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Reading:
    """How an open point of the protocol was read in a suite."""

    suite: str
    name: str
    value: str
    default: bool


@dataclass(frozen=True)
class Gap:
    """A task that was not scored, or not on all of its documents or queries."""

    system: str
    task: str
    status: str
    documents: tuple[int, int] | None
    queries: tuple[int, int] | None
    reason: str


@dataclass(frozen=True)
class Execution:
    """What a run file says of the run. ``seconds`` are by phase, summed over the tasks."""

    system: str
    created_at: str
    status: str
    harness_version: str
    commit: str | None
    seconds: Mapping[str, float]
    total_seconds: float | None
    documents_encoded: int
    documents_cached: int
    hardware: Mapping[str, str]
    packages: Mapping[str, str]
    signature: str
    task_signatures: Mapping[str, str]
    settings: Mapping[str, str]
    command: str

    @property
    def documents_per_second(self) -> float | None:
        """Documents encoded in a second of the encoding phase, which for the first task includes
        loading the model; None where every vector came from the store, or nothing is encoded."""
        # Encoding is timed also where all vectors are in the store: that is no speed of a model.
        seconds = self.seconds.get("encode", 0.0)
        return self.documents_encoded / seconds if self.documents_encoded and seconds else None


@dataclass(frozen=True)
class ItemLine:
    """A query, block or row that is worth a look: why, its text where it was read, and its number
    in every result, for rows with what each predicted."""

    item: str
    field: str
    reasons: tuple[str, ...]
    text: str | None
    truth: str
    values: tuple[float | None, ...]
    predictions: tuple[str, ...]


@dataclass(frozen=True)
class ItemGroup:
    """Items of one task; ``note`` says why there are no texts where they were asked for."""

    title: str
    measure: str
    lines: tuple[ItemLine, ...]
    note: str = ""


@dataclass(frozen=True)
class Report:
    """Everything that any form of a report shows."""

    suites: tuple[SuiteSpec, ...]
    rows: tuple[Row, ...]
    systems: tuple[Row, ...]
    """Those of the rows that have scores of tasks, in the order of ``ScoreLine.scores``; the notes
    of a published one say where the scores are from."""
    scores: tuple[ScoreLine, ...]
    numbers: tuple[NumberLine, ...]
    formats: tuple[Row, ...]
    """The results with their means over the tasks of each format."""
    readings: tuple[Reading, ...]
    comparisons: tuple[Comparison, ...]
    gaps: tuple[Gap, ...]
    warnings: tuple[str, ...]
    executions: tuple[Execution, ...]
    items: tuple[ItemGroup, ...] = ()

    @property
    def synthetic(self) -> bool:
        """Whether any of the data is made, so that scores say nothing about real papers."""
        return any(suite.synthetic for suite in self.suites)

    @property
    def results(self) -> tuple[str, ...]:
        """Titles of the results, in the order of the values of ``numbers``."""
        return tuple(row.title for row in self.rows if not row.published)

    @property
    def name(self) -> str:
        """The suites' titles."""
        return ", ".join(suite.title for suite in self.suites)
