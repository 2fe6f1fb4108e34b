"""What lies in a store: its spaces, their size, their health, and what may be removed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scirepeval_harness.errors import StorageError
from scirepeval_harness.files import LOCKS, locked, read_json
from scirepeval_harness.vectors import shards
from scirepeval_harness.vectors.upkeep import DAMAGED, Damage, set_aside

SPACE_NAME = re.compile(r"^[0-9a-f]{32}$")
# Names that the store gives. Whatever else lies in its folder is not ours and stays.
OWN_FILE = re.compile(
    r"^((space|rates|cut)\.json|\.merge\.lock|\.(space|rates|cut)\.json\.[\w.]+|"
    r"\d{14}-\d+-[0-9a-f]{12}\.(vec|tail)|\.\d{14}-\d+-[0-9a-f]{12}\.new)$"
)
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """One space. ``vectors`` counts rows, repeated ones too; ``last_used`` is a Unix time."""

    folder: Path
    model: str
    details: dict[str, str]
    vectors: int
    shards: int
    bytes: int
    damaged: int
    last_used: float


@dataclass(frozen=True, slots=True)
class Removal:
    """Files of one space that may go: the whole space, or what was set aside in it."""

    space: SpaceInfo
    files: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        return sum(_size(path) for path in self.files)


def list_spaces(root: Path) -> list[SpaceInfo]:
    """The spaces of a store, largest first. Changes nothing; reads keys and no vectors."""
    infos = [_info(folder) for folder in _folders(root)]
    return sorted(infos, key=lambda info: -info.bytes)


def verify_store(root: Path, advance: Callable[[int], None] = lambda count: None) -> list[Damage]:
    """Check every checksum of every shard; damaged ones are set aside, their sound rows saved.

    Args:
        advance: called with the bytes just checked.

    Raises:
        StorageError: a shard cannot be read, or a damaged one cannot be set aside.
    """
    found: list[Damage] = []
    for folder in _folders(root):
        for path in _shards(folder):
            reason = _defect(path)
            damage = set_aside(path, reason) if reason else None
            if damage is not None:
                found.append(damage)
            # A shard set aside lies elsewhere now, and a bar must come to its end all the same.
            advance(_size(path) if damage is None else _size(damage.shard))
    return found


def removable(
    root: Path,
    *,
    model: str | None = None,
    older_than_days: float | None = None,
    damaged_only: bool = False,
) -> list[Removal]:
    """What pruning would take away, chosen by all the conditions given.

    Only files that carry the store's own names, in folders that hold a ``space.json``.
    """
    chosen = []
    for info in list_spaces(root):
        if model is not None and info.model != model:
            continue
        if older_than_days is not None and time.time() - info.last_used < older_than_days * DAY:
            continue
        files = tuple(_damaged_files(info.folder))
        if not damaged_only:
            own = (path for path in info.folder.iterdir() if OWN_FILE.match(path.name))
            files = (*files, *sorted(path for path in own if path.is_file()))
        if files:
            chosen.append(Removal(info, files))
    return chosen


def in_use(folder: Path) -> bool:
    """Whether a running process is writing to a space."""
    for path in _shards(folder):
        # A lock and no process number: that of a dead process may be another's by now, and on a
        # shared disk it is a number of another machine.
        if LOCKS and path.suffix == shards.TAIL:
            with locked(path) as free:
                if not free and path.exists():
                    return True
    return False


def remove(removal: Removal) -> None:
    """Delete the files of a removal, then its folders where nothing else is left in them.

    Raises:
        StorageError: the space is being written, or a file cannot be deleted.
    """
    folder = removal.space.folder
    if in_use(folder):
        raise StorageError("a run is writing here", where=str(folder), fix="Wait until it ends")
    for path in removal.files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot be deleted ({error.strerror})", where=str(path), fix="Delete it by hand"
            ) from error
    # Not rmtree: what is not the store's own keeps its folder.
    for empty in (folder / DAMAGED, folder):
        with suppress(OSError):
            empty.rmdir()


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [
        path
        for path in sorted(root.iterdir())
        if SPACE_NAME.match(path.name) and not path.is_symlink() and (path / "space.json").is_file()
    ]


def _shards(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if shards.is_shard(path.name) and path.is_file()
    )


def _damaged_files(folder: Path) -> Iterator[Path]:
    aside = folder / DAMAGED
    if aside.is_dir() and not aside.is_symlink():
        yield from _shards(aside)


def _info(folder: Path) -> SpaceInfo:
    about: dict[str, object] = {}
    with suppress(OSError, ValueError, TypeError):
        about = dict(read_json(folder / "space.json"))
    details = about.get("details", {})
    files = _shards(folder)
    rows = 0
    for path in files:
        # A run may merge its files in this moment; a list is no reason to fail.
        with suppress(OSError):
            rows += sum(frame.rows for frame in shards.read_frames(path).frames)
    aside = list(_damaged_files(folder))
    return SpaceInfo(
        folder,
        str(about.get("model", "unknown")),
        {str(k): str(v) for k, v in details.items()} if isinstance(details, dict) else {},
        rows,
        len(files),
        sum(map(_size, [*files, *aside])),
        len(aside),
        _modified(folder / "space.json"),  # touched by each run that opens the space
    )


def _defect(path: Path) -> str | None:
    """Why a shard cannot be trusted; None for a sound one and one that has just gone."""
    try:
        reading = shards.read_frames(path)
        mapped = shards.Mapped(path) if reading.frames else None  # an empty file cannot be mapped
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot be read ({error.strerror})", where=str(path)) from error
    if reading.defect:
        return reading.defect
    # In a tail an unfinished frame is what a kill leaves behind, or what is being written.
    if reading.unfinished and path.suffix == shards.CLOSED:
        return "shorter than its headers say"
    if mapped is not None and not all(map(mapped.sound, reading.frames)):
        return "the checksum of its vectors is wrong"
    return None


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _modified(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def words_of(removals: Sequence[Removal]) -> str:
    """``12 files of 3 spaces, 1.2 GB``."""
    files = sum(len(removal.files) for removal in removals)
    size = sum(removal.bytes for removal in removals)
    return f"{files} files of {len(removals)} spaces, {size_in_words(size)}"


def size_in_words(count: int) -> str:
    """Bytes as ``512 B``, ``1.2 MB``: decimal units, one digit."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
