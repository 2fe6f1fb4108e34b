"""``mdcr``: scores in the benchmark's exchange form, written from a model, scored from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.display import display
from scirepeval_harness.cli.options import AsJson, DataDir, Offline, TasksDir, either
from scirepeval_harness.cli.output import print_json, print_table, say
from scirepeval_harness.model.kinds import Pooling
from scirepeval_harness.options import Quantize, VectorPrecision

app = typer.Typer(
    help='Write and score files in MDCR\'s exchange form, {"query_candidate": score}.',
    no_args_is_help=True,
)
Task = Annotated[str, typer.Option("--task", help="A task of candidate pools.")]


@app.command("write-scores")
def write_scores_command(
    model: Annotated[str, typer.Option("--model", help="As in `run`.")],
    output: Annotated[Path, typer.Option("--output", help="The JSON file to write.")],
    data: DataDir = None,
    task: Task = "mdcr",
    tasks_dir: TasksDir = None,
    device: Annotated[str | None, typer.Option(help="As in `run`.")] = None,
    dtype: Annotated[str | None, typer.Option(help="As in `run`.")] = None,
    batch_tokens: Annotated[int | None, typer.Option(min=1, help="As in `run`.")] = None,
    pooling: Annotated[
        Pooling | None,
        typer.Option(metavar="POOLING", help=f"Of models not registered: {either(Pooling)}."),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=2, help="Tokens a text, for models not registered.")
    ] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="As in `run`.")] = None,
    normalize: Annotated[bool | None, typer.Option("--normalize", help="As in `run`.")] = None,
    truncate_dim: Annotated[int | None, typer.Option(min=1, help="As in `run`.")] = None,
    width: Annotated[VectorPrecision, typer.Option(help="As in `run`.")] = "float32",
    quantize: Annotated[Quantize | None, typer.Option(help="As in `run`.")] = None,
    cache: Annotated[Path | None, typer.Option(help="As in `run`.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no vectors.")] = False,
    offline: Offline = False,
) -> None:
    """Score every pair of the pools with a model, for the benchmark's own script or `mdcr score`.

    Higher is better: minus the Euclidean distance of the vectors, or the score of a lexical model
    or of an ensemble of scores.
    """
    with display() as progress:
        written = sh.mdcr.write_scores(
            model,
            output,
            data=data,
            task=task,
            tasks_dirs=tasks_dir or (),
            device=device,
            dtype=dtype,
            batch_tokens=batch_tokens,
            pooling=pooling,
            max_length=max_length,
            prompts=prompt or (),
            normalize=normalize,
            truncate_dim=truncate_dim,
            vector_precision=width,
            quantize=quantize,
            cache=None if no_cache else cache or "default",
            offline=offline,
            progress=progress,
        )
    say(f"{written.pairs} pairs of {written.queries} queries: {written.path}")


@app.command("score")
def score_command(
    scores: Annotated[Path, typer.Argument(help="A file in the exchange form.")],
    data: DataDir = None,
    task: Task = "mdcr",
    tasks_dir: TasksDir = None,
    as_json: AsJson = False,
) -> None:
    """Print map, ndcg and recall_5 of a file of scores, a field a line, and the fields' mean."""
    table = sh.mdcr.score(scores, data=data, task=task, tasks_dirs=tasks_dir or ())
    if as_json:
        print_json(table)
        return
    metrics = list(next(iter(table.values())))
    rows = [
        [field, *(f"{values[metric]:.4f}" for metric in metrics)] for field, values in table.items()
    ]
    print_table(["field", *metrics], rows)
