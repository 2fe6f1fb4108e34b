"""The file format of the embedding store: frames of keys and vectors, each with its checksums.

A shard is a sequence of frames; a frame is a header, keys (16 bytes each) and little-endian float32
vectors. Frames are only ever added at the end. While a process adds frames the file is a *tail*
(``.tail``), locked by that process; a killed process leaves its tail behind, whole up to an
unfinished last frame. A finished file is *closed* (``.vec``) and never changes.

Checksums are CRC-32: they stand against accidents (flipped bits, lost blocks), run at 3 GB/s, and
let each frame be checked alone when its vectors are first used.
"""

from __future__ import annotations

import os
import struct
import time
import uuid
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import StorageError
from scirepeval_harness.files import open_regular, try_lock
from scirepeval_harness.vectors.keys import KEY, KEY_BYTES, Keys

MAGIC = b"SREHVEC2"
# Magic, rows, dimensions, CRC-32 of the keys, of the vectors, and of the header up to there. 48
# bytes, so that keys and vectors start at multiples of 16.
HEADER = struct.Struct("<8sQQIII12x")
SIGNED = struct.Struct("<8sQQII")  # what the header's own checksum covers
CLOSED, TAIL, NEW = ".vec", ".tail", ".new"
# A killed process loses nothing that was written, synced or not; only a power cut does.
SYNC_SECONDS = 30.0
FULL = "Free space or choose another folder with --cache"


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the vectors of a frame lie in its file."""

    start: int
    rows: int
    dimensions: int
    checksum: int

    @property
    def stop(self) -> int:
        return self.start + 4 * self.rows * self.dimensions


@dataclass
class Reading:
    """Frames of a file with their keys; ``end`` is where the next frame would start."""

    frames: list[Frame] = field(default_factory=list)
    keys: list[Keys] = field(default_factory=list)
    end: int = 0
    unfinished: bool = False
    defect: str | None = None


def is_shard(name: str) -> bool:
    """Whether a file name is one of the store's own shards."""
    return name.endswith((CLOSED, TAIL)) and not name.startswith(".")


def read_frames(path: Path, start: int = 0) -> Reading:
    """Headers and keys of the frames from byte ``start`` on, checked; vectors stay unread.

    Raises:
        FileNotFoundError: the file is gone.
    """
    found = Reading(end=start)
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        while found.end < size and not (found.unfinished or found.defect):
            file.seek(found.end)
            _read_frame(found, file.read(HEADER.size), file, size)
    return found


def _read_frame(found: Reading, header: bytes, file: BinaryIO, size: int) -> None:
    if len(header) < HEADER.size:
        found.unfinished = True
        return
    magic, rows, dimensions, keys_sum, vectors_sum, header_sum = HEADER.unpack(header)
    # Before rows and dimensions are believed: a flipped bit there would ask for terabytes.
    if zlib.crc32(header[: SIGNED.size]) != header_sum or magic != MAGIC:
        found.defect = "not a shard" if magic != MAGIC else "the checksum of a header is wrong"
        return
    start = found.end + HEADER.size + rows * KEY_BYTES
    frame = Frame(start, rows, dimensions, vectors_sum)
    if frame.stop > size:
        found.unfinished = True
        return
    raw = file.read(rows * KEY_BYTES)
    if zlib.crc32(raw) != keys_sum:
        found.defect = "the checksum of its keys is wrong"
        return
    found.frames.append(frame)
    found.keys.append(np.frombuffer(raw, dtype=KEY))
    found.end = frame.stop


class Mapped:
    """A shard mapped for reading; nothing stays open once this object is gone.

    Raises:
        FileNotFoundError: the file is gone (set aside or merged by another process).
        StorageError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot be read ({error})", where=str(path)) from error

    def vectors(self, frame: Frame) -> NDArray[np.float32]:
        """The frame's rows, a view of the file; StorageError where the file is too short now."""
        part = self._bytes[frame.start : frame.stop]
        if len(part) != frame.stop - frame.start:
            raise StorageError("a shard has become shorter", where="embedding store")
        rows: NDArray[np.float32] = part.view("<f4").reshape(frame.rows, frame.dimensions)
        return rows

    def sound(self, frame: Frame) -> bool:
        """Whether the vectors have the checksum that they were written with."""
        part = self._bytes[frame.start : frame.stop]
        return len(part) == frame.stop - frame.start and zlib.crc32(part.data) == frame.checksum


class ShardWriter:
    """Adds frames to a file of its own. Each ``write`` is safe from ``kill -9`` once it returns.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.process = os.getpid()
        name = f"{time.strftime('%Y%m%d%H%M%S')}-{self.process}-{uuid.uuid4().hex[:12]}"
        self.path = folder / f"{name}{TAIL}"
        self.rows = 0
        self._end, self._synced = 0, time.monotonic()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Locked before it has its name: whoever sees an unlocked tail may take it for dead.
            hidden = folder / f".{name}{NEW}"
            self._file = hidden.open("xb", buffering=0)
            try_lock(self._file.fileno())
            hidden.rename(self.path)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def write(self, keys: Keys, vectors: NDArray[np.float32]) -> Frame:
        """Add a frame of vectors (len(keys), dimensions).

        Raises:
            StorageError: the disk is full; the file is as it was before.
        """
        rows, dimensions = vectors.shape
        body = np.ascontiguousarray(vectors, dtype="<f4").data.cast("B")
        raw = np.ascontiguousarray(keys).tobytes()
        sums = zlib.crc32(raw), zlib.crc32(body)
        signed = SIGNED.pack(MAGIC, rows, dimensions, *sums)
        header = HEADER.pack(MAGIC, rows, dimensions, *sums, zlib.crc32(signed))
        try:
            # Unbuffered, so that each returned write is the system's and survives a kill; such a
            # write may take only a part, as when the disk fills up.
            for part in (memoryview(header + raw), body):
                while part:
                    part = part[self._file.write(part) or 0 :]
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self._sync()
        except OSError as error:
            self._file.truncate(self._end)
            self._file.seek(self._end)
            raise _cannot_write(self.path, error) from error
        frame = Frame(self._end + len(header) + len(raw), rows, dimensions, sums[1])
        self._end = frame.stop
        self.rows += frame.rows
        return frame

    def close(self) -> Path | None:
        """Sync the file and give it the name of a closed shard; None where nothing was written."""
        try:
            if not self.rows:
                self.path.unlink(missing_ok=True)
                return None
            self._sync()  # before the name: a closed shard is never shorter than its headers say
            closed = self.path.with_suffix(CLOSED)
            self.path.rename(closed)
            return closed
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close the file and remove it: what it holds stands elsewhere too."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()


def _cannot_write(path: Path, error: OSError) -> StorageError:
    problem = f"cannot write vectors ({error.strerror or error})"
    return StorageError(problem, where=str(path), fix=FULL)
