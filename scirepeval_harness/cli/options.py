"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

import scirepeval_harness as sh
from scirepeval_harness.options import CHOICES, LAST_SEED, OPTIONS
from scirepeval_harness.roles import Format
from scirepeval_harness.task.spec import AuthorReading, FewShotReading, ReviewerReading


def either(words: Any) -> str:
    """The words of a Literal, or the members of an enumeration: ``a, b or c``."""
    *others, last = get_args(words) or words
    return f"{', '.join(others)} or {last}"


def complete_model(incomplete: str) -> list[str]:
    """Registered models that begin so."""
    return [name for name in sh.models() if name.startswith(incomplete)]


def complete_task(incomplete: str) -> list[str]:
    """Tasks that begin so."""
    return [name for name in sh.tasks() if name.startswith(incomplete)]


def complete_suite(incomplete: str) -> list[str]:
    """Suites that begin so."""
    suites = dict.fromkeys(str(record["suite"]) for record in sh.tasks().records)
    return [name for name in suites if name.startswith(incomplete)]


def complete_format(incomplete: str) -> list[str]:
    """Formats that begin so."""
    return [str(one) for one in Format if one.startswith(incomplete)]


TasksDir = Annotated[
    list[Path] | None,
    typer.Option(
        "--tasks-dir", metavar="FOLDER", help="A folder of your own task files. May be repeated."
    ),
]
DataDir = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="[NAME=]FOLDER", help=OPTIONS["data"].help),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never open a connection.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SuiteNames = Annotated[
    list[str] | None,
    typer.Option(
        "--suite",
        metavar="NAME",
        help="These suites only. May be repeated.",
        autocompletion=complete_suite,
    ),
]
# The words stand in the help: a column of the table would fold them.
FewShot = Annotated[
    FewShotReading | None,
    typer.Option(
        "--few-shot", metavar="READING", help=f"Few-shot scores: {either(FewShotReading)}."
    ),
]
S2and = Annotated[
    AuthorReading | None,
    typer.Option("--s2and", metavar="READING", help=f"S2AND: {either(AuthorReading)}."),
]
Reviewers = Annotated[
    ReviewerReading | None,
    typer.Option(
        "--reviewers", metavar="READING", help=f"Reviewer matching: {either(ReviewerReading)}."
    ),
]
AllowMismatch = Annotated[
    bool,
    typer.Option("--allow-mismatch", help="Compare what differs in data or protocol all the same."),
]
Seed = Annotated[int, typer.Option(min=0, max=LAST_SEED, help="Of the permutations.")]


def reading(
    suite: list[str] | None,
    tasks_dir: list[Path] | None,
    few_shot: FewShotReading | None,
    s2and: AuthorReading | None,
    reviewers: ReviewerReading | None,
) -> dict[str, Any]:
    """The options of commands that read results, as the library's arguments."""
    return {
        "suite": suite,
        "tasks_dirs": tasks_dir or (),
        "few_shot": few_shot,
        "s2and": s2and,
        "reviewers": reviewers,
    }


WHAT, TEXTS, SCORES, WHERE, RESULTS, SAID = (
    "What is run",
    "How texts are encoded",
    "How vectors are scored",
    "On what machines",
    "Where results lie",
    "What is said",
)
"""The groups of a run's options, in the order of its help."""
SHOWN: dict[str, tuple[str, str]] = {
    "models": (WHAT, "NAME"),
    "suites": (WHAT, "NAME"),
    "tasks": (WHAT, "NAME"),
    "formats": (WHAT, "FORMAT"),
    "tasks_dirs": (WHAT, "FOLDER"),
    "data": (WHAT, "FOLDER"),
    "limit": (WHAT, "N"),
    "allow_missing": (WHAT, ""),
    "dtype": (TEXTS, "TYPE"),
    "batch_tokens": (TEXTS, "N"),
    "pooling": (TEXTS, "POOLING"),
    "max_length": (TEXTS, "N"),
    "prompts": (TEXTS, "USE=TEXT"),
    "normalize": (TEXTS, ""),
    "truncate_dim": (TEXTS, "N"),
    "probe": (SCORES, "PROBE"),
    "vector_precision": (SCORES, "TYPE"),
    "quantize": (SCORES, "KIND"),
    "seed": (SCORES, "N"),
    "device": (WHERE, "DEVICE"),
    "engine": (WHERE, "ENGINE"),
    "ray_address": (WHERE, "ADDRESS"),
    "workers": (WHERE, "N"),
    "offline": (WHERE, ""),
    "output": (RESULTS, "FOLDER"),
    "cache": (RESULTS, "FOLDER"),
}
"""Of each option its group, and what stands for its value: short, so that no help is squeezed into
half of a terminal."""


def declared(name: str) -> Any:
    """The option of a run as options.py declares it, in its group, with names that complete."""
    option = {**CHOICES, **OPTIONS}[name]
    group, metavar = SHOWN[name]
    return typer.Option(
        option.flag,
        help=option.help,
        min=option.least,
        max=option.most,
        metavar=metavar,
        rich_help_panel=group,
        autocompletion=COMPLETED.get(name),
    )


def flag(group: str, help: str, *names: str) -> Any:
    """A flag of a run that the command line alone has."""
    return typer.Option(*names, help=help, rich_help_panel=group, metavar="")


COMPLETED = {
    "models": complete_model,
    "tasks": complete_task,
    "suites": complete_suite,
    "formats": complete_format,
}
