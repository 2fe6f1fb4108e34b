"""Runs the harness on a Ray of this machine, and kills one of its workers; a script of its own.

One Ray serves all runs, since starting it takes longer than a run. Processes are watched by the
names that Ray gives them.

    python -m tests.support.ray_runs FOLDER MODEL_FILE BROKEN_MODEL_FILE DATA_FOLDER
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

TASKS = ("drsm", "publication-year", "search")
"""A probe with few-shot settings, one of regression, and queries in a role of their own."""
KILL_AFTER = 40
"""Vectors that the store has when a worker is killed."""
LAST, PATIENCE = 20, 100.0
"""Vectors before the last at which encoding waits for a score, and for how many seconds."""
HERE = ("scirepeval_harness.model.replica", "sklearn.svm")
"""Modules that only a process which holds weights, or fits probes, loads."""
WORKER = "MapWorker(MapBatches(ChunkEncoder))"


def words_of(model: str, data: str, *more: str, device: str | None = "cpu") -> list[str]:
    """A run whose batches are single texts, so that a kill falls between many of them."""
    tasks = [word for name in TASKS for word in ("--task", name)]
    place = ["--device", device] if device else []
    return ["run", "--model", model, "--data", data, "--suite", "scirepeval", *tasks, *place,
            "--dtype", "float32", "--batch-tokens", "8", *more]  # fmt: skip


def command_lines() -> dict[int, str]:
    """Command line by process id; of a process that has ended, nothing."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                if line.strip():
                    found[int(entry.name)] = line.decode(errors="replace").strip()
    return found


def descendants(root: int) -> set[int]:
    """Process ids below ``root`` in the tree of processes."""
    parents = {}
    for number in command_lines():
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{number}/stat").read_text()
            parents[number] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    while fresh := {n for n, above in parents.items() if above in found | {root}} - found:
        found |= fresh
    return found


class Watch:
    """What ran while this was open: every process started, and those that held a model."""

    def __init__(self) -> None:
        self.started: set[int] = set()
        self.workers: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            mine = descendants(os.getpid())
            self.started |= mine
            self.workers |= {n for n, line in command_lines().items() if WORKER in line} & mine


def kill_a_busy_worker() -> int:
    """SIGKILL to a worker of this process's Ray that encodes at this moment; its process id."""
    mine, until = descendants(os.getpid()), time.monotonic() + 20
    while time.monotonic() < until:
        for number, line in command_lines().items():
            if number in mine and f"{WORKER}.submit" in line:
                os.kill(number, signal.SIGKILL)
                return number
    raise TimeoutError("no worker is encoding")


def until_no_worker() -> None:
    """Wait for the workers of an earlier run to go; Ray ends them a moment after it."""
    until = time.monotonic() + 20
    while time.monotonic() < until and any(WORKER in line for line in command_lines().values()):
        time.sleep(0.1)


def error_of(model_file: str) -> str | None:
    """What one of the harness's errors says when workers cannot open a model; None without one."""
    from scirepeval_harness.cluster.engine import open_ray
    from scirepeval_harness.errors import HarnessError
    from scirepeval_harness.model.base import EncodeOptions
    from scirepeval_harness.model.registry import resolve_model
    from scirepeval_harness.roles import Role
    from scirepeval_harness.task.dataset import Document

    options = EncodeOptions(device="cpu", dtype="float32", batch_tokens=64)
    with open_ray(None, 1, "cpu") as engine:
        encoder = engine.build(resolve_model(model_file, {}), options)
        try:
            encoder.encode([Document("1", ("coral reef",))], Role.PROXIMITY, lambda count: None)
        except HarnessError as error:
            return f"{type(error).__name__}: {error}"
    return None


def run(words: list[str], *, kill: bool = False, hold: int | None = None) -> dict[str, Any]:
    """One run of the command line: exit code, what it printed, what was written and started.

    Args:
        kill: a worker that encodes is killed.
        hold: from so many vectors on encoding waits until a task is scored.
    """
    from scirepeval_harness.cli.main import main
    from scirepeval_harness.results import folder
    from scirepeval_harness.vectors.store import Space

    append: Callable[..., None] = Space.append
    write: Callable[..., None] = folder.write_task
    report: dict[str, Any] = {"appended": 0, "killed": None, "before": None, "scored_at": []}

    def noted(*given: Any) -> None:
        write(*given)
        report["scored_at"].append(report["appended"])

    def watched(space: Space, keys: Any, vectors: Any) -> None:
        append(space, keys, vectors)
        report["appended"] += len(keys)
        until = time.monotonic() + PATIENCE
        while hold is not None and report["appended"] >= hold and not report["scored_at"]:
            if time.monotonic() > until:
                raise TimeoutError("nothing was scored meanwhile")
            time.sleep(0.02)
        if kill and report["killed"] is None and report["appended"] >= KILL_AFTER:
            report["killed"], report["before"] = kill_a_busy_worker(), report["appended"]

    Space.append = watched  # type: ignore[method-assign]
    folder.write_task = noted
    until_no_worker()
    shown, clock = io.StringIO(), time.perf_counter()
    try:
        with Watch() as watch, contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            main(words)
    except SystemExit as stop:
        report["code"] = int(stop.code or 0)
    finally:
        Space.append = append  # type: ignore[method-assign]
        folder.write_task = write
    return report | {
        "shown": shown.getvalue(),
        "seconds": round(time.perf_counter() - clock, 1),
        "workers": sorted(watch.workers),
        "started": sorted(watch.started),
    }


@contextlib.contextmanager
def with_a_card() -> Iterator[None]:
    """A Ray that starts inside counts a card, which its worker does not find: it encodes on the
    processor, and the run takes it for one that leaves the processors free."""
    import ray

    start = ray.init
    ray.init = partial(start, num_gpus=1)
    try:
        yield
    finally:
        ray.init = start


def main() -> None:
    from scirepeval_harness.cluster.cluster import joined

    folder, model, broken, data = Path(sys.argv[1]), *sys.argv[2:5]
    runs: dict[str, dict[str, Any]] = {}

    def go(
        name: str, cache: str, *, workers: int = 2, device: str | None = "cpu", **more: Any
    ) -> None:
        places = ["--output", str(folder / name), "--cache", str(folder / cache)]
        ray = ["--engine", "ray", "--workers", str(workers)]
        runs[name] = run(words_of(model, data, *ray, *places, device=device), **more)

    with with_a_card(), joined(None):
        go("whole", "whole-cache")
        go("again", "whole-cache")
        go("killed", "killed-cache", kill=True)
        hold = runs["whole"]["appended"] - LAST
        go("beside", "beside-cache", workers=1, device=None, hold=hold)
        error = error_of(broken)
        below = descendants(os.getpid())
        environments = {
            name: Path(f"/proc/{number}/environ").read_bytes().decode(errors="replace").split("\0")
            for number in below
            for name in ("raylet", "gcs_server")
            if command_lines().get(number, "").split(" ")[0].endswith(f"/{name}")
        }
    ended = below.union(*(entry["started"] for entry in runs.values()))
    until = time.monotonic() + 20
    while (left := ended & command_lines().keys()) and time.monotonic() < until:
        time.sleep(0.2)
    report = {
        "runs": runs,
        "error": error,
        "left": sorted(left),
        "telemetry": {
            name: [entry for entry in entries if entry.startswith("RAY_USAGE_STATS_ENABLED")]
            for name, entries in environments.items()
        },
        "loaded": [name for name in HERE if name in sys.modules],
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
