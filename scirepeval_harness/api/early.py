"""The gate on growing parts, for a model that is not evaluated yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scirepeval_harness.api.evaluate import Cache, Choice, Names, choose, evaluate, resolve_cache
from scirepeval_harness.api.judge import Systems, check, read_policy
from scirepeval_harness.api.results import PathLike, as_list
from scirepeval_harness.errors import NotComparableError, UsageError
from scirepeval_harness.files import working_folder
from scirepeval_harness.options import RunOptions, scoring_choices
from scirepeval_harness.progress import SILENT
from scirepeval_harness.results.folder import Result
from scirepeval_harness.task.places import Data

if TYPE_CHECKING:
    from scirepeval_harness.comparison.policy import Policy
    from scirepeval_harness.comparison.systems import System
    from scirepeval_harness.model.base import Model
    from scirepeval_harness.progress import Progress
    from scirepeval_harness.reporting.gate import Verdict
    from scirepeval_harness.run.loading import TaskLoader
    from scirepeval_harness.vectors.store import EmbeddingStore


@dataclass(frozen=True)
class Look:
    """One look: the share of the queries, the texts that were needed so far of all, and whether a
    score fell."""

    share: float
    texts: int
    fell: bool


@dataclass(frozen=True)
class EarlyVerdict:
    """The verdict of the look that decided, and all looks. ``texts`` is how many distinct texts the
    whole needs."""

    verdict: Verdict
    looks: tuple[Look, ...]
    texts: int

    @property
    def stopped(self) -> bool:
        """Whether a part decided."""
        return any(look.fell for look in self.looks)

    @property
    def saved(self) -> float:
        """The share of the texts that were not needed; 0 where the whole had to be judged."""
        return 1 - self.looks[-1].texts / self.texts if self.stopped else 0.0

    @property
    def passed(self) -> bool:
        """Whether the candidate may take the baseline's place."""
        return self.verdict.passed

    @property
    def exit_code(self) -> int:
        """That of the verdict."""
        return self.verdict.exit_code

    def __str__(self) -> str:
        if self.stopped:
            last = self.looks[-1]
            return (
                f"Stopped at look {len(self.looks)}, on {last.share:.1%} of the queries: "
                f"{last.texts:,} of {self.texts:,} texts were encoded, {self.saved:.0%} saved."
            )
        looks = f"after {len(self.looks)} looks at parts" if self.looks else "no part can be judged"
        return f"Judged on the whole, {looks}: nothing saved."


def check_early(
    model: Any,
    *,
    baseline: Systems,
    policy: PathLike | Policy | None = None,
    suite: Names = None,
    tasks_dirs: Sequence[PathLike] = (),
    data: Data = None,
    shares: Sequence[float] | None = None,
    output: PathLike | None = None,
    cache: Cache = "default",
    offline: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    seed: int = 42,
    progress: Progress | None = None,
) -> EarlyVerdict:
    """`check` of a model that is not evaluated yet, on growing parts of the rankings: the first
    part on which a score fell by more than its tolerance, and not by chance, ends it.

    Looks share half of the policy's alpha and the whole has the other half, so that equal models
    fail no more often than in `check` (docs/ci.md). Probes need all of their training rows and come
    with the whole; so does everything of a model that is fitted to its documents (BM25, TF-IDF).

    Args:
        model: one, as for `evaluate`.
        baseline: a result with its items, or its folder; its probe, seed and limit hold for the
            model too.
        policy: as for `check`.
        suite: None for those of the baseline.
        shares: of the queries, growing; None for 1/8, 1/4 and 1/2.
        output: where the results go if the whole has to be judged.

    Raises:
        UsageError: no such baseline, or a policy whose alpha is 1, by which no part is judged.
        NotComparableError: the baseline is of other data or another protocol.
        HarnessError: as `evaluate` and `check`.

    Example:
        >>> import scirepeval_harness as sh
        >>> def lengths(texts):
        ...     return [[len(text), text.count(" ")] for text in texts]
        >>> found = sh.check_early(lengths, baseline="results/baselines/sample/minilm", cache=None)
        >>> found.stopped, found.passed, found.saved > 0.5
        (True, False, True)
    """
    from scirepeval_harness.comparison.early import SHARES, spend
    from scirepeval_harness.comparison.systems import find_result

    base = find_result(baseline)
    if base is None:
        raise UsageError(
            "no result folder with items", where=str(baseline), fix="Give one that `run` wrote"
        )
    rules, where = read_policy(policy)
    steps = tuple(SHARES if shares is None else shares)
    if rules.alpha >= 1:
        raise UsageError(
            "alpha = 1 decides without a test, which no part can", where=where, fix="Lower it"
        )
    if list(steps) != sorted(set(steps)) or not all(0 < share < 1 for share in steps):
        raise UsageError(f"shares are {steps}", fix="Give growing numbers between 0 and 1")
    suites = as_list(suite) or list(base.run.suites)
    done = [name for name, record in base.tasks.items() if record.status == "ok"]
    what: dict[str, Any] = {
        "suite": suites, "tasks": done, "tasks_dirs": tasks_dirs, "data": data
    }  # fmt: skip
    chosen = choose(model, **what)
    if len(chosen.models) != 1:
        raise UsageError(f"{len(chosen.models)} models", fix="Give one candidate")
    moved = scoring_choices(next(iter(base.tasks.values())).settings)
    where_to: dict[str, Any] = {"offline": offline, "device": device, "dtype": dtype}
    with ExitStack() as stack:
        store = resolve_cache(cache) or stack.enter_context(working_folder("vectors"))
        options = RunOptions(
            output=Path(), cache=store, data=tuple(chosen.places.items()), **moved, **where_to
        )
        # Vectors are scaled by all documents of a task, which a part does not have.
        parts = () if options.quantize else steps
        looking = _Looks(base, chosen, options, progress or SILENT)
        of_look, of_whole = spend(rules, len(parts))
        looks, verdict = looking.at(parts, of_look, seed)
        if verdict is None:
            results = evaluate(
                model, **what, output=output, cache=store, progress=progress, **moved, **where_to
            )
            [candidate] = results.values()
            verdict = check(
                baseline=base, candidate=candidate, suite=suites, tasks_dirs=tasks_dirs,
                policy=of_whole if looks else rules, seed=seed,
            )  # fmt: skip
    return EarlyVerdict(verdict, tuple(looks), looking.texts)


class _Looks:
    """A candidate on growing parts of the tasks, beside a baseline's items."""

    def __init__(
        self,
        base: Result,
        chosen: Choice,
        options: RunOptions,
        progress: Progress,
    ) -> None:
        self._base, self._options, self._progress = base, options, progress
        [self._spec] = chosen.models
        self._tasks = chosen.registry.tasks
        self._selection = [pair for pair in chosen.selection if self._spec.can_run(pair[1])]
        self.texts = 0

    def at(
        self, shares: Sequence[float], policy: Policy, seed: int
    ) -> tuple[list[Look], Verdict | None]:
        """The looks, up to the first on which a score fell, and the verdict there."""
        from scirepeval_harness.comparison.early import fell
        from scirepeval_harness.comparison.gate import AVERAGES, gate
        from scirepeval_harness.reporting.gate import Verdict
        from scirepeval_harness.run.engine import build_models, open_engine
        from scirepeval_harness.run.loading import task_loader
        from scirepeval_harness.vectors.store import open_store

        looks: list[Look] = []
        with (
            task_loader(self._options) as loader,
            open_engine(self._options) as engine,
            open_store(self._options.cache) as store,
        ):
            [(_, model)] = build_models([self._spec], self._options, engine)
            self.texts = len(set(self._texts(loader, 1.0)))
            self._require_same(model, loader)
            # What is fitted to its documents is another model on each part.
            for share in shares if getattr(model, "cacheable", False) else ():
                pair = self._systems(share, model, loader, store, seed)
                if not pair[0].records:
                    break
                suites = list({suite.name: suite for suite, _ in self._selection}.values())
                report = gate(*pair, suites, self._tasks, policy, seed=seed)
                needed = len(set(self._texts(loader, share)))
                looks.append(Look(share, needed, fell(report)))
                self._progress.say(
                    f"look {len(looks)}: {share:.1%} of the queries, {needed:,} of "
                    f"{self.texts:,} texts, {'a score fell' if looks[-1].fell else 'go on'}"
                )
                if looks[-1].fell:
                    # Of other tasks nothing is known, and an average of a part of them is none.
                    cases = tuple(
                        case
                        for case in report.cases
                        if case.difference is not None and case.task != AVERAGES
                    )
                    return looks, Verdict(replace(report, cases=cases))
        return looks, None

    def _texts(self, loader: TaskLoader, share: float) -> Iterator[tuple[object, ...]]:
        """What is encoded for a share of the queries, or for everything."""
        from scirepeval_harness.evaluations.base import evaluation_of, requests_of

        for suite, task in self._selection:
            data = loader.get(task, suite).data
            if share < 1:
                data = evaluation_of(task).part(data, share)
            for request in requests_of(task, data) if data is not None else ():
                yield from ((request.role, document.parts) for document in request.documents)

    def _require_same(self, model: Model, loader: TaskLoader) -> None:
        """Before anything is encoded: that the baseline is of the same data and protocol."""
        from scirepeval_harness.comparison.systems import measured_system, mismatches
        from scirepeval_harness.run.task import describe, model_record

        base = measured_system(self._base)
        records = {
            task.name: describe(
                suite, task, loader.get(task, suite), model_record(self._spec, model, task),
                self._options,
            ).model_copy(update={"status": "ok"})
            for suite, task in self._selection
        }  # fmt: skip
        other = replace(base, title=self._spec.title, records=records)
        for suite, task in self._selection:
            for entry in mismatches(base, other, task.name, suite):
                raise NotComparableError(
                    entry.reason, where=f"task {task.name}", fix="Run the baseline again"
                )

    def _systems(
        self, share: float, model: Model, loader: TaskLoader, store: EmbeddingStore, seed: int
    ) -> tuple[System, System]:
        """Baseline and candidate on a share of the queries of every task that has parts."""
        from scirepeval_harness.comparison.early import Part, part_of, part_system
        from scirepeval_harness.evaluations.base import evaluation_of
        from scirepeval_harness.run import task as scoring

        base, other = dict[str, Part](), dict[str, Part]()
        for suite, task in self._selection:
            loaded = loader.get(task, suite)
            data = evaluation_of(task).part(loaded.data, share)
            if data is None:
                continue
            draft = scoring.describe(
                suite, task, loaded, scoring.model_record(self._spec, model, task), self._options
            )
            scored = scoring.score_task(
                draft, task, replace(loaded, data=data), model, store, self._options,
                self._progress, scoring.Phases(),
            )  # fmt: skip
            items, name = scored.outcome.items, task.name
            own = self._options.seed
            base[name] = part_of(task, self._base.tasks[name], self._base.items(name), items, own)
            other[name] = part_of(task, scored.record, items, items, own)
        titles = (self._base.run.model.title, self._spec.title)
        said = [f"{title} (on {share:.1%} of its queries)" for title in titles]
        suites = tuple(self._base.run.suites)
        return part_system(said[0], base, suites), part_system(said[1], other, suites)
