"""Before anything is encoded: whether the data of every chosen task is here, or can be had."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from scirepeval_harness.errors import DataError, HarnessError, OfflineError, StorageError
from scirepeval_harness.progress import Progress
from scirepeval_harness.run.loading import Selection
from scirepeval_harness.task.download import folder_of, have, obtain
from scirepeval_harness.task.places import Places, place_of
from scirepeval_harness.task.sources import HubSource, Opened, is_packaged
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec

LeftOut = list[tuple[str, str]]
"""Tasks that are not run, each with why, in words."""


def arrive(
    selection: Selection,
    places: Places,
    *,
    named: Collection[str],
    offline: bool,
    progress: Progress,
    opened: Opened,
) -> tuple[Selection, LeftOut]:
    """Fetch what the tasks need and is not here; what to run, and what is left out and why.

    A download that cannot be had leaves its task out: the rest of the row can be made, and the task
    be added later. Without the hub there is hardly a row, so that is an error.

    Args:
        named: tasks that the user asked for by name, and would rather see refused than left out.
        opened: gets the hub's tables, so that reading them does not ask for them again.

    Raises:
        OfflineError: the hub does not answer, or lacks data while offline; one for all its tasks.
        DataError, OfflineError, StorageError: a named task's download; see ``obtain``.
    """
    kept, left_out = [], LeftOut()
    errors: list[HarnessError] = []
    missing: list[tuple[str, OfflineError]] = []
    for suite, task in selection:
        if place_of(places, suite, task) is None and not is_packaged(suite):
            try:
                # A download that is here is summed when it is read: a gigabyte takes a second.
                if task.hub is not None or not have(task):
                    away = offline or bool(missing)
                    fetch_task(suite, task, progress, offline=away, opened=opened)
            except (DataError, OfflineError, StorageError) as error:
                if task.hub is not None:
                    if isinstance(error, OfflineError):
                        missing.append((task.name, error))
                        continue
                    # What else the hub says of a task is that task's; its scoring says it again.
                elif task.name in named:
                    raise
                else:
                    errors.append(error)
                    left_out.append((task.name, f"left out: {error}"))
                    continue
        kept.append((suite, task))
    if missing:
        _, first = missing[0]
        raise OfflineError(
            f"{first.what}; the data of {_several([name for name, _ in missing])} is not here",
            where=first.where,
            fix="Run `fetch` where there is a network, or give a folder with --data",
        ) from first
    if errors and not kept:
        raise errors[0]
    return kept, left_out


def fetch_task(
    suite: SuiteSpec,
    task: TaskSpec,
    progress: Progress,
    *,
    offline: bool = False,
    opened: Opened | None = None,
) -> tuple[str | None, Path | None]:
    """Download what is not here of a task's data, and check what is: the commit of what is on the
    hub, and the folder of what is not.

    Raises:
        DataError, OfflineError, StorageError: it cannot be had.
    """
    if task.hub is not None:
        source = HubSource(task, suite, offline=offline, opened=opened)
        source.open_all()
        return source.revision(), None
    if task.download is None:
        return None, None
    if not offline and not have(task):
        progress.say(f"{task.name}  downloading to {folder_of(task)}")
    return None, obtain(task, offline=offline, progress=progress)


def _several(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} tasks ({names[0]}, {names[1]}, ...)"
