"""``s2and``: the environment of S2AND's own experiment, vectors in its file form, its table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.display import display
from scirepeval_harness.cli.options import AsJson, DataDir, Offline
from scirepeval_harness.cli.output import print_json, print_table, say

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
    place = sh.s2and.set_up(folder, say=say)
    if folder is not None:
        say(f"export SCIREPEVAL_HARNESS_S2AND={place.resolve()}")


@app.command("embed")
def embed_papers(
    model: Annotated[str, typer.Option(help="As in `run`.")],
    output: Annotated[Path, typer.Option(help="Folder of the files.")],
    data: DataDir = None,
    offline: Offline = False,
) -> None:
    """Write a model's vectors as S2AND's files, for `s2and run` or to use them elsewhere."""
    with display() as progress:
        for path in sh.s2and.embed(model, output, data=data, offline=offline, progress=progress):
            say(str(path))


@app.command("run")
def run_on_files(
    embeddings: Annotated[Path, typer.Option(help="Folder that `s2and embed` wrote.")],
    data: DataDir = None,
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
    table = sh.s2and.run(
        embeddings,
        data=data,
        output=output,
        train_pairs=train_pairs,
        test_pairs=test_pairs,
        iterations=iterations,
        seed=seed,
        progress=sh.Terminal(),
    )
    if as_json:
        print_json(table.model_dump(mode="json"))
        return
    cells = {(cell.source, cell.target): f"{100 * cell.f1:.1f}" for cell in table.b3}
    sources = dict.fromkeys(cell.source for cell in table.b3)
    targets = list(dict.fromkeys(cell.target for cell in table.b3))
    rows = [[source, *(cells[source, target] for target in targets)] for source in sources]
    print_table(["trained on", *targets], rows)
    say(f"mean of the {len(cells)} B-cubed F1 values: {100 * table.mean:.2f}")
    for part, why in table.left_out.items():
        say(f"left out: {part} ({why})")
