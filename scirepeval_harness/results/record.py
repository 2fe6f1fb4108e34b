"""The schema of result files. A change that old files do not satisfy raises ``SCHEMA_VERSION``.

A task's score file holds nothing that differs between two equal runs; times, versions and
hardware stand in the run file.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from scirepeval_harness.evaluations.base import Score
from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.model.spec import UNIDENTIFIED
from scirepeval_harness.roles import Format
from scirepeval_harness.task.spec import Slug, SuiteSpec, TaskSpec

SCHEMA_VERSION = 1
"""Of a score file."""
RUN_VERSION = 2
"""Of a run file: from 2 on it holds the digests of its folder's files and a seal over itself."""
Status = Literal["ok", "failed", "interrupted", "outdated"]
"""``outdated`` stands in no file: the task was scored under another version than is registered."""
# How far rounding may carry a score over the ends of its range.
SLACK = 1e-6


class Record(BaseModel):
    """A part of a result file: nothing unknown in it, and not to be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    left_out: ClassVar[tuple[str, ...]] = ()
    """Fields that stand in the file only where they say something: files without them are the same
    bytes as before there were these fields."""

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        return {key: value for key, value in written.items() if value or key not in self.left_out}


class ScoreRecord(Record):
    """One number, x 100, full precision, with a 95% bootstrap interval over ``items`` items."""

    key: str
    metric: str
    setting: str = "full"
    field: str | None = None
    value: float
    interval: tuple[float, float] | None = None
    items: int


class CoverageRecord(Record):
    """How many of a task's documents and queries have what the scores need of them."""

    documents_needed: int
    documents_found: int
    queries_needed: int = 0
    queries_found: int = 0

    @property
    def complete(self) -> bool:
        """Whether none is missing."""
        return (
            self.documents_found == self.documents_needed
            and self.queries_found == self.queries_needed
        )

    def __str__(self) -> str:
        """``90 of 100 documents``, with the queries where some are missing."""
        text = f"{self.documents_found} of {self.documents_needed} documents"
        if self.queries_found < self.queries_needed:
            text += f" and {self.queries_found} of {self.queries_needed} queries"
        return text


class DataRecord(Record):
    """Where a task's data came from, and the fingerprint of its rows."""

    source: str
    documents: str
    labels: str
    revision: str | None
    fingerprint: str
    synthetic: bool


class ModelRecord(Record):
    """Which model made the vectors: for each role used, the printable details of its identity.

    ``origin`` names the package that brought the model or its kind, where one did.
    """

    name: str
    title: str
    kind: str
    origin: str | None = None
    roles: dict[str, dict[str, str]]
    left_out = ("origin",)

    @property
    def identified(self) -> bool:
        """Whether the roles say all that determines the vectors; an object may give no identity."""
        return not any(UNIDENTIFIED.items() <= details.items() for details in self.roles.values())


class TaskRecord(Record):
    """The score file of one task."""

    schema_version: int = SCHEMA_VERSION
    suite: str
    task: str
    title: str
    version: int
    definition_hash: str
    format: Format
    evaluation: str
    group: str | None
    status: Status
    error: str | None = None
    data: DataRecord | None = None
    model: ModelRecord
    settings: dict[str, Any]
    """Seed, limit, probe, precision, vector width: what the user chose that may move a score."""
    coverage: CoverageRecord | None = None
    item_kind: str | None = None
    scores: tuple[ScoreRecord, ...] = ()
    notes: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()
    signature: str
    origins: dict[str, str] = {}
    """Which packages brought the task, its evaluation or a metric."""
    left_out = ("origins",)


def shortfall(record: TaskRecord | None) -> str | None:
    """``scored on 90 of 100 documents``; None where nothing of the task is known to be missing."""
    coverage = record and record.coverage
    return f"scored on {coverage}" if coverage and not coverage.complete else None


def score_faults(record: TaskRecord) -> Iterator[str]:
    """What no score file may say: a score twice, under the key of another or beyond its metric's
    range; a number that is none."""
    # A kind from a package that is not installed here: nothing is known of its metrics.
    known = record.evaluation in EVALUATIONS
    seen: set[str] = set()
    for score in record.scores:
        own = Score(score.metric, score.value, score.setting, score.field).key
        if score.key != own:
            yield f"score {score.key!r} is that of {own!r}"
        if score.key in seen:
            yield f"score {score.key!r} stands there twice"
        seen.add(score.key)
        low, high = -math.inf, math.inf
        if known:
            low, high = EVALUATIONS.get(record.evaluation).bounds(score.metric)
        ends = score.interval or (score.value, score.value)
        for value in (score.value, *ends):
            # Written so that NaN fails too.
            if not (low - SLACK <= value <= high + SLACK and math.isfinite(value)):
                yield f"score {score.key!r} is {value:g}, its range is {low:g} to {high:g}"
                break
        if score.items < 0 or ends[0] > ends[1]:
            yield f"score {score.key!r} has {score.items} items and the interval {ends}"


class TaskRun(Record):
    """What a run says of one task beside its scores: phases in seconds, the traceback, and the
    SHA-256 of its files (``scores``, ``items``, ``draws``); None in files of version 1."""

    suite: Slug
    task: Slug
    status: Status
    seconds: dict[str, float]
    traceback: str | None = None
    files: dict[str, str] | None = None
    left_out = ("files",)


class Definitions(Record):
    """The suites of a run and all of their tasks by name, with every key of their files written
    out. Plain values: whether they can be used is found out where they are."""

    suites: dict[Slug, dict[str, Any]]
    tasks: dict[Slug, dict[str, Any]]

    @classmethod
    def of(cls, suites: Iterable[SuiteSpec], tasks: Mapping[str, TaskSpec]) -> Definitions:
        """The suites with all of their tasks; one of which ``tasks`` lacks a task is left out,
        since no row could be made of it."""
        whole = {own.name: own for own in suites if set(own.task_names()) <= tasks.keys()}
        names = [name for own in whole.values() for name in own.task_names()]
        return cls(
            suites={name: own.model_dump(mode="json") for name, own in whole.items()},
            tasks={name: tasks[name].model_dump(mode="json") for name in names},
        )

    def after(self, earlier: Definitions | None, suites: Collection[str]) -> Definitions | None:
        """Those of the suites of that name, by an earlier run where this one does not have them;
        None where neither has any."""
        held = self if earlier is None else earlier
        found = {name: raw for name, raw in (held.suites | self.suites).items() if name in suites}
        return Definitions(suites=found, tasks=held.tasks | self.tasks) if found else None


class RunRecord(Record):
    """The run file: one model, one or more suites. ``seal`` is a digest of all the rest of it;
    ``definitions`` is None in older files."""

    schema_version: int = RUN_VERSION
    harness_version: str
    model: ModelRecord
    suites: tuple[str, ...]
    status: Status
    created_at: str
    arguments: dict[str, Any]
    tasks: tuple[TaskRun, ...]
    documents_encoded: int
    documents_cached: int
    seconds: dict[str, float]
    usage: dict[str, int | float] = {}
    """Requests, tokens and US dollars of an endpoint, as its server counted them in this run."""
    packages: dict[str, str]
    hardware: dict[str, str]
    git_commit: str | None
    git_dirty: bool | None
    signature: str
    definitions: Definitions | None = None
    seal: str | None = None
    # Run files of models that nobody charges for stay as they were.
    left_out = ("definitions", "seal", "usage")


def digest(value: object) -> str:
    """The first 8 hex digits of the SHA-256 of a JSON-ready value."""
    # Sorted and with these separators for good: other bytes give every run another signature.
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def task_signature(
    *,
    task: str,
    version: int,
    definition: str,
    rows: str,
    settings: Mapping[str, object],
    model: ModelRecord,
    harness: str,
) -> str:
    """The signature of one task's scores."""
    detail = next(iter(model.roles.values()), {})
    parts = {
        "task": task,
        "v": str(version),
        "def": definition,
        "rows": rows[:12],
        "model": model.name,
        "vec": digest(model.roles),
        "dtype": detail.get("dtype", "none"),
        "len": detail.get("max_length", "none"),
        **{name: str(value) for name, value in sorted(settings.items())},
        "harness": harness,
    }
    return "|".join(f"{name}:{_plain(value)}" for name, value in parts.items())


def run_signature(tasks: Iterable[TaskRecord], harness: str) -> str:
    """The signature of a whole run: how many tasks, and one digest over theirs."""
    # Sorted: two runs of the same tasks in another order are the same run.
    lines = sorted(task.signature for task in tasks)
    return f"tasks:{len(lines)}|all:{digest(lines)}|harness:{harness}"


def _plain(value: str) -> str:
    # Bars divide the parts; a model's name, which is anybody's, must not make up parts of its own.
    return "".join("_" if char in "|\n\r" or not char.isprintable() else char for char in value)
