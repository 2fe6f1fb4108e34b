"""What ran where and how long, and what was not scored whole."""

from __future__ import annotations

from collections.abc import Iterator

from scirepeval_harness.records.read import Result
from scirepeval_harness.report.commands import run_command_line
from scirepeval_harness.report.content import Execution, Gap

PHASES = ("load", "encode", "score", "intervals", "write")


def execution(title: str, result: Result) -> Execution:
    """The record of a result's run, under the title that the report gives it."""
    run = result.run
    seconds: dict[str, float] = {}
    for entry in run.tasks:
        for phase, value in entry.seconds.items():
            seconds[phase] = seconds.get(phase, 0.0) + value
    order = {phase: number for number, phase in enumerate(PHASES)}
    settings = next((record.settings for record in result.tasks.values()), {})
    commit = run.git_commit and run.git_commit[:12] + (" with changes" if run.git_dirty else "")
    return Execution(
        system=title,
        created_at=run.created_at,
        status=run.status,
        harness_version=run.harness_version,
        commit=commit,
        seconds=dict(sorted(seconds.items(), key=lambda e: (order.get(e[0], len(order)), e[0]))),
        total_seconds=run.seconds.get("total"),
        documents_encoded=run.documents_encoded,
        documents_cached=run.documents_cached,
        hardware=dict(sorted(run.hardware.items())),
        packages=dict(sorted(run.packages.items())),
        signature=run.signature,
        task_signatures={name: record.signature for name, record in result.tasks.items()},
        settings={name: str(value) for name, value in sorted(settings.items())},
        command=run_command_line(run.arguments),
    )


def gaps(title: str, result: Result) -> Iterator[Gap]:
    """Tasks that failed, or that were scored on a part of their documents or queries."""
    for name, record in result.tasks.items():
        found = record.coverage
        if record.status == "ok" and (found is None or found.complete):
            continue
        yield Gap(
            system=title,
            task=name,
            status=record.status,
            documents=None if found is None else (found.documents_found, found.documents_needed),
            queries=None if found is None else (found.queries_found, found.queries_needed),
            reason=record.error or "",
        )


def warnings(title: str, result: Result) -> Iterator[str]:
    """What the tasks warned of, one line each."""
    for name, record in result.tasks.items():
        yield from (f"{title}, {name}: {text}" for text in record.warnings)
        limit = record.settings.get("limit")
        if limit:
            yield f"{title}, {name}: limited to {limit} queries or rows"
