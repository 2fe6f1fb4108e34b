"""Model files with every field wrong in every way: one line that names file and field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scirepeval_harness.errors import SpecError, UnknownNameError, UsageError
from scirepeval_harness.model.registry import read_model, resolve_model

MODELS: dict[str, dict[str, Any]] = {
    "transformer": {
        "name": "a",
        "title": "A",
        "kind": "transformer",
        "base": {"repo": "org/name", "revision": "main"},
        "adapters": {"query": {"package": "weights/folder"}},
        "pooling": "cls",
        "max_length": 512,
    },
    "codes": {
        "name": "a",
        "title": "A",
        "kind": "transformer",
        "base": {"path": "folder"},
        "control_codes": {"query": "[QRY]"},
    },
    "bm25": {
        "name": "a",
        "title": "A",
        "kind": "bm25",
        "settings": {"b": 0.5, "k1": 1.0, "method": "lucene", "stop_words": "en"},
    },
    "tfidf": {
        "name": "a",
        "title": "A",
        "kind": "tfidf",
        "settings": {
            "lowercase": True,
            "max_df": 0.9,
            "max_features": 100,
            "min_df": 2,
            "ngram_max": 2,
            "norm": "l2",
            "stop_words": "none",
            "sublinear_tf": True,
        },
    },
    "precomputed": {"name": "a", "title": "A", "kind": "precomputed", "files": {"all": "a.npz"}},
}
WRONG: dict[str, Any] = {
    "empty": "",
    "list": [],
    "table": {},
    "other type": [{"a": 1}],
    "negative": -1,
    "huge": 10**30,
    "NaN": math.nan,
    "infinity": math.inf,
    "NUL": "a\0b",
    "line": "a\n::b",
    "control": "a\x1b[2Jb",
    "out": "../a",
    "long": 5_000 * "a ",
}


def leaves(raw: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in raw.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from leaves(value, (*before, key))


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key)} = {toml(own)}" for key, own in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value) if isinstance(value, float) else json.dumps(value)


def written(folder: Path, raw: dict[str, Any]) -> Path:
    path = folder / "m.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in raw.items()))
    return path


def changed(raw: dict[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    key, *rest = place
    return raw | {key: changed(raw[key], tuple(rest), value) if rest else value}


CASES = [(name, place) for name, raw in MODELS.items() for place in leaves(raw)]
# The only values of WRONG that some fields may well have.
FINE = {
    ("adapters", "table"),
    ("control_codes", "table"),
    ("settings", "table"),
    ("base.path", "out"),
    ("base.revision", "out"),
    ("base.path", "long"),
    ("base.revision", "long"),
    ("title", "out"),
    ("title", "long"),
    ("control_codes.query", "out"),
    ("control_codes.query", "long"),
    ("settings.k1", "huge"),
    ("settings.max_df", "huge"),
    ("settings.min_df", "huge"),
}


@pytest.mark.parametrize(("name", "place"), CASES, ids=lambda value: str(value))
def test_a_wrong_value_is_one_line_with_file_and_field(
    tmp_path: Path, name: str, place: tuple[str, ...]
) -> None:
    field = ".".join(place)
    for what, value in WRONG.items():
        path = written(tmp_path, changed(MODELS[name], place, value))
        if (field, what) in FINE:
            read_model(path)
            continue
        with pytest.raises((SpecError, UnknownNameError)) as caught:
            read_model(path)
        message = str(caught.value)
        assert message.isprintable(), what
        assert len(message) < 1_000, what
        assert message.startswith(str(path)), what
        assert place[0] in message, (what, message)


@pytest.mark.parametrize("name", MODELS)
def test_the_files_are_right_before_they_are_changed(tmp_path: Path, name: str) -> None:
    assert read_model(written(tmp_path, MODELS[name])).name == "a"


@pytest.mark.parametrize("key", ["name", "title", "kind", "base", "files"])
def test_a_missing_field_is_named(tmp_path: Path, key: str) -> None:
    for raw in MODELS.values():
        if key in raw:
            path = written(tmp_path, {own: value for own, value in raw.items() if own != key})
            with pytest.raises(SpecError, match=rf"m\.toml: {key}: is required"):
                read_model(path)


@pytest.mark.parametrize(
    "package", ["", "..x", ".", "a..b", "a.", "/a", "a//b", "a/../b", "../a", "a b", "a/..", "1a"]
)
def test_a_package_is_an_import_name(tmp_path: Path, package: str) -> None:
    path = written(tmp_path, MODELS["codes"] | {"base": {"package": package}})
    with pytest.raises(SpecError, match=r"m\.toml: base\.package: "):
        read_model(path)


@pytest.mark.parametrize(
    ("kind", "key", "value", "message"),
    [
        ("bm25", "k1", -0.1, "finite number from 0 up"),
        ("bm25", "b", 1.1, "from 0 to 1"),
        ("bm25", "k1", True, "finite number from 0 up"),
        ("bm25", "k1", "1", "finite number from 0 up"),
        ("bm25", "method", "bm25l", "one of lucene"),
        ("bm25", "stop_words", "klingon", "one of none"),
        ("bm25", "k2", 1.0, "unknown key"),
        ("tfidf", "max_feature", 3, "unknown key. Did you mean max_features"),
        ("tfidf", "max_features", 0, ">= 1"),
        ("tfidf", "max_features", 10.5, "integer"),
        ("tfidf", "min_df", 0, "number of documents"),
        ("tfidf", "max_df", 1.5, "from 0 to 1"),
        ("tfidf", "ngram_max", 0, ">= 1"),
        ("tfidf", "lowercase", "yes", "boolean"),
    ],
)
def test_settings_out_of_range(
    tmp_path: Path, kind: str, key: str, value: object, message: str
) -> None:
    path = written(tmp_path, changed(MODELS[kind], ("settings", key), value))
    with pytest.raises(SpecError, match=rf"m\.toml: settings\.{key}: .*{message}"):
        read_model(path)


@pytest.mark.parametrize("title", ["a\0", "a\x1b[2J", "a\ud800", "a\nb"])
def test_a_title_for_the_terminal(title: str) -> None:
    with pytest.raises(UsageError, match="characters that cannot be printed"):
        resolve_model(f"{title}=bm25")


@pytest.mark.parametrize("title", ["..", "../a", "a/../b"])
def test_a_title_that_leads_out(title: str) -> None:
    with pytest.raises(UsageError, match="is no name"):
        resolve_model((title, "bm25"))
