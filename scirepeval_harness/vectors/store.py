"""Vectors kept on disk, addressed by all that changes them; shared by tasks, runs and processes.

A space holds the vectors of one way of encoding, in shards (see :mod:`.shards`). Every process that
writes adds to a shard of its own, so that no two writers meet. Opening reads keys only; vectors are
mapped and their checksums verified when they are first asked for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ModelError, StorageError
from scirepeval_harness.files import working_folder, write_json
from scirepeval_harness.model.base import Identity
from scirepeval_harness.vectors.keys import KEY, KeyIndex, Keys, key_array, space_key
from scirepeval_harness.vectors.shards import Frame, Mapped, ShardWriter, is_shard, read_frames
from scirepeval_harness.vectors.upkeep import Damage, compact, set_aside

ABOUT = "space.json"  # for people and `cache list`; the folder's name alone is the key
# How often files are listed again when another process merges them at the same moment.
ATTEMPTS = 8


class EmbeddingStore:
    """All spaces below a folder, which is made when the first vector is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._spaces: dict[str, Space] = {}
        self._passing = ExitStack()
        self._passing_root: Path | None = None
        self._beside: list[EmbeddingStore] = []
        self.encoding = threading.RLock()
        """Held by whoever encodes what the store lacks: an encoder serves one thread at a time."""

    def beside(self) -> EmbeddingStore:
        """A store of the same folders for another thread: what one has written, the other finds, as
        two processes do. It ends with this one."""
        other = EmbeddingStore(self.root)
        other._passing_root, other.encoding = self._passing_folder(), self.encoding
        self._beside.append(other)
        return other

    def space(self, identity: Identity) -> Space:
        """The space of an identity, with what is on disk now.

        That of an incomplete identity is a temporary folder's, and ends when the store is closed:
        tasks of one run share its vectors, and no later run can mistake them for its own.
        """
        key = space_key(identity)
        if key in self._spaces:
            self._spaces[key].refresh()
        else:
            self._spaces[key] = Space(self._root_of(identity) / key, identity)
            with suppress(OSError):  # for `cache prune --older-than`; a store may be read-only
                os.utime(self._spaces[key].folder / ABOUT)
        return self._spaces[key]

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """The shards that were set aside since the store was opened."""
        own = (damage for space in self._spaces.values() for damage in space.damaged)
        others = (damage for other in self._beside for damage in other.damaged)
        return (*own, *others)

    def close(self) -> None:
        """Finish what is being written and merge small files. The store may be used again."""
        for space in self._spaces.values():
            space.finish()
            # Only now: during a run, readers of this process would list their files anew each time.
            compact(space.folder)
        self._spaces.clear()
        self._beside.clear()
        self._passing.close()
        self._passing_root = None

    def _root_of(self, identity: Identity) -> Path:
        if identity.complete:
            return self.root
        return self._passing_folder()

    def _passing_folder(self) -> Path:
        if self._passing_root is None:
            self._passing_root = self._passing.enter_context(working_folder("vectors"))
        return self._passing_root


@contextmanager
def open_store(root: Path | None) -> Iterator[EmbeddingStore]:
    """The store at a folder, or without one a temporary one: a text that several tasks share is
    encoded once all the same, and vectors need no memory."""
    with ExitStack() as stack:
        if root is None:
            root = stack.enter_context(working_folder("vectors"))
        store = EmbeddingStore(root)
        stack.callback(store.close)
        yield store


@dataclass
class _File:
    """A shard as far as it has been read. ``checked`` says of each frame whether its vectors had
    the right checksum in this process."""

    path: Path
    end: int = 0
    frames: list[Frame] = field(default_factory=list)
    keys: list[Keys] = field(default_factory=list)
    checked: list[bool] = field(default_factory=list)

    def add(self, frames: Sequence[Frame], keys: Sequence[Keys], end: int, checked: bool) -> None:
        self.frames += frames
        self.keys += keys
        self.checked += [checked] * len(frames)
        self.end = end


class Space:
    """The vectors of one way of encoding. ``damaged`` lists the shards that were set aside.

    One thread at a time; any number of processes.
    """

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.folder, self.identity = folder, identity
        self.damaged: list[Damage] = []
        self._files: dict[str, _File] = {}
        self._writer: ShardWriter | None = None
        self._index: KeyIndex | None = None
        self._places: list[tuple[_File, int]] = []
        self._starts = np.zeros(1, dtype=np.int64)
        self.refresh()

    def __contains__(self, key: bytes) -> bool:
        return bool(self.holds(key_array([key]))[0])

    def __len__(self) -> int:
        return len(self._rows_of())

    @property
    def dimensions(self) -> int:
        """Length of a vector; 0 while the space is empty."""
        frames = (file.frames[0] for file in self._files.values() if file.frames)
        return next((frame.dimensions for frame in frames), 0)

    def holds(self, keys: Sequence[bytes] | Keys) -> NDArray[np.bool_]:
        """Which keys (n,) have a vector here; reads no vectors."""
        return self._rows_of().find(key_array(keys)) >= 0

    def sound(self, keys: Sequence[bytes] | Keys) -> NDArray[np.bool_]:
        """Which keys (n,) have a vector whose checksum is right.

        Reads every frame concerned once a process; shards with damage are set aside and join
        ``damaged``.
        """
        asked = key_array(keys)
        while True:
            rows = self._rows_of().find(asked)
            try:
                self._verify(rows[rows >= 0])
            except FileNotFoundError:
                self.refresh()
                continue
            # Gone where damage was found: the rows are others now, and the saved ones count.
            if self._index is not None:
                return rows >= 0

    def append(self, keys: Sequence[bytes] | Keys, vectors: NDArray[np.float32]) -> None:
        """Write ``vectors`` (len(keys), dimensions). Once this returns, killing the process does
        not lose them.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
            ModelError: other dimensions than the vectors that are there.
        """
        dimensions = self.dimensions
        if dimensions and dimensions != vectors.shape[1]:
            raise ModelError(
                f"vectors of {vectors.shape[1]} dimensions beside {dimensions}",
                where=f"model {self.identity.model}",
                fix="Give each file of vectors the same dimensions",
            )
        # After a fork the parent's file is open here too: two writers at one end would mix frames.
        if self._writer is None or self._writer.process != os.getpid():
            about = self.folder / ABOUT
            if not about.exists():
                details = dict(self.identity.details)
                write_json(about, {"model": self.identity.model, "details": details})
            self._writer = ShardWriter(self.folder)
        added = key_array(keys)
        frame = self._writer.write(added, vectors)
        path = self._writer.path
        file = self._files.setdefault(path.name, _File(path))
        file.add([frame], [added], frame.stop, checked=True)
        self._index = None

    def finish(self) -> None:
        """Close the shard being written; the next ``append`` starts another."""
        writer, self._writer = self._writer, None
        if writer is None or writer.process != os.getpid():
            return
        closed = writer.close()
        file = self._files.pop(writer.path.name, None)
        if closed is not None and file is not None:
            file.path = closed
            self._files[closed.name] = file
            self._index = None

    def take(self, keys: Sequence[bytes] | Keys) -> NDArray[np.float32]:
        """Rows (len(keys), dimensions), copied out of the mapped shards; all keys must be there.

        Raises:
            StorageError: a vector is not there any more, or is damaged.
        """
        asked = key_array(keys)
        for _ in range(ATTEMPTS):
            rows = self._rows_of().find(asked)
            if (rows >= 0).all():
                with suppress(FileNotFoundError):
                    return self._gather(rows)
            self.refresh()
        raise StorageError(
            "vectors have been removed while they were needed",
            where=str(self.folder),
            fix="Run again; they will be encoded again",
        )

    def refresh(self) -> None:
        """Know what other processes have written, merged or set aside since the last look."""
        for _ in range(ATTEMPTS):
            try:
                names = sorted(name for name in os.listdir(self.folder) if is_shard(name))
            except FileNotFoundError:
                names = []
            for name in self._files.keys() - names:
                del self._files[name]
                self._index = None
            # A list and no generator: a file that is gone must not keep the others from being read.
            if all([self._read(self.folder / name) for name in names]):
                return

    def _read(self, path: Path) -> bool:
        """Read the frames that were added to a file; False where the file is gone."""
        file = self._files.get(path.name) or _File(path)
        try:
            if path.stat().st_size == file.end:
                return True  # files only ever grow, so an equal size means equal content
            reading = read_frames(path, file.end)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StorageError(f"cannot be read ({error.strerror})", where=str(path)) from error
        known = self.dimensions or next((frame.dimensions for frame in reading.frames), 0)
        if any(frame.dimensions != known for frame in reading.frames):
            reading.defect = f"vectors of other than {known} dimensions"
        if reading.unfinished and path.suffix == ".vec":
            reading.defect = "shorter than its headers say"
        if reading.defect and self._set_aside(path, reading.defect):
            return False
        if reading.frames:
            self._files[path.name] = file
            file.add(reading.frames, reading.keys, reading.end, checked=False)
            self._index = None
        return True

    def _set_aside(self, path: Path, reason: str) -> bool:
        """Set a file aside; False where another process is still writing it."""
        damage = set_aside(path, reason, self.dimensions)
        if damage is not None:
            self.damaged.append(damage)
            self._files.pop(path.name, None)
            self._index = None
        return damage is not None

    def _rows_of(self) -> KeyIndex:
        if self._index is None:
            # By name, which begins with the time: of a repeated key every process finds one row.
            files = [self._files[name] for name in sorted(self._files)]
            self._places = [(file, at) for file in files for at in range(len(file.frames))]
            counts = [file.frames[at].rows for file, at in self._places]
            self._starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
            keys = [part for file in files for part in file.keys]
            self._index = KeyIndex(np.concatenate(keys) if keys else np.zeros(0, KEY))
        return self._index

    def _groups(self, rows: NDArray[np.int64]) -> list[tuple[int, int, int]]:
        """Of rows in rising order: each frame met, and the span of ``rows`` that lies in it."""
        frames = np.searchsorted(self._starts, rows, side="right") - 1
        cuts = np.flatnonzero(np.diff(frames)) + 1
        bounds = [0, *cuts.tolist(), len(rows)]
        spans = pairwise(bounds)
        return [(int(frames[start]), start, stop) for start, stop in spans if stop > start]

    def _verify(self, rows: NDArray[np.int64]) -> None:
        """Check the frames that hold ``rows``; a file with damage is set aside."""
        mapped: dict[str, Mapped] = {}
        for place, _, _ in self._groups(np.sort(rows)):
            file, at = self._places[place]
            if file.checked[at]:
                continue
            if file.path.name not in mapped:
                mapped = {file.path.name: Mapped(file.path)}
            if not mapped[file.path.name].sound(file.frames[at]):
                if not self._set_aside(file.path, "the checksum of its vectors is wrong"):
                    raise _damaged(file.path)
                self.refresh()
                return
            file.checked[at] = True

    def _gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        order = np.argsort(rows, kind="stable")
        rising = rows[order]
        out = np.empty((len(rows), self.dimensions), dtype=np.float32)
        mapped: dict[str, Mapped] = {}
        for place, start, stop in self._groups(rising):
            file, at = self._places[place]
            if file.path.name not in mapped:
                # One file at a time: mapped pages count as memory of the process while mapped.
                mapped = {file.path.name: Mapped(file.path)}
            if not file.checked[at]:
                if not mapped[file.path.name].sound(file.frames[at]):
                    raise _damaged(file.path)
                file.checked[at] = True
            block = mapped[file.path.name].vectors(file.frames[at])
            chosen, targets = rising[start:stop] - self._starts[place], order[start:stop]
            if (np.diff(targets) == 1).all():
                # The usual case, rows asked for as they were written: one copy instead of two.
                np.take(block, chosen, axis=0, out=out[targets[0] : targets[-1] + 1], mode="clip")
            else:
                out[targets] = block[chosen]
        return out


def _damaged(path: Path) -> StorageError:
    return StorageError(
        "the checksum of its vectors is wrong", where=str(path), fix="Run `cache verify`"
    )
