from __future__ import annotations

import pytest

from scirepeval_harness.files import bundled
from scirepeval_harness.reporting.leaderboard import mean_text
from scirepeval_harness.results.leaderboard import (
    PublishedScore,
    published_rows,
    read_published,
    row,
    task_scores,
)
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import SuiteSpec

SPECTER2 = "SPECTER2-Adapters (specter2_base + 4 adapters)"


@pytest.fixture(scope="module")
def scores() -> tuple[PublishedScore, ...]:
    return read_published(bundled("results/published"))


def suite_with(**readings: object) -> SuiteSpec:
    suite = load_registry().suite("scirepeval")
    return suite.model_copy(update={"readings": suite.readings.model_copy(update=readings)})


@pytest.mark.parametrize(
    ("title", "in_train", "out_of_train"),
    [(SPECTER2, 62.3, 74.1), ("allenai/specter2_base", 56.3, 73.6)],
)
def test_third_party_tasks_give_the_averages_of_the_card(
    scores: tuple[PublishedScore, ...], title: str, in_train: float, out_of_train: float
) -> None:
    tasks = load_registry().tasks
    suite = suite_with(author_disambiguation="constant")
    cells = row(suite, tasks, task_scores(scores, title))
    # 0.35: another SVM library moves few-shot scores (docs/protocol.md), and the card rounds.
    assert cells["In-Train"].value == pytest.approx(in_train, abs=0.35)
    assert cells["Out-of-Train"].value == pytest.approx(out_of_train, abs=0.35)
    assert (cells["In-Train"].need, cells["Out-of-Train"].need) == (7, 20)
    together = (7 * cells["In-Train"].value + 20 * cells["Out-of-Train"].value) / 27
    assert cells["Average"].value == pytest.approx(together)


def test_without_s2and_the_row_is_partial_and_says_so(scores: tuple[PublishedScore, ...]) -> None:
    cells = row(suite_with(), load_registry().tasks, task_scores(scores, SPECTER2))
    assert cells["Average"].have == 26
    assert mean_text(cells["Average"]).endswith("(26 of 27)")
    assert (
        row(
            suite_with(author_disambiguation="excluded"),
            load_registry().tasks,
            task_scores(scores, SPECTER2),
        )["Average"].need
        == 26
    )


def test_the_two_few_shot_readings_differ_as_computed_by_hand(
    scores: tuple[PublishedScore, ...],
) -> None:
    tasks, found = load_registry().tasks, task_scores(scores, SPECTER2)
    fields = {"fields-of-study": found["fields-of-study"]}
    first = row(suite_with(), tasks, fields)["In-Train"].value
    second = row(suite_with(few_shot="full_and_mean_of_few_shot"), tasks, fields)["In-Train"].value
    assert first == pytest.approx((46.08 + 40.2232 + 35.9238) / 3)
    assert second == pytest.approx((46.08 + (40.2232 + 35.9238) / 2) / 2)


@pytest.mark.parametrize(
    ("title", "mean"), [("allenai/specter (HF model)", 89.10), ("SciNCL (paper", 90.80)]
)
def test_the_ten_scidocs_numbers_average_as_published(
    scores: tuple[PublishedScore, ...], title: str, mean: float
) -> None:
    chosen = [s.value for s in scores if s.title.startswith(title) and s.name.startswith("scidocs")]
    assert sum(chosen[:10]) / 10 == pytest.approx(mean, abs=0.005)


def test_published_rows_never_mix_task_sets(scores: tuple[PublishedScore, ...]) -> None:
    new, old = published_rows(scores, "v2", {}), published_rows(scores, "v1", {})
    assert len(new) == 6
    assert {"SciDocs"} <= set(old[0].means)
    assert all("SciDocs" not in row.means for row in new)
    assert next(r for r in new if r.title == SPECTER2).means["MDCR MAP"].value == 38.4
