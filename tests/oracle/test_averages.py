"""Leaderboard rows against plain sums, on generated scores and under every reading."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from scirepeval_harness.results.leaderboard import row
from scirepeval_harness.task.registry import Registry, load_registry
from scirepeval_harness.task.spec import Readings
from tests.oracle import averages as oracle

KINDS = {
    "reviewer_matching": "reviewers",
    "author_disambiguation": "authors",
}


def made_scores(
    registry: Registry, names: tuple[str, ...], seed: int
) -> dict[str, dict[str, float]]:
    random = np.random.default_rng(seed)
    found: dict[str, dict[str, float]] = {}
    for name in names:
        task = registry.task(name)
        keys = list(task.metrics)
        keys += [f"{m}@{shot.setting}" for m in task.metrics for shot in task.few_shot]
        keys += [f"{kind}_{m}" for m in task.metrics for kind in ("hard", "soft")]
        found[name] = {key: float(random.uniform(0, 100)) for key in keys}
    return found


@pytest.mark.parametrize(
    ("few_shot", "reviewers", "authors"),
    list(
        itertools.product(
            ("mean_of_settings", "full_and_mean_of_few_shot"),
            ("mean_of_metrics", "hard_only", "soft_only"),
            ("measured", "constant", "excluded"),
        )
    ),
)
def test_a_row_equals_the_plain_means_under_every_reading(
    few_shot: str, reviewers: str, authors: str
) -> None:
    registry = load_registry()
    readings = Readings.model_validate(
        {
            "few_shot": few_shot,
            "reviewer_matching": reviewers,
            "author_disambiguation": authors,
        }
    )
    suite = registry.suite("scirepeval").model_copy(update={"readings": readings})
    scores = made_scores(registry, suite.task_names(), seed=7)
    groups = {}
    for column in suite.columns[:2]:
        values = []
        for name in column.tasks:
            task = registry.task(name)
            values += oracle.task_values(
                KINDS.get(task.evaluation, "plain"), task.metrics, scores[name],
                [shot.sample_size for shot in task.few_shot],
                few_shot, reviewers, authors, readings.author_disambiguation_constant,
            )  # fmt: skip
        groups[column.name] = values
    assert len(groups["In-Train"]) == 7
    assert len(groups["Out-of-Train"]) == (19 if authors == "excluded" else 20)
    cells = row(suite, registry.tasks, scores)
    for name, values in groups.items():
        assert cells[name].value == pytest.approx(sum(values) / len(values))
        assert (cells[name].have, cells[name].need) == (len(values), len(values))
    both = groups["In-Train"] + groups["Out-of-Train"]
    assert cells["Average"].value == pytest.approx(sum(both) / len(both))
