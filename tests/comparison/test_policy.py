from __future__ import annotations

from pathlib import Path

import pytest

from scirepeval_harness.comparison.policy import Floors, HardLimits, Policy, Tolerances
from scirepeval_harness.errors import SpecError
from scirepeval_harness.roles import Format
from scirepeval_harness.schema import read_spec
from scirepeval_harness.task.registry import load_registry


def test_the_defaults_are_by_kind_of_score() -> None:
    policy = Policy()
    assert policy.tolerance_of("search", "ndcg", "adhoc_search", "In-Train") == 0.1
    assert policy.tolerance_of("drsm", "f1_macro", "classification", None) == 0.25
    assert policy.tolerance_of("drsm", "f1_macro@64-shot", "classification", None) == 0.75
    assert policy.tolerance_of("max-hindex", "kendalltau", "regression", None) == 0.25
    assert policy.column_tolerance("Average") == 0.1
    assert policy.alpha == 0.05


def test_the_most_specific_entry_goes_first() -> None:
    policy = Policy(
        tolerance=Tolerances(
            ranking=9,
            tasks={"relish": 1, "scidocs-cite:map": 2, "scidocs-cite": 3},
            formats={"proximity": 4},  # type: ignore[dict-item]
            groups={"In-Train": 5, "Out-of-Train": 6},
            columns={"Average": 7},
        )
    )
    chosen = {
        ("relish", "ndcg", "proximity", "Out-of-Train"): 1,
        ("scidocs-cite", "map", "proximity", "Out-of-Train"): 2,
        ("scidocs-cite", "ndcg", "proximity", "Out-of-Train"): 3,
        ("same-author", "map", "proximity", "In-Train"): 4,
        ("search", "ndcg", "adhoc_search", "In-Train"): 5,
        ("mdcr", "map", "adhoc_search", None): 9,
    }
    assert {args: policy.tolerance_of(*args) for args in chosen} == chosen
    assert policy.column_tolerance("Average") == 7


FULL = """
alpha = 0.01
fails_on = "change"
required = ["sample-search"]

[tolerance]
ranking = 0.5

[tolerance.tasks]
"sample-cite:map" = 1.0

[tolerance.groups]
In-Train = 2

[hard_limit.tasks]
sample-search = 5

[hard_limit.formats]
adhoc_search = 6
proximity = 7

[floors.tasks]
sample-search = 50.0

[floors.columns]
Average = 60.0
"""


KEYS = {"sample-search": ["ndcg"], "sample-cite": ["map", "ndcg"]}
"""The scores of the results that the policy judges."""


def read(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    policy = read_spec(Policy, path)
    policy.check_names([load_registry().suite("sample")], KEYS, str(path))
    return policy


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    policy = read(tmp_path, FULL)
    assert (policy.alpha, policy.fails_on, policy.required) == (0.01, "change", ("sample-search",))
    assert policy.tolerance_of("sample-cite", "map", "proximity", None) == 1.0
    assert policy.floor_of("sample-search", "ndcg") == 50.0
    assert policy.floor_of("sample-cite", "map") is None
    assert policy.floors.columns == {"Average": 60.0}
    assert policy.hard_limit_of("sample-search", "ndcg", "adhoc_search") == 5
    assert policy.hard_limit_of("sample-cite", "map", "proximity") == 7
    assert policy.hard_limit_of("sample-year", "kendalltau", "regression") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alpha = 2", "alpha"),
        ("alpah = 0.1", "Did you mean alpha"),
        ("[tolerance.tasks]\nsample-serch = 1", "sample-search"),
        ('[tolerance.tasks]\n"sample-search:mpa" = 1', "unknown score 'mpa'"),
        ('[floors.tasks]\n"sample-search:ndcg@9-shot" = 1', "unknown score 'ndcg@9-shot'"),
        ('[hard_limit.tasks]\n"sample-search:x" = 1', "unknown score 'x'"),
        ("[hard_limit.tasks]\nsample-serch = 1", "sample-search"),
        ("[hard_limit.columns]\nAvrage = 1", "Average"),
        ("[hard_limit]\nranking = 1", "Keys are tasks, formats, columns"),
        ("[tolerance.groups]\nAverage = 1", "unknown group 'Average'"),
        ('required = ["nfcorpus"]', "unknown task 'nfcorpus' in sample"),
        ("[tolerance.formats]\nproximty = 1", "proximity"),
        ("[tolerance.groups]\nIn-Trian = 1", "In-Train"),
        ("[floors.columns]\nAvrage = 1", "Average"),
        ('required = ["x"]', "unknown task 'x'"),
        ("[tolerance]\nranking = -1", "ranking"),
        ("alpha = ", "malformed TOML"),
    ],
)
def test_a_mistake_names_the_file_and_the_entry(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError) as stop:
        read(tmp_path, text)
    assert message in str(stop.value)
    assert "policy.toml" in str(stop.value)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-0.1", "100.5", "1e308", "true", '"5"'])
@pytest.mark.parametrize(
    "entry",
    ["alpha = {}"]
    + [f"[tolerance]\n{name} = {{}}" for name in ("ranking", "probes", "few_shot", "averages")]
    + [f"[{table}.tasks]\nsample-cite = {{}}" for table in ("tolerance", "hard_limit", "floors")]
    + [f"[{table}.columns]\nAverage = {{}}" for table in ("tolerance", "hard_limit", "floors")]
    + [f"[{table}.formats]\nproximity = {{}}" for table in ("tolerance", "hard_limit")]
    + ["[tolerance.groups]\nIn-Train = {}"],
)
def test_a_number_without_meaning_is_an_error(tmp_path: Path, entry: str, value: str) -> None:
    with pytest.raises(SpecError) as stop:
        read(tmp_path, entry.format(value))
    assert stop.value.fix, stop.value


@pytest.mark.parametrize("points", [float("nan"), float("inf"), -1.0, 101.0])
def test_a_policy_made_in_python_has_the_same_bounds(points: float) -> None:
    for table in (Tolerances, HardLimits, Floors):
        with pytest.raises(ValueError, match="tasks"):
            table(tasks={"x": points})
    with pytest.raises(ValueError, match="formats"):
        HardLimits(formats={Format.PROXIMITY: points})
