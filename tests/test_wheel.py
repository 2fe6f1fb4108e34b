"""The wheel holds all that a run needs, and works outside the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def check_contents(wheel: Path) -> None:
    """The package with its data, typing marker and licence; nothing that no user runs."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [licence] = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
    assert "License-Expression: Apache-2.0" in text
    assert "scirepeval_harness/py.typed" in names
    assert "scirepeval_harness/bundled/tasks/sample/suite.toml" in names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"scirepeval_harness"}
    assert not any(re.search(r"(^|/)(tools|tests|sample)/\w+\.py$", name) for name in names)


@pytest.mark.slow
def test_the_wheel_installs_and_runs_outside_the_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheels = tmp_path / "wheels"
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", wheels, ROOT], check=True)
    [wheel] = wheels.glob("*.whl")
    check_contents(wheel)
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
    adapters = list(site.glob("scirepeval_harness/model/adapters/minilm/*/adapter.safetensors"))
    assert len(adapters) == 4
    assert "trec-covid" in harness("tasks", "list")
    assert "SPECTER2-Adapters (published)" in harness("leaderboard", "--published")
    shown = harness("run", "--model", "tfidf", "--task", "sample-cite", "--output", "out")
    assert "TF-IDF" in shown
    assert (empty / "out" / "tfidf" / "sample" / "sample-cite.json").is_file()
