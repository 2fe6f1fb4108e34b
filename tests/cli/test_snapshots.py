"""What a person reads at 80, 120 and 200 columns; `make golden` writes the files anew.

A table may leave out columns or become lists, but no word is cut, and no line is too long.
"""

from __future__ import annotations

import functools
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from typer.main import get_command

import scirepeval_harness as sh
from scirepeval_harness.cli.main import app, main
from scirepeval_harness.run import cost
from tests.support.golden import check_golden
from tests.support.tiny_models import save_base

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (80, 120, 200)
SAMPLE = "results/baselines/sample"
COMMANDS = {
    "check": f"check --baseline {SAMPLE}/tfidf --candidate {SAMPLE}/minilm",
    "check-all": f"check --baseline {SAMPLE}/tfidf --candidate {SAMPLE}/minilm --all",
    "leaderboard": f"leaderboard {SAMPLE}",
    "leaderboard-published": "leaderboard --published --sort Average",
    "leaderboard-by-task": f"leaderboard {SAMPLE} --by task",
    "run-dry-run": "run --model tiny=tiny --model tfidf --task sample-search --task sample-year "
    "--device cpu --cache vectors --dry-run",
    "run-dry-run-nothing-here": "run --model specter2 --device cpu --cache vectors --offline "
    "--dry-run",
    "run-help": "run --help",
    "models-list": "models list",
    "tasks-list": "tasks list",
    "data-list": "data list",
    "runs": "runs results/baselines",
}
FRAMES = re.compile(r"[─│╭╮╰╯]|-{3,}")


class Terminal(io.StringIO):
    """Standard output of a person."""

    def isatty(self) -> bool:
        return True


Show = Callable[[str, int], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the committed results, a model, and data that was downloaded."""
    here = tmp_path_factory.mktemp("here")
    (here / "results").symlink_to(ROOT / "results")
    save_base(here / "tiny")
    kept = here / "data" / "mdcr"
    kept.mkdir(parents=True)
    (kept / "mdcr_test.json").write_bytes(b"x" * 2_000_000)
    entry = '{"url": "https://example.org/mdcr_test.json", "bytes": 2000000, '
    rest = '"sha256": "00", "fetched_at": "2026-01-31T12:00:00+00:00"}'
    (kept / "sums.json").write_text(f'{{"mdcr_test.json": {entry}{rest}}}')
    return here


@pytest.fixture
def show(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    """What a command prints at a terminal of a width; its work is done once."""
    for call in ("check", "leaderboard", "plan"):
        monkeypatch.setattr(sh, call, once(getattr(sh, call)))
    monkeypatch.delenv("TERMINAL_WIDTH", raising=False)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(cost.os, "cpu_count", lambda: 8)
    monkeypatch.setenv("SCIREPEVAL_HARNESS_DATA_DIR", "data")
    monkeypatch.setenv("SCIREPEVAL_HARNESS_S2AND", "s2and")
    monkeypatch.setattr(sys, "argv", ["scirepeval-harness"])
    # Else the usage has pytest's own name where pytest runs as a module.
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None, raising=False)

    def shown(command: str, width: int) -> str:
        # Help is rich's own, which would set bold type at a terminal.
        out = io.StringIO() if "--help" in command else Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setenv("COLUMNS", str(width))
        with pytest.raises(SystemExit):
            main(command.split())
        return out.getvalue()

    return shown


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_printed(name: str, show: Show) -> None:
    whole = words(show(COMMANDS[name], 10_000))
    for width in WIDTHS:
        text = show(COMMANDS[name], width)
        lines = [line.rstrip() for line in text.splitlines()]
        check_golden(GOLDEN / f"{name}-{width}.txt", "\n".join(lines) + "\n")
        assert max(map(len, lines)) <= width
        # What is left out is said; every other word stands there whole.
        assert words(text) - whole <= {"Not", "shown", "at", "this", "width"}


def once(call: Callable[..., object]) -> Callable[..., object]:
    """The call, made once: its answer is shown at every width."""
    answers: list[object] = []

    @functools.wraps(call)
    def kept(*arguments: object, **more: object) -> object:
        if not answers:
            answers.append(call(*arguments, **more))
        return answers[0]

    return kept


def words(text: str) -> set[str]:
    """Words without what stands around them."""
    return {word.strip(".,:;()[]'`") for word in FRAMES.sub(" ", text).split()} - {""}


def test_no_option_s_words_are_folded_in_the_help_of_any_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    commands: list[tuple[list[str], Any]] = [([], get_command(app))]
    pages = 0
    while commands:
        words, command = commands.pop()
        commands += [
            ([*words, name], one) for name, one in getattr(command, "commands", {}).items()
        ]
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        for line in capsys.readouterr().out.splitlines():
            shown = re.sub(r"\[.*?\]", "", line)  # without ranges, as [x>=1]
            assert shown.count("<") == shown.count(">"), (words, line)
        pages += 1
    assert pages > 20
