"""The command line parses and prints; what a command does is one call of the library."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.main import app

CLI = Path(__file__).resolve().parents[2] / "scirepeval_harness" / "cli"
CALLS = {
    "run": ("evaluate", "plan"),
    "fetch": ("fetch",),
    "leaderboard": ("leaderboard",),
    "compare": ("compare",),
    "check": ("check", "check_early"),
    "report": ("report",),
    "items": ("items",),
    "runs list": ("runs",),
    "runs show": ("load_results",),
    "runs verify": ("verify",),
    "tasks list": ("tasks",),
    "tasks show": ("tasks",),
    "tasks check": ("audit",),
    "models list": ("models",),
    "models show": ("models",),
    "models export-merged": ("export_merged",),
    "s2and setup": ("s2and.set_up",),
    "s2and embed": ("s2and.embed",),
    "s2and run": ("s2and.run",),
    "cache info": ("cache.info",),
    "cache verify": ("cache.verify",),
    "cache prune": ("cache.prune",),
    "data list": ("data.kept",),
    "mdcr write-scores": ("mdcr.write_scores",),
    "mdcr score": ("mdcr.score",),
}
"""Each command and the functions of the library that do its work."""
VALUES = {"errors", "options", "progress", "roles", "reporting", "task", "model"}
"""Packages of which a command may take names: types and choices of options, tables to print."""


def commands() -> dict[str, typer.models.CommandInfo]:
    group = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for inner, own in getattr(command, "commands", {}).items():
            found[f"{name} {inner}"] = own
        if not hasattr(command, "commands"):
            found[name] = command
    return found


def test_every_command_has_its_call() -> None:
    assert set(commands()) == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_the_work_of_a_command_is_a_public_call(name: str) -> None:
    for call in CALLS[name]:
        thing: object = sh
        for part in call.split("."):
            thing = getattr(thing, part)
        assert callable(thing)
    source = ast.unparse(ast.parse((CLI / f"{name.split()[0]}.py").read_text()))
    assert any(f"sh.{call}(" in source for call in CALLS[name]), name


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.stem)
def test_a_command_reaches_for_nothing_behind_the_front_door(path: Path) -> None:
    """No readers, stores, encoders, statistics, results or records: those are the library's."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "scirepeval_harness."
        ):
            package = str(node.module).split(".")[1]
            assert package in VALUES | {"cli"}, f"{path.name}: {node.module}"
            if package in ("task", "model"):
                # Annotations of options alone: the readings and poolings that may be chosen.
                assert str(node.module).endswith((".spec", ".kinds")), f"{path.name}: {node.module}"
