"""Evaluating models: choosing tasks, planning, running, and downloading ahead of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scirepeval_harness.api.results import PathLike, Results, as_list, formats_of
from scirepeval_harness.errors import UsageError
from scirepeval_harness.evaluations.base import evaluation_of
from scirepeval_harness.files import cache_dir, working_folder, write_text
from scirepeval_harness.model.prompts import Prompts, parse_prompts, prompt_words
from scirepeval_harness.options import (
    Choices,
    Engine,
    Existing,
    Probe,
    Quantize,
    RunOptions,
    VectorPrecision,
)
from scirepeval_harness.progress import SILENT
from scirepeval_harness.roles import Role
from scirepeval_harness.schema import unknown
from scirepeval_harness.task.draw import require_one_scale
from scirepeval_harness.task.places import Data, Places, check_names, place_of, read_places
from scirepeval_harness.task.registry import Registry, load_registry
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec

if TYPE_CHECKING:
    from scirepeval_harness.model.kinds import Pooling
    from scirepeval_harness.model.spec import ModelSpec
    from scirepeval_harness.progress import Progress
    from scirepeval_harness.run.plan import RunPlan

# The base beside the base with the matching adapter, and with one adapter for all roles.
DEFAULT_MODELS = ("bm25", "tfidf", "minilm", "minilm-adapters", "minilm-one-adapter")
DEFAULT_SUITE = "sample"
BENCHMARK = ("scirepeval", "mdcr")
Names = str | Sequence[str] | None
Selection = Sequence[tuple[SuiteSpec, TaskSpec]]
Cache = PathLike | Literal["default"] | None


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during `evaluate`. ``results`` holds what was finished, which is kept.

    Example:
        >>> import scirepeval_harness as sh
        >>> try:
        ...     results = sh.evaluate("tfidf", suite="sample", tasks="sample-search", cache=None)
        ... except sh.Interrupted as stop:
        ...     results = stop.results
        >>> results.complete
        True
    """

    def __init__(self, results: Results, total: int) -> None:
        finished = sum(r.status == "ok" for own in results.values() for r in own.tasks.values())
        super().__init__(
            f"Interrupted: {finished} of {total} tasks are finished. To go on, repeat the command "
            f"with --output {results.folder} --resume"
        )
        self.results = results


@dataclass(frozen=True)
class Choice:
    """What is to be run: models, tasks with their suites, and what is not and why."""

    models: tuple[ModelSpec, ...]
    names: tuple[str, ...]
    selection: Selection
    left_out: tuple[tuple[str, str], ...]
    registry: Registry
    places: Places
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def suites(self) -> list[str]:
        return list(dict.fromkeys(suite.name for suite, _ in self.selection))


def evaluate(
    models: Any = None,
    *,
    suite: Names = None,
    tasks: Names = None,
    formats: Names = None,
    tasks_dirs: Sequence[PathLike] = (),
    data: Data = None,
    output: PathLike | None = None,
    runs: PathLike | None = None,
    existing: Existing = "refuse",
    cache: Cache = "default",
    probe: Probe = "exact",
    vector_precision: VectorPrecision = "float32",
    quantize: Quantize | None = None,
    limit: int | None = None,
    seed: int = 42,
    allow_missing: bool = False,
    offline: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    batch_tokens: int | None = None,
    pooling: Pooling | None = None,
    max_length: int | None = None,
    prompts: Prompts | Sequence[str] = (),
    normalize: bool | None = None,
    truncate_dim: int | None = None,
    engine: Engine = "local",
    ray_address: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Results:
    """Evaluate models on tasks. A task that fails does not stop the others.

    Args:
        models: one or several of: a registered name (`models()`), NAME@REVISION, a model file, a
            local folder, a hub id, a file of vectors, an object with ``encode`` (see
            `EncoderObject`); or a mapping from titles to any of these. None for BM25, TF-IDF and
            MiniLM (alone, with the matching adapters, with one adapter for all roles) on the
            packaged sample, which is synthetic.
        suite: one or several suites. None for those of ``tasks`` or of ``tasks_dirs``, else
            SciRepEval and MDCR.
        tasks, formats: only these tasks, or tasks of these formats.
        tasks_dirs: folders of your own task files.
        data: read data from this folder, or, as a mapping, that of a suite or task from its own;
            what is named nowhere comes with its suite, from the hub or by download.
        output: folder of the results, one folder a model in it. None keeps them as long as the
            returned object lives.
        runs: instead of ``output``, a folder in which one named by suites and time is made.
        existing: what to do with results that are there: ``refuse``, ``resume``, ``overwrite``.
        cache: folder of the vectors kept between runs; None keeps none.
        probe: ``exact`` (scikit-learn's steps in machine code), ``sklearn`` or ``fast``.
        vector_precision: ``float16`` rounds vectors as the published code did.
        quantize: ``int8`` or ``binary`` scores vectors as a cheap index keeps them.
        limit: at most so many queries, or rows a split.
        seed: of probes, draws and intervals.
        allow_missing: score what is there; coverage stands beside the score.
        offline: never open a connection.
        device, dtype, batch_tokens: how to encode; None lets the machine decide.
        pooling, max_length: of models that are not registered.
        prompts: templates around a text by use, such as ``{"query": "query: {text}"}``, or words
            such as ``query=query: {text}``: of a role, of the ``candidate`` documents of a search,
            or of every ``document``; a model's own prompts hold for the others. Fields are
            ``{text}``, ``{title}`` and ``{abstract}``.
        normalize: scale vectors to length 1.
        truncate_dim: keep so many first dimensions of each vector.
        engine, ray_address, workers: ``ray`` encodes and fits probes on a Ray cluster.
        progress: where progress is shown; None for nowhere.

    Returns:
        Results by model name. ``unfinished`` lists tasks that failed, ``require_complete()``
        raises where there are any, ``left_out`` says what was not run.

    Raises:
        UsageError: no such name, folder or combination of options; results that are there.
        HarnessError: a model that cannot be built; an engine that is not there.
        IncompleteRunError: results cannot be written.
        Interrupted: Ctrl-C, after what was finished has been written.

    Example:
        >>> import scirepeval_harness as sh
        >>> results = sh.evaluate("tfidf", suite="sample", tasks="sample-search", cache=None)
        >>> results["tfidf"].scores[["task", "metric"]].values.tolist()
        [['sample-search', 'ndcg']]
    """
    if engine == "local" and (ray_address or workers):
        raise UsageError(
            "--ray-address and --workers belong to --engine ray", fix="Add --engine ray"
        )
    chosen = choose(
        models,
        suite=suite,
        tasks=tasks,
        formats=formats,
        tasks_dirs=tasks_dirs,
        data=data,
        pooling=pooling,
        max_length=max_length,
        prompts=parse_prompts(prompts),
        normalize=normalize,
        truncate_dim=truncate_dim,
    )
    say = progress or SILENT
    count, models_said = len(chosen.selection), ", ".join(spec.name for spec in chosen.models)
    say.tell(
        "start",
        f"{models_said} on {', '.join(chosen.suites)}: {count} task{'s' if count != 1 else ''}",
        models=[spec.name for spec in chosen.models],
        suites=chosen.suites,
        tasks=[task.name for _, task in chosen.selection],
    )
    for name, why in (*chosen.left_out, *chosen.refused):
        say.say(f"the row will lack {name}: {why.removesuffix(', left out')}")
    # After the first line: these take seconds to load, and silence looks like nothing happened.
    from scirepeval_harness.model.weights import as_read
    from scirepeval_harness.results.folder import load_results
    from scirepeval_harness.run.arrival import arrive
    from scirepeval_harness.run.cost import Cost, absent_tasks, wanted
    from scirepeval_harness.run.loading import task_loader
    from scirepeval_harness.run.loop import RunInterrupted, run
    from scirepeval_harness.task.sources import Opened

    missing: list[tuple[str, str]] = []
    opened = Opened()

    def announce() -> None:
        if not offline:
            # What a repository holds decides which of its files are needed.
            specs = [as_read(spec, offline=False) for spec in chosen.models]
            absent = absent_tasks(chosen.selection, chosen.places)
            if found := wanted(specs, chosen.selection, absent, ask=True):
                say.say(f"to download: {Cost(tuple(found)).downloads_in_words}")

    def arrived(selection: Selection) -> Selection:
        named = as_list(tasks)
        kept, lost = arrive(
            selection, chosen.places, named=named, offline=offline, progress=say, opened=opened
        )
        missing.extend(lost)
        return kept

    folder, temporary = _folder(output, runs, chosen.suites)
    options = RunOptions(
        output=folder,
        cache=resolve_cache(cache),
        data=tuple(chosen.places.items()),
        offline=offline,
        allow_missing=allow_missing,
        limit=limit,
        seed=seed,
        probe=probe,
        vector_precision=vector_precision,
        quantize=quantize,
        device=device,
        dtype=dtype,
        batch_tokens=batch_tokens,
        engine=engine,
        ray_address=ray_address,
        workers=workers,
        existing=existing,
    )
    arguments = options.arguments(
        Choices(
            models=chosen.names,
            suites=tuple(chosen.suites),
            tasks=tuple(as_list(tasks)),
            formats=tuple(map(str, as_list(formats))),
            tasks_dirs=tuple(map(str, tasks_dirs)),
            pooling=pooling,
            max_length=max_length,
            prompts=prompt_words(prompts),
            normalize=normalize,
            truncate_dim=truncate_dim,
        )
    )
    interrupted = False
    try:
        with task_loader(options, opened) as loader:
            folders = run(
                chosen.models, chosen.selection, options, arguments, say, arrived,
                chosen.registry.tasks, loader, announce,
            )  # fmt: skip
    except RunInterrupted as stop:
        folders, interrupted = stop.folders, True
    results = Results(
        load_results(folders),
        chosen.registry,
        folder=folder,
        left_out=(*chosen.left_out, *missing, *chosen.refused),
        refused=[name for name, _ in chosen.refused],
        suites=chosen.suites,
        temporary=temporary,
    )
    # The rows hold intervals for the CSV; the markdown leaves them out.
    board = results.leaderboard(intervals=True) if results else None
    if board is not None and board.columns:
        write_text(folder / "leaderboard.md", replace(board, intervals=False).to_markdown())
        write_text(folder / "leaderboard.csv", board.to_csv())
    if interrupted:
        every = {
            (spec.name, task.name)
            for spec in chosen.models
            for _, task in chosen.selection
            if spec.can_run(task)
        }
        every |= {(name, task) for name, result in results.items() for task in result.tasks}
        raise Interrupted(results, len(every))
    return results


def plan(
    models: Any = None,
    *,
    suite: Names = None,
    tasks: Names = None,
    formats: Names = None,
    tasks_dirs: Sequence[PathLike] = (),
    data: Data = None,
    cache: Cache = "default",
    limit: int | None = None,
    seed: int = 42,
    allow_missing: bool = False,
    offline: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    batch_tokens: int | None = None,
    pooling: Pooling | None = None,
    max_length: int | None = None,
    prompts: Prompts | Sequence[str] = (),
    normalize: bool | None = None,
    truncate_dim: int | None = None,
    probe: Probe = "exact",
) -> RunPlan:
    """What `evaluate` would encode with the same arguments: reads data and the store, writes and
    downloads nothing, loads tokenizers and no weights. The hub is asked for sizes, unless offline.

    Returns:
        For each model its texts by way of encoding: distinct ones, those in the store, tokens,
        and seconds where an earlier run measured a rate; ``problems`` names what cannot be planned.
        ``cost`` is what all of it needs: downloads, time, disk, memory, and what will be left out.

    Raises:
        UsageError, HarnessError: as `evaluate`.

    Example:
        >>> import scirepeval_harness as sh
        >>> (tfidf,) = sh.plan("tfidf", suite="sample", tasks="sample-search")
        >>> tfidf.way, tfidf.problems
        ('fit', ())
    """
    from scirepeval_harness.run.plan import dry_run

    chosen = choose(
        models,
        suite=suite,
        tasks=tasks,
        formats=formats,
        tasks_dirs=tasks_dirs,
        data=data,
        pooling=pooling,
        max_length=max_length,
        prompts=parse_prompts(prompts),
        normalize=normalize,
        truncate_dim=truncate_dim,
    )
    options = RunOptions(
        output=Path(),
        cache=resolve_cache(cache),
        data=tuple(chosen.places.items()),
        offline=offline,
        allow_missing=allow_missing,
        limit=limit,
        seed=seed,
        device=device,
        dtype=dtype,
        batch_tokens=batch_tokens,
        probe=probe,
    )
    lacks = [f"{name}: {why}" for name, why in (*chosen.left_out, *chosen.refused)]
    return dry_run(chosen.models, chosen.selection, options, lacks)


def fetch(
    models: Any = (),
    *,
    suite: Names = None,
    tasks: Names = None,
    tasks_dirs: Sequence[PathLike] = (),
    progress: Progress | None = None,
) -> Iterator[Fetched]:
    """Download the models and the data that a later run without a network needs.

    Returns:
        What was fetched, one after another as it arrives: iterate to make it happen.

    Raises:
        UsageError: nothing is named.
        OfflineError: the hub or an address does not answer.

    Example:
        >>> import scirepeval_harness as sh
        >>> [(part.name, part.revision) for part in sh.fetch(tasks="sample-search")]
        [('sample-search', None)]
    """
    from scirepeval_harness.model.base import fetch_model
    from scirepeval_harness.run.arrival import fetch_task

    specs, _ = _models(models) if models else ((), ())
    if not (specs or suite or tasks):
        raise UsageError("nothing to fetch", fix="Give --model, --suite or --task")
    selection: Selection = ()
    if suite or tasks:
        registry = load_registry([Path(path) for path in tasks_dirs])
        selection = registry.select(as_list(suite), as_list(tasks), ())
    for spec in specs:
        for part in fetch_model(spec):
            yield Fetched(part.location, part.revision, part.folder)
    for own, task in selection:
        revision, folder = fetch_task(own, task, progress or SILENT)
        yield Fetched(task.name, revision, folder)


@dataclass(frozen=True)
class Fetched:
    """A repository of a model with its folder, or the data of a task: of its hub's tables the
    ``revision``, of a download the ``folder``, of what ships with its suite neither."""

    name: str
    revision: str | None
    folder: Path | None


def export_merged(model: Any, role: Role | str, output: PathLike, *, offline: bool = False) -> Path:
    """Write one role of a model, base and adapter, as a folder for ``SentenceTransformer(folder)``.

    Args:
        model: as for `evaluate`: a transformer, with seq_bn adapters or without.
        role: ``classification``, ``regression``, ``proximity`` or ``query``.
        output: a new folder.

    Returns:
        The folder.

    Raises:
        UnknownNameError: no such role or model.
        ModelError: a folder that is there, or a model that the form cannot express.
        OfflineError, MissingExtraError: weights or libraries that are not here.

    Example:
        >>> import scirepeval_harness as sh
        >>> try:
        ...     sh.export_merged("bm25", "query", "merged")
        ... except sh.HarnessError as error:
        ...     print(error.where)
        model bm25, query
    """
    from scirepeval_harness.model.exported import export_merged as export
    from scirepeval_harness.model.kinds import TransformerSpec, demand_libraries

    [spec], _ = _models(model)
    known = [str(one) for one in Role]
    if str(role) not in known:
        raise unknown("role", str(role), known)
    if isinstance(spec, TransformerSpec):
        demand_libraries(spec)
    export(spec, Role(role), Path(output), offline=offline)
    return Path(output)


def choose(
    models: Any,
    *,
    suite: Names = None,
    tasks: Names = None,
    formats: Names = None,
    tasks_dirs: Sequence[PathLike] = (),
    data: Data = None,
    **asked: Any,
) -> Choice:
    """Models and tasks by the names that were given, with the defaults where none were.

    Args:
        asked: what :func:`~.registry.resolve_model` takes of a model beside its name.

    Raises:
        UsageError: a name that is not registered, or nothing to run.
    """
    registry = load_registry([Path(path) for path in tasks_dirs])
    bundled_suites = set((load_registry() if tasks_dirs else registry).suites)
    own = [name for name in registry.suites if name not in bundled_suites]
    named = as_list(tasks)
    default = () if named else own or (BENCHMARK if models is not None else (DEFAULT_SUITE,))
    selected = registry.select(as_list(suite) or default, named, formats_of(formats))
    require_one_scale(own_suite for own_suite, _ in selected)
    places = read_places(data)
    check_names(places, registry)
    homes = {own_suite.name for own_suite, _ in selected}
    refused = tuple(
        (name, str(error))
        for name, error in registry.refused.items()
        if registry.homes[name] in homes and not (named or formats)
    )
    selection, left_out = [], []
    for own_suite, task in selected:
        place = place_of(places, own_suite, task)
        why = evaluation_of(task).unready(task, place, named=task.name in named)
        if why is not None and task.name in named:
            raise UsageError(why.removesuffix(", left out"), where=f"task {task.name}")
        if why is None:
            selection.append((own_suite, task))
        else:
            left_out.append((task.name, why))
    if not selection:
        raise UsageError("no task to run", where="; ".join(map(": ".join, left_out)))
    specs, names = _models(DEFAULT_MODELS if models is None else models, **asked)
    return Choice(specs, names, selection, tuple(left_out), registry, places, refused)


def _models(models: Any, **asked: Any) -> tuple[tuple[ModelSpec, ...], tuple[str, ...]]:
    """The specs of what was given, and how the record names it."""
    from scirepeval_harness.model.registry import load_models, resolve_model

    if isinstance(models, Mapping):
        listed = list(models.items())
    else:
        listed = list(models) if isinstance(models, (list, tuple)) else [models]
    registered = load_models()
    specs = tuple(resolve_model(model, registered, **asked) for model in listed)
    names = tuple(
        str(model) if isinstance(model, (str, Path)) else spec.name
        for model, spec in zip(listed, specs, strict=True)
    )
    return specs, names


def _folder(
    output: PathLike | None, runs: PathLike | None, suites: Sequence[str]
) -> tuple[Path, ExitStack | None]:
    if output is not None:
        return Path(output), None
    if runs is not None:
        return Path(runs) / f"{'+'.join(suites)}-{datetime.now():%Y%m%d-%H%M%S}", None
    temporary = ExitStack()
    return temporary.enter_context(working_folder("results")), temporary


def resolve_cache(cache: Cache) -> Path | None:
    """The folder that is meant; None where no vectors are kept."""
    return cache_dir() if cache == "default" else None if cache is None else Path(cache)
