"""Damage to result folders: whatever is done to one, its numbers are the same or it is refused.

    python -m tests.campaign.results --count 300

A copy of a result is damaged in one place, then `leaderboard`, `compare`, `check` and `report` are
asked for their numbers. Each must print what it printed before, or end with 2, 3 or 4 and one line.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer

from scirepeval_harness.cli.main import main as command
from scirepeval_harness.results.folder import RUN_FILE, digests, read_run, write_run

BASELINES = Path(__file__).resolve().parents[2] / "results" / "baselines" / "sample"
REFUSED = (2, 3, 4)
COMMANDS = ("leaderboard", "compare", "check", "report")
Damage = Callable[[Path, random.Random], None]
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 5.0, 250, 1e308, float("nan"), float("inf"), 10**400, "", "66.3", [], {}),
    *("../tfidf/own", "other", "\ud800", "a\0b", ["x"]),
)


def seal(folder: Path) -> None:
    """Write the run file anew, with digests of the files as they are now."""
    run = read_run(folder)
    entries = tuple(
        entry.model_copy(update={"files": digests(folder, entry.suite, entry.task)})
        for entry in run.tasks
    )
    write_run(folder, run.model_copy(update={"tasks": entries, "schema_version": 2}))


def unseal(folder: Path) -> None:
    """Make the folder one of version 1, which knows neither digests nor a seal."""
    raw = json.loads((folder / RUN_FILE).read_text())
    raw.pop("seal", None)
    raw["schema_version"] = 1
    for entry in raw["tasks"]:
        entry.pop("files", None)
    (folder / RUN_FILE).write_text(json.dumps(raw))


def _file(folder: Path, by: random.Random, pattern: str = "*") -> Path:
    return by.choice(sorted(path for path in folder.rglob(pattern) if path.is_file()))


def flip(folder: Path, by: random.Random) -> None:
    """One bit."""
    path = _file(folder, by)
    data = bytearray(path.read_bytes())
    data[by.randrange(len(data))] ^= 1 << by.randrange(8)
    path.write_bytes(data)


def cut(folder: Path, by: random.Random) -> None:
    """The end of a file is lost."""
    path = _file(folder, by)
    path.write_bytes(path.read_bytes()[: by.randrange(path.stat().st_size)])


def replace(folder: Path, by: random.Random) -> None:
    """A file is gone, a folder, or that of another task or model."""
    path = _file(folder, by)
    others = sorted(set(BASELINES.rglob(f"*{''.join(path.suffixes)}")))
    other = by.choice(others)
    while other.read_bytes() == path.read_bytes():
        other = by.choice(others)
    path.unlink()
    by.choice([lambda: None, path.mkdir, lambda: shutil.copy(other, path)])()


def edit(folder: Path, by: random.Random) -> None:
    """One field of a JSON file is given another value, removed, or said twice."""
    path = _file(folder, by, "*.json")
    raw = json.loads(path.read_text())
    holder, key = by.choice([place for place in _places(raw) if isinstance(place[0], dict)])
    before = holder[key]
    way = by.randrange(3)
    if way == 0:
        del holder[key]
    elif way == 1:
        holder[key] = by.choice([value for value in VALUES if value != before])
    text = json.dumps(raw, indent=2)
    if way == 2:
        # The key again, at the end of the outermost object, where the last would win.
        top = by.choice(sorted(raw))
        text = f"{text.rstrip().removesuffix('}')}, {json.dumps(top)}: null}}"
    path.write_text(text)


def move_score(folder: Path, by: random.Random) -> None:
    """A score, an end of its interval or its count of items is another number."""
    path = _file(folder, by, "*/*.json")
    raw = json.loads(path.read_text())
    score = by.choice(raw["scores"])
    moved = by.choice([0.01, -0.01, 5.0, -73.05])
    what = by.choice(["value", "items", "interval"])
    if what == "interval" and score["interval"]:
        score["interval"][by.randrange(2)] += moved
    elif what == "items":
        score["items"] += 1
    else:
        score["value"] += moved
    path.write_text(json.dumps(raw))


def move_item(folder: Path, by: random.Random) -> None:
    """One row of the items, or all draws of a score, are other numbers."""
    path = _file(folder, by, "*.parquet")
    table = pd.read_parquet(path)
    if path.name.endswith(".draws.parquet"):
        if not len(table.columns):
            return
        table[by.choice(list(table.columns))] += 0.5
    else:
        column = "value" if "value" in table.columns else "prediction"
        at = by.randrange(len(table))
        value = table[column].iloc[at]
        values = table[column].tolist()
        values[at] = np.array([10**9]) if isinstance(value, np.ndarray) else float(value) + 0.5
        table[column] = values
    table.to_parquet(path)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (holder, key) of nested values."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)


ANY: tuple[Damage, ...] = (flip, cut, replace, edit, move_score, move_item)
NUMBERS: tuple[Damage, ...] = (move_score, move_item)
"""What the items give away where there is no seal, or one that was made anew after the edit."""


@dataclass(frozen=True)
class Trial:
    """What one command made of one damage: ``same``, ``refused``, ``changed`` or ``traceback``."""

    kind: str
    damage: str
    command: str
    outcome: str
    said: str


def numbers(folder: Path, name: str) -> tuple[int, str, str]:
    """Exit code, all numbers that a command gives, and what it said to the user."""
    base = str(BASELINES / "minilm")
    out, err = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as place:
        words = {
            "leaderboard": ["leaderboard", str(folder), "--format", "csv"],
            "compare": ["compare", base, str(folder)],
            "check": ["check", "--baseline", str(BASELINES / "tfidf"), "--candidate", str(folder)],
            "report": ["report", str(folder), "--output", place],
        }[name]
        code = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                command(words)
            except SystemExit as stop:
                code = int(stop.code or 0)
        files = sorted(Path(place).rglob("*.csv"))
        said = "".join(path.read_text() for path in files) or out.getvalue()
    return code, said, err.getvalue()


def campaign(
    count: int, seed: int, folder: Path, commands: tuple[str, ...] = COMMANDS
) -> list[Trial]:
    """``count`` damages, each of a fresh copy: of a sealed folder, of one that was sealed again
    after the edit, and of one from before there were seals."""
    whole = folder / "whole"
    shutil.copytree(BASELINES / "tfidf", whole)
    seal(whole)
    damaged = folder / "damaged"
    # Under the same path, which some commands print.
    shutil.copytree(whole, damaged)
    before = {name: numbers(damaged, name) for name in commands}
    assert all(code in (0, 1) for code, _, _ in before.values()), before
    by = random.Random(seed)
    trials = []
    for number in range(count):
        kind = ("sealed", "sealed", "sealed", "sealed again", "of version 1")[number % 5]
        damage = by.choice(ANY if kind == "sealed" else NUMBERS)
        shutil.rmtree(damaged)
        shutil.copytree(whole, damaged)
        if kind == "of version 1":
            unseal(damaged)
        damage(damaged, by)
        if kind == "sealed again":
            # By hand, as whoever edits would: the reader refuses some of these folders.
            with contextlib.suppress(Exception):
                seal(damaged)
        for name in commands:
            trials.append(_trial(kind, damage.__name__, damaged, name, before[name]))
    return trials


def _trial(kind: str, damage: str, folder: Path, name: str, before: tuple[int, str, str]) -> Trial:
    try:
        code, said, error = numbers(folder, name)
    except Exception as defect:  # noqa: BLE001
        return Trial(kind, damage, name, "traceback", f"{type(defect).__name__}: {defect}")
    if code in REFUSED and error.startswith("Error: ") and error.count("\n") == 1:
        return Trial(kind, damage, name, "refused", error.strip())
    same = (code, said) == before[:2]
    return Trial(kind, damage, name, "same" if same else "changed", f"{code} {error.strip()}")


def main() -> None:
    """Print one line of figures, and a line for every trial that must not be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        trials = campaign(chosen.count, chosen.seed, Path(place))
    for trial in trials:
        if trial.outcome not in ("same", "refused"):
            parts = (trial.kind, trial.damage, trial.command, trial.outcome, trial.said)
            typer.echo(" | ".join(parts))
    found = Counter(trial.outcome for trial in trials)
    typer.echo(
        f"results: {chosen.count} damages, {len(trials)} commands: {found['changed']} changed, "
        f"{found['traceback']} tracebacks, {found['refused']} refused, {found['same']} the same"
    )


if __name__ == "__main__":
    main()
