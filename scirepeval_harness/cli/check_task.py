"""``tasks check``: leaks, gaps and label counts of a task's data, before anyone embeds it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from scirepeval_harness.cli.options import AsJson, DataDir, Offline, TasksDir
from scirepeval_harness.cli.tables import show_table
from scirepeval_harness.errors import CoverageError

if TYPE_CHECKING:
    from scirepeval_harness.data.audit import Audit


def check_task(
    name: Annotated[str, typer.Argument(help="The task's name, as `tasks list` prints it.")],
    data: DataDir = None,
    tasks_dir: TasksDir = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Report leaks, gaps and the distribution of labels. Exit code 2 when a run would refuse it."""
    from scirepeval_harness.data.audit import audit
    from scirepeval_harness.data.load import DataOptions, load_task
    from scirepeval_harness.specs.registry import load_registry

    [(suite, task)] = load_registry(tasks_dir or ()).select((), (name,), ())
    loaded = load_task(
        task, suite, DataOptions(directory=data, offline=offline, allow_missing=True)
    )
    found = audit(loaded)
    if as_json:
        record = {"task": name, "fingerprint": loaded.provenance.fingerprint, **asdict(found)}
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
    else:
        where = f"{loaded.provenance.documents}, labels {loaded.provenance.labels}"
        typer.echo(f"{task.title}: documents {where}")
        _show(found)
    if found.blocked:
        raise CoverageError(
            "the data is incomplete",
            where=f"task {name}",
            fix="Complete it, or run with --allow-missing to score what is there",
        )


def _show(found: Audit) -> None:
    rows = [
        [finding.name, str(finding.count), str(finding.total), ", ".join(finding.examples)]
        for finding in found.findings
    ]
    show_table(("finding", "count", "of", "such as"), rows)
    splits = list(dict.fromkeys(key for share in found.distribution for key in share.counts))
    typer.echo("")
    show_table(
        ("distribution", *splits),
        [
            [share.name, *(f"{share.counts.get(split, 0):g}" for split in splits)]
            for share in found.distribution
        ],
    )
