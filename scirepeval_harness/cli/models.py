"""``models``: what can be evaluated with."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scirepeval_harness.cli.options import AsJson
from scirepeval_harness.cli.tables import show_fields, show_table
from scirepeval_harness.models.registry import load_models, resolve_model
from scirepeval_harness.models.spec import ModelKind, ModelSpec, Weights
from scirepeval_harness.roles import Role

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
        records = [model.model_dump(mode="json") for model in models]
        typer.echo(json.dumps(records, indent=2, ensure_ascii=False))
        return
    rows = [
        (
            model.name,
            model.title,
            model.kind.value,
            model.base.location if model.base else "-",
            kinds_of_roles(model),
            model.extra or "-",
        )
        for model in models
    ]
    show_table(HEADER, rows, title=f"{len(rows)} models")


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
        typer.echo(json.dumps(model.model_dump(mode="json"), indent=2, ensure_ascii=False))
        return
    show_fields(details(model))


def kinds_of_roles(model: ModelSpec) -> str:
    """How the model tells roles apart, in two words."""
    if model.adapters:
        return f"{len(model.adapters)} adapters"
    if model.control_codes:
        return f"{len(model.control_codes)} control codes"
    return "-"


def details(model: ModelSpec) -> list[tuple[str, str]]:
    """All that defines a model, as names and values in the order to print."""
    pairs = [("name", model.name), ("title", model.title), ("kind", model.kind.value)]
    if model.base is not None:
        pairs += [
            ("base", _with_revision(model.base)),
            ("pooling", model.pooling),
            ("maximum length", f"{model.max_length} tokens"),
        ]
        pairs += [(f"role {role}", _use(model, role)) for role in Role]
    pairs += [(f"setting {key}", str(value)) for key, value in model.settings.items()]
    pairs += [(f"vectors {role}", path) for role, path in model.files.items()]
    if model.kind is ModelKind.BM25:
        pairs.append(("applies to", "rankings and citation pools (it has no vectors)"))
    if model.extra:
        pairs.append(("needs", f"pip install 'scirepeval-harness[{model.extra}]'"))
    pairs += [("published as", name) for name in model.published_as]
    if model.notes:
        pairs.append(("notes", model.notes))
    return pairs


def _use(model: ModelSpec, role: Role) -> str:
    weights = model.adapters.get(role)
    return _with_revision(weights) if weights else model.use_of(role)


def _with_revision(weights: Weights) -> str:
    if weights.repo is None:
        return weights.location
    return f"{weights.repo} @ {weights.revision or 'main (the commit is recorded in results)'}"
