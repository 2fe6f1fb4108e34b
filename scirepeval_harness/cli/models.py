"""``models``: what can be evaluated with."""

from __future__ import annotations

from typing import Annotated

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import AsJson
from scirepeval_harness.cli.output import print_fields, print_json, show

app = typer.Typer(help="Show the models that are registered.", no_args_is_help=True)


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the registered models with their base and what they have for each role.

    Any other model is given to `run --model` as a hub repository (org/name), a folder, a model file
    (.toml) or a file of vectors.
    """
    found = sh.models()
    if as_json:
        print_json([found.definition(name) for name in found])
    else:
        show(found.table, titled=True)


@app.command("show")
def show_model(
    name: Annotated[
        str, typer.Argument(help="A registered name, or anything else that `run --model` takes.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show what a model uses for each role, its settings and revisions."""
    found = sh.models()
    if as_json:
        print_json(found.definition(name))
    else:
        print_fields(found.describe(name))
