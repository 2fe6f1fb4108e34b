"""A short printable line of all that moves a number: equal signatures may be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from scirepeval_harness.records.schema import ModelRecord, TaskRecord

Parts = Mapping[str, str]


def digest(value: object) -> str:
    """The first 8 hex digits of the SHA-256 of a JSON-ready value."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def task_signature(
    *,
    task: str,
    version: int,
    definition: str,
    rows: str,
    settings: Mapping[str, object],
    model: ModelRecord,
    harness: str,
) -> str:
    """The signature of one task's scores."""
    detail = next(iter(model.roles.values()), {})
    parts = {
        "task": task,
        "v": str(version),
        "def": definition,
        "rows": rows[:12],
        "model": model.name,
        "vec": digest(model.roles),
        "dtype": detail.get("dtype", "none"),
        "len": detail.get("max_length", "none"),
        **{name: str(value) for name, value in sorted(settings.items())},
        "harness": harness,
    }
    return "|".join(f"{name}:{_plain(value)}" for name, value in parts.items())


def run_signature(tasks: Iterable[TaskRecord], harness: str) -> str:
    """The signature of a whole run: how many tasks, and one digest over theirs."""
    lines = sorted(task.signature for task in tasks)
    return f"tasks:{len(lines)}|all:{digest(lines)}|harness:{harness}"


def _plain(value: str) -> str:
    return "".join("_" if char in "|\n\r" or not char.isprintable() else char for char in value)
