"""``run``: evaluate models on tasks and print the leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.display import display
from scirepeval_harness.cli.options import RESULTS, SAID, declared, flag
from scirepeval_harness.cli.output import LOG_JSON, print_fields, print_table, say, say_whole, show
from scirepeval_harness.errors import IncompleteRunError, UsageError
from scirepeval_harness.model.kinds import Pooling
from scirepeval_harness.options import Engine, Probe, Quantize, VectorPrecision
from scirepeval_harness.roles import Format

RUNS = Path("results") / "runs"
EXAMPLES = (
    "run --model specter2 --dry-run: what it needs and costs",
    "run --model specter2: the whole row",
    "run --model path/to/model --pooling mean --suite scirepeval",
    "run --model mine.toml --task search --limit 100: a quick look",
    "run --model specter2 --output results/mine --resume: goes on after Ctrl-C",
)
"""Printed below the help, each on a line of its own."""
PLAN_HEADER = ("model", "roles", "documents", "texts", "cached", "to encode", "tokens", "time")


def run_command(
    context: typer.Context,
    model: Annotated[list[str] | None, declared("models")] = None,
    suite: Annotated[list[str] | None, declared("suites")] = None,
    task: Annotated[list[str] | None, declared("tasks")] = None,
    format: Annotated[list[Format] | None, declared("formats")] = None,
    tasks_dir: Annotated[list[Path] | None, declared("tasks_dirs")] = None,
    data: Annotated[list[str] | None, declared("data")] = None,
    limit: Annotated[int | None, declared("limit")] = None,
    device: Annotated[str | None, declared("device")] = None,
    dtype: Annotated[str | None, declared("dtype")] = None,
    batch_tokens: Annotated[int | None, declared("batch_tokens")] = None,
    engine: Annotated[Engine, declared("engine")] = "local",
    ray_address: Annotated[str | None, declared("ray_address")] = None,
    workers: Annotated[int | None, declared("workers")] = None,
    pooling: Annotated[Pooling | None, declared("pooling")] = None,
    max_length: Annotated[int | None, declared("max_length")] = None,
    prompt: Annotated[list[str] | None, declared("prompts")] = None,
    normalize: Annotated[bool | None, declared("normalize")] = None,
    truncate_dim: Annotated[int | None, declared("truncate_dim")] = None,
    probe: Annotated[Probe, declared("probe")] = "exact",
    width: Annotated[VectorPrecision, declared("vector_precision")] = "float32",
    quantize: Annotated[Quantize | None, declared("quantize")] = None,
    seed: Annotated[int, declared("seed")] = 42,
    output: Annotated[Path | None, declared("output")] = None,
    cache: Annotated[Path | None, declared("cache")] = None,
    no_cache: Annotated[bool, flag(RESULTS, "Keep no vectors.", "--no-cache")] = False,
    offline: Annotated[bool, declared("offline")] = False,
    allow_missing: Annotated[bool, declared("allow_missing")] = False,
    resume: Annotated[
        bool, flag(RESULTS, "Keep finished tasks of --output, and add to them.", "--resume")
    ] = False,
    overwrite: Annotated[
        bool, flag(RESULTS, "Replace the results in --output.", "--overwrite")
    ] = False,
    only_plan: Annotated[
        bool, flag(SAID, "Say what the run would do and cost, and stop there.", "--dry-run")
    ] = False,
    quiet: Annotated[
        bool, flag(SAID, "Say failures alone, and the leaderboard.", "--quiet", "-q")
    ] = False,
    verbose: Annotated[
        bool, flag(SAID, "Say every phase with its seconds.", "--verbose", "-v")
    ] = False,
    log_json: Annotated[
        bool, flag(SAID, "One JSON object a line on standard error, errors too.", "--log-json")
    ] = False,
) -> None:
    """Evaluate models and print the leaderboard.

    With --model alone: SciRepEval and MDCR. Without any: BM25, TF-IDF and MiniLM,
    alone and with its adapters, on the packaged sample, which is synthetic.
    """
    # For the errors, which are printed where all commands end.
    context.meta[LOG_JSON] = log_json
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other", fix="Give one of them")
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other", fix="Give one of them")
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
        _show_plan(sh.plan(model or None, **what, probe=probe))
        return
    interrupted: KeyboardInterrupt | None = None
    try:
        with display(verbosity=verbose - quiet, as_json=log_json) as progress:
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
                progress=progress,
            )
    except sh.Interrupted as stop:
        results, interrupted = stop.results, stop
    for name, why in results.left_out:
        say(f"{name}: {why}")
    board = results.leaderboard() if results else None
    if board is not None and board.columns:
        say_whole(board.table.caption)
        show(board.table)
    say(f"Results: {results.folder}")
    if interrupted is not None:
        raise interrupted
    results.require_complete()


def _show_plan(plans: Any) -> None:
    """Print one line a model, a table of the ways of encoding, and what all of it costs.

    Raises:
        IncompleteRunError: tasks that could not be planned, after all the others were shown.
    """
    for plan in plans:
        say_whole(plan.summary)
    rows = [(plan.model, *space.in_words()) for plan in plans for space in plan.spaces]
    if rows:
        say("")
        print_table(PLAN_HEADER, rows, ("documents", "cached", "texts", "tokens"))
        say_whole("documents: every mention in every task; texts: distinct ones, each encoded once")
    say("")
    print_fields(plans.cost.rows())
    problems = list(dict.fromkeys(problem for plan in plans for problem in plan.problems))
    for problem in problems:
        say(f"not planned: {problem}", err=True)
    if problems:
        raise IncompleteRunError(f"{len(problems)} tasks could not be planned")
