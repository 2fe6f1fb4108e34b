from __future__ import annotations

import numpy as np
import pytest

from scirepeval_harness.comparison.systems import harmless, mismatches
from scirepeval_harness.results.record import CoverageRecord, ModelRecord
from tests.support.made_results import SETTINGS, queries, query_task, suite_of, system

TASK = query_task("one")
SUITE = suite_of(TASK)
MADE = queries(SUITE, TASK, np.linspace(0, 1, 20))


def model(dtype: str | None) -> ModelRecord:
    roles = {"proximity": {"dtype": dtype} if dtype else {}}
    return ModelRecord(name="m", title="m", kind="transformer", roles=roles)


def data(**update: object) -> object:
    assert MADE.record.data is not None
    return MADE.record.data.model_copy(update=update)


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"version": 2}, "task version 1 against 2"),
        ({"definition_hash": "other"}, "task definition"),
        ({"data": data(fingerprint="0" * 64)}, "other rows: data ffffffffffff against 000000"),
        ({"data": data(fingerprint="0", revision="r2")}, "data revision None against r2"),
        ({"settings": {**SETTINGS, "limit": 50}}, "limit none against 50"),
        ({"settings": {**SETTINGS, "width": "float16"}}, "width float32 against float16"),
        ({"settings": {**SETTINGS, "seed": 1}}, "seed 42 against 1"),
        (
            {"coverage": CoverageRecord(documents_needed=20, documents_found=19)},
            "B: scored on 19 of 20 documents",
        ),
    ],
)
def test_each_difference_that_moves_a_score_is_named(
    update: dict[str, object], reason: str
) -> None:
    other = system("B", MADE.with_record(**update))
    found = mismatches(system("A", MADE), other, "one", SUITE)
    assert [entry.missing for entry in found] == [False]
    assert reason in found[0].reason


def test_the_probe_matters_where_there_is_one() -> None:
    def found(evaluation: str, probe: str) -> list[list[str]]:
        made = MADE.with_record(evaluation=evaluation)
        other = MADE.with_record(evaluation=evaluation, settings={**SETTINGS, "probe": probe})
        a, b = system("A", made), system("B", other)
        both = (mismatches(a, b, "one", SUITE), harmless(a, b, "one"))
        return [[entry.reason for entry in entries] for entries in both]

    assert found("probe", "fast") == [["probe reference against fast"], []]
    assert found("probe", "exact") == [[], ["probe reference against exact"]]
    assert found("probe", "reference") == found("ranking", "fast") == [[], []]


def test_precision_differs_between_networks_only() -> None:
    def found(a: str | None, b: str | None) -> list[str]:
        pair = (MADE.with_record(model=model(dtype)) for dtype in (a, b))
        first, second = (system(t, m) for t, m in zip("AB", pair, strict=True))
        return [entry.reason for entry in mismatches(first, second, "one", SUITE)]

    assert found("float32", "bfloat16") == ["precision float32 against bfloat16"]
    assert found("float32", None) == []
    assert found("float32", "float32") == []


def test_equal_rows_under_another_revision_compare() -> None:
    other = system("B", MADE.with_record(data=data(revision="r2")))
    assert mismatches(system("A", MADE), other, "one", SUITE) == ()


def test_a_failed_task_has_no_score_and_says_why() -> None:
    failed = MADE.with_record(status="failed", error="out of memory")
    (entry,) = mismatches(system("A", MADE), system("B", failed), "one", SUITE)
    assert entry.missing
    assert entry.reason == "failed in B: out of memory"


def test_allowing_missing_documents_is_no_difference_where_none_was_missing() -> None:
    other = system("B", MADE.with_record(settings={**SETTINGS, "allow_missing": True}))
    assert mismatches(system("A", MADE), other, "one", SUITE) == ()
