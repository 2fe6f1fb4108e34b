"""Vectors kept on disk, addressed by all that changes them; shared by tasks, runs and processes.

A space holds the vectors of one way of encoding; a shard is one file of it, written whole or not at
all and never changed. Processes that write at once write different shards.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scirepeval_harness.atomic import write_json, write_with
from scirepeval_harness.encoders.base import Identity
from scirepeval_harness.errors import ModelError, StorageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"SREHVEC1"
HEADER = struct.Struct("<8sQQ32s")
"""Magic, rows, dimensions, and the BLAKE2b-256 of the body (keys, then float32 vectors)."""
KEY_BYTES = 16
DAMAGED = "damaged"


def text_key(text: str) -> bytes:
    """The first 16 bytes of the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES]


def space_key(identity: Identity) -> str:
    """Name of the space of an identity: its details alone, so that two names of one model, or two
    roles that the same weights serve, share their vectors."""
    text = json.dumps(dict(identity.details), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Damage:
    """A shard that could not be trusted and was set aside."""

    shard: Path
    reason: str


@dataclass(frozen=True, slots=True)
class _Place:
    shard: int
    row: int


class EmbeddingStore:
    """All spaces below a folder, which is made when the first vector is written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def space(self, identity: Identity) -> Space:
        """The space of an identity, with what is on disk now."""
        return Space(self.root / space_key(identity), identity)


class Space:
    """The vectors of one way of encoding. ``damaged`` lists the shards that were set aside."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.folder, self.identity = folder, identity
        self.damaged: list[Damage] = []
        self._shards: list[NDArray[np.float32]] = []
        self._places: dict[bytes, _Place] = {}
        for path in sorted(folder.glob("*.vec")):
            self._open(path)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def append(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Write one shard of ``vectors`` (len(keys), dimensions), and know its rows from now on.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
            ModelError: other dimensions than the vectors that are there.
        """
        import numpy as np

        if self._shards and self._shards[0].shape[1] != vectors.shape[1]:
            raise ModelError(
                f"vectors of {vectors.shape[1]} dimensions beside {self._shards[0].shape[1]}",
                where=f"model {self.identity.model}",
                fix="Give each file of vectors the same dimensions",
            )
        body = b"".join(keys) + np.ascontiguousarray(vectors, dtype="<f4").tobytes()
        header = HEADER.pack(MAGIC, *vectors.shape, hashlib.blake2b(body, digest_size=32).digest())
        about = self.folder / "space.json"
        if not about.exists():
            write_json(
                about, {"model": self.identity.model, "details": dict(self.identity.details)}
            )
        path = self.folder / f"{os.getpid()}-{uuid.uuid4().hex}.vec"
        write_with(path, lambda temporary: _write(temporary, header, body))
        self._open(path)

    def take(self, keys: Sequence[bytes]) -> NDArray[np.float32]:
        """Rows (len(keys), dimensions), copied out of the mapped shards; all keys must be there."""
        import numpy as np

        places = [self._places[key] for key in keys]
        dimensions = self._shards[0].shape[1] if self._shards else 0
        out = np.empty((len(keys), dimensions), dtype=np.float32)
        shards = np.array([place.shard for place in places], dtype=np.int64)
        rows = np.array([place.row for place in places], dtype=np.int64)
        for shard in np.unique(shards):
            here = shards == shard
            out[here] = self._shards[int(shard)][rows[here]]
        return out

    def _open(self, path: Path) -> None:
        """Map a shard whose checksum is right; set aside one whose checksum is wrong."""
        import numpy as np

        try:
            mapped = np.memmap(path, dtype=np.uint8, mode="r")
        except FileNotFoundError:
            return  # another process set it aside or merged it
        except (OSError, ValueError) as error:
            self._set_aside(path, str(error))
            return
        reason = _defect(mapped)
        if reason:
            self._set_aside(path, reason)
            return
        _, rows, dimensions, _ = HEADER.unpack(mapped[: HEADER.size].tobytes())
        start = HEADER.size + rows * KEY_BYTES
        if self._shards and self._shards[0].shape[1] != dimensions:
            self._set_aside(path, f"{dimensions} dimensions")
            return
        raw = mapped[HEADER.size : start].tobytes()
        number = len(self._shards)
        self._shards.append(mapped[start:].view("<f4").reshape(rows, dimensions))
        for row in range(rows):
            key = raw[row * KEY_BYTES : (row + 1) * KEY_BYTES]
            self._places.setdefault(key, _Place(number, row))

    def _set_aside(self, path: Path, reason: str) -> None:
        target = self.folder / DAMAGED / path.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(
                f"a damaged shard cannot be set aside ({error.strerror})",
                where=str(path),
                fix="Remove it by hand",
            ) from error
        self.damaged.append(Damage(target, reason))


def _defect(mapped: NDArray[np.uint8]) -> str | None:
    """Why a shard cannot be trusted, or None."""
    if len(mapped) < HEADER.size:
        return "shorter than its header"
    magic, rows, dimensions, checksum = HEADER.unpack(mapped[: HEADER.size].tobytes())
    if magic != MAGIC:
        return "not a shard"
    if len(mapped) != HEADER.size + rows * (KEY_BYTES + 4 * dimensions):
        return "not of the length that its header says"
    if hashlib.blake2b(mapped[HEADER.size :].data, digest_size=32).digest() != checksum:
        return "its checksum is wrong"
    return None


def _write(path: Path, header: bytes, body: bytes) -> None:
    with path.open("wb") as out:
        out.write(header)
        out.write(body)
