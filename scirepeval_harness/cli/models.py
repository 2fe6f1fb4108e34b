"""``models``: what can be evaluated with."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scirepeval_harness.cli.options import AsJson
from scirepeval_harness.cli.tables import show_fields, show_table
from scirepeval_harness.extensions import BUILT_IN
from scirepeval_harness.models.registry import load_models, resolve_model
from scirepeval_harness.models.spec import ModelSpec

app = typer.Typer(help="Show the models that are registered.", no_args_is_help=True)

HEADER = ("name", "title", "kind", "base", "roles", "extra")


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the registered models with their base and what they have for each role.

    Any other model is given to `run --model` as a hub repository (org/name), a folder, a model file
    (.toml) or a file of vectors.
    """
    models = load_models().values()
    if as_json:
        records = [_record(model) for model in models]
        typer.echo(json.dumps(records, indent=2, ensure_ascii=False))
        return
    rows: list[tuple[str, ...]] = [
        (
            model.name,
            model.title,
            model.kind,
            model.base_in_words(),
            model.roles_in_words(),
            model.extra or "-",
        )
        for model in models
    ]
    header: tuple[str, ...] = HEADER
    if any(model.origin for model in models):
        header = (*HEADER, "from")
        rows = [(*row, model.origin or BUILT_IN) for row, model in zip(rows, models, strict=True)]
    show_table(header, rows, title=f"{len(rows)} models")


@app.command("show")
def show_model(
    name: Annotated[
        str, typer.Argument(help="A registered name, or anything else that `run --model` takes.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show what a model uses for each role, its settings and revisions."""
    model = resolve_model(name, load_models())
    if as_json:
        typer.echo(json.dumps(_record(model), indent=2, ensure_ascii=False))
        return
    show_fields(details(model))


def details(model: ModelSpec) -> list[tuple[str, str]]:
    """All that defines a model, as names and values in the order to print."""
    pairs = [("name", model.name), ("title", model.title), ("kind", model.kind), *model.rows()]
    if not model.has_vectors:
        pairs.append(("applies to", "rankings and citation pools (it has no vectors)"))
    if model.origin:
        pairs.append(("from", model.origin))
    if model.extra:
        pairs.append(("needs", f"pip install 'scirepeval-harness[{model.extra}]'"))
    pairs += [("published as", name) for name in model.published_as]
    if model.notes:
        pairs.append(("notes", model.notes))
    return pairs


def _record(model: ModelSpec) -> dict[str, object]:
    """The keys of its file, and the package that brought it, where one did."""
    origin = {"origin": model.origin} if model.origin else {}
    return model.model_dump(mode="json") | origin
