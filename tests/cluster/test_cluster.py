from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from scirepeval_harness.cli.main import main
from scirepeval_harness.cluster.cluster import in_our_words, joined
from scirepeval_harness.errors import MissingExtraError, ModelError


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ray" else found(name)
    )
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with (
        pytest.raises(MissingExtraError, match=r"pip install 'scirepeval-harness\[ray\]'"),
        joined(None),
    ):
        pass


def test_our_error_is_found_inside_others() -> None:
    ours = ModelError("no such file", where="model x")
    outer = RuntimeError("task failed")
    outer.__cause__ = ValueError("in between")
    outer.__cause__.__cause__ = ours
    assert in_our_words(outer) is ours
    assert in_our_words(ours) is ours
    assert in_our_words(ValueError("another")) is None


def test_words_that_ray_adds_to_our_error_are_left_out() -> None:
    ours = ModelError("no such file", where="model x", fix="Check it")
    ours.args = (f"{ours} Failed to apply UDF transform after 1/1 attempts",)
    outer = RuntimeError("task failed")
    outer.__cause__ = ours
    found = in_our_words(outer)
    assert type(found) is ModelError
    assert str(found) == "model x: no such file. Check it"


@pytest.mark.parametrize("option", [["--workers", "2"], ["--ray-address", "auto"]])
def test_options_of_the_cluster_need_the_engine(
    option: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["run", "--suite", "sample", "--model", "tfidf", "--output", str(tmp_path), *option]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "belong to --engine ray" in capsys.readouterr().err
