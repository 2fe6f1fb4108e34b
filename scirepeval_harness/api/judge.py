"""What results say: the leaderboard, comparisons, the gate and reports."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scirepeval_harness.api.results import PathLike, Results, as_list, registry_for
from scirepeval_harness.errors import SpecError, UsageError
from scirepeval_harness.files import bundled, working_folder
from scirepeval_harness.results.folder import Result
from scirepeval_harness.results.folder import load_results as load_folders
from scirepeval_harness.schema import read_spec
from scirepeval_harness.task.draw import require_one_scale
from scirepeval_harness.task.places import Data
from scirepeval_harness.task.registry import Registry
from scirepeval_harness.task.spec import (
    AuthorReading,
    FewShotReading,
    ReviewerReading,
    SuiteSpec,
)

if TYPE_CHECKING:
    from scirepeval_harness.comparison.policy import Policy
    from scirepeval_harness.comparison.systems import System
    from scirepeval_harness.reporting.comparison import Comparisons
    from scirepeval_harness.reporting.gate import Verdict
    from scirepeval_harness.reporting.leaderboard import Leaderboard

PUBLISHED_SUITES = ("scirepeval", "mdcr")
"""The suites that published rows are of: what is meant where nothing else says so."""
Names = str | Sequence[str] | None
Systems = Result | PathLike


@dataclass(frozen=True)
class Readings:
    """How the protocol's open points are read; None for the suite's own (docs/protocol.md)."""

    few_shot: FewShotReading | None = None
    s2and: AuthorReading | None = None
    reviewers: ReviewerReading | None = None

    def suites(self, registry: Registry, names: Sequence[str]) -> list[SuiteSpec]:
        """The suites of the names, or those that published rows are of, under these readings.

        Raises:
            UnknownNameError: a suite that is not registered.
        """
        chosen = {
            "few_shot": self.few_shot,
            "author_disambiguation": self.s2and,
            "reviewer_matching": self.reviewers,
        }
        update = {name: value for name, value in chosen.items() if value is not None}
        return [
            suite.model_copy(update={"readings": suite.readings.model_copy(update=update)})
            for suite in map(registry.suite, names or PUBLISHED_SUITES)
        ]


def leaderboard(
    results: Results | Result | PathLike | Sequence[Result | PathLike] | None = None,
    *,
    published: bool = False,
    intervals: bool = False,
    by: Literal["system", "task"] = "system",
    sort: str | None = None,
    suite: Names = None,
    tasks_dirs: Sequence[PathLike] = (),
    few_shot: FewShotReading | None = None,
    s2and: AuthorReading | None = None,
    reviewers: ReviewerReading | None = None,
) -> Leaderboard:
    """The rows of results, of the published table, or of both.

    A row of which something is missing never stands above a whole one.

    Args:
        results: from `evaluate` or `load_results`, or result folders.
        published: add the published rows of the suites' task set.
        intervals: give each average its 95% bootstrap interval, for which draws are read.
        by: ``task`` shows a row for every number that enters an average, and a column a system.
        sort: rows by this column, the highest first; by task, by this system.
        suite: columns of these suites only.
        tasks_dirs: folders of your own task files.
        few_shot, s2and, reviewers: another reading of the protocol's open points.

    Raises:
        UnknownNameError: no such column to sort by.
        UsageError: nothing to show, or published rows for suites of several task sets.
        StorageError: a file that cannot be read.

    Example:
        >>> import scirepeval_harness as sh
        >>> board = sh.leaderboard("results/baselines/sample")
        >>> round(float(board.to_pandas().loc["BM25", "MDCR MAP"]), 1)
        49.7
    """
    from scirepeval_harness.model.registry import load_models
    from scirepeval_harness.reporting.leaderboard import Leaderboard
    from scirepeval_harness.results.leaderboard import (
        PublishedScore,
        measured_row,
        ordered,
        published_rows,
        read_published,
        with_columns,
    )

    if results is None and not published:
        raise UsageError("nothing to show", fix="Give result folders, --published, or both")
    loaded, registry = _loaded(results, tasks_dirs)
    suites = Readings(few_shot, s2and, reviewers).suites(
        registry, as_list(suite) or _suites_of(loaded)
    )
    require_one_scale(suites)
    suites = with_columns(suites, loaded, registry.tasks)
    titles: dict[str, str] = {}
    printed: tuple[PublishedScore, ...] = ()
    if published:
        task_set = _one_task_set(suites)
        titles = {model.name: model.title for model in load_models().values()}
        printed = read_published(bundled("results/published"))
    if by == "task":
        from scirepeval_harness.reporting.build import task_lines

        systems, lines = task_lines(loaded, suites, registry.tasks, printed, titles)
        board = Leaderboard(systems, tuple(suites), lines=lines)
    else:
        rows = [measured_row(r, suites, registry.tasks, intervals=intervals) for r in loaded]
        if published:
            rows += published_rows(printed, task_set, titles)
        board = Leaderboard(ordered(rows), tuple(suites), intervals)
    if published and not any(row.published for row in board.rows):
        names, those = ", ".join(own.name for own in suites), " and ".join(PUBLISHED_SUITES)
        board = replace(board, remark=f"No published scores of {names}: they are of {those}.")
    return board.sorted(sort)


def compare(
    base: Systems,
    *others: Systems,
    suite: Names = None,
    tasks_dirs: Sequence[PathLike] = (),
    few_shot: FewShotReading | None = None,
    s2and: AuthorReading | None = None,
    reviewers: ReviewerReading | None = None,
    allow_mismatch: bool = False,
    seed: int = 42,
) -> Comparisons:
    """Differences of each of ``others`` from ``base``: paired tests, score by score.

    Args:
        base, others: results, result folders, or ``published:NAME`` with a model's name or a
            published title.
        allow_mismatch: compare what differs in data or protocol all the same.
        seed: of the permutations.

    Raises:
        UsageError: no second system, or one that is not there.
        NotComparableError: scores differ in data or protocol.

    Example:
        >>> import scirepeval_harness as sh
        >>> folder = "results/baselines/sample"
        >>> (comparison,) = sh.compare(f"{folder}/tfidf", f"{folder}/minilm")
        >>> comparison.wins, comparison.losses
        (8, 1)
    """
    from scirepeval_harness.comparison.compare import compare as compare_systems
    from scirepeval_harness.reporting.comparison import Comparisons

    if not others:
        raise UsageError("one system cannot be compared", fix="Give two or more")
    found, registry = _found((base, *others), tasks_dirs)
    systems = [own or system for own, system in zip(found, (base, *others), strict=True)]
    results = [own for own in found if own is not None]
    names = as_list(suite) or _suites_of(results)
    suites = Readings(few_shot, s2and, reviewers).suites(registry, names)
    require_one_scale(suites)
    first, *rest = _read_systems(systems, suites)
    return Comparisons(
        compare_systems(
            first, other, suites, registry.tasks, seed=seed, allow_mismatch=allow_mismatch
        )
        for other in rest
    )


def check(
    *,
    baseline: Systems,
    candidate: Systems,
    policy: PathLike | Policy | None = None,
    suite: Names = None,
    tasks_dirs: Sequence[PathLike] = (),
    few_shot: FewShotReading | None = None,
    s2and: AuthorReading | None = None,
    reviewers: ReviewerReading | None = None,
    allow_mismatch: bool = False,
    seed: int = 42,
) -> Verdict:
    """Whether a candidate may take the place of a baseline: the gate of docs/ci.md.

    Args:
        baseline: a result or its folder, or ``published:NAME``, judged by tolerance alone.
        candidate: a result or its folder.
        policy: a TOML file, or a `Policy`: tolerances and hard limits in points, alpha, required
            tasks, floors.

    Returns:
        The verdict: ``passed``, ``failures``, ``exit_code`` (0 passed, 1 regression, 3 a score is
        missing, 4 not comparable), ``to_junit()``, ``to_markdown()``, ``to_pandas()``.

    Raises:
        UsageError: no such folder, or a baseline without a score to judge by.
        SpecError: a policy that does not follow its schema, or names what is not there.
        StorageError: a file that is damaged.

    Example:
        >>> import scirepeval_harness as sh
        >>> folder = "results/baselines/sample"
        >>> verdict = sh.check(baseline=f"{folder}/tfidf", candidate=f"{folder}/minilm")
        >>> verdict.passed, [case.task for case in verdict.failures]
        (False, ['sample-year'])
    """
    from scirepeval_harness.comparison.gate import gate
    from scirepeval_harness.reporting.gate import Verdict

    (of_candidate, of_baseline), registry = _found((candidate, baseline), tasks_dirs)
    if of_candidate is None:
        raise UsageError(
            "no such result folder", where=str(candidate), fix="Give one that `run` wrote"
        )
    readings = Readings(few_shot, s2and, reviewers)
    named = as_list(suite)
    suites = readings.suites(registry, named or (of_baseline or of_candidate).run.suites)
    if of_baseline is None and not named:
        # A published row may cover more suites than the candidate ran: what is missing must show.
        sets = {entry.task_set for entry in suites}
        related = [name for name, entry in registry.suites.items() if entry.task_set in sets]
        suites = readings.suites(registry, related)
    require_one_scale(suites)
    rules, where = read_policy(policy)
    base, other = _read_systems([of_baseline or baseline, of_candidate], suites)
    keys = {
        name: {*base.scores.get(name, ()), *other.scores.get(name, ())} for name in registry.tasks
    }
    rules.check_names(suites, keys, where)
    if base.published:
        suites = [entry for entry in suites if _covers(base, entry)]
    report = gate(
        base, other, suites, registry.tasks, rules, seed=seed, allow_mismatch=allow_mismatch
    )
    if not report.cases:
        raise UsageError(
            "the baseline has no score to judge by",
            where=str(baseline),
            fix="Choose another --suite",
        )
    return Verdict(report)


def read_policy(policy: PathLike | Policy | None) -> tuple[Policy, str]:
    """The policy, the defaults for None, and its name for errors.

    Raises:
        SpecError: a file that does not follow the schema, or says nothing.
    """
    from scirepeval_harness.comparison.policy import Policy

    if policy is None or isinstance(policy, Policy):
        return policy or Policy(), "the policy"
    rules, where = read_spec(Policy, Path(policy)), str(policy)
    if not rules.model_fields_set:
        # What was cut to nothing must not pass for a policy of defaults.
        raise SpecError("no rule", where=where, fix="Write one, or leave the policy out")
    return rules, where


@dataclass(frozen=True)
class WrittenReport:
    """Where a report lies, what it consists of, and how many results a model card was given."""

    folder: Path
    files: tuple[Path, ...]
    model_card_results: int | None = None

    @property
    def page(self) -> Path:
        """The one self-contained page."""
        return self.folder / "report.html"


def report(
    results: Results | Result | PathLike | Sequence[Result | PathLike],
    output: PathLike | None = None,
    *,
    published: bool = False,
    baseline: Systems | None = None,
    model_card: PathLike | None = None,
    suite: Names = None,
    tasks_dirs: Sequence[PathLike] = (),
    few_shot: FewShotReading | None = None,
    s2and: AuthorReading | None = None,
    reviewers: ReviewerReading | None = None,
    seed: int = 42,
    items: int = 3,
    texts: bool = False,
    data: Data = None,
) -> WrittenReport:
    """Write a folder with everything that results say: markdown, a page, plots, CSV, LaTeX, JSON.

    The same results give the same bytes.

    Args:
        results: from `evaluate` or `load_results`, or result folders.
        output: the folder to write; None for one below ``results/reports``.
        published: add the published rows.
        baseline: show differences from this result or ``published:NAME``; None for the first.
        model_card: add the one result's scores to this Hugging Face model card.
        items: so many of each task's worst and best queries and rows are shown on the page.
        texts: show their texts too, which are read from the tasks' data.
        data: the folder of that data, as for `evaluate`; None for that of the runs.

    Raises:
        UsageError: suites that cannot stand in one table, or a model card of several results.
        StorageError: a file that cannot be read or written.

    Example:
        >>> import scirepeval_harness as sh
        >>> written = sh.report("results/baselines/sample", folder / "report")
        >>> written.page.name
        'report.html'
    """
    from scirepeval_harness.api.items import texts_of
    from scirepeval_harness.comparison.compare import examine
    from scirepeval_harness.model.registry import load_models
    from scirepeval_harness.reporting.build import build_report, check_suites

    with _matplotlib_leaves_nothing():
        from scirepeval_harness.reporting.pages import default_folder, write_report
    from scirepeval_harness.results.leaderboard import read_published, with_columns

    beside = [] if baseline is None else [baseline]
    given, registry = _loaded(results, tasks_dirs, beside)
    if model_card is not None and len(given) != 1:
        raise UsageError(
            f"{len(given)} results, but a model card is of one model",
            fix="Give the folder of one result; --baseline may name another",
        )
    loaded, place = _with_baseline(given, baseline, registry)
    suites = Readings(few_shot, s2and, reviewers).suites(
        registry, as_list(suite) or _suites_of(loaded)
    )
    require_one_scale(suites)
    shown = with_columns(suites, loaded, registry.tasks)
    check_suites(shown)
    systems, base = _systems(loaded, place, baseline, suites)
    content = build_report(
        loaded,
        shown,
        registry.tasks,
        published=read_published(bundled("results/published")) if published else (),
        model_titles={model.name: model.title for model in load_models().values()},
        comparisons=[
            examine(base, other, suites, registry.tasks, seed=seed, allow_mismatch=False)
            for other in systems
            if other is not base
        ],
        items=items,
        read=texts_of(loaded, data) if texts else None,
    )
    folder = default_folder(content) if output is None else Path(output)
    files = write_report(content, folder)
    number = None
    if model_card is not None:
        from scirepeval_harness.reporting.model_card import add_to_model_card

        row = content.rows[len(loaded) - 1]
        number = add_to_model_card(Path(model_card), loaded[-1], row, shown, registry.tasks)
    return WrittenReport(folder, tuple(files), number)


def _with_baseline(
    results: Sequence[Result], baseline: Systems | None, registry: Registry
) -> tuple[tuple[Result, ...], int | None]:
    """The results with the baseline among them, and its place; None for a published one."""
    if baseline is None:
        return tuple(results), 0
    found = _find(baseline)
    if found is None:
        return tuple(results), None
    base = _judged(found, registry)
    for place, result in enumerate(results):
        if result.folder.resolve() == base.folder.resolve():
            return tuple(results), place
    return (base, *results), 0


def _systems(
    results: Sequence[Result],
    place: int | None,
    baseline: Systems | None,
    suites: Sequence[SuiteSpec],
) -> tuple[list[System], System]:
    """The results under the titles of the report, and what they are compared with."""
    from scirepeval_harness.comparison.systems import measured_system
    from scirepeval_harness.reporting.build import unique_titles

    systems = [
        replace(measured_system(result), title=title)
        for title, result in zip(unique_titles(results), results, strict=True)
    ]
    if place is not None or baseline is None:
        return systems, systems[place or 0]
    (base,) = _read_systems([baseline], suites)
    return systems, base


def _loaded(
    results: Results | Result | PathLike | Sequence[Result | PathLike] | None,
    tasks_dirs: Sequence[PathLike],
    beside: Sequence[Systems] = (),
) -> tuple[tuple[Result, ...], Registry]:
    """Results in whatever form they are given, and the tasks by which they are read, with those
    that the results ``beside`` define."""
    installed = None
    if isinstance(results, Results):
        loaded = list(results.values())
        installed = None if tasks_dirs else results.registry
    else:
        listed: Sequence[Result | PathLike] = (
            [results] if isinstance(results, (Result, str, Path)) else results or ()
        )
        loaded = [own for entry in listed for own in _results_of(entry)]
    more = [own for own in map(_find, beside) if own is not None]
    registry = registry_for([*loaded, *more], tasks_dirs, installed)
    return tuple(_judged(result, registry) for result in loaded), registry


def _results_of(entry: Result | PathLike) -> Sequence[Result]:
    return [entry] if isinstance(entry, Result) else load_folders([Path(entry)])


def _found(
    systems: Sequence[Systems], tasks_dirs: Sequence[PathLike]
) -> tuple[list[Result | None], Registry]:
    """The results, None for what is no folder (a published row, perhaps), and the tasks by which
    they are read."""
    found = [_find(system) for system in systems]
    registry = registry_for([own for own in found if own is not None], tasks_dirs)
    return [own and _judged(own, registry) for own in found], registry


def _find(system: Systems) -> Result | None:
    from scirepeval_harness.comparison.systems import find_result

    return find_result(system)


def _suites_of(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(name for result in results for name in result.run.suites))


def _one_task_set(suites: Sequence[SuiteSpec]) -> str:
    task_sets = {suite.task_set for suite in suites}
    if len(task_sets) != 1:
        raise UsageError(
            f"task sets {', '.join(sorted(task_sets))} do not compare", fix="Choose one --suite"
        )
    return task_sets.pop()


def _judged(result: Result, registry: Registry) -> Result:
    """A result of which numbers may be said: what its items deny is refused, and what was scored
    under another version of a task is no score of today."""
    from scirepeval_harness.results.verify import require_consistent

    current = result.as_of(registry)
    require_consistent(current, registry.tasks)
    return current


def _read_systems(systems: Sequence[Systems], suites: Sequence[SuiteSpec]) -> tuple[System, ...]:
    from scirepeval_harness.comparison.systems import read_systems
    from scirepeval_harness.model.registry import load_models
    from scirepeval_harness.results.leaderboard import read_published

    published = read_published(bundled("results/published"))
    # The leaderboard shows published rows under our titles of the models.
    names = {model.title: model.name for model in load_models().values()}
    return read_systems(systems, published, suites, names)


def _covers(base: System, suite: SuiteSpec) -> bool:
    """Whether a published row has anything of a suite."""
    columns = {column.name for column in suite.columns}
    return bool(columns & set(base.columns) or set(suite.task_names()) & set(base.scores))


@contextmanager
def _matplotlib_leaves_nothing() -> Iterator[None]:
    """Its import writes a cache into the user's home, or where MPLCONFIGDIR says: here, nowhere
    that stays."""
    if "MPLCONFIGDIR" in os.environ:
        yield
        return
    with working_folder("plots") as cache:
        os.environ["MPLCONFIGDIR"] = str(cache)
        try:
            yield
        finally:
            del os.environ["MPLCONFIGDIR"]
