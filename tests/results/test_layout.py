from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scirepeval_harness.results.folder import slug


@pytest.mark.parametrize("name", ["tfidf", "specter2-base", "all-MiniLM-L6-v2", "a_b.c"])
def test_plain_names_stay(name: str) -> None:
    assert slug(name) == name


@given(st.text(max_size=300))
def test_any_name_is_one_harmless_folder(name: str) -> None:
    found = slug(name)
    assert PurePosixPath(found).name == found
    assert found not in ("", ".", "..")
    assert found.isascii()
    assert len(found) <= 80
    assert not found.startswith(".")


@given(st.lists(st.text(max_size=90), min_size=2, max_size=2, unique=True))
def test_different_names_have_different_folders(names: list[str]) -> None:
    assert slug(names[0]) != slug(names[1])
