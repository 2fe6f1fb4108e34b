"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scirepeval_harness.extensions import EVALUATIONS, METRICS, MODEL_KINDS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of the real data sets, which are no part of the project; skips without it."""
    chosen = os.environ.get("SCIREPEVAL_REALDATA")
    folder = Path(chosen) if chosen else ROOT.parent / "shared" / "realdata"
    if not (folder / "tasks.jsonl").is_file():
        pytest.skip(f"no real data sets in {folder} (set SCIREPEVAL_REALDATA to their folder)")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests away from the user's embedding store."""
    monkeypatch.setenv("SCIREPEVAL_HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def own_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test adds (a metric, say) goes with it: the tables are the process's, and tests that
    list what is built in must not hang on which others ran before."""
    for named in (EVALUATIONS, METRICS, MODEL_KINDS):
        monkeypatch.setattr(named, "_added", dict(named._added))
