"""Files to records: errors name file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from scirepeval_harness.errors import SpecError
from scirepeval_harness.model.kinds import TransformerSpec
from scirepeval_harness.schema import read_spec, read_text, read_toml
from scirepeval_harness.task.spec import TaskSpec

TASK = """
name = "toy"
title = "Toy"
format = "classification"
evaluation = "probe"
metrics = ["f1_macro"]
"""


def problem(path: Path, text: str, schema: type[TaskSpec | TransformerSpec] = TaskSpec) -> str:
    """The message after the file's name."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_spec(schema, path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path)).removeprefix(": ")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "toy.toml"


def test_a_valid_file_becomes_a_record(path: Path) -> None:
    path.write_text(TASK + "few_shot = [{ sample_size = 4, iterations = 2 }]\n", encoding="utf-8")
    task = read_spec(TaskSpec, path)
    assert (task.name, task.few_shot[0].sample_size, task.fields) == (
        "toy",
        4,
        ("title", "abstract"),
    )


def test_a_nested_number_out_of_range(path: Path) -> None:
    text = TASK + "few_shot = [{ sample_size = 0, iterations = 2 }]\n"
    assert problem(path, text) == (
        "few_shot.0.sample_size: must be >= 1, not 0. Give another value"
    )


def test_a_missing_key(path: Path) -> None:
    assert problem(path, TASK.replace('title = "Toy"', "")) == "title: is required. Add the key"


def test_an_unknown_key_with_a_guess_at_the_right_level(path: Path) -> None:
    assert problem(path, TASK + "multilabel = true\n") == (
        "multilabel: unknown key. Did you mean multi_label?"
    )
    nested = TASK + '[hub.documents]\nrepo = "a/b"\nconfig = "c"\nrevison = "d"\n'
    assert problem(path, nested) == "hub.documents.revison: unknown key. Did you mean revision?"


def test_an_unknown_key_like_none_lists_the_keys(path: Path) -> None:
    assert "local.zzz: unknown key. Keys are documents, labels" in problem(
        path, TASK + '[local]\nzzz = "x"\n'
    )


def test_a_wrong_choice_with_a_guess(path: Path) -> None:
    message = problem(path, TASK.replace('"classification"', '"clasification"'))
    assert message == (
        "format: must be one of classification, regression, proximity, adhoc_search, "
        "not 'clasification'. Did you mean classification?"
    )


def test_a_wrong_key_of_a_map_with_a_guess(path: Path) -> None:
    text = (
        'name = "m"\ntitle = "M"\nkind = "transformer"\nbase = { repo = "a/b" }\n'
        '[adapters]\nproximty = { repo = "a/c" }\n'
    )
    message = problem(path, text, TransformerSpec)
    assert message.startswith("adapters.proximty: must be one of classification")
    assert message.endswith("Did you mean proximity?")


def test_values_are_not_converted_silently(path: Path) -> None:
    assert problem(path, TASK + 'version = "2"\n').startswith("version: ")
    assert problem(path, TASK + "multi_label = 1\n").startswith("multi_label: ")
    assert problem(path, TASK.replace('["f1_macro"]', '"f1_macro"')).startswith("metrics: ")


def test_a_bad_name_shows_the_pattern(path: Path) -> None:
    assert problem(path, TASK.replace('"toy"', '"../Toy"')).startswith(
        "name: '../Toy' does not match"
    )


def test_a_rule_across_fields_has_its_own_words(path: Path) -> None:
    assert problem(path, TASK.replace('"probe"', '"ranking"')) == (
        "evaluation ranking does not fit format classification. Correct the entry"
    )


def test_further_problems_are_counted(path: Path) -> None:
    assert problem(path, TASK + "version = 0\nzzz = 1\nyyy = 2\n").startswith(
        "version: must be >= 1, not 0 (and 2 more problems)"
    )


def test_malformed_toml_names_the_line(path: Path) -> None:
    message = problem(path, 'name = "toy"\ntitle = Toy\n')
    assert message.startswith(":2: malformed TOML: Invalid value")


def test_toml_that_ends_too_early_names_the_last_line(path: Path) -> None:
    assert problem(path, 'name = "toy"\nmetrics = ["f1"').startswith(":2: malformed TOML")


def test_a_file_that_is_not_text_names_the_line(path: Path) -> None:
    path.write_bytes(b'name = "toy"\ntitle = "\xff"\n')
    with pytest.raises(SpecError, match=r"toy\.toml:2: not UTF-8 text"):
        read_toml(path)


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(SpecError, match=r"toy\.toml: cannot be read \(No such file"):
        read_text(path)
