"""What can be compared: a result folder, or a published row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scirepeval_harness.comparison.records import Mismatch
from scirepeval_harness.errors import NotComparableError, UsageError
from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.options import OPTIONS
from scirepeval_harness.results.folder import RUN_FILE, Result, load_results
from scirepeval_harness.results.leaderboard import PublishedScore, task_scores
from scirepeval_harness.results.record import TaskRecord, shortfall
from scirepeval_harness.schema import did_you_mean
from scirepeval_harness.task.spec import SuiteSpec

if TYPE_CHECKING:
    import pandas as pd


PREFIX = "published:"


class Items(Protocol):
    """Per-item frames and bootstrap draws by task name; `Result` is one."""

    def items(self, task: str) -> pd.DataFrame: ...

    def draws(self, task: str) -> pd.DataFrame: ...


@dataclass(frozen=True)
class System:
    """One system. A published row has scores and printed averages, but no records and items."""

    title: str
    scores: Mapping[str, Mapping[str, float]]
    """Task name -> score key -> score x 100, of tasks that were finished."""
    records: Mapping[str, TaskRecord] = field(default_factory=dict)
    items: Items | None = None
    columns: Mapping[str, float] = field(default_factory=dict)
    """Averages as printed, by column."""
    suites: tuple[str, ...] = ()

    @property
    def published(self) -> bool:
        return self.items is None


def measured_system(result: Result) -> System:
    """A result as a system; scores of single fields of study are left out."""
    return System(
        title=result.run.model.title,
        scores={
            name: {score.key: score.value for score in record.scores if score.field is None}
            for name, record in result.tasks.items()
            if record.status == "ok"
        },
        records=result.tasks,
        items=result,
        suites=result.run.suites,
    )


def published_system(name: str, scores: Sequence[PublishedScore], task_set: str) -> System:
    """The published row of a title, or of a system: the one with averages where it has several.

    Raises:
        UsageError: no such row, or several that a system's name could mean.
        NotComparableError: the row belongs to another task set.
    """
    of_title = [score for score in scores if score.title == name]
    of_name = of_title or [score for score in scores if score.system == name]
    if not of_name:
        # Most published systems are no registered model: their system is empty.
        known = {score.title for score in scores} | {score.system for score in scores} - {""}
        raise UsageError(f"no published row {name!r}", fix=did_you_mean(name, sorted(known)))
    scores = [score for score in of_name if score.task_set == task_set]
    if not scores:
        others = ", ".join(sorted({score.task_set for score in of_name}))
        raise NotComparableError(
            f"published for task set {others}, not {task_set}",
            where=name,
            fix="Scores of two task sets never compare; choose another row or --suite",
        )
    titles = list(dict.fromkeys(score.title for score in scores))
    whole = list(dict.fromkeys(score.title for score in scores if score.level == "column"))
    titles = whole if len(whole) == 1 else titles
    if len(titles) > 1:
        raise UsageError(
            f"{len(titles)} published rows of {name!r}",
            fix="Choose one title: " + "; ".join(f"'{PREFIX}{title}'" for title in titles),
        )
    (title,) = titles
    printed = [score for score in scores if score.title == title and score.level == "column"]
    return System(
        title=f"{title} (published)",
        scores={
            # Single fields of study ("map[Art]") are left out, as in a result.
            task: {key: value for key, value in keys.items() if "[" not in key}
            for task, keys in task_scores(scores, title).items()
        },
        columns={score.name: score.value for score in printed},
    )


def find_result(system: Result | Path | str) -> Result | None:
    """A result as it is, or the one in a folder; None for what is no folder, a published row, say.

    Raises:
        UsageError: a folder without results, or with several.
        StorageError: a file that is damaged or of a newer schema.
    """
    if isinstance(system, Result):
        return system
    path, text = Path(system), str(system)
    if text.startswith(PREFIX) or not path.is_dir():
        return None
    results = load_results([path])
    if len(results) > 1:
        names = ", ".join(result.folder.name for result in results[:8])
        raise UsageError(
            f"{len(results)} results here ({names})", where=text, fix="Give the folder of one"
        )
    return results[0]


def read_systems(
    named: Sequence[Result | str | Path],
    scores: Sequence[PublishedScore],
    suites: Sequence[SuiteSpec],
    model_names: Mapping[str, str],
) -> tuple[System, ...]:
    """Results, result folders and published rows, under titles that differ.

    A published row goes by its own title, by the name of a registered model or by its title.

    Args:
        suites: decide which task set's published numbers are meant.
        model_names: of registered models, by title.

    Raises:
        UsageError: neither a folder nor a published row, or suites of several task sets.
    """
    task_sets = sorted({suite.task_set for suite in suites})
    texts = [str(entry.folder if isinstance(entry, Result) else entry) for entry in named]
    systems: list[System] = []
    for entry, text in zip(named, texts, strict=True):
        # A folder goes before a published row of the same name, which its prefix can still mean.
        result = find_result(entry)
        if result is not None:
            systems.append(measured_system(result))
            continue
        if len(task_sets) != 1:
            raise UsageError(
                f"task sets {', '.join(task_sets)} do not compare", fix="Choose one --suite"
            )
        try:
            name = text.removeprefix(PREFIX)
            systems.append(published_system(model_names.get(name, name), scores, task_sets[0]))
        except UsageError as error:
            # Without the prefix a misspelt folder is as likely meant as a published row.
            if text.startswith(PREFIX) or "rows of" in error.what:
                raise
            raise UsageError(
                f"no folder with a {RUN_FILE} and no published row",
                where=text,
                fix=f"Give a result folder or {PREFIX}NAME",
            ) from error
    titles = [system.title for system in systems]
    return tuple(
        replace(system, title=f"{system.title} [{text}]")
        if titles.count(system.title) > 1
        else system
        for system, text in zip(systems, texts, strict=True)
    )


SETTINGS = [option.key for option in OPTIONS.values() if option.moves_score == "every"]
"""What a user may choose and what moves a score for one and the same model."""


def mismatches(base: System, other: System, task: str, suite: SuiteSpec) -> tuple[Mismatch, ...]:
    """All reasons against comparing a task; none where it may be compared."""
    absent = [reason for system in (base, other) for reason in _absence(system, task)]
    if absent:
        return tuple(Mismatch(task, reason, missing=True) for reason in absent)
    a, b = base.records.get(task), other.records.get(task)
    reasons = [
        f"{system.title}: {missing}"
        for system, record in ((base, a), (other, b))
        if (missing := shortfall(record))
    ]
    if a and b:
        reasons += _differences(a, b)
    elif record := a or b:
        reasons += _against_published(record, suite)
    return tuple(Mismatch(task, reason) for reason in reasons)


def harmless(base: System, other: System, task: str) -> tuple[Mismatch, ...]:
    """How a task was scored differently, to the same scores."""
    a, b = base.records.get(task), other.records.get(task)
    apart = _settings_apart(a, b) if a and b else ()
    return tuple(Mismatch(task, reason) for reason, alike in apart if alike)


def by_reason(entries: Iterable[Mismatch]) -> dict[str, list[str]]:
    """The tasks of each reason, in order: a whole benchmark often differs in one thing."""
    tasks: dict[str, list[str]] = {}
    for entry in entries:
        tasks.setdefault(entry.reason, []).append(entry.task)
    return tasks


def _absence(system: System, task: str) -> list[str]:
    record = system.records.get(task)
    if record is not None and record.status != "ok":
        return [f"{record.status} in {system.title}: {record.error or 'no reason given'}"]
    return [] if system.scores.get(task) else [f"no score in {system.title}"]


def _differences(a: TaskRecord, b: TaskRecord) -> Iterator[str]:
    if a.version != b.version:
        # One reason is enough: another version has another definition, as a rule.
        yield f"task version {a.version} against {b.version}"
    elif a.definition_hash != b.definition_hash:
        yield f"task definition {a.definition_hash} against {b.definition_hash}"
    # The rows decide, not the revision: a later revision may hold the same rows of this task.
    if a.data and b.data and a.data.fingerprint != b.data.fingerprint:
        if a.data.revision != b.data.revision:
            yield f"data revision {a.data.revision} against {b.data.revision}"
        else:
            yield f"other rows: data {a.data.fingerprint[:12]} against {b.data.fingerprint[:12]}"
    yield from (reason for reason, alike in _settings_apart(a, b) if not alike)
    first, second = _precisions(a), _precisions(b)
    # A model without a network (BM25, TF-IDF, given vectors) has no precision to differ in.
    if first and second and first != second:
        yield f"precision {', '.join(first)} against {', '.join(second)}"


def _settings_apart(a: TaskRecord, b: TaskRecord) -> Iterator[tuple[str, bool]]:
    """Settings in which two records differ, and whether their values give the same scores."""
    alike = {option.key: option.alike for option in OPTIONS.values()}
    for name in (*SETTINGS, *EVALUATIONS.get(a.evaluation).settings):
        first, second = a.settings.get(name), b.settings.get(name)
        if first != second:
            names = ["none" if value is None else str(value) for value in (first, second)]
            same = {first, second} <= set(alike.get(name, ()))
            yield f"{name} {' against '.join(names)}", same


def _against_published(record: TaskRecord, suite: SuiteSpec) -> Iterator[str]:
    """Published numbers are of the whole benchmark; everything else about them is unknown."""
    if record.settings.get("limit"):
        yield f"limit {record.settings['limit']} against the whole published test set"
    if record.settings.get("quantize"):
        yield f"quantize {record.settings['quantize']} against published vectors"
    if suite.synthetic:
        yield "synthetic data against published numbers"


def _precisions(record: TaskRecord) -> list[str]:
    return sorted({role["dtype"] for role in record.model.roles.values() if "dtype" in role})
