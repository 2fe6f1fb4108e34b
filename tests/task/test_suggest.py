"""Did-you-mean."""

from __future__ import annotations

from scirepeval_harness.errors import UnknownNameError
from scirepeval_harness.schema import did_you_mean, near, unknown

NAMES = ("biomimicry", "drsm", "trec-covid", "scidocs-cite", "scidocs-cocite")


def test_a_typing_error_finds_the_name() -> None:
    assert near("biomimcry", NAMES) == ("biomimicry",)


def test_case_does_not_matter_and_the_known_spelling_is_returned() -> None:
    assert near("SPECTER2", ["specter2", "bm25"])[0] == "specter2"
    assert near("drsn", ["DRSM"]) == ("DRSM",)


def test_a_part_of_a_name_finds_the_whole() -> None:
    assert near("covid", NAMES) == ("trec-covid",)


def test_the_nearest_comes_first() -> None:
    assert near("scidocs-cite", NAMES)[0] == "scidocs-cite"
    assert near("scidocs-cit", NAMES)[:2] == ("scidocs-cite", "scidocs-cocite")


def test_nothing_near_lists_what_is_known_up_to_a_limit() -> None:
    assert did_you_mean("zzz", ["a", "b"]) == "Known are a, b"
    assert did_you_mean("zzz", []) == "None are known"
    many = [f"task-{number:03}" for number in range(40)]
    assert did_you_mean("zzz", many).endswith("task-029 and 10 more")


def test_the_error_is_one_line_with_name_and_guess() -> None:
    error = unknown("task", "biomimcry", NAMES, where="runs.toml")
    assert isinstance(error, UnknownNameError)
    assert str(error) == "runs.toml: unknown task 'biomimcry'. Did you mean biomimicry?"
    assert error.exit_code == 2
