"""Where the files that ship with the package lie, and where vectors are kept."""

from __future__ import annotations

import os
from pathlib import Path

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


def s2and_dir() -> Path:
    """Folder of S2AND's own environment: ``$SCIREPEVAL_HARNESS_S2AND``, else beside the vectors."""
    chosen = os.environ.get("SCIREPEVAL_HARNESS_S2AND")
    return Path(chosen).expanduser() if chosen else cache_dir() / "s2and"
