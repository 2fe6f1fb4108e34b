"""Long work as a person at a terminal, a log and a program see it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from scirepeval_harness import progress
from scirepeval_harness.cli.display import JsonLines, Live, WholeRun, display
from scirepeval_harness.cli.main import main
from scirepeval_harness.progress import Terminal, Work

PLAN = {"model": "m", "tasks": ["a", "b"], "seconds": 60.0, "tokens": 1_000, "texts": 10,
        "cached": 0, "scoring": {"a": 30.0, "b": 10.0}}  # fmt: skip
WORDS = ["run", "--model", "tfidf", "--task", "sample-search", "--no-cache"]


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main([*WORDS, *words])
    return int(stop.value.code or 0)


def test_the_whole_run_is_weighed_by_what_the_plan_expects() -> None:
    now = [0.0]
    whole = WholeRun(clock=lambda: now[0])
    assert not whole.heard("note", {})
    assert whole.heard("plan", PLAN)
    assert str(whole) == "0 of 2 tasks, 0%", "nothing is done: nothing is said of the time"
    now[0] = 120.0
    whole.worked(Work("m", "encode", 1_000, "token"), 1_000)
    assert whole.share == pytest.approx(0.6)
    # Twice as slow as planned so far, so 40 planned seconds are 80.
    assert whole.left == pytest.approx(80.0)
    whole.worked(Work("a", "probe", 30, "fit"), 15)
    assert whole.share == pytest.approx(0.75)
    whole.worked(Work("a", "probe", 30, "fit"), 15)
    assert whole.share < 0.9, "a task is not done before its result is there"
    whole.heard("result", {"model": "m", "task": "a"})
    whole.heard("failed", {"model": "m", "task": "b"})
    assert str(whole) == "2 of 2 tasks, 100%, no time left"


def test_two_phases_at_once_have_a_bar_each() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None)
    with Live(console) as live:
        live.tell("plan", "m  plan", **PLAN)
        with (
            live.bar("m", 1_000, "token", "encode") as encode,
            live.bar("a" * 40, 26, "fit", "probe") as fit,
        ):
            encode(250)
            fit(13)
            live.say("\x1b[31mred\x1b[0m")
            shown = Console(file=io.StringIO(), width=80, color_system=None)
            shown.print(live._bars.get_renderable())
        assert not live._bars.tasks[1:], "what is done has no bar any more"
    lines = shown.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split()[0] for line in lines] == ["run", "encode", "probe"]
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines), "all of it fits"
    assert "0 of 2 tasks, 15%" in lines[0]
    assert "25% of 1,000 tokens" in lines[1]
    assert f"{'a' * 15}..." in lines[2]
    assert "13 of 26 fits" in lines[2]
    assert "\x1b[31m" not in out.getvalue()


def test_a_pipe_gets_lines_without_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--output", str(tmp_path)) == 0
    shown = capsys.readouterr().err
    first, plan, expected, result = shown.splitlines()
    assert first == "tfidf on sample: 1 task"
    assert plan.startswith("tfidf  plan: ")
    assert expected.startswith("expected: encoding nothing to do; scoring about ")
    assert result.startswith("tfidf  sample-search  ndcg ")
    assert shown.replace("\n", "").isprintable()


def test_quiet_says_failures_alone_and_verbose_the_phases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--output", str(tmp_path / "a"), "-q") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "TF-IDF" in shown.out
    assert run("--output", str(tmp_path / "b"), "-v") == 0
    shown = capsys.readouterr()
    assert "sample-search  vectors  48 of 48 docs, done in" in shown.err
    assert "sample-search  load 0." in shown.err
    assert run("--output", str(tmp_path / "a"), "-q") == 2
    assert capsys.readouterr().err.startswith("Error: ")
    assert run("-q", "-v") == 2


def test_a_program_gets_an_object_a_line_and_errors_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--output", str(tmp_path), "--log-json") == 0
    shown = capsys.readouterr()
    events = [json.loads(line) for line in shown.err.splitlines()]
    assert [event["event"] for event in events] == ["start", "plan", "cost", "result"]
    assert events[0]["tasks"] == events[1]["tasks"] == ["sample-search"]
    scores = json.loads((tmp_path / "tfidf" / "sample" / "sample-search.json").read_text())
    assert events[3]["scores"]["ndcg"] == scores["scores"][0]["value"]
    assert "TF-IDF" in shown.out, "standard output holds the leaderboard alone"
    assert run("--output", str(tmp_path), "--log-json") == 2
    *_, last = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (last["event"], last["exit_code"]) == ("error", 2)
    assert "there are results already" in last["message"]


def test_long_work_has_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with JsonLines().bar("m", 8, "token", "encode") as advance:
        advance(2)
    with Terminal().bar("m", 8, "token", "encode") as advance:
        advance(2)
    first, second = capsys.readouterr().err.splitlines()
    told = json.loads(first)
    assert (told["event"], told["phase"], told["done"], told["total"]) == (
        "progress", "encode", 2, 8,
    )  # fmt: skip
    assert second.startswith("m  encode  2 of 8 tokens, ")
    assert second.endswith(" left")


def test_bars_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    with display() as form:
        assert type(form) is Terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    with display() as form:
        assert type(form) is Terminal, "a terminal that cannot move its cursor"
    with display(as_json=True) as form:
        assert type(form) is JsonLines
