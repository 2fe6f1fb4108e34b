"""The composite action: its declaration, and its script run as the runner would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
BASELINE = ROOT / "results" / "baselines" / "sample"


def test_every_input_is_described_used_and_kept_out_of_the_scripts() -> None:
    steps = ACTION["runs"]["steps"]
    given = " ".join(value for step in steps for value in step["env"].values())
    for name, declared in ACTION["inputs"].items():
        assert declared["description"]
        assert f"inputs.{name}" in given
    for step in steps:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "text from outside must not become part of a script"


def run_check(tmp_path: Path, **inputs: str) -> tuple[int, dict[str, str]]:
    """The check step with inputs as variables, beside a stand-in for the installed environment."""
    python = tmp_path / "temp" / "scirepeval-gate" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    step = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "check")
    values = {name: str(entry.get("default", "")) for name, entry in ACTION["inputs"].items()}
    values |= {name.replace("_", "-"): value for name, value in inputs.items()}
    environment = {
        name: re.sub(r"\$\{\{ inputs\.([a-z0-9-]+) \}\}", lambda found: values[found[1]], text)
        for name, text in step["env"].items()
    }
    output, summary = tmp_path / "output", tmp_path / "summary"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env={
            **os.environ,
            **environment,
            "RUNNER_TEMP": str(tmp_path / "temp"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
        },
        capture_output=True,
        text=True,
    )
    read = {path.name: path.read_text() for path in (output, summary) if path.exists()}
    return done.returncode, {**read, "stdout": done.stdout, "stderr": done.stderr}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("candidate", "code"), [("tfidf", 0), ("minilm", 1), ("bm25", 3), ("nothing", 2)]
)
def test_the_script_passes_the_exit_code_on(candidate: str, code: int, tmp_path: Path) -> None:
    found, said = run_check(
        tmp_path, baseline=str(BASELINE / "tfidf"), candidate=str(BASELINE / candidate)
    )
    assert found == code, said["stderr"]
    assert said["output"] == f"exit-code={code}\n"
    if code != 2:
        assert said["summary"].startswith("## Gate ")
        assert (tmp_path / "scirepeval-gate.xml").is_file()
        assert (tmp_path / "scirepeval-gate.json").is_file()


def test_the_documented_workflow_uses_inputs_that_exist() -> None:
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    workflows = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.S)]
    used = [
        step["with"]
        for workflow in workflows
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if "scirepeval-harness" in step.get("uses", "")
    ]
    assert used
    for inputs in used:
        assert set(inputs) <= set(ACTION["inputs"])
        assert {"baseline", "candidate"} <= set(inputs)


def test_the_documented_policy_is_one(tmp_path: Path) -> None:
    from scirepeval_harness.comparison.policy import Policy
    from scirepeval_harness.schema import read_spec
    from scirepeval_harness.task.registry import load_registry

    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.S)
    assert blocks
    registry = load_registry()
    for block in blocks:
        path = tmp_path / "policy.toml"
        path.write_text(block)
        policy = read_spec(Policy, path)
        policy.check_names(list(registry.suites.values()), {}, str(path))
        assert policy != Policy()
