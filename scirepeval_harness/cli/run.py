"""``run``: evaluate models on tasks and print the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import DataDir, TasksDir, declared
from scirepeval_harness.cli.output import print_table, say, show
from scirepeval_harness.errors import IncompleteRunError, UsageError
from scirepeval_harness.model.kinds import Pooling
from scirepeval_harness.options import Engine, Probe, Quantize, VectorPrecision
from scirepeval_harness.roles import Format

RUNS = Path("results") / "runs"
PLAN_HEADER = ("model", "roles", "documents", "texts", "cached", "to encode", "tokens", "time")


def run_command(
    model: Annotated[list[str] | None, declared("models", metavar="NAME")] = None,
    suite: Annotated[list[str] | None, declared("suites", metavar="NAME")] = None,
    task: Annotated[list[str] | None, declared("tasks", metavar="NAME")] = None,
    format: Annotated[list[Format] | None, declared("formats", metavar="|".join(Format))] = None,
    tasks_dir: TasksDir = None,
    data: DataDir = None,
    limit: Annotated[int | None, declared("limit")] = None,
    device: Annotated[str | None, declared("device")] = None,
    dtype: Annotated[str | None, declared("dtype")] = None,
    batch_tokens: Annotated[int | None, declared("batch_tokens")] = None,
    engine: Annotated[Engine, declared("engine")] = "local",
    ray_address: Annotated[str | None, declared("ray_address")] = None,
    workers: Annotated[int | None, declared("workers")] = None,
    pooling: Annotated[Pooling | None, declared("pooling")] = None,
    max_length: Annotated[int | None, declared("max_length")] = None,
    prompt: Annotated[list[str] | None, declared("prompts", metavar="USE=TEXT")] = None,
    normalize: Annotated[bool | None, declared("normalize")] = None,
    truncate_dim: Annotated[int | None, declared("truncate_dim")] = None,
    probe: Annotated[Probe, declared("probe")] = "exact",
    width: Annotated[VectorPrecision, declared("vector_precision")] = "float32",
    quantize: Annotated[Quantize | None, declared("quantize")] = None,
    seed: Annotated[int, declared("seed")] = 42,
    output: Annotated[Path | None, declared("output")] = None,
    cache: Annotated[Path | None, declared("cache")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no vectors.")] = False,
    offline: Annotated[bool, declared("offline")] = False,
    allow_missing: Annotated[bool, declared("allow_missing")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep finished tasks of --output, and add to them.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results in --output.")
    ] = False,
    only_plan: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be encoded, and stop there.")
    ] = False,
) -> None:
    """Evaluate models and print the leaderboard.

    Without arguments: BM25, TF-IDF and MiniLM on the packaged sample, which is synthetic. With
    --model alone: SciRepEval and MDCR.
    """
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other", fix="Give one of them")
    what: dict[str, Any] = {
        "suite": suite,
        "tasks": task,
        "formats": format,
        "tasks_dirs": tasks_dir or (),
        "data": data,
        "cache": None if no_cache else cache or "default",
        "limit": limit,
        "seed": seed,
        "allow_missing": allow_missing,
        "offline": offline,
        "device": device,
        "dtype": dtype,
        "batch_tokens": batch_tokens,
        "pooling": pooling,
        "max_length": max_length,
        "prompts": prompt or (),
        "normalize": normalize,
        "truncate_dim": truncate_dim,
    }
    if only_plan:
        _show_plan(sh.plan(model or None, **what))
        return
    interrupted: KeyboardInterrupt | None = None
    try:
        results = sh.evaluate(
            model or None,
            **what,
            engine=engine,
            ray_address=ray_address,
            workers=workers,
            probe=probe,
            vector_precision=width,
            quantize=quantize,
            output=output,
            runs=None if output else RUNS,
            existing="resume" if resume else "overwrite" if overwrite else "refuse",
            progress=sh.Terminal(),
        )
    except sh.Interrupted as stop:
        results, interrupted = stop.results, stop
    for name, why in results.left_out:
        say(f"{name}: {why}")
    board = results.leaderboard() if results else None
    if board is not None and board.columns:
        say(board.table.caption)
        show(board.table)
    say(f"Results: {results.folder}")
    if interrupted is not None:
        raise interrupted
    results.require_complete()


def _show_plan(plans: Sequence[Any]) -> None:
    """Print one line a model, then a table of the ways of encoding.

    Raises:
        IncompleteRunError: tasks that could not be planned, after all the others were shown.
    """
    for plan in plans:
        say(plan.summary)
    rows = [(plan.model, *space.in_words()) for plan in plans for space in plan.spaces]
    if rows:
        say("")
        print_table(PLAN_HEADER, rows, ("documents", "cached", "texts", "tokens"))
        say("documents: every mention in every task; texts: distinct ones, each encoded once")
    problems = list(dict.fromkeys(problem for plan in plans for problem in plan.problems))
    for problem in problems:
        say(f"not planned: {problem}", err=True)
    if problems:
        raise IncompleteRunError(f"{len(problems)} tasks could not be planned")
