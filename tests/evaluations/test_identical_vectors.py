"""Vectors that are all alike are said beside the score; sound ones change nothing in the record."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import scirepeval_harness as sh
from scirepeval_harness.evaluations.vector_warnings import ROWS, identical
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document, EncodeRequest
from tests.support.tables import Table


def warnings_of(rows: NDArray[np.float64], *, one_text: bool = False) -> list[str]:
    documents = tuple(
        Document(str(n), ("same",) if one_text else (f"text {n}",)) for n in range(len(rows))
    )
    table = Table(dict(zip((d.id for d in documents), rows.tolist(), strict=True)))
    return list(identical(EncodeRequest(Role.PROXIMITY, documents), table))


@pytest.mark.parametrize("noise", [0.0, 1e-6])
@pytest.mark.parametrize("length", [0.0, 1.0, 1e4])
def test_equal_and_nearly_equal_vectors_are_named(noise: float, length: float) -> None:
    random = np.random.default_rng(1)
    rows = length * (np.ones(8) + noise * random.normal(size=(ROWS + 3, 8)))
    assert warnings_of(rows) == [f"all {ROWS + 3} proximity vectors are identical, or nearly"]
    # One that differs, in the last part that is read, is enough.
    rows[-1, 0] += max(1.0, length)
    assert warnings_of(rows) == []


def test_one_document_and_one_text_are_no_sign_of_a_broken_model() -> None:
    assert warnings_of(np.ones((1, 4))) == []
    assert warnings_of(np.ones((5, 4)), one_text=True) == []


class Constant:
    """Gives every text the same vector."""

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), 4), dtype=np.float32)


class Lines(sh.Silent):
    """Keeps the lines that a run says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


def test_the_run_the_record_and_the_report_say_it(tmp_path: Path) -> None:
    lines = Lines()
    results = sh.evaluate(
        {"constant": Constant()}, suite="sample", tasks="sample-cite", limit=20, cache=None,
        output=tmp_path, progress=lines,
    )  # fmt: skip
    record = json.loads((tmp_path / "constant" / "sample" / "sample-cite.json").read_text())
    query, candidates = record["warnings"]
    assert query == "all 20 proximity vectors are identical, or nearly"
    assert candidates.endswith("proximity vectors are identical, or nearly")
    [line] = [line for line in lines.said if "sample-cite" in line and "WARNING" in line]
    assert query in line
    report = sh.report(results, tmp_path / "report")
    assert any(query in path.read_text() for path in report.files if path.suffix == ".md")
