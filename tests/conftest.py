"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
