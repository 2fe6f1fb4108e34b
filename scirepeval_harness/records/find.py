"""Finding result folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scirepeval_harness.errors import StorageError, UsageError
from scirepeval_harness.records.layout import RUN_FILE
from scirepeval_harness.records.read import Result, load_result

DEPTH = 3
"""Levels of folders that are looked through: a run's folder holds one folder a model."""


def result_folders(folder: Path, depth: int = DEPTH) -> tuple[Path, ...]:
    """Every result folder in ``folder``, itself included, at most ``depth`` levels down, sorted.

    Raises:
        UsageError: no such folder.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", where=str(folder), fix="Give a folder of results")
    found = [folder] if (folder / RUN_FILE).is_file() else []
    for level in range(1, depth + 1):
        found += [path.parent for path in folder.glob("*/" * level + RUN_FILE)]
    return tuple(sorted(found))


def readable_results(
    folders: Sequence[Path],
) -> tuple[tuple[Result, ...], tuple[StorageError, ...]]:
    """The results of the folders, and why the others cannot be read."""
    results: list[Result] = []
    errors: list[StorageError] = []
    for folder in folders:
        try:
            results.append(load_result(folder))
        except StorageError as error:
            errors.append(error)
    return tuple(results), tuple(errors)
