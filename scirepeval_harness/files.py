"""Files that are either whole or absent: written beside their place, flushed, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scirepeval_harness.errors import StorageError


def write_with(path: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write a temporary file in the folder of ``path``, then rename it into place.

    Raises:
        StorageError: the disk is full or the folder cannot be written; ``path`` is as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder: a rename is atomic within one file system only.
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
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
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    write_with(path, lambda temporary: _fill(temporary, data))


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON with sorted keys, so that equal values give equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def _fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)


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
