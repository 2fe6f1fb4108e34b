"""``models``: what can be evaluated with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import AsJson, Offline, complete_model, either
from scirepeval_harness.cli.output import print_fields, print_json, show
from scirepeval_harness.roles import Role

app = typer.Typer(help="Show the models that are registered.", no_args_is_help=True)


@app.command("list")
def list_models(
    group: Annotated[
        str | None, typer.Option(help="Only this group: scientific, general, lexical.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only this kind, such as sentence_transformers.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the registered models by group, with their base and what they have for each role.

    Any other model is given to `run --model` as a hub repository (org/name), a folder, a model file
    (.toml) or a file of vectors.
    """
    found = sh.models(group=group, kind=kind)
    if as_json:
        print_json([found.definition(name) for name in found])
    else:
        show(found.table, titled=True)


@app.command("export-merged")
def export_merged_command(
    name: Annotated[str, typer.Argument(help="A registered name, or a model file.")],
    role: Annotated[str, typer.Argument(help=f"Whose adapter is merged: {either(Role)}.")],
    output: Annotated[Path, typer.Option("--output", help="A new folder.")],
    offline: Offline = False,
) -> None:
    """Write one role of a model, base and adapter, as a folder that sentence-transformers loads."""
    written = sh.export_merged(name, role, output, offline=offline)
    typer.echo(f"{name}, {role}: {written}")


@app.command("show")
def show_model(
    name: Annotated[
        str,
        typer.Argument(
            help="A registered name, or anything else that `run --model` takes.",
            autocompletion=complete_model,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show what a model uses for each role, its settings and revisions."""
    found = sh.models()
    if as_json:
        print_json(found.definition(name))
    else:
        print_fields(found.describe(name))
