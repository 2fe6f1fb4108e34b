"""Every end of a command has its code and its words; names do no harm on the way to a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

import scirepeval_harness as sh
from scirepeval_harness.cli import tasks as tasks_commands
from scirepeval_harness.cli.main import main
from scirepeval_harness.cli.output import print_json
from scirepeval_harness.errors import UsageError
from scirepeval_harness.options import RunOptions
from scirepeval_harness.progress import harmless
from tests.support.tiny_models import save_base

ROOT = Path(__file__).parents[2]


def code_of(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return int(stop.value.code or 0)


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("deep"), MemoryError("224 GiB")])
def test_a_defect_is_70_and_one_line_with_the_place_of_its_traceback(
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(tasks_commands.sh, "tasks", Mock(side_effect=error))
    assert code_of("tasks", "list") == 70
    (line,) = capsys.readouterr().err.splitlines()
    (file,) = tmp_path.iterdir()
    assert str(file) in line
    assert type(error).__name__ in line
    assert "Traceback" in file.read_text()


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(32, "Broken pipe"), 2)]
)
def test_neither_an_interrupt_nor_a_closed_pipe_is_a_regression(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks_commands.sh, "tasks", Mock(side_effect=error))
    assert code_of("tasks", "list") == code


def test_an_interrupted_run_says_what_is_finished_and_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scirepeval_harness.run import loop

    score = loop.scoring.score_task

    def stopped(draft: object, task: object, *rest: object) -> object:
        if getattr(task, "name", "") == "sample-cite":
            raise KeyboardInterrupt
        return score(draft, task, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop.scoring, "score_task", stopped)
    words = ["run", "--model", "bm25", "--task", "sample-cite", "--task", "sample-search",
             "--output", str(tmp_path)]  # fmt: skip
    assert code_of(*words) == 130
    shown = capsys.readouterr()
    assert "interrupted: sample-cite" in shown.out
    assert "failed" not in shown.out + shown.err
    said = shown.err.splitlines()[-1]
    assert "1 of 2 tasks are finished" in said
    assert f"--output {tmp_path} --resume" in said
    assert "did not finish" not in said
    monkeypatch.undo()
    assert code_of(*words, "--resume", "--no-cache") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "bm25", "--seed", "-1"], "seed"),
        (["--model", "bm25", "--seed", str(2**32)], "seed"),
        (["--model", "{tiny}", "--max-length", "100000"], "takes at most"),
        (["--model", "bm25", "--task", "s2and"], "s2and setup"),
    ],
)
def test_what_is_known_at_the_start_is_refused_there(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("SCIREPEVAL_HARNESS_S2AND", str(tmp_path / "nowhere"))
    if "{tiny}" in words:
        words = [word.replace("{tiny}", str(save_base(tmp_path / "tiny"))) for word in words]
    own = [] if "s2and" in words else ["--task", "sample-cite"]
    assert code_of("run", *words, *own, "--output", str(tmp_path / "out")) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_seed_of_the_library_has_the_same_bounds() -> None:
    with pytest.raises(UsageError, match="--seed must be at least 0"):
        RunOptions(output=Path(), seed=-1)
    folder = "results/baselines/sample"
    with pytest.raises(UsageError, match="seed must be at most"):
        sh.compare(f"{folder}/tfidf", f"{folder}/bm25", seed=2**40)


@pytest.mark.parametrize(
    "name",
    ["::error::x", " ::error::x", "a\n::error::x", "##[error]x", "\x1b[2J", "a\x9b31m\u202e"],
)
def test_a_name_moves_no_cursor_and_commands_nothing(name: str) -> None:
    for line in harmless(name).split("\n"):
        assert line.isprintable()
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


def test_a_title_that_commands_is_harmless_wherever_it_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    title, out = "::error::owned", tmp_path / "out"
    words = ["run", "--model", f"{title}=bm25", "--task", "sample-cite", "--output", str(out)]
    assert code_of(*words) == 0
    for more in (["leaderboard"], ["runs", "list"], ["runs", "show"]):
        assert code_of(*more, str(next(out.glob("*/")))) == 0
    for form in ("md", "csv"):
        assert code_of("leaderboard", str(out), "--format", form) == 0
    shown = capsys.readouterr()
    assert "owned" in shown.out
    assert "owned" in shown.err
    for line in (shown.out + shown.err).splitlines():
        assert not line.lstrip().startswith("::"), line
        assert "\x1b" not in line


def test_json_for_programs_hides_the_controls_of_a_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_json({"model": "a\x9b\u202e\ud800"})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"model": "a\x9b\u202e\ud800"}
    assert all(line.isprintable() for line in shown.splitlines())


@pytest.mark.parametrize("name", ["x\x1b[2J", "a\x9b", "a\u202eb", "a\nb"])
def test_a_name_with_controls_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("run", "--model", f"{name}=bm25", "--task", "sample-cite") == 2
    assert capsys.readouterr().err.rstrip("\n").isprintable()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("device", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        ["run", "--model", "{}.jsonl"],
        ["run", "--model", "{}.toml"],
        ["run", "--model", "{}.npz"],
        ["run", "--model", "bm25", "--tasks-dir", "{folder}"],
        ["check", "--baseline", "results/baselines/sample/bm25", "--candidate",
         "results/baselines/sample/bm25", "--policy", "{}.toml"],
        ["runs", "show", "{folder}"],
        ["tasks", "list", "--tasks-dir", "{folder}"],
    ],
)  # fmt: skip
def test_no_pipe_or_device_is_waited_for(
    words: list[str], device: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("x.jsonl", "x.toml", "x.npz", "run.json"):
        if device:
            (tmp_path / name).symlink_to("/dev/zero")
        else:
            os.mkfifo(tmp_path / name)
    filled = [word.format(tmp_path / "x", folder=tmp_path) for word in words]
    assert code_of(*filled) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="a system without signals")
def test_ctrl_c_in_any_command_is_130(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from scirepeval_harness.cli import tasks, main\n"
        "tasks.sh.tasks = lambda *a, **k: os.kill(os.getpid(), signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "main.main(['tasks', 'list'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          cwd=ROOT)  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "Interrupted\n")
