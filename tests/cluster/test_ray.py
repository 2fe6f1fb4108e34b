"""Real runs on a Ray of this machine: the scores and vectors of one process, whatever dies."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.ray_runs import KILL_AFTER, words_of
from tests.support.shard_rows import stored

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="Ray is not installed (the extra 'ray')"
    ),
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="workers are found in /proc"),
]
MODEL = """
name = "tiny"
title = "Tiny"
kind = "transformer"
base = {{ path = "{base}" }}
[adapters]
classification = {{ path = "{hub}/specter2_classification/main" }}
regression = {{ path = "{hub}/specter2_regression/main" }}
proximity = {{ path = "{hub}/specter2/main" }}
query = {{ path = "{hub}/specter2_adhoc_query/main" }}
"""


@dataclass(frozen=True)
class Done:
    """The folder of all runs, and what the script wrote down."""

    folder: Path
    report: dict[str, Any]

    def run(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.report["runs"][name]
        return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    from tests.support.tiny_local import TEXTS, build_local
    from tests.support.tiny_models import build_hub_models

    root = tmp_path_factory.mktemp("ray")
    build_hub_models(root / "hub", texts=TEXTS)
    build_local(root / "data")
    hub = root / "hub" / "models" / "allenai"
    base = hub / "specter2_base" / "main"
    broken = root / "broken-base"
    shutil.copytree(base, broken)
    weights = broken / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:5000])
    for name, folder in (("tiny", base), ("broken", broken)):
        text = MODEL.format(base=folder, hub=hub).replace('"tiny"', f'"{name}"')
        (root / f"{name}.toml").write_text(text)
    for name in ("home", "work", "out"):
        (root / name).mkdir()
    # Ray's sockets need a short path, shorter than those of pytest's folders.
    with tempfile.TemporaryDirectory(prefix="ray-") as short:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_TMPDIR": short,
            "HOME": str(root / "home"), "TOKENIZERS_PARALLELISM": "false",
            # The probes' machine code, which every other test has compiled already.
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        }  # fmt: skip
        for name in ("RAY_ADDRESS", "RAY_USAGE_STATS_ENABLED"):
            environment.pop(name, None)
        local = words_of(str(root / "tiny.toml"), str(root / "data"))
        places = ["--output", str(root / "out/local"), "--cache", str(root / "out/local-cache")]
        script = [str(root / "out"), str(root / "tiny.toml"), str(root / "broken.toml"),
                  str(root / "data")]  # fmt: skip
        for words in (
            ["-m", "scirepeval_harness", *local, *places],
            ["-m", "tests.support.ray_runs", *script],
        ):
            ended = subprocess.run(
                [sys.executable, *words], cwd=root / "work", env=environment, text=True,
                capture_output=True, timeout=800,
            )  # fmt: skip
            assert ended.returncode == 0, ended.stderr
        yield Done(root / "out", json.loads((root / "out" / "report.json").read_text()))


@pytest.mark.parametrize("name", ["whole", "killed", "again", "beside"])
def test_scores_and_vectors_are_those_of_one_process(done: Done, name: str) -> None:
    assert done.run(name)["code"] == 0, done.run(name)["shown"]
    files = sorted((done.folder / "local").rglob("scirepeval/*"))
    assert len(files) == 9
    for path in files:
        other = done.folder / name / path.relative_to(done.folder / "local")
        assert path.read_bytes() == other.read_bytes(), path.name
    _, expected = stored(done.folder / "local-cache")
    rows, vectors = stored(done.folder / f"{name if name != 'again' else 'whole'}-cache")
    assert len(expected) > 300
    assert vectors == expected
    assert len(rows) == len(vectors), "a text was encoded twice"


def test_both_workers_encode_and_the_cluster_fits_the_probes(done: Done) -> None:
    whole = done.run("whole")
    assert "Ray: 2 workers" in whole["shown"]
    assert len(whole["workers"]) >= 2
    assert done.report["loaded"] == [], "neither encoding nor fitting happens in the run's process"


def test_a_killed_worker_is_replaced_and_what_it_held_is_done_again(done: Done) -> None:
    killed, total = done.run("killed"), done.run("whole")["appended"]
    assert killed["killed"] in killed["workers"]
    assert KILL_AFTER <= killed["before"] < total
    assert len(killed["workers"]) >= 3, "two from the start, one in place of the killed one"
    assert killed["appended"] == total, "nothing is lost and nothing is written twice"


def test_tasks_are_scored_while_a_card_s_worker_encodes_the_next(done: Done) -> None:
    beside = done.run("beside")
    assert "Ray: 1 worker of 1 GPU" in beside["shown"]
    assert beside["scored_at"][0] < beside["appended"] == done.run("whole")["appended"]


def test_a_second_run_encodes_nothing_and_starts_no_worker(done: Done) -> None:
    again = done.run("again")
    assert (again["appended"], again["workers"]) == (0, [])
    record = json.loads((done.folder / "again" / "tiny" / "run.json").read_text())
    assert record["documents_encoded"] == 0
    assert record["documents_cached"] > 300


def test_an_error_on_a_worker_reaches_the_user_in_our_words(done: Done) -> None:
    error = done.report["error"]
    assert error.startswith("ModelError: ")
    assert "weights" in error
    assert "UDF" not in error


def test_nothing_stays_behind_and_nothing_is_reported(done: Done) -> None:
    assert done.report["left"] == [], "processes"
    assert done.report["telemetry"] == {
        "raylet": ["RAY_USAGE_STATS_ENABLED=0"], "gcs_server": ["RAY_USAGE_STATS_ENABLED=0"]
    }  # fmt: skip
    root = done.folder.parent
    assert list((root / "work").iterdir()) == []
    # The token that keeps others out of a Ray of this machine; Ray makes it once a user.
    left = {path.name for path in (root / "home").rglob("*") if path.is_file()}
    assert left <= {"auth_token"}
