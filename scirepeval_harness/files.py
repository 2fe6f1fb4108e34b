"""Files that are either whole or absent, the one way to open what a user names, and temporary files
that the next run sweeps away where a run was killed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from scirepeval_harness.errors import StorageError

UNFINISHED = ".part"
"""How the names of files end that are being written; they begin with a dot."""
WORKING = "scirepeval-"
LOCK = ".in-use"
"""In a working folder, the file that its process holds locked."""


def regular(path: Path) -> Path:
    """The path again, of a regular file: a named pipe or a device would be waited for without end.

    Every reader of what a user names opens its files by this or by :func:`open_regular`.

    Raises:
        OSError: there is no such file, or it is something else.
    """
    if not stat.S_ISREG(mode := path.stat().st_mode):
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        what = "a folder" if stat.S_ISDIR(mode) else "a named pipe or a device, not a file"
        raise OSError(number, what, str(path))
    return path


def open_regular(path: Path) -> BinaryIO:
    """A regular file opened to read bytes; raises as :func:`regular` does."""
    return regular(path).open("rb")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse_json(text: str, *, finite: bool = False) -> Any:
    """The value of a JSON text.

    Args:
        finite: refuse NaN and infinity, which are no JSON but which Python reads.

    Raises:
        ValueError: no JSON, or more than Python reads: of too many levels, a number too long; or a
            key that stands twice in an object, of which a parser keeps the last without a word.
    """
    try:
        return (_FINITE if finite else _ANY).decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except json.JSONDecodeError as error:
        place = f", line {error.lineno}" if error.lineno > 1 else ""
        raise ValueError(f"{error.msg}{place}") from error
    except ValueError as error:
        if "digits" in str(error):
            raise ValueError("a number of thousands of digits") from error
        raise


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = repr(Counter(name for name, _ in pairs).most_common(1)[0][0])
        raise ValueError(f"the key {twice[:80]} stands there twice")
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


# Made once: json.loads makes one a text, which takes as long as a short text.
_ANY = json.JSONDecoder(object_pairs_hook=_each_once)
_FINITE = json.JSONDecoder(object_pairs_hook=_each_once, parse_constant=_no_number)


def read_json(path: Path, *, finite: bool = False) -> Any:
    """The value of a file that is JSON; raises OSError, and ValueError as :func:`parse_json`."""
    with open_regular(path) as file:
        return parse_json(file.read().decode("utf-8"), finite=finite)


def write_with(path: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write a temporary file in the folder of ``path``, then rename it into place.

    Raises:
        StorageError: the disk is full or the folder cannot be written; ``path`` is as it was.
    """
    temporary: Path | None = None
    handle: int | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            regular(path)  # a device must not become a file by a rename
        # In the same folder: a rename is atomic within one file system only.
        handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
        temporary = Path(name)
        # Locked as long as it is written: what is not locked was left by a killed process.
        if not try_lock(handle):
            os.close(handle)  # a system without locks does not rename an open file either
            handle = None
        fill(temporary)
        with temporary.open("rb") as written:
            # Before the rename: after a power cut the new name could else stand for an empty file.
            os.fsync(written.fileno())
        # mkstemp gives 0600, which nobody else who shares the results or the store could read.
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot write the file ({error.strerror or error})",
            where=str(path),
            fix="Free space or choose another folder with --output or --cache",
        ) from error
    finally:
        if handle is not None:
            os.close(handle)
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    write_with(path, lambda temporary: _fill(temporary, data))


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8."""
    # Half a surrogate pair, which a name may hold, is written as JSON itself escapes it.
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON with sorted keys, so that equal values give equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def _fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def sweep(folder: Path) -> None:
    """Remove the unfinished files that killed processes left in a folder and in those in it."""
    for path in (*folder.glob(f".*{UNFINISHED}"), *folder.glob(f"*/.*{UNFINISHED}")):
        with locked(path) as dead:
            if dead:
                path.unlink(missing_ok=True)


@contextmanager
def working_folder(purpose: str) -> Iterator[Path]:
    """A temporary folder for as long as the block runs; those of killed processes are removed."""
    for left in Path(tempfile.gettempdir()).glob(f"{WORKING}*/{LOCK}"):
        with locked(left) as dead:
            if dead:
                shutil.rmtree(left.parent, ignore_errors=True)
    # A mapped file cannot be deleted everywhere; a later run clears such a folder.
    with tempfile.TemporaryDirectory(
        prefix=f"{WORKING}{purpose}-", ignore_cleanup_errors=True
    ) as name:
        # Locked before it has its name: whoever sees it unlocked takes the folder for left.
        descriptor = os.open(hidden := Path(name, ".new"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try_lock(descriptor)
            hidden.rename(hidden.with_name(LOCK))
            yield Path(name)
        finally:
            os.close(descriptor)


try:
    import fcntl as _fcntl
except ImportError:  # Windows: no lock can be had, so nothing is taken for left by the dead
    _locks: Any = None
else:
    _locks = _fcntl

LOCKS = _locks is not None


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file without waiting; False where another has it."""
    if _locks is None:
        return False
    try:
        _locks.flock(descriptor, _locks.LOCK_EX | _locks.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def locked(path: Path, *, create: bool = False) -> Iterator[bool]:
    """Hold the lock of a file while inside; gives False where it cannot be had."""
    flags = os.O_RDWR | (os.O_CREAT if create else 0)
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError:
        yield False
        return
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)


PACKAGE = Path(__file__).parent


def bundled(name: str) -> Path:
    """Folder of data that ships with the package: ``tasks`` or ``results/published``.

    A wheel carries it inside the package; in a checkout it lies at the top.
    """
    inside = PACKAGE / "bundled" / name
    return inside if inside.exists() else PACKAGE.parent / name


def cache_dir() -> Path:
    """Folder of the embedding store: ``$SCIREPEVAL_HARNESS_CACHE``, else below the user's cache."""
    chosen = os.environ.get("SCIREPEVAL_HARNESS_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "scirepeval_harness"


def data_dir() -> Path:
    """Folder of downloads: ``$SCIREPEVAL_HARNESS_DATA_DIR``, else beside the vectors."""
    chosen = os.environ.get("SCIREPEVAL_HARNESS_DATA_DIR")
    return Path(chosen).expanduser() if chosen else cache_dir() / "data"


def s2and_dir() -> Path:
    """Folder of S2AND's own environment: ``$SCIREPEVAL_HARNESS_S2AND``, else beside the vectors."""
    chosen = os.environ.get("SCIREPEVAL_HARNESS_S2AND")
    return Path(chosen).expanduser() if chosen else cache_dir() / "s2and"
