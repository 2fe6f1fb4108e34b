"""``s2and``: the environment of S2AND's own experiment, vectors in its file form, its table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, cast

import typer

from scirepeval_harness.cli.options import AsJson, DataDir, Offline
from scirepeval_harness.cli.tables import show_table
from scirepeval_harness.errors import UsageError
from scirepeval_harness.files import s2and_dir

app = typer.Typer(
    help="S2AND's own experiment, which runs in an environment of its own.", no_args_is_help=True
)


@app.command("setup")
def set_up_environment(
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Where. Default: $SCIREPEVAL_HARNESS_S2AND.")
    ] = None,
) -> None:
    """Install the package `s2and` from PyPI; afterwards `run` scores the task s2and."""
    from scirepeval_harness.evaluations.s2and.environment import set_up

    set_up(folder or s2and_dir(), typer.echo)
    if folder is not None:
        typer.echo(f"export SCIREPEVAL_HARNESS_S2AND={folder.resolve()}")


@app.command("embed")
def embed_papers(
    model: Annotated[str, typer.Option(help="As in `run`.")],
    data: DataDir,
    output: Annotated[Path, typer.Option(help="Folder of the files.")],
    offline: Offline = False,
) -> None:
    """Write a model's vectors as S2AND's files, for `s2and run` or to use them elsewhere."""
    from scirepeval_harness.evaluations.author_disambiguation import AuthorBlocks
    from scirepeval_harness.evaluations.base import requests_of
    from scirepeval_harness.evaluations.s2and.files import write_embeddings
    from scirepeval_harness.files import cache_dir
    from scirepeval_harness.models.base import EncodeOptions, Encoder, build_model
    from scirepeval_harness.models.registry import load_models, resolve_model
    from scirepeval_harness.progress import Terminal
    from scirepeval_harness.tasks.load import DataOptions, load_task
    from scirepeval_harness.tasks.registry import load_registry
    from scirepeval_harness.vectors.encode import embed_task
    from scirepeval_harness.vectors.store import EmbeddingStore

    [(suite, task)] = load_registry().select((), ("s2and",), ())
    loaded = load_task(task, suite, DataOptions(directory=data, offline=offline))
    assert isinstance(loaded.data, AuthorBlocks)
    spec = resolve_model(model, load_models())
    if not spec.can_run(task):
        raise UsageError("the model has no vectors", where=f"model {spec.name}", fix="Use another")
    encoder = cast(Encoder, build_model(spec, EncodeOptions(None, None, None, offline)))
    requests, store = requests_of(task, loaded.data), EmbeddingStore(cache_dir())
    vectors = embed_task(task.name, requests, encoder, store, Terminal())
    for path in write_embeddings(loaded.data, vectors, output):
        typer.echo(str(path))


@app.command("run")
def run_on_files(
    embeddings: Annotated[Path, typer.Option(help="Folder that `s2and embed` wrote.")],
    data: DataDir,
    output: Annotated[Path | None, typer.Option(help="JSON file for the table.")] = None,
    train_pairs: Annotated[
        int, typer.Option(min=1, help="Pairs a data set to train on.")
    ] = 100_000,
    test_pairs: Annotated[int, typer.Option(min=1, help="Pairs a data set to tune on.")] = 10_000,
    iterations: Annotated[int, typer.Option(min=1, help="Settings tried a model.")] = 25,
    seed: Annotated[int, typer.Option(help="Of blocks, pairs and models.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Run S2AND's experiment on files of vectors and print its B-cubed table.

    The published settings are the defaults. `run --task s2and` does the same from a model, and
    writes the score to its results.
    """
    from scirepeval_harness.evaluations.s2and.evaluate import Budget, run_experiment
    from scirepeval_harness.evaluations.s2and.files import embedded_sets
    from scirepeval_harness.files import write_json
    from scirepeval_harness.progress import Terminal
    from scirepeval_harness.tasks.registry import load_registry

    if data is None:
        raise UsageError("S2AND's data is not on the hub", fix="Pass its folder with --data")
    blocks = data / (load_registry().task("s2and").local.blocks or "")
    budget = Budget(train_pairs, test_pairs, iterations, seed)
    names = embedded_sets(embeddings, blocks)
    table = run_experiment(
        blocks, embeddings, names, s2and_dir(), budget=budget, say=Terminal().say
    )
    found = table.model_dump(mode="json")
    if output is not None:
        write_json(output, found)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    cells = {(cell.source, cell.target): f"{100 * cell.f1:.1f}" for cell in table.b3}
    sources = dict.fromkeys(cell.source for cell in table.b3)
    rows = [[source, *(cells[source, target] for target in names)] for source in sources]
    show_table(["trained on", *names], rows)
    typer.echo(f"mean of the {len(cells)} B-cubed F1 values: {100 * table.mean:.2f}")
    for part, why in table.left_out.items():
        typer.echo(f"left out: {part} ({why})")
