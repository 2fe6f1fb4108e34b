"""A part of a task that is the same for everyone: rows, queries and candidates by a hash of their
ids. What is drawn for a smaller budget is drawn for every larger one too, and papers that several
tasks share are drawn in all of them, so that they are encoded once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from scirepeval_harness.errors import SpecError, UsageError
from scirepeval_harness.schema import did_you_mean, validate
from scirepeval_harness.task.spec import Column, Draw, SuiteSpec, TaskSpec

LEAST_QUERIES = 5
"""Queries of a task, or of a field of study, that are drawn whatever documents they need."""
SPLIT = (0.4, 0.6)
"""The least and the most that the train rows are of the rows drawn: with the shares of a task whose
test rows are nine in ten nothing could be learned."""
SAMPLES = 2
"""Few-shot samples that the train rows must give."""


def place(key: str) -> bytes:
    """Where an id stands in the order of drawing; the same in every task and on every machine."""
    return hashlib.sha256(key.encode()).digest()


def drawn_splits(
    task: TaskSpec, splits: Sequence[tuple[Sequence[str], Sequence[object]]]
) -> list[list[int]]:
    """Row numbers of the train and the test split, in order.

    Each split keeps the rows whose ids come first, and of every class at least ``draw.least``, or
    in the train split of a multi-label task as many as its few-shot settings draw.

    Args:
        splits: ids and labels; the label of a multi-label row is a tuple of 0 and 1.
    """
    draw, regression = task.draw, task.format == "regression"
    assert draw is not None
    rows = [len(keys) for keys, _ in splits]
    total = min(draw.documents or sum(rows), math.ceil((draw.share or 1) * sum(rows)))
    low, high = SPLIT
    train = min(max(rows[0] / sum(rows), low), high) * total
    shots = [shot.sample_size for shot in task.few_shot]
    counts, least = [train, total - train], [draw.least, draw.least]
    if task.multi_label:
        least[0] = max(draw.least, *shots, 0)
    elif shots:
        counts[0] = max(train, SAMPLES * max(shots))
    return [
        _rows(keys, [()] * len(keys) if regression else labels, round(count), each)
        for (keys, labels), count, each in zip(splits, counts, least, strict=True)
    ]


def _rows(keys: Sequence[str], labels: Sequence[object], count: int, least: int) -> list[int]:
    order = sorted(range(len(keys)), key=lambda row: (place(keys[row]), row))
    have: dict[object, int] = {}
    kept: set[int] = set()
    for row in order:
        label = labels[row]
        classes = (
            [at for at, there in enumerate(label) if there] if isinstance(label, tuple) else [label]
        )
        if any(have.get(name, 0) < least for name in classes):
            kept.add(row)
            for name in classes:
                have[name] = have.get(name, 0) + 1
    for row in order:
        if len(kept) >= count:
            break
        kept.add(row)
    return sorted(kept)


def drawn_queries(
    draw: Draw, queries: Iterable[str], needs: Callable[[str], Iterable[str]], parts: int = 1
) -> frozenset[str]:
    """The queries that come first, as long as they and what they need are in the budget.

    Args:
        needs: the documents of a query, beside itself.
        parts: how many sets of queries share the budget.
    """
    order = sorted(queries, key=lambda key: (place(key), key))
    most = max(LEAST_QUERIES, math.ceil((draw.share or 1) * len(order)))
    budget = math.inf if draw.documents is None else draw.documents / parts
    kept, documents = set[str](), set[str]()
    for query in order[:most]:
        documents |= {query, *needs(query)}
        if len(kept) >= LEAST_QUERIES and len(documents) > budget:
            break
        kept.add(query)
    return frozenset(kept)


def drawn_qrels(
    draw: Draw, qrels: Mapping[str, Mapping[str, int]], parts: int = 1
) -> dict[str, dict[str, int]]:
    """The labels of the queries drawn, each with the candidates drawn, in their order."""
    pools = {query: _pool(draw, grades) for query, grades in qrels.items()}
    kept = drawn_queries(draw, pools, pools.__getitem__, parts)
    return {query: pool for query, pool in pools.items() if query in kept}


def _pool(draw: Draw, grades: Mapping[str, int]) -> dict[str, int]:
    """A query's candidates: relevant and other ones in the shares that they have, and one of each
    at least."""
    if draw.candidates is None or len(grades) <= draw.candidates:
        return dict(grades)
    order = sorted(grades, key=lambda key: (place(key), key))
    relevant = [key for key in order if grades[key] > 0]
    others = [key for key in order if grades[key] <= 0]
    count = round(draw.candidates * len(relevant) / len(grades))
    count = min(max(count, bool(relevant)), draw.candidates - bool(others))
    kept = {*relevant[:count], *others[: draw.candidates - count]}
    return {key: grade for key, grade in grades.items() if key in kept}


def first(keys: Sequence[str], count: int | None) -> tuple[str, ...]:
    """The ids that come first, in the order given; all without ``count``."""
    kept = set(sorted(set(keys), key=lambda key: (place(key), key))[:count])
    return tuple(key for key in keys if key in kept)


def leading(keys: Iterable[str], share: float) -> frozenset[str]:
    """The ids that come first: a share of them, and some in any case."""
    order = sorted(set(keys), key=lambda key: (place(key), key))
    return frozenset(order[: max(LEAST_QUERIES, math.ceil(share * len(order)))])


def drawn_suite(
    suite: SuiteSpec, suites: Mapping[str, SuiteSpec], tasks: Mapping[str, TaskSpec], where: str
) -> tuple[SuiteSpec, tuple[TaskSpec, ...]]:
    """A suite that is a draw of another, with its tasks; columns and tasks have the draw's name.

    Raises:
        SpecError: a name that is not known, or a task whose kind of evaluation takes no draw.
    """
    assert suite.draw is not None
    if suite.task_set or suite.columns or suite.unlisted:
        what = f"task_set and columns are those of suite {suite.of!r}"
        raise SpecError(what, where=where, fix="Leave them out")
    base, name = suites.get(str(suite.of)), suite.draw.name
    if base is None or base.of is not None:
        what = "unknown suite" if base is None else "a draw itself is suite"
        known = [other.name for other in suites.values() if other.of is None]
        raise SpecError(
            f"of: {what} {suite.of!r}", where=where, fix=did_you_mean(str(suite.of), known)
        )
    names = base.task_names()
    for left in suite.without:
        if left not in names:
            fix = did_you_mean(left, names)
            raise SpecError(f"without: no task {left!r} in {base.name}", where=where, fix=fix)
    made = tuple(
        validate(TaskSpec, _drawn_task(tasks[task], suite.draw), f"{where}: task {task}")
        for task in names
        if task not in suite.without and task in tasks
    )
    there = {task.whole: task.name for task in made}
    kept = [c for c in base.columns if c.pools or any(task in there for task in c.tasks)]
    pooled = {column.name for column in kept}
    columns = tuple(
        Column(
            name=f"{column.name} {name}",
            tasks=tuple(there[task] for task in column.tasks if task in there),
            pools=tuple(f"{pool} {name}" for pool in column.pools if pool in pooled),
            metric=column.metric,
        )
        for column in kept
    )
    drawn = suite.model_copy(
        update={
            "task_set": f"{base.task_set}-{name}",
            "synthetic": base.synthetic,
            "revisions": base.revisions,
            "readings": base.readings,
            "columns": columns,
            "unlisted": tuple(there[task] for task in base.unlisted if task in there),
        }
    )
    # What ships with a suite lies beside the file of the whole one.
    return (drawn.at(base.folder, suite.origin) if base.folder else drawn), made


def _drawn_task(task: TaskSpec, draw: Draw) -> dict[str, object]:
    expected = math.ceil((draw.share or 1) * (task.expected_documents or 0)) or None
    return {
        **task.model_dump(mode="json"),
        "name": f"{task.name}-{draw.name}",
        "title": f"{task.title} ({draw.name})",
        "draw": draw.model_dump(mode="json"),
        "expected_documents": expected and min(draw.documents or expected, expected),
    }


def require_one_scale(suites: Iterable[SuiteSpec]) -> None:
    """Raise UsageError where scores of a draw and of whole tasks, or of draws of two names, would
    stand in one table."""
    by_draw: dict[str | None, list[str]] = {}
    for suite in suites:
        by_draw.setdefault(suite.draw.name if suite.draw else None, []).append(suite.name)
    if len(by_draw) > 1:
        groups = " and of ".join(", ".join(names) for names in by_draw.values())
        raise UsageError(
            f"scores of {groups} stand in no table together: a draw is no whole suite",
            fix="Choose suites of one kind with --suite",
        )
