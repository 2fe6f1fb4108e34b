"""``mdcr``: scores in the benchmark's exchange form, written from a model, scored from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scirepeval_harness.cli.options import AsJson, DataDir, Offline, TasksDir
from scirepeval_harness.cli.tables import show_table
from scirepeval_harness.errors import UsageError
from scirepeval_harness.models.kinds import Pooling
from scirepeval_harness.options import VectorPrecision
from scirepeval_harness.tasks.registry import load_registry
from scirepeval_harness.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from scirepeval_harness.evaluations.base import Outcome
    from scirepeval_harness.evaluations.citation_pools import CitationPools


app = typer.Typer(
    help='Write and score files in MDCR\'s exchange form, {"query_candidate": score}.',
    no_args_is_help=True,
)
Task = Annotated[str, typer.Option("--task", help="A task of candidate pools.")]
MEAN = "mean of the fields"


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
    pooling: Annotated[Pooling | None, typer.Option(help="For models not registered.")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=2, help="Tokens a text, for models not registered.")
    ] = None,
    width: Annotated[VectorPrecision, typer.Option(help="As in `run`.")] = "float32",
    cache: Annotated[Path | None, typer.Option(help="As in `run`.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no vectors.")] = False,
    offline: Offline = False,
) -> None:
    """Score every pair of the pools with a model, for the benchmark's own script or `mdcr score`.

    Higher is better: minus the Euclidean distance of the vectors, or the score of a lexical model.
    """
    from scirepeval_harness.evaluations.exchange import write_scores
    from scirepeval_harness.files import cache_dir
    from scirepeval_harness.models.base import EncodeOptions, build_model
    from scirepeval_harness.models.registry import load_models, resolve_model
    from scirepeval_harness.progress import Terminal
    from scirepeval_harness.run.task import score_pairs
    from scirepeval_harness.vectors.store import open_store

    own, pools = _load(task, tasks_dir, data, offline)
    spec = resolve_model(model, load_models(), pooling=pooling, max_length=max_length)
    built = build_model(
        spec, EncodeOptions(device=device, dtype=dtype, batch_tokens=batch_tokens, offline=offline)
    )
    with open_store(None if no_cache else cache or cache_dir()) as store:
        run = score_pairs(own, pools, built, store, width=width, progress=Terminal())
    write_scores(output, run)
    typer.echo(f"{sum(map(len, run.values()))} pairs of {len(run)} queries: {output}")


@app.command("score")
def score_command(
    scores: Annotated[Path, typer.Argument(help="A file in the exchange form.")],
    data: DataDir = None,
    task: Task = "mdcr",
    tasks_dir: TasksDir = None,
    as_json: AsJson = False,
) -> None:
    """Print map, ndcg and recall_5 of a file of scores, a field a line, and the fields' mean."""
    from scirepeval_harness.evaluations.citation_pools import evaluate_citation_pools
    from scirepeval_harness.evaluations.exchange import exchange_scorer

    own, pools = _load(task, tasks_dir, data, offline=True)
    outcome = evaluate_citation_pools(own, pools, exchange_scorer(scores, pools))
    table = _by_field(outcome)
    if as_json:
        typer.echo(json.dumps(table, indent=2, ensure_ascii=False))
        return
    rows = [
        [field, *(f"{values[metric]:.4f}" for metric in own.metrics)]
        for field, values in table.items()
    ]
    show_table(["field", *own.metrics], rows)


def _load(
    name: str, tasks_dir: list[Path] | None, data: Path | None, offline: bool
) -> tuple[TaskSpec, CitationPools]:
    """A task of candidate pools with its data; raises UsageError for a task of another kind."""
    from scirepeval_harness.evaluations.citation_pools import CitationPools
    from scirepeval_harness.tasks.load import DataOptions, load_task

    registry = load_registry(tasks_dir or ())
    task = registry.task(name)
    if task.evaluation != "citation_pools":
        raise UsageError(
            f"the task has no candidate pools, it is scored by {task.evaluation}",
            where=f"task {name}",
            fix="Give a task with evaluation = 'citation_pools'",
        )
    loaded = load_task(task, registry.home(name), DataOptions(directory=data, offline=offline))
    assert isinstance(loaded.data, CitationPools)
    return task, loaded.data


def _by_field(outcome: Outcome) -> dict[str, dict[str, float]]:
    """Scores x 100 by field and metric; the mean of the fields comes last."""
    table: dict[str, dict[str, float]] = {}
    for score in outcome.scores:
        table.setdefault(score.field or MEAN, {})[score.metric] = score.value
    mean = table.pop(MEAN)
    return table | {MEAN: mean}
