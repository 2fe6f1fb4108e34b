"""What the experiment reads and leaves out, without the package that it runs on."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations.s2and.experiment import check, missing_inputs, read
from scirepeval_harness.evaluations.s2and.files import check_pickle
from tests.support.author_sets import write_author_set


def test_fields_that_the_data_lacks_are_empty(tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    paper = {"paper_id": 7, "title": "T", "authors": [{"position": 0, "author_name": "A B"}]}
    signature = {"signature_id": "0", "paper_id": 7, "author_info": {"block": "a b", "position": 0}}
    for part, value in (
        ("papers", {"7": paper}),
        ("signatures", {"0": signature}),
        ("clusters", {"c": {"signature_ids": ["0"]}}),
    ):
        (folder / f"bare_{part}.json").write_text(json.dumps(value))
    found = read(folder, "bare")
    assert found["papers"]["7"]["references"] == []
    assert found["papers"]["7"]["title"] == "T"
    assert found["papers"]["7"]["abstract"] is None
    assert found["signatures"]["0"]["author_info"]["affiliations"] == []
    assert found["signatures"]["0"]["author_info"]["email"] is None
    assert found["signatures"]["0"]["author_id"] is None


def test_features_without_input_are_left_out_with_a_reason(tmp_path: Path) -> None:
    write_author_set(tmp_path, "one")
    write_author_set(tmp_path, "two")
    sets = [read(tmp_path / name, name) for name in ("one", "two")]
    assert missing_inputs(sets, tmp_path) == {
        "reference_features": "no paper has references",
        "journal_similarity": "no paper has journal_name",
        "affiliation_similarity": "no signature has affiliations",
        "email_similarity": "no signature has email",
        "name_counts": "no file name_counts.pickle",
        "fastText's language of a title": "no file lid.176.bin",
    }


@pytest.mark.parametrize(
    ("part", "field", "value", "group"),
    [
        ("papers", "references", [3], "reference_features"),
        ("papers", "journal_name", "J", "journal_similarity"),
        ("signatures", "affiliations", ["U"], "affiliation_similarity"),
        ("signatures", "email", "a@b.c", "email_similarity"),
    ],
)
def test_one_value_in_one_set_keeps_a_feature(
    tmp_path: Path, part: str, field: str, value: Any, group: str
) -> None:
    write_author_set(tmp_path, "one")
    write_author_set(tmp_path, "two")
    sets = [read(tmp_path / name, name) for name in ("one", "two")]
    row = next(iter(sets[1][part].values()))
    row = row["author_info"] if part == "signatures" else row
    row[field] = value
    assert group not in missing_inputs(sets, tmp_path)
    assert len(missing_inputs(sets, tmp_path)) == 5


def test_files_of_the_release_are_used_where_they_are(tmp_path: Path) -> None:
    write_author_set(tmp_path, "one")
    for name in ("name_counts.pickle", "lid.176.bin"):
        (tmp_path / name).write_bytes(b"")
    missing = missing_inputs([read(tmp_path / "one", "one")], tmp_path)
    assert "name_counts" not in missing
    assert not any("lid" in why for why in missing.values())


def test_too_few_name_blocks_are_refused_unless_the_split_is_given(tmp_path: Path) -> None:
    write_author_set(tmp_path, "few", blocks=5)
    parts = read(tmp_path / "few", "few")
    with pytest.raises(SystemExit, match="data set few has 5 name blocks, S2AND's split needs 6"):
        check("few", parts, None)
    check("few", parts, {"train_blocks": []})
    write_author_set(tmp_path, "enough", blocks=6)
    check("enough", read(tmp_path / "enough", "enough"), None)


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ("papers", ("paper_id",)),
        ("signatures", ("paper_id",)),
        ("signatures", ("author_info",)),
        ("signatures", ("author_info", "block")),
        ("clusters", ("signature_ids",)),
    ],
)
@pytest.mark.parametrize("value", [None, True, {}])
def test_a_field_that_the_package_needs_is_named(
    tmp_path: Path, part: str, place: tuple[str, ...], value: object
) -> None:
    write_author_set(tmp_path, "own")
    path = tmp_path / "own" / f"own_{part}.json"
    rows = json.loads(path.read_text())
    key = next(iter(rows))
    entry = rows[key]
    for name in place[:-1]:
        entry = entry[name]
    entry[place[-1]] = value
    path.write_text(json.dumps(rows))
    with pytest.raises(SystemExit, match=rf"own_{part}\.json: {key}: "):
        read(tmp_path / "own", "own")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


def test_pickles_of_plain_values_alone(tmp_path: Path) -> None:
    path = tmp_path / "own_specter.pickle"
    plain = ({"a b": 3}, {"b": 1.5}, np.float64(2), [np.ones((2, 3), np.float32), ["1", "2"]])
    for protocol in range(2, 6):
        path.write_bytes(pickle.dumps(plain, protocol))
        check_pickle(path)
    whole = pickle.dumps(plain)
    for content in (pickle.dumps(({"a": 1}, Evil())), whole[:-5], b"", b"\x80\x04."):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"own_specter\.pickle: not a pickle of plain values"):
            check_pickle(path)
