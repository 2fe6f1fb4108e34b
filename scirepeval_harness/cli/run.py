"""``run``: evaluate models on tasks and print the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scirepeval_harness.cli.options import DataDir, Offline, TasksDir
from scirepeval_harness.errors import UsageError
from scirepeval_harness.models.spec import Pooling
from scirepeval_harness.options import Engine, Probe, RunOptions, Width
from scirepeval_harness.roles import Format
from scirepeval_harness.tasks.spec import S2AND_METRIC, TaskSpec

if TYPE_CHECKING:
    from scirepeval_harness.run.resources import Selection


DEFAULT_MODELS = ("bm25", "tfidf", "minilm")
DEFAULT_SUITE = "sample"
BENCHMARK = ("scirepeval", "mdcr")


def run_command(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="A registered name (`models list`), NAME@REVISION, a model file (.toml), a local "
            "folder, a hub id, a file of vectors, or TITLE=ANY-OF-THESE. May be repeated.",
            metavar="NAME",
        ),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="scirepeval, mdcr, sample or your own. May be repeated."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this task. May be repeated.")
    ] = None,
    format: Annotated[
        list[Format] | None,
        typer.Option(metavar="|".join(Format), help="Only tasks of this format. May be repeated."),
    ] = None,
    tasks_dir: TasksDir = None,
    data: DataDir = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many queries, or rows a split.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:0,cuda:1, mps. Default: the best there is.")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16, float16, or native: bfloat16 if the device has it."),
    ] = None,
    batch_tokens: Annotated[int | None, typer.Option(min=1, help="Padded tokens a batch.")] = None,
    engine: Annotated[
        Engine, typer.Option(help="local, or ray: encode and fit probes on a Ray cluster.")
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(help="auto or HOST:6379. Default: RAY_ADDRESS, else Ray on this machine."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Models in the cluster. Default: one a GPU, else one a machine."),
    ] = None,
    pooling: Annotated[Pooling | None, typer.Option(help="For models not registered.")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=2, help="Tokens a text, for models not registered.")
    ] = None,
    probe: Annotated[
        Probe,
        typer.Option(
            help="reference: scikit-learn, as the protocol says; exact: its steps compiled; "
            "fast: the same fits in torch."
        ),
    ] = "reference",
    width: Annotated[
        Width, typer.Option(help="float16 rounds vectors as the published code did.")
    ] = "float32",
    seed: Annotated[int, typer.Option(help="Of probes, draws and intervals.")] = 42,
    output: Annotated[
        Path | None, typer.Option(help="Result folder. Default: results/runs/SUITE-TIME.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of the vectors kept between runs.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no vectors.")] = False,
    offline: Offline = False,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Score what is there; coverage stands beside it."),
    ] = False,
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
    from scirepeval_harness.cli.finish import show_plan, show_results
    from scirepeval_harness.files import cache_dir
    from scirepeval_harness.models.registry import load_models, resolve_model
    from scirepeval_harness.results.folder import load_results
    from scirepeval_harness.run.plan import dry_run
    from scirepeval_harness.run.run import run
    from scirepeval_harness.tasks.registry import load_registry

    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other", fix="Give one of them")
    if engine == "local" and (ray_address or workers):
        raise UsageError(
            "--ray-address and --workers belong to --engine ray", fix="Add --engine ray"
        )
    registry = load_registry(tasks_dir or ())
    bundled = set(load_registry().suites)
    own = [name for name in registry.suites if name not in bundled]
    default = () if task else own or (BENCHMARK if model else (DEFAULT_SUITE,))
    chosen = registry.select(suite or default, task or (), format or ())
    selection, left_out = _split_author_tasks(chosen, data, task or ())
    models = load_models()
    specs = [
        resolve_model(text, models, pooling=pooling, max_length=max_length)
        for text in (model or DEFAULT_MODELS)
    ]
    suites = list(dict.fromkeys(suite_spec.name for suite_spec, _ in selection))
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    options = RunOptions(
        output=output or Path("results") / "runs" / f"{'+'.join(suites)}-{stamp}",
        cache=None if no_cache else cache or cache_dir(),
        data=data,
        offline=offline,
        allow_missing=allow_missing,
        limit=limit,
        seed=seed,
        probe=probe,
        width=width,
        device=device,
        dtype=dtype,
        batch_tokens=batch_tokens,
        engine=engine,
        ray_address=ray_address,
        workers=workers,
        existing="resume" if resume else "overwrite" if overwrite else "refuse",
    )
    if only_plan:
        show_plan(dry_run(specs, selection, options))
        return
    arguments = {
        "models": list(model or DEFAULT_MODELS),
        "pooling": pooling,
        "max_length": max_length,
        "tasks_dirs": [str(path) for path in tasks_dir or ()],
        "suites": suites,
        "tasks": task or [],
        "formats": [str(name) for name in format or ()],
        "data": str(data) if data else None,
        "device": device,
        "dtype": dtype,
        "batch_tokens": batch_tokens,
        "engine": engine,
        "workers": workers,
        "offline": offline,
        **options.scoring(),
    }
    folders = run(specs, selection, options, arguments)
    for name, why in left_out:
        typer.echo(f"{name}: {why}")
    show_results(
        load_results(folders) if folders else (),
        [registry.suite(name) for name in suites],
        registry.tasks,
        options.output,
    )


def _split_author_tasks(
    selection: Selection, data: Path | None, named: Sequence[str]
) -> tuple[Selection, list[tuple[str, str]]]:
    """Without the tasks that S2AND's own package would have to score and cannot, and why.

    Its pairwise model and clusterer are trained by that package; a score of another method under
    the same name would enter the published average. Its data is on no hub, so a run that reads the
    other tasks from there does not fail for it unless it is ``named``.
    """
    from scirepeval_harness.evaluations.s2and.environment import is_ready
    from scirepeval_harness.files import s2and_dir

    ready, kept, left_out = is_ready(s2and_dir()), [], []
    for suite, task in selection:
        own = S2AND_METRIC in task.metrics
        if own and not ready:
            left_out.append((task.name, "needs S2AND's own package (`s2and setup`), left out"))
        elif own and task.name not in named and not _is_there(task, data):
            left_out.append((task.name, "its data is not on the hub (--data), left out"))
        else:
            kept.append((suite, task))
    return kept, left_out


def _is_there(task: TaskSpec, data: Path | None) -> bool:
    return data is not None and (data / (task.local.blocks or "")).is_dir()
