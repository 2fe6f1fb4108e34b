"""Tasks are scored while the next are encoded, and nothing but the time shows it."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scirepeval_harness as sh
from scirepeval_harness.errors import IncompleteRunError, StorageError
from scirepeval_harness.model.base import leaves_processors
from scirepeval_harness.model.objects import ObjectEncoder, describe_object
from scirepeval_harness.results import folder as files
from scirepeval_harness.run.overlap import Beside

TASKS = ("sample-citations", "sample-search", "sample-year", "sample-cite")
SECONDS = 30.0


class Noise:
    """Vectors that hang on the text alone; ``before`` is called with how often it was called."""

    name = "noise"
    identity = "noise, version 1"

    def __init__(self, device: str, before: Callable[[int], object] = lambda call: None) -> None:
        self.device, self._before, self.calls = device, before, 0
        self.threads: set[int] = set()

    def encode(self, texts: list[str], role: str) -> Any:
        self.threads.add(threading.get_ident())
        self._before(self.calls)
        self.calls += 1
        seeds = [zlib.crc32(text.encode()) for text in texts]
        return np.stack([np.random.default_rng(seed).standard_normal(24) for seed in seeds])


def run(folder: Path, model: object, **more: Any) -> sh.Results:
    return sh.evaluate(
        model, suite="sample", tasks=TASKS, limit=30, cache=None, output=folder, **more
    )


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "noise/sample").iterdir())}


def waits_for(folder: Path, call: int, task: str = TASKS[0]) -> Callable[[int], None]:
    """At its n-th call the encoder waits until a task is scored."""

    def before(now: int) -> None:
        limit = time.monotonic() + SECONDS
        while now == call and not (folder / f"noise/sample/{task}.json").exists():
            assert time.monotonic() < limit, "nothing was scored meanwhile"
            time.sleep(0.01)

    return before


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results without overlap."""
    folder = tmp_path_factory.mktemp("plain") / "out"
    calls: list[bool] = []
    model = Noise("cpu", lambda call: calls.append(folder.joinpath("noise/sample").exists()))
    assert run(folder, model).complete
    assert len(calls) >= len(TASKS)
    assert not any(calls), "a processor is not given two things to do"
    return folder


def test_a_task_is_scored_while_the_next_are_encoded_to_the_same_bytes(
    plain: Path, tmp_path: Path
) -> None:
    model = Noise("cuda", waits_for(tmp_path, 3))
    results = run(tmp_path, model)
    assert results.complete
    assert model.threads == {threading.get_ident()}, "the object is called where its maker is"
    assert written(tmp_path) == written(plain)
    record, alone = (json.loads((f / "noise/run.json").read_text()) for f in (tmp_path, plain))
    for name in ("documents_encoded", "documents_cached", "signature", "status"):
        assert record[name] == alone[name], name
    assert [task["task"] for task in record["tasks"]] == list(TASKS)
    assert record["seconds"]["encode"] > 0


def test_vectors_that_no_later_run_may_have_are_found_in_the_other_thread(tmp_path: Path) -> None:
    model = Noise("cuda", waits_for(tmp_path, 3))
    model.identity = ""
    assert run(tmp_path, model).complete
    calls = model.calls
    assert run(tmp_path / "again", Noise("cuda")).complete
    assert calls == 5, "nothing is encoded twice"


def test_an_encoder_that_fails_fails_its_own_tasks(plain: Path, tmp_path: Path) -> None:
    def before(call: int) -> None:
        waits_for(tmp_path, 3)(call)
        if call >= 3:
            raise ValueError("no more")

    results = run(tmp_path, Noise("cuda", before))
    good, bad = written(plain), written(tmp_path)
    statuses = {name: record.status for name, record in results["noise"].tasks.items()}
    assert list(statuses) == list(TASKS)
    assert list(statuses.values())[:2] == ["ok", "ok"]
    assert "failed" in statuses.values()
    for name, status in statuses.items():
        assert (bad[f"{name}.json"] == good[f"{name}.json"]) == (status == "ok")


def test_an_interrupt_of_the_encoder_keeps_what_is_scored_and_resumes_to_the_same_bytes(
    plain: Path, tmp_path: Path
) -> None:
    def before(call: int) -> None:
        waits_for(tmp_path, 3)(call)
        if call == 3:
            raise KeyboardInterrupt

    with pytest.raises(sh.Interrupted):
        run(tmp_path, Noise("cuda", before))
    assert threading.active_count() == 1 or not any(
        thread.name == "score" for thread in threading.enumerate()
    )
    record = json.loads((tmp_path / "noise/run.json").read_text())
    statuses = [task["status"] for task in record["tasks"]]
    assert statuses[-1] == "interrupted"
    assert set(statuses[:-1]) == {"ok"}
    assert run(tmp_path, Noise("cuda"), existing="resume").complete
    assert written(tmp_path) == written(plain)


def test_an_interrupt_reaches_the_work_beside(tmp_path: Path) -> None:
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        try:
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            ended.set()
            raise

    def interrupted() -> None:
        with Beside(work) as side:
            side.ready(0)
            assert begun.wait(SECONDS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ended.is_set()


def test_work_goes_in_order_and_what_is_not_begun_is_the_caller_s() -> None:
    done: list[int] = []
    first = threading.Event()

    def work() -> None:
        done.append(len(done))
        first.set()

    with Beside(work) as side:
        side.ready(1)
        side.ready(3)
        assert not first.wait(0.1)
        side.ready(0)
        assert first.wait(SECONDS)
        limit = time.monotonic() + SECONDS
        while len(done) < 2 and time.monotonic() < limit:
            time.sleep(0.01)
    assert done == [0, 1], "2 was never ready"


def test_results_that_cannot_be_written_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def full(*given: object) -> None:
        tried.set()
        raise StorageError("the disk is full", where=str(tmp_path))

    monkeypatch.setattr(files, "write_run", full)
    model = Noise("cuda", lambda call: call != 3 or tried.wait(SECONDS))
    with pytest.raises(IncompleteRunError, match="the disk is full"):
        run(tmp_path, model)


def test_who_leaves_the_processors_free() -> None:
    free = {"cuda": True, "cuda:1": True, "mps": True, "cpu": False}
    for device, expected in free.items():
        assert leaves_processors(ObjectEncoder(describe_object(Noise(device)))) is expected

    def lengths(texts: list[str]) -> list[list[float]]:
        return [[float(len(text))] for text in texts]

    assert not leaves_processors(ObjectEncoder(describe_object(lengths)))
