"""Every reader refuses what is not what it says, with the place; and takes what is only unusual."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scirepeval_harness.errors import DataError
from scirepeval_harness.roles import Format
from scirepeval_harness.task.dataset import LoadedTask
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.spec import LocalData, SuiteSpec, TaskSpec
from tests.support.author_sets import write_author_set

SUITE = SuiteSpec(name="made", title="Made", task_set="made")
KINDS: dict[str, dict[str, Any]] = {
    "classes": {"format": Format.CLASSIFICATION, "metrics": ("f1_macro",), "evaluation": "probe"},
    "multi": {"format": Format.CLASSIFICATION, "metrics": ("f1_macro",), "evaluation": "probe",
              "multi_label": True},
    "numbers": {"format": Format.REGRESSION, "metrics": ("kendalltau",), "evaluation": "probe"},
    "ranking": {"format": Format.PROXIMITY, "metrics": ("map",), "evaluation": "ranking"},
    "nested": {"format": Format.ADHOC_SEARCH, "metrics": ("map",), "evaluation": "ranking"},
    "people": {"format": Format.PROXIMITY, "metrics": ("P_5",), "evaluation": "reviewer_matching"},
    "pools": {"format": Format.PROXIMITY, "metrics": ("map",), "evaluation": "citation_pools"},
    "blocks": {"format": Format.PROXIMITY, "metrics": ("light_b3_f1",),
               "evaluation": "author_disambiguation"},
}  # fmt: skip
PAPER = '{"doc_id": 0, "title": "title 0", "abstract": "words"}'
DIGITS = "9" * 5_000
Edit = Callable[[Path], object]


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sound data of every kind."""
    lines(
        tmp_path / "meta.jsonl",
        [{"doc_id": n, "title": f"title {n}", "abstract": "words"} for n in range(9)],
    )
    written = {"classes": "ab", "numbers": "12", "multi": ('"[0, 1]"', '"[1, 0]"')}
    for kind, labels in written.items():
        (tmp_path / kind).mkdir()
        for split, ids in (("train", range(6)), ("test", range(6, 9))):
            rows = "".join(f"{n},{labels[n % 2]}\n" for n in ids)
            (tmp_path / kind / f"{split}.csv").write_text(f"paper_id,label\n{rows}")
    pairs = [{"query_id": q, "cand_id": c, "score": c % 2} for q in (0, 1) for c in (3, 4)]
    lines(tmp_path / "ranking" / "test_qrel.jsonl", pairs)
    lines(tmp_path / "nested" / "test_qrel.jsonl", pairs)
    papers = [{"doc_id": n, "title": f"title {n}"} for n in (3, 4)]
    lines(
        tmp_path / "nested" / "meta.jsonl",
        [{"doc_id": q, "query": f"words {q}", "candidates": papers} for q in (0, 1)],
    )
    for split in ("hard", "soft"):
        rows = [{"query_id": 0, "cand_id": f"r{n}", "score": n} for n in (0, 1)]
        lines(tmp_path / "people" / f"test_{split}_qrel.jsonl", rows)
    reviewers = [{"r_id": f"r{n}", "papers": [n + 1, n + 2]} for n in (0, 1)]
    lines(tmp_path / "people" / "reviewer_metadata.jsonl", reviewers)
    lists = {"true": [1], "bm25": [2, 3]}
    (tmp_path / "pools.json").write_text(json.dumps({"Art": {"0": lists, "4": lists}}))
    write_author_set(tmp_path / "s2and", "made", blocks=3)
    return tmp_path


def load(kind: str, folder: Path) -> LoadedTask:
    documents = "nested/meta.jsonl" if kind == "nested" else "meta.jsonl"
    local = LocalData(
        documents=documents, labels=kind, reviewers=kind, pools="pools.json", blocks="s2and"
    )
    task = TaskSpec(name="toy", title="Toy", local=local, **KINDS[kind])
    return load_task(task, SUITE, DataOptions(directory=folder))


def put(name: str, old: str, new: str) -> Edit:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text, text
        (folder / name).write_text(text.replace(old, new, 1))

    return edit


def title(new: str) -> Edit:
    return put("meta.jsonl", '"title 0"', new)


def all_labels(kind: str, split: str, label: str) -> Edit:
    def edit(folder: Path) -> None:
        path = folder / kind / f"{split}.csv"
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *(f"{row.split(',')[0]},{label}" for row in rows)]))

    return edit


def instead(name: str, make: Callable[[Path], object]) -> Edit:
    def edit(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return edit


@pytest.mark.parametrize("kind", KINDS)
def test_the_sound_data_loads(folder: Path, kind: str) -> None:
    assert load(kind, folder).coverage.complete


META, NESTED, TRAIN, POOLS = "meta.jsonl", "nested/meta.jsonl", "classes/train.csv", "pools.json"
QRELS, PEOPLE = "ranking/test_qrel.jsonl", "people/reviewer_metadata.jsonl"
SETS = "s2and/made/made"
SIGNED, TRUTH = f"{SETS}_signatures.json", f"{SETS}_clusters.json"


@pytest.mark.parametrize(
    ("kind", "edit", "message"),
    [
        ("classes", put(TRAIN, ",b", ",b\0"), "csv:"),
        # Twice.
        ("classes", title('"a", "title": "b"'), "meta.jsonl:1: not valid JSON (the key 'title'"),
        ("classes", put(TRAIN, "paper_id,label", "paper_id,label,label"), "csv:1: the column"),
        ("ranking", put(QRELS, '"score": 1', '"score": 1, "score": 0'), ":1: not"),
        ("people", put(PEOPLE, '"r0"', '"r0", "r_id": "r1"'), "'r_id' stands"),
        ("pools", put(POOLS, '"4"', '"0"'), "pools.json: not valid JSON (the key '0' stands"),
        ("pools", put(POOLS, '{"Art"', '{"Art": {}, "Art"'), "the key 'Art' stands"),
        ("pools", put(POOLS, '"true"', '"true": [], "true"'), "the key 'true' stands"),
        ("blocks", put(SIGNED, '"1": {', '"0": {'), "the key '0' stands"),
        ("blocks", put(TRUTH, '["0", "1"', '["0", "0", "1"'), "signature 0 stands"),
        ("blocks", put(TRUTH, '["0"', '["1", "0"'), "signature 1 stands"),
        # Labels.
        ("classes", put(TRAIN, ",b", ",B"), "the classes 'B' and 'b' differ in spelling alone"),
        ("classes", put("classes/test.csv", ",b", ", b"), "the classes ' b' and 'b' differ in spe"),
        ("classes", put(TRAIN, ",b", ",b "), "the classes 'b' and 'b ' differ in spelling alone"),
        ("classes", put(TRAIN, ",b", ",NaN"), "train.csv:3: label is 'NaN', which"),
        ("classes", put(TRAIN, ",b", ",None"), "train.csv:3: label is 'None', which stands for"),
        ("classes", put(TRAIN, ",b", ',"b'), "train.csv:"),
        ("classes", all_labels("classes", "test", "c"), "test.csv: no class in common with"),
        ("multi", all_labels("multi", "test", '"[0, 0]"'), "test.csv: no class in common with"),
        ("multi", put("multi/train.csv", "[0, 1]", "[false, true]"), "label is '[false, true]'"),
        ("multi", put("multi/train.csv", "[0, 1]", "[" * 9_000), "train.csv:2: label is"),
        ("multi", put("multi/train.csv", "[0, 1]", f"[0, {DIGITS}]"), "train.csv:2: label is"),
        ("numbers", all_labels("numbers", "train", "3"), "train.csv: every label is 3.0"),
        ("numbers", all_labels("numbers", "test", "3"), "test.csv: every label is 3.0"),
        *(
            ("numbers", put("numbers/train.csv", ",2", f",{text}"), "train.csv:3: label is")
            for text in ("1_000", "٣", "inf", "nan", "True", "1e999", "0x1", "2 3", DIGITS, "")
        ),
        # Titles.
        *(
            ("classes", title(value), "meta.jsonl:1: title is")
            for value in ("NaN", "[1]", "[]", "{}", "true", "false", "-Infinity", '{"a": "b"}')
        ),
        ("classes", title('"\\ud800 x"'), "meta.jsonl:1: title holds half of a surrogate pair"),
        ("classes", title(DIGITS), "meta.jsonl:1: not valid JSON (a number of"),
        ("classes", title("[" * 100_000), "meta.jsonl:1: not valid JSON (nested too deeply)"),
        ("classes", put(META, '"title"', '"Title"'), "meta.jsonl:1: a column 'Title'"),
        ("classes", put(META, '"abstract"', '"abstract "'), ":1: a column 'abstract '"),
        # Ids and grades.
        *(
            ("classes", put(META, '"doc_id": 0', f'"doc_id": {value}'), ":1: doc_id")
            for value in ("null", "0.0", "true", '""', '" "', '"\\ud800"', "[0]", f'"{DIGITS}"')
        ),
        *(
            ("ranking", put(QRELS, '"score": 1', f'"score": {value}'), "score is")
            for value in ("true", "null", "NaN", "1e999", '"1_0"', '"٣"', "0.5", "[1]", "9" * 400)
        ),
        # Documents with candidates.
        ("nested", put(NESTED, '"query": "words 0", ', ""), "no column query"),
        ("nested", put(NESTED, '"words 0"', "7"), "query is neither text nor"),
        ("nested", put(NESTED, '"title 3"', "[3]"), "meta.jsonl:1: title is [3]"),
        ("nested", put(NESTED, '"candidates"', '"Candidates"'), "no column candidates"),
        # Reviewers.
        (
            "people",
            put("people/test_soft_qrel.jsonl", '"r1"', '"r7"'),
            "test_soft_qrel.jsonl: 1 reviewers are in the soft labels alone, the first is r7",
        ),
        ("people", put(PEOPLE, "[1, 2]", "[]"), ":1: reviewer r0 has no"),
        ("people", put(PEOPLE, "[1, 2]", "[1, null]"), ":1: an entry of"),
        # Pools.
        ("pools", put(POOLS, "[1]", "null"), "field Art: the list true of query 0 is None"),
        ("pools", put(POOLS, "[1]", "[1, NaN]"), "an entry of the list true of query 0 is nan"),
        ("pools", put(POOLS, "[1]", "[true]"), "an entry of the list true of query 0 is True"),
        ("pools", put(POOLS, ', "bm25": [2, 3]', ""), "query 0 has no list 'bm25', which others"),
        ("pools", put(POOLS, '{"0": ', '{"5": [], "0": '), "query 5 has no list 'true'"),
        # S2AND.
        *(
            ("blocks", put(SIGNED, '"author_info": {', f'{new}, "x": {{'), words)
            for new, words in (
                ('"author_info": null', "author_info is None"),
                ('"author_info": {}', "block is None"),
                ('"author_info": {"block": 15}', "block is 15"),
            )
        ),
        ("blocks", put(SIGNED, '"paper_id": 1', '"paper_id": null'), "paper_id is"),
        ("blocks", put(SIGNED, '{"0": {', '{"0": [], "x": {'), "the entry is []"),
        ("blocks", put(TRUTH, '["0"', '[["0"]'), "an entry of signature_ids is"),
        ("blocks", put(TRUTH, '"signature_ids"', '"ids"'), "signature_ids is None"),
        ("blocks", put(f"{SETS}_papers.json", '{"1": {', '{"1": "p", "x": {'), "the entry is 'p'"),
        *(
            ("blocks", lambda d, part=part: (d / f"{SETS}_{part}.json").unlink(), "no such file")
            for part in ("papers", "signatures", "clusters")
        ),
        # Files.
        *(
            (kind, instead(name, make), words)
            for kind, name in (("classes", TRAIN), ("ranking", "meta.jsonl"), ("pools", POOLS))
            for make, words in (
                (Path.mkdir, "not a regular file"),
                (os.mkfifo, "not a regular file"),
                (lambda path: path.write_bytes("é".encode("utf-16")), "not UTF-8 text"),
            )
        ),
    ],
)  # fmt: skip
def test_what_is_refused(folder: Path, kind: str, edit: Edit, message: str) -> None:
    edit(folder)
    with pytest.raises(DataError) as caught:
        load(kind, folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        # Numbers and NUL as titles, blank lines, a byte order mark.
        ("classes", title("7")),
        ("classes", title("2.5")),
        ("classes", title("null")),
        ("classes", title('"a\\u0000b"')),
        ("classes", put(TRAIN, ",b", ",b\n")),
        ("classes", put(META, "{", "\ufeff{")),
        # NaN where nobody reads it.
        ("classes", put(META, '"doc_id"', '"year": NaN, "doc_id"')),
        # White space around a number, and ways of writing one.
        ("numbers", put("numbers/train.csv", ",2", ", 2.0e0 ")),
        ("ranking", put(QRELS, '"score": 1', '"score": 1.0')),
        ("ranking", put(QRELS, '"score": 1', '"score": "1"')),
        ("ranking", put(QRELS, '"score": 1', '"score": -1')),
        ("people", put(PEOPLE, '"r0"', '"r9"')),
        ("pools", put(POOLS, "[1]", "[1, 1]")),
    ],
)
def test_what_is_taken(folder: Path, kind: str, edit: Edit) -> None:
    edit(folder)
    assert load(kind, folder).coverage.complete


def test_papers_of_the_soft_labels_alone_are_said(folder: Path) -> None:
    soft = folder / "people" / "test_soft_qrel.jsonl"
    soft.write_text(soft.read_text() + '{"query_id": 5, "cand_id": "r0", "score": 1}\n')
    remark = "1 papers of the soft labels have no hard ones, are not ranked"
    assert load("people", folder).warnings == (remark,)


def test_an_unreadable_file_is_an_error_of_the_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path, *args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        load("classes", folder)
