"""Which folder a task's data is read from."""

from __future__ import annotations

from pathlib import Path

import pytest

from scirepeval_harness.errors import HarnessError
from scirepeval_harness.task.places import check_names, place_of, read_places
from scirepeval_harness.task.registry import load_registry


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a", "b", "c", "odd=name"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCIREPEVAL_HARNESS_DATA", raising=False)
    return tmp_path


def test_a_task_before_its_suite_before_everything(folders: Path) -> None:
    registry = load_registry()
    places = read_places(["search=a", "scirepeval=b", "c"])
    named = {name: place_of(places, registry.home(name), registry.task(name)) for name in (
        "search", "relish", "mdcr"
    )}  # fmt: skip
    assert named == {"search": Path("a"), "relish": Path("b"), "mdcr": Path("c")}


def test_what_is_not_named_comes_from_where_it_always_does(folders: Path) -> None:
    registry = load_registry()
    places = read_places({"mdcr": folders / "a"})
    assert place_of(places, registry.home("search"), registry.task("search")) is None


def test_a_folder_may_hold_an_equals_sign(folders: Path) -> None:
    assert read_places("odd=name") == {"": Path("odd=name")}


def test_options_stand_over_the_environment_over_the_settings_file(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folders / "scirepeval.toml").write_text('[data]\nall = "a"\nmdcr = "a"\nsearch = "a"\n')
    assert read_places(None) == {"": Path("a"), "mdcr": Path("a"), "search": Path("a")}
    monkeypatch.setenv("SCIREPEVAL_HARNESS_DATA", "mdcr=b:relish=b")
    assert read_places(["relish=c"]) == {
        "": Path("a"), "search": Path("a"), "mdcr": Path("b"), "relish": Path("c"),
    }  # fmt: skip
    # A folder for everything is asked for everything.
    assert read_places("c") == {"": Path("c")}


@pytest.mark.parametrize(
    ("given", "settings", "said"),
    [
        ("nowhere", "", "no such folder"),
        (["mdcr=nowhere"], "", "mdcr=nowhere"),
        (["a", "b"], "", "two folders for everything"),
        (["mdcr=a", "mdcr=b"], "", "two folders for mdcr"),
        (["serch=a"], "", "Did you mean search"),
        (None, "[data]\nmdcr = 3\n", "scirepeval.toml"),
        (None, "[dta]\n", "scirepeval.toml"),
    ],
)
def test_a_place_that_means_nothing_is_refused(
    folders: Path, given: object, settings: str, said: str
) -> None:
    (folders / "scirepeval.toml").write_text(settings)
    with pytest.raises(HarnessError, match=said):
        check_names(read_places(given), load_registry())  # type: ignore[arg-type]
