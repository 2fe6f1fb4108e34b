"""Comparisons of made systems, with every number computed again from the items."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from scirepeval_harness.comparison.compare import compare, examine
from scirepeval_harness.comparison.records import Comparison
from scirepeval_harness.comparison.systems import System
from scirepeval_harness.errors import NotComparableError, StorageError
from scirepeval_harness.evaluations.base import Outcome, Score
from scirepeval_harness.task.spec import Column, FewShot, SuiteSpec, TaskSpec
from tests.support.made_results import MadeTask, made_task, queries, query_task, suite_of, system

ONE = query_task("one")
TWO = query_task("two", metrics=("map", "ndcg"))
SUITE = suite_of(ONE, TWO)
TASKS = {"one": ONE, "two": TWO}


def of(base: System, other: System, **options: bool) -> Comparison:
    allow = options.get("allow_mismatch", False)
    return compare(base, other, [SUITE], TASKS, seed=1, allow_mismatch=allow)


def values(seed: int, mean: float, count: int = 80) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.clip(np.linspace(0.2, 0.8, count) + mean + random.normal(0, 0.05, count), 0, 1)


def test_differences_intervals_and_tests_are_those_of_the_items() -> None:
    a, b, c = values(1, 0.0), values(2, 0.05), values(3, 0.0)
    base = system("A", queries(SUITE, ONE, a), queries(SUITE, TWO, a))
    other = system("B", queries(SUITE, ONE, b), queries(SUITE, TWO, c))
    found = of(base, other)
    assert [(d.task, d.key) for d in found.tasks] == [
        ("one", "map"),
        ("two", "map"),
        ("two", "ndcg"),
    ]
    first, second, third = found.tasks
    assert first.difference == pytest.approx(100 * (b.mean() - a.mean()))
    theirs = stats.bootstrap(
        (b - a,), np.mean, method="percentile", n_resamples=4000, rng=7
    ).confidence_interval
    assert first.interval == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=0.15)
    p = stats.permutation_test(
        (a, c), lambda x, y: np.mean(y - x), permutation_type="samples", n_resamples=9999, rng=1
    ).pvalue
    assert second.p_value == pytest.approx(p, abs=0.02)
    assert second.p_value == third.p_value
    assert first.p_value == pytest.approx(1 / 10_001)
    # Of four tests: three scores and the average, which is as sure.
    assert first.p_holm == pytest.approx(4 / 10_001)
    assert (first.verdict, second.verdict) == ("better", "same")
    assert (found.wins, found.losses, found.ties) == (1, 0, 2)
    back = of(other, base).tasks[0]
    assert (back.difference, back.p_value) == (-first.difference, first.p_value)
    assert back.verdict == "worse"


def test_an_average_is_reduced_as_in_the_leaderboard_and_its_interval_is_narrower() -> None:
    a, b, c = values(1, 0.0), values(2, 0.02), values(3, 0.03)
    base = system("A", queries(SUITE, ONE, a), queries(SUITE, TWO, a))
    other = system("B", queries(SUITE, ONE, b), queries(SUITE, TWO, c))
    found = of(base, other)
    (average,) = found.averages
    one, two, _ = found.tasks
    # One number of task one, two of task two, which are equal here.
    assert average.difference == pytest.approx((one.difference + 2 * two.difference) / 3)
    assert (average.numbers, average.need, average.partial) == (3, 3, False)
    spread = [np.std(100 * (x - a)) / np.sqrt(80) for x in (b, c)]
    error = np.hypot(spread[0] / 3, spread[1] * 2 / 3)
    assert average.interval is not None
    low, high = average.interval
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.12)
    assert found.formats[0].name == "proximity"
    assert found.formats[0].difference == average.difference
    assert found.groups == found.averages


def probe_spec(**update: object) -> TaskSpec:
    given = {"name": "one", "title": "T", "format": "classification", "evaluation": "probe"}
    return TaskSpec(**{**given, "metrics": ("f1_macro", "accuracy"), **update})  # type: ignore[arg-type]


def labelled(task: TaskSpec, truth: np.ndarray, predicted: dict[str, list[np.ndarray]]) -> MadeTask:
    frames, scores = [], []
    for setting, iterations in predicted.items():
        for number, labels in enumerate(iterations):
            frames.append(
                pd.DataFrame(
                    {
                        "setting": setting,
                        "iteration": number,
                        "item": [f"d{n}" for n in range(len(truth))],
                        "truth": [[int(x)] for x in truth],
                        "prediction": [[int(x)] for x in labels],
                    }
                )
            )
        f1 = [100 * f1_score(truth, labels, average="macro") for labels in iterations]
        right = [100 * np.mean(truth == labels) for labels in iterations]
        scores += [
            Score("f1_macro", float(np.mean(f1)), setting),
            Score("accuracy", float(np.mean(right)), setting),
        ]
    items = pd.concat(frames, ignore_index=True)
    notes = {"classes": int(truth.max()) + 1}
    return made_task(suite_of(task), task, Outcome(tuple(scores), "classes", items, notes), "m")


def test_probes_and_their_few_shot_settings_are_tested_on_the_rows() -> None:
    task = probe_spec(few_shot=(FewShot(sample_size=16, iterations=3),))
    suite = suite_of(task)
    random = np.random.default_rng(4)
    truth = random.integers(0, 3, 150)

    def guess(share: float) -> np.ndarray:
        return np.where(random.uniform(size=150) < share, truth, random.integers(0, 3, 150))

    base = system("A", labelled(task, truth, {"full": [guess(0.5)], "16-shot": [guess(0.3)] * 3}))
    other = system("B", labelled(task, truth, {"full": [guess(0.9)], "16-shot": [guess(0.3)] * 3}))
    found = compare(base, other, [suite], {"one": task}, seed=1, allow_mismatch=False)
    by_key = {entry.key: entry for entry in found.tasks}
    assert set(by_key) == {"f1_macro", "accuracy", "f1_macro@16-shot", "accuracy@16-shot"}
    assert by_key["f1_macro"].verdict == by_key["accuracy"].verdict == "better"
    assert by_key["f1_macro@16-shot"].verdict == "same"
    assert by_key["f1_macro@16-shot"].few_shot
    entry = by_key["f1_macro"]
    assert entry.interval is not None
    assert entry.interval[0] < entry.difference < entry.interval[1]


def test_the_same_rows_in_another_order_are_matched_and_drawn_again() -> None:
    a, b = values(1, 0.0), values(2, 0.05)
    straight = queries(SUITE, ONE, b)
    turned = MadeTask(
        straight.record,
        straight.items.iloc[::-1].reset_index(drop=True),
        {"map": np.zeros(1000)},  # draws of another order: must not be used
    )
    base = system("A", queries(SUITE, ONE, a))
    plain, mixed = (of(base, system("B", part)).tasks[0] for part in (straight, turned))
    assert mixed.difference == plain.difference
    assert mixed.p_value == pytest.approx(plain.p_value, abs=0.01)
    assert mixed.interval == pytest.approx(plain.interval, abs=0.3)


def test_other_items_are_refused_and_untested_when_allowed() -> None:
    a, b = values(1, 0.0), values(2, 0.05, count=70)
    base, other = system("A", queries(SUITE, ONE, a)), system("B", queries(SUITE, ONE, b))
    with pytest.raises(NotComparableError, match="70 in both of 80 and 70") as stop:
        of(base, other)
    assert stop.value.exit_code == 4
    entry = of(base, other, allow_mismatch=True).tasks[0]
    assert (entry.interval, entry.p_value, entry.verdict) == (None, None, "unknown")


def test_rows_with_other_truth_are_not_the_same_rows() -> None:
    task = probe_spec()
    suite = suite_of(task)
    truth = np.arange(60) % 3
    other_truth = truth.copy()
    other_truth[0] = 1
    base = system("A", labelled(task, truth, {"full": [truth]}))
    other = system("B", labelled(task, other_truth, {"full": [truth]}))
    found = examine(base, other, [suite], {"one": task}, seed=1, allow_mismatch=False)
    assert "with other labels" in found.mismatches[0].reason
    assert found.tasks == ()


def test_a_task_on_one_side_is_listed_and_no_reason_to_refuse() -> None:
    a = values(1, 0.0)
    base = system("A", queries(SUITE, ONE, a), queries(SUITE, TWO, a))
    found = of(base, system("B", queries(SUITE, ONE, a)))
    assert [(e.task, e.reason, e.missing) for e in found.mismatches] == [
        ("two", "no score in B", True)
    ]
    assert (found.averages[0].numbers, found.averages[0].need) == (1, 3)
    assert found.averages[0].difference == 0


def test_items_without_their_columns_name_the_task() -> None:
    a = queries(SUITE, ONE, values(1, 0.0))
    broken = MadeTask(a.record, a.items.drop(columns="metric"), a.draws)
    with pytest.raises(StorageError, match=r"task one: items without metric"):
        of(system("A", a), system("B", broken))


def test_fields_of_study_count_alike_whatever_their_size() -> None:
    task = query_task("one", evaluation="citation_pools")
    suite = SuiteSpec(
        name="made", title="M", task_set="made", columns=(Column(name="C", tasks=("one",)),)
    )
    sizes = {"Art": 10, "Biology": 90}

    def made(shift: dict[str, float]) -> MadeTask:
        frames = [
            pd.DataFrame(
                {
                    "field": name,
                    "item": [f"{name}{n}" for n in range(size)],
                    "metric": "map",
                    "value": np.linspace(0.1, 0.8, size) + shift[name],
                }
            )
            for name, size in sizes.items()
        ]
        means = [float(frame["value"].mean()) for frame in frames]
        scores = (Score("map", 100 * float(np.mean(means))),)
        items = pd.concat(frames, ignore_index=True)
        return made_task(suite, task, Outcome(scores, "queries", items), "m")

    base, other = made({"Art": 0.0, "Biology": 0.0}), made({"Art": 0.1, "Biology": -0.02})
    found = compare(
        system("A", base),
        system("B", other),
        [suite],
        {"one": task},
        seed=1,
        allow_mismatch=False,
    )
    assert found.tasks[0].difference == pytest.approx(4.0)
    # Ten queries carry .1/20 each, ninety -.02/180: the sum .04 is reached when all ten keep their
    # signs (1 of 1024 ways), or nine do (10 ways) and the ninety do not fall below 0 (.542).
    expected = 2 * (1 + 10 * 0.542) / 1024
    assert found.tasks[0].p_value == pytest.approx(expected, abs=0.004)


def test_blocks_of_authors_are_resampled_and_exchanged_whole() -> None:
    task = query_task("one", evaluation="author_disambiguation", metrics=("b3_f1",))
    suite = suite_of(task)
    random = np.random.default_rng(9)
    size = random.integers(2, 40, 60).astype(float)
    quality = random.uniform(0.5, 0.9, (60, 2))

    def made(shift: np.ndarray) -> tuple[MadeTask, float]:
        values = quality + shift
        frames = [
            pd.DataFrame(
                {
                    "field": "qian",
                    "item": [f"block{n}" for n in range(60)],
                    "metric": metric,
                    "value": values[:, column],
                    "weight": size,
                }
            )
            for column, metric in enumerate(("b3_precision", "b3_recall"))
        ]
        precision, recall = size @ values / size.sum()
        f1 = float(2 * precision * recall / (precision + recall))
        items = pd.concat(frames, ignore_index=True)
        outcome = Outcome((Score("b3_f1", 100 * f1),), "blocks", items)
        return made_task(suite, task, outcome, "m"), f1

    noise = random.normal(0.0, 0.03, (60, 2))
    base, better, like = (
        system(name, made(shift)[0])
        for name, shift in (("A", 0 * noise), ("B", noise + 0.03), ("C", noise - noise.mean()))
    )
    found = [
        compare(base, other, [suite], {"one": task}, seed=1, allow_mismatch=False).tasks[0]
        for other in (better, like)
    ]
    assert found[0].difference == pytest.approx(100 * (made(noise + 0.03)[1] - made(0 * noise)[1]))
    assert [entry.verdict for entry in found] == ["better", "same"]
    assert found[0].interval is not None
    assert found[0].interval[0] < found[0].difference < found[0].interval[1]


def test_regressions_are_tested_by_the_order_of_their_predictions() -> None:
    given = {"name": "one", "title": "T", "format": "regression", "evaluation": "probe"}
    task = TaskSpec(**given, metrics=("kendalltau",))  # type: ignore[arg-type]
    suite = suite_of(task)
    random = np.random.default_rng(10)
    truth = random.integers(0, 30, 120).astype(float)

    def made(predicted: np.ndarray) -> MadeTask:
        items = pd.DataFrame(
            {
                "setting": "full",
                "iteration": 0,
                "item": [f"d{n}" for n in range(120)],
                "truth": truth,
                "prediction": predicted,
            }
        )
        tau = 100 * float(stats.kendalltau(truth, predicted).statistic)
        outcome = Outcome((Score("kendalltau", tau),), "values", items)
        return made_task(suite, task, outcome, "m")

    rough, fine = truth + random.normal(0, 25, 120), truth + random.normal(0, 4, 120)
    base = system("A", made(rough))
    better, scaled = (
        compare(base, system("B", made(x)), [suite], {"one": task}, seed=1, allow_mismatch=False)
        for x in (fine, 1000 * rough - 7)
    )
    assert better.tasks[0].verdict == "better"
    assert scaled.tasks[0].difference == pytest.approx(0)
    assert scaled.tasks[0].p_value == 1.0
