"""A run of the command line against a plain script, on every task, for every system."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle import plain_benchmark
from tests.support.hub_server import serve
from tests.support.tiny_local import TEXTS, build_local
from tests.support.tiny_models import build_hub_models

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = (*plain_benchmark.SYSTEMS, "bm25")
PROBES = ("f1", "f1_macro", "kendalltau")


def shortened_tasks(folder: Path) -> None:
    """The published task files under other names, with fewer few-shot iterations."""
    folder.mkdir()
    files = [*(ROOT / "tasks" / "scirepeval").glob("*.toml"), ROOT / "tasks/mdcr/mdcr.toml"]
    for file in files:
        if file.stem in ("suite", "s2and"):
            continue
        text = re.sub(r'^name = "', 'name = "plain-', file.read_text(), flags=re.MULTILINE)
        text = re.sub(r"iterations = \d+", f"iterations = {plain_benchmark.ITERATIONS}", text)
        (folder / f"plain-{file.name}").write_text(text)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_gives_the_numbers_of_the_plain_script(tmp_path: Path) -> None:
    build_local(tmp_path / "data")
    build_hub_models(tmp_path / "served", texts=TEXTS)
    shortened_tasks(tmp_path / "plain")
    with serve(tmp_path / "served") as hub:
        environment = os.environ | {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hub"),
            "SCIREPEVAL_HARNESS_CACHE": str(tmp_path / "vectors"),
        }
        done = subprocess.run(
            [sys.executable, "-m", "scirepeval_harness", "run", "--tasks-dir", "plain", "--data",
             "data", "--dtype", "float32", "--device", "cpu", "--output", "out",
             *(word for name in SYSTEMS for word in ("--model", name))],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    subprocess.run(
        [sys.executable, "-m", "tests.oracle.plain_benchmark", str(tmp_path / "data"),
         str(tmp_path / "served" / "models"), str(tmp_path / "plain.json"), *SYSTEMS],
        cwd=ROOT, check=True, capture_output=True, timeout=400,
    )  # fmt: skip
    expected = json.loads((tmp_path / "plain.json").read_text())
    for system in SYSTEMS:
        found = {}
        for path in (tmp_path / "out" / system / "plain").glob("*.json"):
            record = json.loads(path.read_text())
            scores = {score["key"]: score["value"] for score in record["scores"]}
            found[record["task"].removeprefix("plain-")] = scores
        assert found.keys() == expected[system].keys()
        for task, scores in expected[system].items():
            assert found[task].keys() == scores.keys(), (system, task)
            for key, value in scores.items():
                probe = key.split("@")[0] in PROBES
                tolerance = 0.01 if probe else 1e-4
                assert found[task][key] == pytest.approx(value, abs=tolerance), (system, task, key)


def test_the_systems_of_the_script_are_those_of_the_seed_table() -> None:
    from scirepeval_harness.model.registry import load_models
    from scirepeval_harness.roles import Role

    known = load_models()
    for name, (base, adapters, codes) in plain_benchmark.SYSTEMS.items():
        spec = known[name]
        assert spec.base is not None
        assert spec.base.repo == base
        in_order = [Role(role) for role in plain_benchmark.ROLES]
        assert [spec.adapters[r].repo for r in in_order if r in spec.adapters] == (adapters or [])
        assert [spec.control_codes[r] for r in in_order if r in spec.control_codes] == (codes or [])


def test_the_script_imports_nothing_of_the_harness() -> None:
    code = (
        "import sys, tests.oracle.plain_benchmark;"
        "print([name for name in sys.modules if name.startswith('scirepeval')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
