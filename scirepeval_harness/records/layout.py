"""Where the files of a result lie: one folder a model, one file a task."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

RUN_FILE = "run.json"


def slug(name: str) -> str:
    """A folder name for a model of any name: readable, harmless, and different for other names."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-.")[:60]
    if safe and safe == name:
        return safe
    return f"{safe or 'model'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def task_file(folder: Path, suite: str, task: str) -> Path:
    """The score file of a task in a result folder."""
    return folder / suite / f"{task}.json"


def items_file(folder: Path, suite: str, task: str) -> Path:
    """The items from which the task's scores can be computed again."""
    return folder / suite / f"{task}.items.parquet"


def draws_file(folder: Path, suite: str, task: str) -> Path:
    """The bootstrap draws of the task's scores, one column a score key."""
    return folder / suite / f"{task}.draws.parquet"
