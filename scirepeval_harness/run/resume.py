"""What the output folder holds already: refused, resumed or written over."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from scirepeval_harness.errors import StorageError, UsageError
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.options import RunOptions
from scirepeval_harness.results.folder import RUN_FILE, load_result, read_task, slug, task_file
from scirepeval_harness.results.record import TaskRecord, TaskRun


def result_folders(models: Sequence[ModelSpec], options: RunOptions) -> list[Path]:
    """A folder a model.

    Raises:
        UsageError: two models of one name, an output that is no folder, or results that are there.
    """
    names = [spec.name for spec in models]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two models are named {name!r}", fix="Name one of them with --model TITLE=MODEL"
            )
    if options.output.exists() and not options.output.is_dir():
        raise UsageError("not a folder", where=str(options.output), fix="Check --output")
    folders = [options.output / slug(name) for name in names]
    for folder in folders:
        if options.existing == "refuse" and (folder / RUN_FILE).exists():
            raise UsageError(
                "there are results already",
                where=str(folder),
                fix="Pass --resume to go on, --overwrite to start again, or another --output",
            )
    return folders


def earlier_tasks(folder: Path, options: RunOptions) -> dict[str, tuple[TaskRun, TaskRecord]]:
    """What the run file says of the tasks that an earlier run of the same settings finished."""
    if options.existing != "resume":
        return {}
    with suppress(StorageError):
        result = load_result(folder)
        return {
            entry.task: (entry, result.tasks[entry.task])
            for entry in result.run.tasks
            if result.tasks[entry.task].status == "ok"
            and result.tasks[entry.task].settings == options.scoring()
            and result.tasks[entry.task].model.identified
        }
    return {}


def finished_task(
    folder: Path, options: RunOptions, draft: TaskRecord, signature: str | None = None
) -> TaskRecord | None:
    """The task's record from an earlier run (of this signature), when resuming."""
    # Of a model without an identity nobody can say that it is still the one of the earlier run.
    if options.existing != "resume" or not draft.model.identified:
        return None
    with suppress(StorageError):
        record = read_task(task_file(folder, draft.suite, draft.task))
        if record.status == "ok" and signature in (None, record.signature):
            return record
    return None
