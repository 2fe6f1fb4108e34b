from __future__ import annotations

import pytest

from scirepeval_harness.comparison.systems import published_system, read_systems
from scirepeval_harness.errors import NotComparableError, UsageError
from scirepeval_harness.files import bundled
from scirepeval_harness.model.registry import load_models
from scirepeval_harness.results.leaderboard import PublishedScore, read_published
from scirepeval_harness.task.registry import load_registry

NAMES = {model.title: model.name for model in load_models().values()}


def score(title: str, level: str, name: str, key: str = "map", **update: str) -> PublishedScore:
    values = {"system": "s", "kind": "published", "task_set": "v2", "source": "a page"}
    return PublishedScore(
        title=title, level=level, name=name, key=key, value=50.0, **{**values, **update}
    )


def test_a_row_has_task_scores_and_printed_averages_but_no_fields_of_study() -> None:
    scores = [
        score("T", "task", "mdcr"),
        score("T", "task", "mdcr", "map[Art]"),
        score("T", "column", "Average", "mean"),
        score("T", "column", "Average", "mean", task_set="v1"),
    ]
    found = published_system("T", scores, "v2")
    assert found.title == "T (published)"
    assert found.scores == {"mdcr": {"map": 50.0}}
    assert found.columns == {"Average": 50.0}
    assert found.published


def test_a_system_of_two_rows_means_the_one_with_averages() -> None:
    scores = [score("T", "task", "mdcr"), score("U", "column", "Average", "mean")]
    assert published_system("s", scores, "v2").title == "U (published)"
    with pytest.raises(UsageError, match="'published:T'; 'published:U'"):
        published_system("s", [*scores, score("T", "column", "In-Train", "mean")], "v2")


def test_task_sets_never_mix() -> None:
    with pytest.raises(NotComparableError, match="task set v1, not v2"):
        published_system("T", [score("T", "column", "Average", task_set="v1")], "v2")


def test_every_published_system_of_the_current_list_can_be_named() -> None:
    scores = read_published(bundled("results/published"))
    registry = load_registry()
    suites = [registry.suite("scirepeval"), registry.suite("mdcr")]
    names = sorted({s.system for s in scores if s.task_set == "v2" and s.system})
    assert len(names) > 5
    for name in names:
        (found,) = read_systems([f"published:{name}"], scores, suites, NAMES)
        assert found.scores or found.columns
    (by_title,) = read_systems(["allenai/specter2_base"], scores, suites, NAMES)
    assert by_title.columns["Average"] > 60
    (as_on_the_leaderboard,) = read_systems(["SPECTER2-Adapters"], scores, suites, NAMES)
    assert as_on_the_leaderboard.columns["Average"] == 71.1


def test_two_of_one_title_are_told_apart() -> None:
    suites = [load_registry().suite("mdcr")]
    scores = [score("T", "task", "mdcr")]
    first, second = read_systems(["published:T", "published:s"], scores, suites, NAMES)
    assert (first.title, second.title) == (
        "T (published) [published:T]",
        "T (published) [published:s]",
    )
