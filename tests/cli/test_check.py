"""Every exit code of ``check`` through the real command line."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.cli.main import main
from scirepeval_harness.task.registry import load_registry
from tests.support.made_results import SETTINGS, MadeTask, queries, write_result

RANDOM = np.random.default_rng(2)
START = RANDOM.uniform(0.2, 0.7, 300)


def task(name: str, shift: float = 0.0, **update: object) -> MadeTask:
    registry = load_registry()
    values = START + shift / 100 + RANDOM.normal(0, 0.01, 300) * (shift != 0)
    made = queries(registry.suite("sample"), registry.task(name), values)
    return made.with_record(**update)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("results")
    made = {
        "base": (task("sample-search"), task("sample-cite")),
        "same": (task("sample-search"), task("sample-cite")),
        "worse": (task("sample-search", -2.0), task("sample-cite")),
        "partial": (task("sample-search"),),
        "limited": (
            task("sample-search", settings={**SETTINGS, "limit": 300}),
            task("sample-cite"),
        ),
    }
    return {title: str(write_result(folder, title, *own)) for title, own in made.items()}


def check(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["check", *words])
    return int(stop.value.code or 0)


@pytest.mark.parametrize(
    ("candidate", "code", "said"),
    [
        ("same", 0, "Gate passed (6 passed)."),
        ("worse", 1, "Gate failed: a regression"),
        ("partial", 3, "Gate failed: the candidate is incomplete"),
        ("limited", 4, "Gate failed: not comparable"),
    ],
)
def test_exit_codes(
    results: dict[str, str],
    candidate: str,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check("--baseline", results["base"], "--candidate", results[candidate]) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--baseline", "no/folder", "--candidate", "base"], "no/folder"),
        (["--baseline", "base", "--candidate", "no/folder"], "no such result folder"),
        (["--baseline", "base", "--candidate", "same", "--policy", "no.toml"], "no.toml"),
        (["--baseline", "base", "--candidate", "same", "--suite", "sampel"], "sample"),
        (["--baseline", "base", "--candidate", "same", "--suite", "mdcr"], "no score to judge by"),
        (["--baseline", "published:nobody", "--candidate", "same"], "no published row 'nobody'"),
        (["--baseline", "base"], "--candidate"),
    ],
)
def test_mistakes_exit_with_2(
    words: list[str],
    message: str,
    results: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check(*(results.get(word, word) for word in words)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_published_row_of_other_tasks_exits_with_4(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = check("--baseline", "published:specter2", "--candidate", results["base"])
    assert code == 4
    assert "published for task set v2, not sample" in capsys.readouterr().err


def test_allowing_a_mismatch_judges_all_the_same(results: dict[str, str]) -> None:
    words = ["--baseline", results["base"], "--candidate", results["limited"]]
    assert check(*words, "--allow-mismatch") == 0


def test_a_policy_changes_the_judgement(results: dict[str, str], tmp_path: Path) -> None:
    words = ["--baseline", results["base"], "--candidate", results["worse"], "--policy"]
    policy = tmp_path / "policy.toml"
    policy.write_text(
        "[tolerance]\naverages = 3\n[tolerance.tasks]\nsample-search = 3.0\n", encoding="utf-8"
    )
    assert check(*words, str(policy)) == 0
    policy.write_text("[floors.columns]\nAverage = 99\n", encoding="utf-8")
    assert check(*words, str(policy)) == 1


def test_every_form_is_written_also_when_the_gate_fails(
    results: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    paths = {form: tmp_path / "out" / f"gate.{form}" for form in ("json", "junit", "markdown")}
    words = [word for form, path in paths.items() for word in (f"--{form}", str(path))]
    assert check("--baseline", results["base"], "--candidate", results["worse"], *words) == 1
    values = json.loads(paths["json"].read_text())
    assert (values["outcome"], values["exit_code"]) == ("regression", 1)
    failed = [case["task"] for case in values["cases"] if case["outcome"] == "regression"]
    assert "sample-search" in failed
    assert ET.parse(paths["junit"]).getroot().get("failures") == str(len(failed))
    assert paths["markdown"].read_text() == summary.read_text()
    assert "## Gate failed: a regression" in summary.read_text()


def test_neither_command_loads_torch_or_the_encoders(results: dict[str, str]) -> None:
    code = (
        "import sys\n"
        "from scirepeval_harness.cli.main import main\n"
        "try:\n"
        f"    main(['check', '--baseline', {results['base']!r},"
        f" '--candidate', {results['same']!r}])\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0, stop.code\n"
        "heavy = ('torch', 'transformers', 'sklearn', 'datasets', 'matplotlib')\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout


def test_early_is_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    baseline = "results/baselines/sample/tfidf"
    assert check("--early", "--baseline", baseline) == 2
    assert "Give --model" in capsys.readouterr().err
    assert check("--baseline", baseline) == 2
    assert "--early --model NAME" in capsys.readouterr().err


@pytest.mark.slow
def test_early_says_what_was_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline = "results/baselines/sample/tfidf"
    # Fitted to its documents, it has no parts: the whole decides, and passes as itself.
    words = ["--early", "--model", "tfidf", "--baseline", baseline, "--no-cache"]
    policy = tmp_path / "policy.toml"
    policy.write_text("alpha = 0.01\n")
    junit = tmp_path / "gate.xml"
    assert check(*words, "--policy", str(policy), "--junit", str(junit)) == 0
    out = capsys.readouterr().out
    assert "no part can be judged: nothing saved." in out
    assert "Gate passed" in out
    assert junit.is_file()
