"""The vectors kept between runs: what is there, whether it is sound, and what may go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scirepeval_harness.errors import UsageError
from scirepeval_harness.files import cache_dir
from scirepeval_harness.progress import SILENT

if TYPE_CHECKING:
    from scirepeval_harness.progress import Progress
    from scirepeval_harness.vectors.inventory import Removal, SpaceInfo
    from scirepeval_harness.vectors.upkeep import Damage

__all__ = ["Pruned", "Verified", "folder", "info", "prune", "size_in_words", "verify"]


@dataclass(frozen=True)
class Verified:
    """How much was checked, and what was damaged and has been set aside."""

    folder: Path
    shards: int
    bytes: int
    damaged: tuple[Damage, ...]


@dataclass(frozen=True)
class Pruned:
    """What may go or has gone: files and bytes by space, counted before anything was deleted."""

    removals: tuple[Removal, ...]
    sizes: tuple[int, ...]
    total: str
    """``12 files of 3 spaces, 1.2 GB``"""


def folder(cache: str | Path | None = None) -> Path:
    """The folder of the vectors: the one given, else the one that `evaluate` uses."""
    return cache_dir() if cache is None else Path(cache)


def info(cache: str | Path | None = None) -> list[SpaceInfo]:
    """The spaces of the store, one a way of encoding, largest first. Changes nothing."""
    from scirepeval_harness.vectors.inventory import list_spaces

    return list_spaces(folder(cache))


def verify(cache: str | Path | None = None, progress: Progress | None = None) -> Verified:
    """Check every checksum; damaged shards are set aside, and the next run encodes what was lost.

    Raises:
        StorageError: a shard cannot be read or set aside.
    """
    from scirepeval_harness.vectors.inventory import verify_store

    root, spaces = folder(cache), info(cache)
    size = sum(space.bytes for space in spaces)
    with (progress or SILENT).bar("vectors", size, "B", "verify") as advance:
        damaged = verify_store(root, advance)
    return Verified(root, sum(space.shards for space in spaces), size, tuple(damaged))


def prune(
    cache: str | Path | None = None,
    *,
    model: str | None = None,
    older_than_days: float | None = None,
    damaged: bool = False,
    everything: bool = False,
    delete: bool = False,
) -> Pruned:
    """What would be deleted under all the conditions given; with ``delete`` it is.

    Files that are not the store's own stay.

    Args:
        model: only vectors of this model.
        older_than_days: only spaces that were not used for so many days.
        damaged: only shards that were set aside.
        everything: all spaces.

    Raises:
        UsageError: no condition is given.
        StorageError: a file cannot be removed.
    """
    from scirepeval_harness.vectors.inventory import removable, remove, words_of

    if not (model or older_than_days is not None or damaged or everything):
        raise UsageError(
            "nothing is chosen", fix="Give --model, --older-than DAYS, --damaged or --all"
        )
    chosen = removable(
        folder(cache), model=model, older_than_days=older_than_days, damaged_only=damaged
    )
    # Counted first: what is deleted has no size any more.
    pruned = Pruned(tuple(chosen), tuple(removal.bytes for removal in chosen), words_of(chosen))
    for removal in chosen if delete else ():
        remove(removal)
    return pruned


def size_in_words(count: int) -> str:
    """Bytes as ``512 B``, ``1.2 MB``: decimal units, one digit."""
    from scirepeval_harness.vectors.inventory import size_in_words as in_words

    return in_words(count)
