"""What data is kept on this machine: tables of the hub, and downloads of what is on no hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scirepeval_harness.api.results import PathLike
from scirepeval_harness.files import data_dir
from scirepeval_harness.task.registry import load_registry

__all__ = ["Part", "folder", "kept"]


@dataclass(frozen=True)
class Part:
    """A repository of the hub, or a downloaded file of a task, with its size in bytes.

    ``sha256`` and ``fetched_at`` are None for the hub's, which keeps its own sums.
    """

    name: str
    path: Path
    bytes: int
    source: str
    sha256: str | None = None
    fetched_at: str | None = None


def folder() -> Path:
    """Where downloads are kept: ``$SCIREPEVAL_HARNESS_DATA_DIR``, else beside the vectors."""
    return data_dir()


def kept(tasks_dirs: Sequence[PathLike] = ()) -> tuple[Part, ...]:
    """The data of registered tasks that is on this machine.

    Raises:
        StorageError: the record of a download is damaged.

    Example:
        >>> import scirepeval_harness as sh
        >>> all(part.bytes >= 0 for part in sh.data.kept())
        True
    """
    from scirepeval_harness.task.download import downloads, folder_of
    from scirepeval_harness.task.sources import cached_repositories

    tasks = load_registry([Path(path) for path in tasks_dirs]).tasks
    # By its place: a draw of a task reads the files of the whole one.
    found: dict[Path, Part] = {}
    for name, path, one in downloads(tasks):
        place = folder_of(tasks[name]) / path
        found.setdefault(place, Part(name, place, one.bytes, one.url, one.sha256, one.fetched_at))
    parts = list(found.values())
    for repo, where, size in cached_repositories(tasks.values()):
        parts.append(Part(repo, where, size, "hub"))
    return tuple(parts)
