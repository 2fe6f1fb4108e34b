"""``s2and``: the environment of S2AND's own experiment, and vectors in its file form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from scirepeval_harness.cli.options import DataDir, Offline
from scirepeval_harness.errors import UsageError
from scirepeval_harness.paths import s2and_dir

app = typer.Typer(
    help="Prepare S2AND, which runs in an environment of its own.", no_args_is_help=True
)


@app.command("setup")
def set_up_environment(
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Where. Default: $SCIREPEVAL_HARNESS_S2AND.")
    ] = None,
) -> None:
    """Install the package `s2and` from PyPI; afterwards `run` scores the task s2and."""
    from scirepeval_harness.s2and.environment import set_up

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
    """Write a model's vectors as S2AND's files, to run its experiment elsewhere."""
    from scirepeval_harness.data.load import DataOptions, load_task
    from scirepeval_harness.data.records import AuthorBlocks
    from scirepeval_harness.encoders.base import Encoder
    from scirepeval_harness.encoders.build import EncodeOptions, build_model
    from scirepeval_harness.encoding.store import EmbeddingStore
    from scirepeval_harness.paths import cache_dir
    from scirepeval_harness.runner.progress import progress_bar
    from scirepeval_harness.runner.scoring import encode_task
    from scirepeval_harness.s2and.exchange import write_embeddings
    from scirepeval_harness.specs.models import load_models, resolve_model
    from scirepeval_harness.specs.registry import load_registry

    [(suite, task)] = load_registry().select((), ("s2and",), ())
    loaded = load_task(task, suite, DataOptions(directory=data, offline=offline))
    assert isinstance(loaded.data, AuthorBlocks)
    spec = resolve_model(model, load_models())
    if not spec.can_run(task):
        raise UsageError("the model has no vectors", where=f"model {spec.name}", fix="Use another")
    encoder = cast(Encoder, build_model(spec, EncodeOptions(None, None, None, offline)))
    encoded = encode_task(task, loaded.data, encoder, EmbeddingStore(cache_dir()), progress_bar)
    for path in write_embeddings(loaded.data, encoded.table, output):
        typer.echo(str(path))
