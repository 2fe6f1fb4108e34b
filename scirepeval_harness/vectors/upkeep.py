"""Care of the store's files: setting damage aside, merging small shards."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import StorageError
from scirepeval_harness.files import locked, sweep
from scirepeval_harness.vectors import shards
from scirepeval_harness.vectors.keys import Keys, first_places
from scirepeval_harness.vectors.shards import CLOSED, TAIL, Mapped, Reading

DAMAGED = "damaged"
LOCK = ".merge.lock"
# Rows of a frame in a merged shard: 3 MB at 768 dimensions. What one flipped bit can cost.
MERGED_ROWS = 1_024
# Size at which a merged shard is closed and the next one begins.
MERGED_BYTES = 256 * 2**20
SMALL_FRAME = 512
# So many small files are merged; fewer are left, so that a run does not rewrite what is there.
MANY_FILES = 8

Block = tuple[Keys, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Damage:
    """A shard that could not be trusted and was set aside, and the rows that were saved of it."""

    shard: Path
    reason: str
    saved: int = 0


def set_aside(path: Path, reason: str, dimensions: int = 0) -> Damage | None:
    """Move a damaged shard to the folder ``damaged``; its sound frames are written anew first.

    Returns:
        None where another process is still writing the shard, so that it may not be damage at all.

    Raises:
        StorageError: it cannot be moved, or the sound frames cannot be written.
    """
    with ExitStack() as stack:
        if path.suffix == TAIL and not stack.enter_context(locked(path)):
            return None
        target = path.parent / DAMAGED / path.name
        saved = 0
        with suppress(FileNotFoundError):
            reading = shards.read_frames(path)
            if dimensions:
                _keep(reading, dimensions)
            # Before the move: a kill in between leaves rows twice, never not at all.
            saved = sum(_write(path.parent, _sound_blocks(path, reading)))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        except FileNotFoundError:
            pass  # another process has set it aside
        except OSError as error:
            raise StorageError(
                f"a damaged shard cannot be set aside ({error.strerror})",
                where=str(path),
                fix="Remove it by hand",
            ) from error
    return Damage(target, reason, saved)


def compact(folder: Path) -> int:
    """Merge small closed shards, and the tails of processes that were killed; the files merged.

    Rows stand in the new shard before any old one goes, so that a process that reads at the same
    time always finds them; a merge that is killed leaves repeated rows, which do no harm.

    Raises:
        StorageError: the merged shard cannot be written; the old ones stay.
    """
    if not folder.is_dir():
        return 0
    with ExitStack() as stack:
        if not stack.enter_context(locked(folder / LOCK, create=True)):
            return 0  # another process is at it, and one is enough
        sweep(folder)
        paths = sorted(folder / name for name in os.listdir(folder) if shards.is_shard(name))
        tails = [path for path in paths if path.suffix == TAIL]
        # A tail whose lock can be had belongs to nobody; held, so that nobody sets it aside now.
        dead = [path for path in tails if stack.enter_context(locked(path))]
        small = [path for path in paths if path.suffix == CLOSED and _is_small(path)]
        fine = [path for path in paths if path.suffix == CLOSED and _has_small_frames(path)]
        chosen = sorted({*dead, *fine, *(small if len(small) + len(dead) >= MANY_FILES else ())})
        merged: list[Path] = []
        _write(folder, _blocks_of(chosen, merged))
        for path in merged:
            path.unlink(missing_ok=True)
        return len(merged)


def _blocks_of(paths: Sequence[Path], merged: list[Path]) -> Iterator[Block]:
    """Blocks of files that are sound to the last frame, each file noted in ``merged`` after its
    last block. A file with damage is left to the reader that will need it."""
    dimensions = 0
    for path in paths:
        try:
            reading = shards.read_frames(path)
            mapped = Mapped(path) if reading.frames else None
        except (FileNotFoundError, StorageError):
            continue
        bad_end = reading.unfinished and path.suffix == CLOSED
        frames = reading.frames
        dimensions = dimensions or (frames[0].dimensions if frames else 0)
        if reading.defect or bad_end or any(f.dimensions != dimensions for f in frames):
            continue
        # Checked before copying: new checksums over rotten bytes would make them look sound.
        if mapped is not None and not all(map(mapped.sound, frames)):
            continue
        for frame, keys in zip(frames, reading.keys, strict=True):
            assert mapped is not None  # there are frames
            yield keys, mapped.vectors(frame)
        merged.append(path)


def _sound_blocks(path: Path, reading: Reading) -> Iterator[Block]:
    if not reading.frames:
        return
    mapped = Mapped(path)
    for frame, keys in zip(reading.frames, reading.keys, strict=True):
        if mapped.sound(frame):
            yield keys, mapped.vectors(frame)


def _keep(reading: Reading, dimensions: int) -> None:
    pairs = zip(reading.frames, reading.keys, strict=True)
    kept = [(frame, keys) for frame, keys in pairs if frame.dimensions == dimensions]
    reading.frames = [frame for frame, _ in kept]
    reading.keys = [keys for _, keys in kept]


def _write(folder: Path, blocks: Iterable[Block]) -> list[int]:
    """Write blocks into new closed shards, in frames of MERGED_ROWS; the rows of each shard."""
    sizes: list[int] = []
    writer: shards.ShardWriter | None = None
    try:
        for keys, vectors in _regrouped(blocks):
            writer = writer or shards.ShardWriter(folder)
            frame = writer.write(keys, vectors)
            if frame.stop >= MERGED_BYTES:
                sizes.append(writer.rows)
                writer.close()
                writer = None
        if writer is not None:
            sizes.append(writer.rows)
            writer.close()
            writer = None
    finally:
        if writer is not None:
            writer.abandon()
    return sizes


def _regrouped(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same rows in blocks of about MERGED_ROWS, repeated keys within a block once."""
    waiting: list[Block] = []
    rows = 0
    for block in blocks:
        waiting.append(block)
        rows += len(block[0])
        if rows >= MERGED_ROWS:
            yield _joined(waiting)
            waiting, rows = [], 0
    if rows:
        yield _joined(waiting)


def _joined(blocks: Sequence[Block]) -> Block:
    keys = np.concatenate([keys for keys, _ in blocks])
    vectors = np.concatenate([vectors for _, vectors in blocks])
    first, _ = first_places(keys)
    return (keys, vectors) if len(first) == len(keys) else (keys[first], vectors[first])


def _is_small(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_size < MERGED_BYTES // 4
    return False


def _has_small_frames(path: Path) -> bool:
    """Many frames of few rows: slow to open, as a long run on a slow device leaves them."""
    with suppress(FileNotFoundError):
        frames = shards.read_frames(path).frames
        return len(frames) > 1_000 and sum(f.rows for f in frames) < SMALL_FRAME * len(frames)
    return False
