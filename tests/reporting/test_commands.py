"""The command line of a run, from its arguments."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest
import typer

from scirepeval_harness.cli.main import app
from scirepeval_harness.options import CHOICES, OPTIONS, Choices, RunOptions, command_words
from scirepeval_harness.reporting.provenance import run_command_line, shell_word
from tests.support.golden import HOSTILE

ARGUMENTS = {
    "models": ["specter2", "My Model=path/with space"],
    "pooling": "mean",
    "max_length": 256,
    "prompts": ['query=find "{text}"', "document={title}"],
    "normalize": True,
    "truncate_dim": 64,
    "tasks_dirs": ["own tasks"],
    "suites": ["scirepeval", "mdcr"],
    "tasks": ["relish"],
    "formats": ["proximity"],
    "data": "data dir",
    "device": "cpu",
    "dtype": "float32",
    "batch_tokens": 4096,
    "engine": "ray",
    "workers": 2,
    "offline": True,
    "seed": 7,
    "limit": 10,
    "probe": "reference",
    "width": "float32",
    "allow_missing": True,
}


def words_of(line: str) -> list[bytes]:
    """The words that bash makes of a line."""
    script = f"set -- {line}\nprintf '%s\\0' \"$@\""
    done = subprocess.run(["bash", "-c", script.encode("utf-8")], capture_output=True, check=True)
    return done.stdout.split(b"\0")[:-1]


def test_the_command_has_every_argument_and_parses_as_the_run_command() -> None:
    words = [word.decode() for word in words_of(run_command_line(ARGUMENTS))]
    assert words[:4] == ["python", "-m", "scirepeval_harness", "run"]
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    values = command.make_context("run", words[4:]).params
    assert values["model"] == ARGUMENTS["models"]
    assert values["prompt"] == ARGUMENTS["prompts"]
    assert values["suite"] == ARGUMENTS["suites"]
    assert values["task"] == ARGUMENTS["tasks"]
    assert [str(path) for path in values["tasks_dir"]] == ARGUMENTS["tasks_dirs"]
    assert [str(entry) for entry in values["format"]] == ARGUMENTS["formats"]
    assert values["data"] == [ARGUMENTS["data"]]
    same = ("device", "dtype", "batch_tokens", "offline", "seed", "limit", "probe", "width")
    for name in (
        *same,
        "engine",
        "workers",
        "allow_missing",
        "pooling",
        "max_length",
        "normalize",
        "truncate_dim",
    ):
        assert values[name] == ARGUMENTS[name], name


def test_a_run_records_all_arguments_that_the_command_needs() -> None:
    made = RunOptions(output=Path("out"), data=(("", Path("data")),), engine="ray", seed=7)
    recorded = made.arguments(Choices(models=("m",), tasks_dirs=("own",), max_length=9))
    assert set(recorded) == set(ARGUMENTS)
    assert recorded["data"] == "data"
    assert recorded["models"] == ["m"]
    assert set(made.scoring()) == {"limit", "probe", "width", "seed", "allow_missing"}
    words = "--model m --tasks-dir own --max-length 9 --data data --engine ray"
    words += " --probe exact --width float32 --seed 7"
    assert command_words(recorded) == words.split()
    places = (("", Path("data")), ("mdcr", Path("own")))
    recorded = RunOptions(output=Path("out"), data=places).arguments(Choices())
    assert recorded["data"] == ["data", "mdcr=own"]
    assert "--data data --data mdcr=own" in " ".join(command_words(recorded))
    chosen = RunOptions(output=Path("out"), quantize="int8")
    assert "--quantize int8" in " ".join(command_words(chosen.arguments(Choices())))
    assert chosen.scoring()["quantize"] == "int8"


def test_every_option_is_one_of_the_run_command_with_the_same_default() -> None:
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    there = {option.opts[0]: option for option in command.params}
    for option in (*CHOICES.values(), *OPTIONS.values()):
        if option.key == "existing":  # --resume and --overwrite
            continue
        found = there[option.flag]
        assert found.help == option.help, option.flag
        if option.default is not dataclasses.MISSING and option.default != ():
            assert found.default == option.default, option.flag


def test_what_was_not_given_is_left_out() -> None:
    line = run_command_line({"models": ["tfidf"], "limit": None, "offline": False, "tasks": []})
    assert line == "python -m scirepeval_harness run --model tfidf"


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_word_stays_one_word_on_one_line(name: str) -> None:
    word = shell_word(name)
    assert word.isprintable()
    expected = name.encode("utf-8", "surrogatepass").replace(b"\0", b"")
    found = words_of(f"before {word} after")
    assert found[0] == b"before"
    assert found[-1] == b"after"
    assert len(found) == 3
    # A shell word ends at a NUL: no program can be given one.
    assert expected.startswith(found[1]) if "\x00" in name else found[1] == expected
