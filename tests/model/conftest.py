"""Tiny models in the layout of the hub's repositories, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_models import build_hub_models


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of every repository of the seed table; read only."""
    return build_hub_models(tmp_path_factory.mktemp("hub"))
