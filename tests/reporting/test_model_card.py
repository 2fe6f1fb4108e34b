"""Results in the metadata of a model card, read back with the hub's own classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import EvalResult, ModelCard

from scirepeval_harness.errors import StorageError, UsageError
from scirepeval_harness.reporting.model_card import add_to_model_card
from scirepeval_harness.task.registry import load_registry
from tests.support.golden import HOSTILE
from tests.support.made_report import Made, made_report

CARD = """---
license: apache-2.0
tags:
- custom
model-index:
- name: my-model
  results:
  - task:
      type: retrieval
    dataset:
      name: Other
      type: other/data
    metrics:
    - type: mrr
      value: 12.5
---

# My model

Text with `code` and ünïcode.
"""


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return made_report(tmp_path / "results")


def add(path: Path, made: Made, place: int = 0) -> int:
    row = made.report.rows[place]
    return add_to_model_card(path, made.results[place], row, [made.suite], made.tasks)


def results_of(path: Path) -> dict[tuple[str, str | None], EvalResult]:
    found = ModelCard.load(path).data.eval_results  # type: ignore[attr-defined]
    return {(entry.dataset_name, entry.metric_name): entry for entry in found}


def test_a_card_is_made_where_there_is_none(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "new" / "README.md"
    assert add(path, made) == 3 + 4
    card = ModelCard.load(path)
    assert card.data.model_name == "Model A"  # type: ignore[attr-defined]
    assert "# Model A" in card.text
    found = results_of(path)
    average = found["Made Suite", "Average"]
    assert average.metric_value == pytest.approx(50.0)
    assert average.metric_args is not None
    low, high = average.metric_args["interval_95"]
    assert low < 50.0 < high
    search = found["Search", "ndcg"]
    assert (search.task_type, search.dataset_type) == ("adhoc-search", "made")
    assert (search.dataset_config, search.metric_type) == ("search", "ndcg")


def test_what_the_card_held_is_kept(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(CARD, encoding="utf-8")
    add(path, made)
    card = ModelCard.load(path)
    assert card.text == CARD.split("---\n", 2)[2]
    assert card.data.license == "apache-2.0"  # type: ignore[attr-defined]
    assert card.data.tags == ["custom"]  # type: ignore[attr-defined]
    assert card.data.model_name == "my-model"  # type: ignore[attr-defined]
    assert results_of(path)["Other", None].metric_value == 12.5
    assert len(results_of(path)) == 8


def test_adding_again_replaces_and_changes_no_byte(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(CARD.replace("\n", "\r\n").encode())
    add(path, made)
    first = path.read_bytes()
    add(path, made)
    assert path.read_bytes() == first
    assert b"\r\n" in first
    assert b"\n" not in first.replace(b"\r\n", b"")


def test_only_the_given_file_is_written(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "card" / "README.md"
    add(path, made)
    assert [entry.name for entry in path.parent.iterdir()] == ["README.md"]


def test_partial_scores_are_left_out(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    # Model B: one whole task, one on half of its documents, one failed.
    assert add(path, made, 1) == 1
    assert [entry.metric_name for entry in results_of(path).values()] == ["map"]


def test_synthetic_data_is_marked(tmp_path: Path) -> None:
    made = made_report(tmp_path / "results", synthetic=True)
    path = tmp_path / "README.md"
    add(path, made)
    assert all("[synthetic data]" in name for name, _ in results_of(path))


def test_tasks_on_the_hub_are_named_by_repository_and_config(tmp_path: Path) -> None:
    made = made_report(tmp_path / "results")
    hub = load_registry().task("relish").hub
    own = {**made.tasks, "search": made.tasks["search"].model_copy(update={"hub": hub})}
    path = tmp_path / "README.md"
    add_to_model_card(path, made.results[0], made.report.rows[0], [made.suite], own)
    search = results_of(path)["Search", "map"]
    assert (search.dataset_type, search.dataset_config) == ("allenai/scirepeval_test", "relish")


@pytest.mark.parametrize("name", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_hostile_names_stay_text(name: str, tmp_path: Path) -> None:
    made = made_report(tmp_path / "results", titles=(name, "B"), title=name, task_title=name)
    path = tmp_path / "README.md"
    add(path, made)
    add(path, made)
    assert len(ModelCard.load(path).data.eval_results) == 7  # type: ignore[attr-defined]
    assert len(path.read_text(encoding="utf-8")) < 10_000


@pytest.mark.parametrize(
    "text", ["---\n- a\n---\n", "---\na: [\n---\n", "---\nmodel-index: 3\n---\n"]
)
def test_metadata_that_cannot_be_read_is_said(text: str, made: Made, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(UsageError, match="not the metadata of a model card"):
        add(path, made)
    assert path.read_text() == text


def test_a_folder_is_no_card(made: Made, tmp_path: Path) -> None:
    with pytest.raises((UsageError, StorageError), match="not a file"):
        add(tmp_path, made)
