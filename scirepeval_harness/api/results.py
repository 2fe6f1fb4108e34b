"""Results of several models together, from a run that has just ended or from folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scirepeval_harness.errors import HarnessError, IncompleteRunError, StorageError, UsageError
from scirepeval_harness.results.folder import Result
from scirepeval_harness.results.folder import load_results as read_folders
from scirepeval_harness.roles import Format
from scirepeval_harness.schema import unknown
from scirepeval_harness.task.places import Data, read_places
from scirepeval_harness.task.registry import Registry, load_registry, with_defined

if TYPE_CHECKING:
    import pandas as pd

    from scirepeval_harness.model.spec import ModelSpec
    from scirepeval_harness.reporting.leaderboard import Leaderboard
    from scirepeval_harness.results.record import RunRecord
    from scirepeval_harness.run.verify import Verification
    from scirepeval_harness.task.spec import AuthorReading, FewShotReading, ReviewerReading

SHOWN = 5
PathLike = str | Path


def as_list(names: str | Sequence[str] | None) -> list[str]:
    """One name or several as a list; None as an empty one."""
    return [names] if isinstance(names, str) else list(names or ())


class Results(Mapping[str, Result]):
    """Results by the name of their model; also found by title, and by folder where names repeat.

    Attributes:
        folder: where they lie; None where they come from several places. What `evaluate` wrote
            without ``output`` lies in a temporary folder, which goes with this object.
        left_out: tasks that were not run, with the reason; those that were asked for and cannot be
            evaluated are ``unfinished`` too.
        registry: the tasks and suites by which averages are made.

    Example:
        >>> import scirepeval_harness as sh
        >>> results = sh.load_results("results/baselines/sample")
        >>> results["TF-IDF"] is results["tfidf"], results.complete
        (True, True)
    """

    def __init__(
        self,
        results: Sequence[Result],
        registry: Registry,
        *,
        folder: Path | None = None,
        left_out: Sequence[tuple[str, str]] = (),
        refused: Sequence[str] = (),
        suites: Sequence[str] = (),
        temporary: ExitStack | None = None,
    ) -> None:
        self._results = tuple(results)
        self.registry, self.folder, self.left_out = registry, folder, tuple(left_out)
        self._refused = tuple(refused)
        self.suites = tuple(suites) or tuple(
            dict.fromkeys(name for result in results for name in result.run.suites)
        )
        self._temporary = temporary  # its folder is removed when the last reference goes
        names = [result.run.model.name for result in self._results]
        self._by_name = {
            name if names.count(name) == 1 else str(result.folder): result
            for name, result in zip(names, self._results, strict=True)
        }

    def __getitem__(self, name: str) -> Result:
        if name in self._by_name:
            return self._by_name[name]
        titled = [result for result in self._results if result.run.model.title == name]
        if len(titled) == 1:
            return titled[0]
        raise unknown("result", name, self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name or any(r.run.model.title == name for r in self._results)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._results)

    @property
    def scores(self) -> pd.DataFrame:
        """Every score of every model, a row each, as `Result.scores`, with ``model`` in front."""
        import pandas as pd

        frames = []
        for name, result in self.items():
            frame = result.scores
            frame.insert(0, "model", name)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @property
    def only(self) -> Result:
        """The one result; raises UsageError where there are several."""
        _require_one([result.folder for result in self._results], self.folder)
        return self._results[0]

    @property
    def records(self) -> tuple[dict[str, Any], ...]:
        """What `runs` lists of each, JSON-ready."""
        return tuple(record_of(result, self.registry) for result in self._results)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """``MODEL/TASK`` of every task that failed or was interrupted, ``TASK`` of one refused."""
        failed = (
            f"{result.run.model.name}/{name}"
            for result in self._results
            for name, record in result.tasks.items()
            if record.status != "ok"
        )
        return (*self._refused, *failed)

    @property
    def complete(self) -> bool:
        """Whether there are results and every run of them ended well."""
        return bool(self._results) and all(r.run.status == "ok" for r in self._results)

    def require_complete(self) -> Results:
        """The same results, if every task was finished.

        Raises:
            IncompleteRunError: otherwise; tracebacks of defects are its notes.
        """
        open_tasks = self.unfinished
        if self.complete and not open_tasks:
            return self
        listed = f": {', '.join(open_tasks[:SHOWN])}" if open_tasks else ""
        error = IncompleteRunError(
            f"{len(open_tasks)} tasks did not finish{listed}",
            where=None if self.folder is None else str(self.folder),
            fix="Mend the cause and run again with --output of this folder and --resume",
        )
        for result in self._results:
            for entry in result.run.tasks:
                if entry.traceback:
                    # Notes are printed with a traceback only, which is what --debug asks for.
                    error.add_note(f"{result.run.model.name}/{entry.task}: {entry.traceback}")
        raise error

    def leaderboard(
        self,
        *,
        published: bool = False,
        intervals: bool = False,
        suite: str | Sequence[str] | None = None,
        few_shot: FewShotReading | None = None,
        s2and: AuthorReading | None = None,
        reviewers: ReviewerReading | None = None,
    ) -> Leaderboard:
        """The leaderboard of these results; see `leaderboard` for the arguments."""
        from scirepeval_harness.api.judge import leaderboard

        return leaderboard(
            self,
            published=published,
            intervals=intervals,
            suite=suite or self.suites,
            few_shot=few_shot,
            s2and=s2and,
            reviewers=reviewers,
        )

    def __repr__(self) -> str:
        return f"<Results of {', '.join(self) or 'no model'}; suites {', '.join(self.suites)}>"

    def _repr_html_(self) -> str:
        return self.leaderboard()._repr_html_()


def registry_for(
    results: Sequence[Result],
    tasks_dirs: Sequence[PathLike] = (),
    installed: Registry | None = None,
) -> Registry:
    """The installed tasks and suites, those of the folders, and what the results define beside
    them."""
    installed = installed or load_registry([Path(path) for path in tasks_dirs])
    return with_defined(installed, [own.defined for own in results if own.defined is not None])


def load_results(*paths: PathLike, tasks_dirs: Sequence[PathLike] = ()) -> Results:
    """Results that lie in folders, written by this version or an older one.

    Args:
        paths: result folders, or folders that hold result folders.
        tasks_dirs: folders of task files of your own, for averages by these instead of by the
            definitions in the results, and for results of older versions, which hold none.

    Raises:
        UsageError: a path without results.
        StorageError: a file that is damaged or of a newer schema.

    Example:
        >>> import scirepeval_harness as sh
        >>> list(sh.load_results("results/baselines/sample"))
        ['bm25', 'minilm', 'tfidf']
    """
    if not paths:
        raise UsageError("no folder is named", fix="Give a folder of results")
    results = read_folders([Path(path) for path in paths])
    folder = Path(paths[0]) if len(paths) == 1 else None
    return Results(results, registry_for(results, tasks_dirs), folder=folder)


RUNS = Path("results") / "runs"


def formats_of(names: str | Sequence[str] | None) -> list[Format]:
    """Formats by name; raises UnknownNameError with the nearest."""
    known = {str(entry): entry for entry in Format}
    for name in as_list(names):
        if name not in known:
            raise unknown("format", name, known)
    return [known[name] for name in as_list(names)]


@dataclass(frozen=True)
class FoundRuns:
    """Results found in folders, the oldest first, and why others could not be read.

    ``records`` are what is listed of each, JSON-ready: folder, model, suites, status, averages,
    date and signature.
    """

    results: tuple[Result, ...]
    unread: tuple[StorageError, ...]
    records: tuple[dict[str, Any], ...]

    def to_pandas(self) -> pd.DataFrame:
        """The records as a frame, a row each."""
        import pandas as pd

        return pd.DataFrame(list(self.records))


def runs(*folders: PathLike, tasks_dirs: Sequence[PathLike] = ()) -> FoundRuns:
    """Every result in the folders, up to three levels down; ``results/runs`` without a folder.

    Args:
        tasks_dirs: folders of your own task files, as for `load_results`.

    Raises:
        UsageError: no such folder.

    Example:
        >>> import scirepeval_harness as sh
        >>> [record["model"] for record in sh.runs("results/baselines").records]
        ['TF-IDF', 'BM25', 'all-MiniLM-L6-v2']
    """
    from scirepeval_harness.results.folder import readable_results, result_folders

    found = dict.fromkeys(
        path for folder in folders or (RUNS,) for path in result_folders(Path(folder))
    )
    results, unread = readable_results(list(found))
    results = tuple(sorted(results, key=lambda own: (own.run.created_at, str(own.folder))))
    registry = registry_for(results, tasks_dirs)
    return FoundRuns(results, unread, tuple(record_of(own, registry) for own in results))


def verify(
    folder: PathLike,
    *,
    cache: PathLike | None = None,
    data: Data = None,
    tasks_dirs: Sequence[PathLike] = (),
) -> Verification:
    """Check a result folder: which file was damaged or edited, and whether its scores are those of
    its items and, with a store of vectors, those of its vectors. Nothing is encoded.

    Args:
        folder: one result folder, or a folder that holds one.
        cache: the store of vectors from which scores are computed again; None for items alone.
        data: the folder of the tasks' data, as for `evaluate`.
        tasks_dirs: folders of your own task files, as for `load_results`.

    Returns:
        What was found: ``ok``, ``faults`` (errors, each with its file), ``sealed``, and ``tasks``
        with what was computed again and why the rest was not.

    Raises:
        UsageError: no result there, or several.
        StorageError: a run file that is damaged or edited.

    Example:
        >>> import scirepeval_harness as sh
        >>> [found.items for found in sh.verify("results/baselines/sample/bm25").tasks][:2]
        ['agree', 'agree']
    """
    from scirepeval_harness.model.registry import load_models
    from scirepeval_harness.results.folder import nearest_folders, read_run
    from scirepeval_harness.run.verify import verify_result

    folders = nearest_folders(Path(folder))
    _require_one(folders, folder)
    run = read_run(folders[0])
    models = models_of(run) if cache is not None else list(load_models().values())
    looked_at = Result(folders[0], run, {})
    registry = registry_for([looked_at], tasks_dirs)
    if looked_at.defined is not None:
        # Its scores are those of its own definitions, whatever is installed today.
        own = with_defined(Registry(), [looked_at.defined])
        registry = replace(registry, tasks={**registry.tasks, **own.tasks})
    return verify_result(
        folders[0],
        registry,
        models,
        cache=None if cache is None else Path(cache),
        data=read_places(data),
    )


def _require_one(folders: Sequence[Path], where: PathLike | None) -> None:
    if len(folders) != 1:
        names = ", ".join(folder.name for folder in folders[:8])
        raise UsageError(
            f"{len(folders)} results here ({names})",
            where=None if where is None else str(where),
            fix="Give the folder of one",
        )


def models_of(run: RunRecord) -> list[ModelSpec]:
    """The registered models, and those that the run asked for in its own words; without what is
    not here any more."""
    from scirepeval_harness.model.prompts import parse_prompts
    from scirepeval_harness.model.registry import load_models, resolve_model

    known, arguments = load_models(), run.arguments
    said = {
        name: arguments.get(name) for name in ("pooling", "max_length", "normalize", "truncate_dim")
    }
    models = list(known.values())
    for text in arguments.get("models") or ():
        with suppress(HarnessError):
            prompts = parse_prompts(arguments.get("prompts") or ())
            models.append(resolve_model(text, known, prompts=prompts, **said))
    return models


def record_of(result: Result, registry: Registry) -> dict[str, Any]:
    """What is listed of a result; averages of suites that are registered."""
    from scirepeval_harness.reporting.leaderboard import mean_text
    from scirepeval_harness.results.leaderboard import measured_row, with_columns

    averages: dict[str, dict[str, str]] = {}
    current = result.as_of(registry)
    for name in result.run.suites:
        suite = registry.suites.get(name)
        known = suite is not None and all(task in registry.tasks for task in suite.task_names())
        if suite is not None and known:
            own = with_columns([suite], [current], registry.tasks)
            means = measured_row(current, own, registry.tasks).means
            averages[name] = {column: mean_text(mean) for column, mean in means.items()}
    data = [record.data for record in result.tasks.values() if record.data is not None]
    return {
        "folder": str(result.folder),
        "model": result.run.model.title,
        "suites": list(result.run.suites),
        "status": result.run.status,
        "averages": averages,
        "remarks": list(current.remarks),
        "synthetic": any(own.synthetic for own in data),
        "date": result.run.created_at,
        "signature": result.run.signature,
    }
