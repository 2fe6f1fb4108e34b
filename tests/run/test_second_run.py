"""A second run of a finished benchmark encodes nothing and opens no model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_models import save_base


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import sys\n"
        "from scirepeval_harness.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n"
        "    print('heavy:', [n for n in ('torch', 'transformers') if n in sys.modules])\n"
    )
    command = ["run", "--suite", "sample", "--limit", "40", "--device", "cpu", *words]
    return subprocess.run(
        [sys.executable, "-c", program, *command], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment,
    )  # fmt: skip


@pytest.mark.slow
def test_a_second_run_opens_no_model_and_gives_the_same_bytes(tmp_path: Path) -> None:
    save_base(tmp_path / "model")
    words = ["--model", "tiny=model", "--cache", "cache"]
    words += ["--task", "sample-cite", "--task", "sample-search"]
    first = run(tmp_path, *words, "--output", "one")
    assert first.returncode == 0, first.stderr
    assert "heavy: ['torch', 'transformers']" in first.stdout
    again = run(tmp_path, *words, "--output", "two")
    assert again.returncode == 0, again.stderr
    assert "nothing to encode" in again.stderr
    assert "heavy: []" in again.stdout, "a second run needs neither weights nor a tokenizer"
    record = json.loads((tmp_path / "two" / "tiny" / "run.json").read_text())
    assert record["documents_encoded"] == 0
    assert record["documents_cached"] > 100
    for path in sorted((tmp_path / "one").rglob("sample/*")):
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes()


@pytest.mark.slow
def test_without_a_cache_a_text_of_two_tasks_is_encoded_once(tmp_path: Path) -> None:
    save_base(tmp_path / "model")
    both = ["--task", "sample-year", "--task", "sample-citations"]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = ["--model", "tiny=model", "--no-cache", "--output", "out"]
    done = run(tmp_path, *both, *words, TMPDIR=str(temporary))
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "tiny" / "run.json").read_text())
    assert record["documents_cached"] > 0, "the second task finds the first one's vectors"
    assert list(temporary.iterdir()) == [], "nothing is kept"
