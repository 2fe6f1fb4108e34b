"""From a task's description to its data: a folder, what ships with it, or the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations.author_disambiguation import read_blocks
from scirepeval_harness.evaluations.citation_pools import read_pools
from scirepeval_harness.evaluations.probe import read_labelled
from scirepeval_harness.evaluations.ranking import read_ranking, read_reviewers
from scirepeval_harness.tasks.dataset import (
    AuthorBlocks,
    CitationPools,
    Coverage,
    Document,
    LabelledSet,
    LoadedTask,
    Provenance,
    RankingSet,
    ReviewerSet,
    TaskData,
)
from scirepeval_harness.tasks.sources import HubSource, LocalSource, Source, choose_source
from scirepeval_harness.tasks.spec import Evaluation, SuiteSpec, TaskSpec


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where data comes from and how much of it; ``limit`` is in queries or rows a split."""

    directory: Path | None = None
    offline: bool = False
    allow_missing: bool = False
    limit: int | None = None
    seed: int = 42


def load_task(task: TaskSpec, suite: SuiteSpec, options: DataOptions) -> LoadedTask:
    """The task's data with provenance and coverage.

    Raises:
        DataError, CoverageError: malformed or incomplete data, with file and line.
        OfflineError: the hub is needed and cannot be reached.
    """
    source = choose_source(task, suite, options.directory, offline=options.offline)
    data, coverage = _read(task, source, options)
    provenance = Provenance(
        source=source.kind,
        documents=source.described("documents"),
        labels=source.described("labels"),
        revision=source.revision(),
        fingerprint=fingerprint(data),
    )
    return LoadedTask(data, provenance, coverage, _warnings(coverage))


def fetch_task(task: TaskSpec, suite: SuiteSpec) -> str | None:
    """Download the task's tables from the hub ahead of a run; None where it has none there.

    Raises:
        DataError, OfflineError: as :func:`load_task`.
    """
    if task.hub is None:
        return None
    source = HubSource(task, suite, offline=False)
    source.open_all()
    return source.revision()


def _read(task: TaskSpec, source: Source, options: DataOptions) -> tuple[TaskData, Coverage]:
    limit, missing = options.limit, options.allow_missing
    match task.evaluation:
        case Evaluation.PROBE:
            return read_labelled(
                task,
                source.documents(),
                source.labels("train"),
                source.labels("test"),
                limit=limit,
                seed=options.seed,
                allow_missing=missing,
            )
        case Evaluation.RANKING:
            labels = source.labels("test")
            return read_ranking(
                task, source.documents(), labels, limit=limit, allow_missing=missing
            )
        case Evaluation.REVIEWER_MATCHING:
            return read_reviewers(
                task,
                source.documents(),
                source.reviewers(),
                source.labels("test_hard"),
                source.labels("test_soft"),
                limit=limit,
                allow_missing=missing,
            )
        case Evaluation.CITATION_POOLS:
            files = _files(task, source)
            return read_pools(
                task, files.documents(), files.path("pools"), limit=limit, allow_missing=missing
            )
        case Evaluation.AUTHOR_DISAMBIGUATION:
            blocks = _files(task, source).path("blocks")
            return read_blocks(task.name, blocks, task.fields, limit=limit, allow_missing=missing)


def _files(task: TaskSpec, source: Source) -> LocalSource:
    if isinstance(source, LocalSource):
        return source
    raise DataError(
        "the data of this task is not on the hub",
        where=f"task {task.name}",
        fix="Download it (see `tasks show`) and pass its folder with --data",
    )


def _warnings(coverage: Coverage) -> tuple[str, ...]:
    if coverage.complete:
        return ()
    return (
        f"scored on {coverage.documents_found} of {coverage.documents_needed} documents and "
        f"{coverage.queries_found} of {coverage.queries_needed} queries",
    )


def fingerprint(data: TaskData) -> str:
    """SHA-256, in hex, over documents (by id) and labels.

    Training rows count in their order, since it decides the folds; documents do not.
    """
    digest = hashlib.sha256()

    def put(*values: Any) -> None:
        digest.update(repr(values).encode())

    def put_documents(documents: Mapping[str, Document]) -> None:
        for key in sorted(documents):
            put(key, documents[key].parts)

    def put_qrels(qrels: Mapping[str, Mapping[str, int]]) -> None:
        for query in sorted(qrels):
            put(query, sorted(qrels[query].items()))

    match data:
        case LabelledSet():
            put_documents(data.documents)
            put(data.classes, data.train_ids, data.test_ids)
            put(data.train_labels.tolist(), data.test_labels.tolist())
        case RankingSet():
            put_documents(data.queries)
            put_documents(data.candidates)
            put_qrels(data.qrels)
        case ReviewerSet():
            put_documents(data.papers)
            put(sorted(data.reviewers.items()))
            put_qrels(data.hard)
            put_qrels(data.soft)
        case CitationPools():
            put_documents(data.documents)
            for name in sorted(data.fields):
                put(name)
                put_qrels(data.fields[name])
        case AuthorBlocks():
            put_documents(data.documents)
            put(sorted((name, sorted(blocks.items())) for name, blocks in data.blocks.items()))
            put(sorted(data.paper_of.items()), sorted(data.cluster_of.items()))
    return digest.hexdigest()
