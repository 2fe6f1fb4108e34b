"""What the small adapters were trained on, and what of them comes with the package."""

from __future__ import annotations

from pathlib import Path

from scirepeval_harness.files import PACKAGE
from scirepeval_harness.model.bottleneck import read_config
from tools.train_adapters import ROLES, SETTINGS, make_data, sample_texts

ADAPTERS = PACKAGE / "model" / "adapters" / "minilm"


def test_no_text_is_shared_with_the_sample_suite() -> None:
    taken, data = sample_texts(), make_data()
    assert len(taken) > 3_000
    assert len(data.lines) > 150
    assert len(data.records) > 1_000
    assert len(data.pairs) > 500
    assert not taken & data.texts()


def test_the_sample_s_texts_hold_what_its_files_hold() -> None:
    """Read without the function that the tool reads them with."""
    folder = Path(__file__).parents[2] / "tasks" / "sample" / "data"
    text = (folder / "questions" / "meta.jsonl").read_text(encoding="utf-8")
    text += (folder / "topics" / "meta.jsonl").read_text(encoding="utf-8")
    taken = sample_texts()
    found = [value for value in taken if f'"{value}"' in text]
    assert len(found) > 800


def test_the_data_is_the_same_each_time() -> None:
    one, two = make_data(), make_data()
    assert one == two


def test_the_files_are_small_and_as_the_tool_writes_them() -> None:
    files = sorted(ADAPTERS.glob("*/adapter.safetensors"))
    assert [path.parent.name for path in files] == sorted(ROLES)
    assert sum(path.stat().st_size for path in files) < 2_000_000
    for role in ROLES:
        config = read_config(ADAPTERS / role, role)
        assert config.name == role
        assert config.leave_out == tuple(SETTINGS["leave_out"])
