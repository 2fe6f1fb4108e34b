"""Published numbers, with their sources, as leaderboard rows."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scirepeval_harness.errors import SpecError
from scirepeval_harness.results.leaderboard import Cell, Row


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One number. ``level`` is ``column`` for an average as printed, ``task`` for a task's score;
    ``name`` the column or task; ``task_set`` the version of the task list that it belongs to."""

    system: str
    title: str
    level: str
    name: str
    key: str
    value: float
    kind: str
    task_set: str
    source: str


def read_published(folder: Path) -> tuple[PublishedScore, ...]:
    """All published numbers below ``folder``; raises SpecError for a malformed file."""
    scores: list[PublishedScore] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                try:
                    value = float(row.pop("value"))
                    scores.append(PublishedScore(value=value, **row))
                except (KeyError, TypeError, ValueError) as error:
                    raise SpecError(
                        f"not a published score ({error})",
                        where=f"{path}:{number}",
                        fix="See results/README.md for the columns",
                    ) from error
    return tuple(scores)


def published_rows(
    scores: Sequence[PublishedScore], task_set: str, titles: Mapping[str, str]
) -> tuple[Row, ...]:
    """Rows of the averages as printed, of one task set only: v1 and v2 lists do not compare.

    Args:
        titles: our title of each registered model, by its name.
    """
    chosen = [s for s in scores if s.level == "column" and s.task_set == task_set]
    rows = []
    for title in dict.fromkeys(score.title for score in chosen):
        own = [score for score in chosen if score.title == title]
        cells = {score.name: Cell(score.value, 1, 1) for score in own}
        sources = tuple(dict.fromkeys(f"published in {score.source}" for score in own))
        rows.append(Row(titles.get(own[0].system, title), cells, published=True, notes=sources))
    return tuple(rows)


def task_scores(scores: Sequence[PublishedScore], title: str) -> dict[str, dict[str, float]]:
    """A title's scores by task and score key, as the aggregation takes them."""
    found: dict[str, dict[str, float]] = {}
    for score in scores:
        if score.title == title and score.level == "task":
            found.setdefault(score.name, {})[score.key] = score.value
    return found
