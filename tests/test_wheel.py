"""The wheel holds all that a run needs, and works outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_installs_and_runs_outside_the_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheels = tmp_path / "wheels"
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", wheels, ROOT], check=True)
    [wheel] = wheels.glob("*.whl")
    venv.create(tmp_path / "fresh", with_pip=False)
    python = tmp_path / "fresh" / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "-q", "--no-deps", wheel], check=True)
    # The libraries are borrowed, the package is not: an editable install is no plain folder there.
    [site] = (tmp_path / "fresh").glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def harness(*words: str) -> str:
        done = subprocess.run(
            [python, "-m", "scirepeval_harness", *words],
            cwd=empty, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    place = subprocess.run(
        [python, "-c", "import scirepeval_harness as h; print(h.__file__)"],
        cwd=empty, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert Path(place.strip()).is_relative_to(site)
    adapters = list(site.glob("scirepeval_harness/models/adapters/minilm/*/adapter.safetensors"))
    assert len(adapters) == 4
    assert "trec-covid" in harness("tasks", "list")
    assert "SPECTER2-Adapters (published)" in harness("leaderboard", "--published")
    shown = harness("run", "--model", "tfidf", "--task", "sample-cite", "--output", "out")
    assert "TF-IDF" in shown
    assert (empty / "out" / "tfidf" / "sample" / "sample-cite.json").is_file()
