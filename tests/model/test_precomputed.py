"""Vectors from files: three forms, every kind of damage."""

from __future__ import annotations

import io
import json
import math
import random
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.model.kinds import PrecomputedSpec
from scirepeval_harness.model.precomputed import PrecomputedEncoder, read_vectors
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document

ROWS = {"7": [1.0, 2.0], "b": [3.0, 4.5], "c": [-1.0, 0.0]}


def save(path: Path, rows: dict[str, list[float]]) -> Path:
    if path.suffix == ".jsonl":
        lines = [json.dumps({"doc_id": key, "embedding": value}) for key, value in rows.items()]
        path.write_text("\n".join(lines) + "\n")
    elif path.suffix == ".parquet":
        frame = pd.DataFrame({"doc_id": list(rows), "embedding": list(rows.values())})
        frame.to_parquet(path)
    else:
        np.savez(path, ids=np.array(list(rows)), vectors=np.array(list(rows.values())))
    return path


def make(**files: Path) -> PrecomputedEncoder:
    named = {key: str(path) for key, path in files.items()}
    return PrecomputedEncoder(PrecomputedSpec(name="mine", title="Mine", files=named))


def documents(*ids: str) -> list[Document]:
    return [Document(key, ("text",)) for key in ids]


@pytest.fixture(params=[".jsonl", ".parquet", ".npz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"vectors{request.param}"


def test_vectors_in_the_order_asked_for(path: Path) -> None:
    counts: list[int] = []
    encoder = make(all=save(path, ROWS))
    vectors = encoder.encode(documents("c", "7", "c"), Role.QUERY, counts.append)
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [ROWS["c"], ROWS["7"], ROWS["c"]]
    assert counts == [3]
    assert not encoder.cacheable


def test_missing_ids_are_counted_and_named(path: Path) -> None:
    encoder = make(all=save(path, ROWS))
    with pytest.raises(CoverageError, match=r"2 of 3 documents have no vector \(first: x, y\)"):
        encoder.encode(documents("x", "b", "y"), Role.QUERY, lambda count: None)


def test_not_finite(path: Path) -> None:
    with pytest.raises(DataError, match=r"1 vectors hold NaN or infinity .first: b"):
        read_vectors(save(path, {**ROWS, "b": [float("nan"), 1.0]}))


def test_no_vectors(path: Path) -> None:
    with pytest.raises(DataError, match=r"no vectors|column embedding holds|do not fit"):
        read_vectors(save(path, {}))


def test_not_the_form_that_the_name_says(path: Path) -> None:
    path.write_bytes(b"\x80\x81 neither text nor archive")
    with pytest.raises(DataError, match=str(path.name)):
        read_vectors(path)


def test_integer_ids(tmp_path: Path) -> None:
    pd.DataFrame({"doc_id": [7, 8], "embedding": [[1.0], [2.0]]}).to_parquet(tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", ids=np.array([7, 8]), vectors=np.array([[1.0], [2.0]]))
    (tmp_path / "a.jsonl").write_text('{"doc_id": 7, "embedding": [1]}\n')
    for name in ("a.parquet", "a.npz", "a.jsonl"):
        assert "7" in read_vectors(tmp_path / name).rows


def test_repeated_ids(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", ids=np.array(["a", "b", "a"]), vectors=np.ones((3, 2)))
    pd.DataFrame({"doc_id": ["a", "a"], "embedding": [[1.0], [2.0]]}).to_parquet(
        tmp_path / "a.parquet"
    )
    (tmp_path / "a.jsonl").write_text('{"doc_id": "a", "embedding": [1]}\n' * 2)
    for name in ("a.parquet", "a.npz", "a.jsonl"):
        with pytest.raises(
            DataError, match=r"(:2|row [23]): the id a is repeated, first in .*(:1|row 1)"
        ):
            read_vectors(tmp_path / name)


def test_two_dimensions(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.parquet"):
        with pytest.raises(DataError, match="1 dimensions after vectors of 2"):
            read_vectors(save(tmp_path / name, {"a": [1.0, 2.0], "b": [1.0]}))


NO_IDS = ("null", "true", "1.5", '""', '["b"]', "{}")
NO_VECTORS = (
    *('["x"]', '["1"]', "[true]", "[null]", "[[1]]", "[{}]", "3", '"1"', "null", "{}"),
    "[1" + 400 * "0" + "]",
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[1]", "not a JSON object"),
        ('{"doc_id": "b"}', "not of the form"),
        *((f'{{"doc_id": {key}, "embedding": [1]}}', "doc_id .* is neither") for key in NO_IDS),
        *((f'{{"doc_id": "b", "embedding": {one}}}', "the embedding") for one in NO_VECTORS),
        ('{"doc_id": "b", "embedding": [NaN]}', "1 vectors hold NaN"),
        ('{"doc_id": "b", "embedding": [Infinity]}', "1 vectors hold NaN"),
        ('{"doc_id": "b", "embedding": [1e300]}', "1 vectors hold NaN"),
        ('{"doc_id": "a", "embedding": [1]}', "the id a is repeated"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"doc_id": "a", "embedding": [1]}\n' + line + "\n")
    with pytest.raises(DataError, match=rf"a\.jsonl:2: {message}") as caught:
        read_vectors(path)
    assert caught.value.fix


COLUMNS: dict[str, tuple[object, object, str]] = {
    "strings": (["a", "b"], [["1"], ["2"]], "not lists of numbers"),
    "booleans": (["a", "b"], [[True], [False]], "not lists of numbers"),
    "numbers": (["a", "b"], [1.0, 2.0], "not lists of numbers"),
    "null vector": (["a", "b"], [[1.0], None], "row 2: the embedding is null"),
    "null number": (["a", "b"], [[1.0], [None]], "row 2: 1 vectors hold NaN"),
    "null id": (["a", None], [[1.0], [2.0]], "row 2: doc_id None"),
    "boolean ids": ([True, False], [[1.0], [2.0]], "row 1: doc_id True"),
    "float ids": ([1.0, 2.0], [[1.0], [2.0]], "row 1: doc_id 1.0"),
    "empty vectors": (["a", "b"], [np.zeros(0), np.zeros(0)], "holds no vectors"),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_wrong_columns(tmp_path: Path, case: str) -> None:
    ids, vectors, message = COLUMNS[case]
    frame = pd.DataFrame({"doc_id": ids, "embedding": vectors})
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message) as caught:
        read_vectors(tmp_path / "a.parquet")
    assert "a.parquet" in str(caught.value)
    assert caught.value.fix


ARRAYS: dict[str, tuple[object, object, str]] = {
    "strings": (["a", "b"], [["1"], ["2"]], "vectors of type <U1"),
    "booleans": (["a", "b"], [[True], [False]], "vectors of type bool"),
    "complex": (["a", "b"], [[1j], [2j]], "vectors of type complex"),
    "objects": (["a", "b"], np.array([[{}], [None]], dtype=object), "Python objects"),
    "object ids": (np.array(["a", 1], dtype=object), [[1.0], [2.0]], "Python objects"),
    "float ids": ([1.0, 2.0], [[1.0], [2.0]], "row 1: doc_id 1.0"),
    "boolean ids": ([True, False], [[1.0], [2.0]], "row 1: doc_id True"),
    "byte ids": ([b"a", b"b"], [[1.0], [2.0]], "row 1: doc_id b'a'"),
    "one axis": (["a", "b"], [1.0, 2.0], "do not fit"),
    "too few": (["a", "b"], [[1.0]], "do not fit"),
    "not finite": (["a", "b"], [[1.0], [np.nan]], "row 2: 1 vectors hold NaN"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_wrong_arrays(tmp_path: Path, case: str) -> None:
    ids, vectors, message = ARRAYS[case]
    np.savez(tmp_path / "a.npz", ids=np.asarray(ids), vectors=np.asarray(vectors))
    with pytest.raises(DataError, match=message) as caught:
        read_vectors(tmp_path / "a.npz")
    assert "a.npz" in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("shape", [(2, 30_000_000_000), (60_000_000_000, 1), (-1, 4), (2, 1)])
def test_a_header_that_asks_for_too_much_gets_no_memory(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    path = tmp_path / "a.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    ids = io.BytesIO()
    np.save(ids, np.array(["a", "b"]))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ids.npy", ids.getvalue())
        archive.writestr("vectors.npy", header.getvalue() + bytes(16))
    with pytest.raises(DataError, match=r"a\.npz: not a plain npz file: array vectors of shape"):
        read_vectors(path)


def test_an_archive_that_unpacks_to_more_than_it_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    rows = 3 * 2**20
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, dtype, shape in (("ids", "<i8", (rows,)), ("vectors", "<f4", (rows, 32))):
            with archive.open(f"{name}.npy", "w") as stream:
                header = {"descr": dtype, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, header)
                for _ in range(np.dtype(dtype).itemsize * math.prod(shape) // 2**20):
                    stream.write(bytes(2**20))
    with pytest.raises(DataError, match=r"unpacks .* bytes to 402,653,184"):
        read_vectors(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".npz"])
def test_damaged_files(tmp_path: Path, suffix: str) -> None:
    whole = save(tmp_path / f"a{suffix}", {f"p{n}": [n / 7, n / 3] for n in range(50)}).read_bytes()
    path = tmp_path / f"b{suffix}"
    draw = random.Random(1)
    for cut in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:cut])
        with suppress(DataError):  # lines that are whole may still be read
            read_vectors(path)
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        with suppress(DataError):
            read_vectors(path)


def test_missing_column_and_array(tmp_path: Path) -> None:
    pd.DataFrame({"doc_id": ["a"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column embedding"):
        read_vectors(tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", ids=np.array(["a"]))
    with pytest.raises(DataError, match="no array vectors"):
        read_vectors(tmp_path / "a.npz")


def test_one_file_a_role(tmp_path: Path) -> None:
    encoder = make(
        query=save(tmp_path / "q.jsonl", {"a": [1.0]}),
        proximity=save(tmp_path / "p.jsonl", {"a": [2.0]}),
    )
    assert encoder.encode(documents("a"), Role.QUERY, lambda count: None).tolist() == [[1.0]]
    assert encoder.encode(documents("a"), Role.PROXIMITY, lambda count: None).tolist() == [[2.0]]
    with pytest.raises(CoverageError, match="no vectors for the role regression"):
        encoder.encode(documents("a"), Role.REGRESSION, lambda count: None)


def test_identity_is_the_content(tmp_path: Path) -> None:
    first = make(all=save(tmp_path / "a.jsonl", ROWS)).identity(Role.QUERY)
    second = make(all=save(tmp_path / "a.jsonl", {"a": [1.0]})).identity(Role.QUERY)
    assert first.details["file"] == "a.jsonl"
    assert first.details["sha256"] != second.details["sha256"]


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        make(all=tmp_path / "none.npz")


def test_works_without_torch(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", ROWS)
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from scirepeval_harness.model.base import build_model, EncodeOptions\n"
        "from scirepeval_harness.model.kinds import PrecomputedSpec\n"
        "from scirepeval_harness.task.dataset import Document\n"
        "from scirepeval_harness.roles import Role\n"
        "m = build_model(PrecomputedSpec(name='m', title='m', kind='precomputed',"
        " files={'all': sys.argv[1]}), EncodeOptions())\n"
        "print(m.encode([Document('b', ())], Role.QUERY, lambda n: None).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.npz")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[[3.0, 4.5]]"
