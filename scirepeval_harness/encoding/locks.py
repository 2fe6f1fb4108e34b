"""Locks between processes, released by the system when their holder dies in whatever way.

Where the system has no such locks (Windows) or the file system refuses them, nothing is ever
locked and nothing is ever merged: the store stays correct and only keeps more files.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _locks: Any = None
else:
    _locks = _fcntl

SUPPORTED = _locks is not None


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file without waiting; False where another has it."""
    if _locks is None:
        return False
    try:
        _locks.flock(descriptor, _locks.LOCK_EX | _locks.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
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
