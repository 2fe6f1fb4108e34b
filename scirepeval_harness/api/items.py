"""Single queries and rows of a result: the worst, the best, and where two models differ."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scirepeval_harness.api.evaluate import Cache, resolve_cache
from scirepeval_harness.api.results import PathLike, as_list, models_of, registry_for
from scirepeval_harness.errors import HarnessError, NotComparableError, UsageError
from scirepeval_harness.results.folder import Result
from scirepeval_harness.schema import unknown
from scirepeval_harness.task.places import Data, place_of, read_places

if TYPE_CHECKING:
    from scirepeval_harness.reporting.items import ItemsView, ShownItem
    from scirepeval_harness.results.record import TaskRecord
    from scirepeval_harness.run.again import Material, Ranks
    from scirepeval_harness.task.dataset import Document
    from scirepeval_harness.task.registry import Registry
    from scirepeval_harness.task.spec import SuiteSpec, TaskSpec

Key = tuple[str, str]


def items(
    result: Result | PathLike,
    task: str,
    *,
    against: Result | PathLike | None = None,
    worst: int = 5,
    best: int = 5,
    query: str | Sequence[str] | None = None,
    metric: str | None = None,
    setting: str | None = None,
    candidates: int = 5,
    data: Data = None,
    cache: Cache = "default",
    tasks_dirs: Sequence[PathLike] = (),
    allow_mismatch: bool = False,
) -> ItemsView:
    """The worst and the best queries or rows of a task, with texts, and two models side by side.

    Texts and labels are read from the task's data where it is here and has the rows that were
    scored; candidates are ranked from vectors in the store. Nothing is downloaded or encoded; what
    is not here is said in ``notes``.

    Args:
        result: a result or its folder.
        task: the name of one of its tasks.
        against: a second result: worst and best are then where the first falls behind the second
            most, and where it is ahead most.
        worst, best: how many.
        query: show these items by id instead.
        metric: of a task that ranks; None for its first.
        setting: of a task with few-shot settings, such as ``64-shot``; None for the full one.
        candidates: how many candidates of a query are listed; so many relevant ones are too.
        data: the folder of the task's data, as for `evaluate`; None for that of the run.
        cache: the store of vectors; None ranks no candidates.
        tasks_dirs: folders of your own task files, as for `load_results`.
        allow_mismatch: show two that differ in data or protocol all the same.

    Raises:
        UsageError: a task that is not finished or keeps no items; no such metric, setting or item.
        UnknownNameError: a task that the result does not have.
        NotComparableError: the two differ in data or protocol.
        StorageError: a file that is damaged.

    Example:
        >>> import scirepeval_harness as sh
        >>> folder = "results/baselines/sample"
        >>> view = sh.items(f"{folder}/tfidf", "sample-year", against=f"{folder}/minilm", worst=1)
        >>> view.measure, list(view.to_pandas().columns)[:4]
        ('error', ['field', 'item', 'truth', 'prediction'])
    """
    from scirepeval_harness.comparison.items import item_values, side_by_side
    from scirepeval_harness.reporting.items import ItemsView

    for name, number in (("worst", worst), ("best", best), ("candidates", candidates)):
        if number < 0:
            raise UsageError(f"{name} must be at least 0, not {number}", fix="Give another number")
    found = [_found(entry) for entry in ([result] if against is None else [result, against])]
    registry = registry_for(found, tasks_dirs)
    found = [entry.as_of(registry) for entry in found]
    records = [_record(entry, task, registry) for entry in found]
    spec, suite = registry.task(task), registry.suite(records[0].suite)
    notes = _differences(found, spec, suite, allow_mismatch)
    sides = [
        item_values(entry, record, metric, setting)
        for entry, record in zip(found, records, strict=True)
    ]
    values = sides[0] if against is None else side_by_side(task, *sides)
    frame = values.worst_first("value" if against is None else "difference")
    groups = _groups(frame, as_list(query), worst, best, compared=against is not None)
    wanted = {(row.field, row.item) for _, rows in groups for row in rows}
    if setting not in (None, "full"):
        notes.append("Predictions are those of the first draw of training rows.")
    material = _material(found, records[0], suite, spec, data)
    if material.why is not None:
        notes.append(f"No texts: {material.why}. Give the folder of the task's data with --data.")
    ranks, unranked = _ranks(found, records, spec, material, wanted, resolve_cache(cache))
    shown = tuple(
        (caption, tuple(_shown(row, material, ranks) for row in rows)) for caption, rows in groups
    )
    titles = [entry.run.model.title for entry in found]
    return ItemsView(
        titles[0], spec.title, str(records[0].item_kind), values.measure,
        None if against is None else titles[1], frame, shown, (*notes, *unranked), candidates,
    )  # fmt: skip


def _found(entry: Result | PathLike) -> Result:
    from scirepeval_harness.comparison.systems import find_result

    found = find_result(entry)
    if found is None:
        raise UsageError("no such result folder", where=str(entry), fix="Give one that `run` wrote")
    return found


def _record(result: Result, task: str, registry: Registry) -> TaskRecord:
    from scirepeval_harness.results.verify import contradictions

    if task not in result.tasks:
        raise unknown("task", task, result.tasks, str(result.folder))
    for error in contradictions(result, result.tasks[task], registry.tasks):
        raise error
    return result.tasks[task]


def _differences(
    results: Sequence[Result], task: TaskSpec, suite: SuiteSpec, allowed: bool
) -> list[str]:
    """What the two differ in beside the model, a line each, where that is allowed."""
    from scirepeval_harness.comparison.systems import measured_system, mismatches

    if len(results) < 2:
        return []
    base, other = map(measured_system, results)
    reasons = [entry.reason for entry in mismatches(base, other, task.name, suite)]
    if reasons and not allowed:
        fix = "Choose another result, or pass --allow-mismatch"
        raise NotComparableError("; ".join(reasons), where=f"task {task.name}", fix=fix)
    return [f"Not comparable: {reason}." for reason in reasons]


def _groups(
    frame: Any, asked: Sequence[str], worst: int, best: int, *, compared: bool
) -> list[tuple[str, list[Any]]]:
    """Rows of the frame under captions."""
    if asked:
        for name in asked:
            if not (frame["item"] == name).any():
                raise unknown("item", name, frame["item"].unique())
        return [("Asked for", list(frame[frame["item"].isin(asked)].itertuples()))]
    names = ("Behind most", "Ahead most") if compared else ("Worst", "Best")
    first, last = frame.head(worst), frame.iloc[::-1].head(best)
    groups = [(names[0], list(first.itertuples())), (names[1], list(last.itertuples()))]
    return [(f"{name} {len(rows)}", rows) for name, rows in groups if rows]


def _material(
    results: Sequence[Result], record: TaskRecord, suite: SuiteSpec, task: TaskSpec, data: Data
) -> Material:
    from scirepeval_harness.run.again import read_material

    folders = [place_of(read_places(data), suite, task)]
    if data is None:
        folders += [place for result in results for place in _places(result, suite, task)]
    # Without a folder: what ships with the suite, or what the hub's cache holds.
    last = [] if data is not None else [None]
    named = [folder for folder in dict.fromkeys(folders) if folder is not None]
    return read_material(record, suite, task, [*named, *last])


def texts_of(
    results: Sequence[Result], data: Data
) -> Callable[[SuiteSpec, TaskSpec], tuple[Mapping[str, Document], Sequence[str], str | None]]:
    """Reads what a task's items say, by the data of the first result that has the task."""

    def read(
        suite: SuiteSpec, task: TaskSpec
    ) -> tuple[Mapping[str, Document], Sequence[str], str | None]:
        having = [own for own in results if task.name in own.tasks]
        found = _material(having, having[0].tasks[task.name], suite, task, data)
        return found.documents, found.classes, found.why

    return read


def _places(result: Result, suite: SuiteSpec, task: TaskSpec) -> Iterator[Path | None]:
    """Where the run had its data from, if that is still there."""
    with suppress(HarnessError):
        if said := result.run.arguments.get("data"):
            yield place_of(read_places(said), suite, task)


def _ranks(
    results: Sequence[Result],
    records: Sequence[TaskRecord],
    task: TaskSpec,
    material: Material,
    wanted: Collection[Key],
    cache: Path | None,
) -> tuple[list[Ranks], list[str]]:
    """The candidates of the wanted queries as each result ranks them, and why others do not."""
    from scirepeval_harness.run.again import rank_again

    if material.pools is None or not wanted:
        return [{} for _ in results], []
    ranks, notes = list[Any](), []
    for result, record in zip(results, records, strict=True):
        found: Ranks | str = "no --cache of vectors"
        if cache is not None:
            found = rank_again(result, record, task, models_of(result.run), material, wanted, cache)
        ranks.append({} if isinstance(found, str) else found)
        if isinstance(found, str):
            notes.append(f"Candidates are not ranked by {result.run.model.title}: {found}.")
    return ranks, notes


def _shown(row: Any, material: Material, ranks: Sequence[Ranks]) -> ShownItem:
    from scirepeval_harness.reporting.items import Candidate, ShownItem, by_id, classes_in_words

    grades = material.pools.fields.get(row.field, {}).get(row.item, {}) if material.pools else {}
    orders = [list(own.get((row.field, row.item), ())) for own in ranks]
    first = next(filter(None, orders), sorted(grades, key=lambda key: -grades[key]))
    places = [{key: n for n, key in enumerate(order, 1)} for order in orders]
    texts = material.pools.candidates if material.pools else {}
    candidates = tuple(
        Candidate(key, grades[key], by_id(texts, key), *(own.get(key) for own in places))
        for key in [*first, *(key for key in grades if key not in set(first))]
    )
    labels = {
        side: classes_in_words(getattr(row, side), material.classes)
        for side in ("truth", "prediction", "other_prediction")
        if hasattr(row, side)
    }
    return ShownItem(
        row.item,
        row.field,
        row.value,
        getattr(row, "other", None),
        by_id(material.documents, row.item),
        candidates=candidates,
        **labels,
    )
