"""Names complete in the shell."""

from __future__ import annotations

import pytest
import typer

from scirepeval_harness.cli.main import app


@pytest.mark.parametrize(
    ("option", "begun", "found"),
    [
        ("--model", "specter2-b", ["specter2-base"]),
        ("--task", "scidocs-m", ["scidocs-mag", "scidocs-mesh"]),
        ("--suite", "sa", ["sample"]),
        ("--format", "reg", ["regression"]),
        ("--model", "no-such", []),
    ],
)
def test_names_complete(option: str, begun: str, found: list[str]) -> None:
    group = typer.main.get_command(app)
    run = group.commands["run"]  # type: ignore[attr-defined]
    [parameter] = [one for one in run.params if option in one.opts]
    context = run.make_context("run", [], resilient_parsing=True)
    items = [item.value for item in parameter.shell_complete(context, begun)]
    assert [item for item in items if not item.endswith("-nano")] == found


def test_completion_can_be_installed() -> None:
    options = [name for one in typer.main.get_command(app).params for name in one.opts]
    assert {"--install-completion", "--show-completion"} <= set(options)
