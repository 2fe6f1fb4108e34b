"""From a task's description to its data: a folder, what ships with it, or the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.task.dataset import Coverage, LoadedTask, Provenance
from scirepeval_harness.task.sources import Opened, Without, choose_source
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where data comes from and how much of it; ``limit`` is in queries or rows a split, and
    ``absent`` are documents that are read as if they were not there."""

    directory: Path | None = None
    offline: bool = False
    allow_missing: bool = False
    limit: int | None = None
    seed: int = 42
    absent: frozenset[str] = frozenset()


def load_task(
    task: TaskSpec, suite: SuiteSpec, options: DataOptions, opened: Opened | None = None
) -> LoadedTask:
    """The task's data with provenance and coverage; ``opened`` is :class:`~.sources.HubSource`'s.

    Raises:
        DataError, CoverageError: malformed or incomplete data, with file and line.
        OfflineError: the hub is needed and cannot be reached.
    """
    source = choose_source(task, suite, options.directory, offline=options.offline, opened=opened)
    if options.absent:
        source = Without(source, options.absent)
    data, coverage = EVALUATIONS.get(task.evaluation).read(task, source, options)
    provenance = Provenance(
        source=source.kind,
        documents=source.described("documents"),
        labels=source.described("labels"),
        revision=source.revision(),
        fingerprint=fingerprint(task, data),
    )
    return LoadedTask(data, provenance, coverage, tuple(_warnings(coverage)))


def _warnings(coverage: Coverage) -> Iterator[str]:
    if not coverage.complete:
        yield (
            f"scored on {coverage.documents_found} of {coverage.documents_needed} documents and "
            f"{coverage.queries_found} of {coverage.queries_needed} queries"
        )
    if coverage.textless:
        yield f"{coverage.textless} documents have no text and are encoded as an empty one"
    yield from coverage.remarks


def fingerprint(task: TaskSpec, data: Any) -> str:
    """SHA-256, in hex, over documents (by id) and labels.

    Training rows count in their order, since it decides the folds; documents do not.
    """
    digest = hashlib.sha256()
    for values in EVALUATIONS.get(task.evaluation).fingerprint(data):
        # repr keeps types apart ("1" and 1) and gives floats in full.
        digest.update(repr(values).encode())
    return digest.hexdigest()
