"""A file that lacks vectors: refused, or with ``--allow-missing`` scored as lost documents are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.evaluations.base import requests_of
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.options import RunOptions
from scirepeval_harness.results.record import TaskRecord
from scirepeval_harness.run.loop import run
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.registry import load_registry

TASKS = ("sample-nature", "sample-related", "sample-cite", "sample-reviewers")


def scored(tmp_path: Path, name: str, *, allow_missing: bool, lost: int) -> TaskRecord:
    tmp_path.mkdir()
    [(suite, task)] = load_registry().select((), (name,), ())
    data = load_task(task, suite, DataOptions()).data
    ids = [one.id for request in requests_of(task, data) for one in request.documents]
    random = np.random.default_rng(1)
    rows = {key: random.normal(size=8).tolist() for key in dict.fromkeys(ids)}
    for key in list(rows)[-lost:] if lost else ():
        del rows[key]
    path = tmp_path / "mine.jsonl"
    lines = (json.dumps({"doc_id": key, "embedding": row}) for key, row in rows.items())
    path.write_text("\n".join(lines))
    options = RunOptions(output=tmp_path / "out", allow_missing=allow_missing)
    [folder] = run([resolve_model(str(path))], [(suite, task)], options)
    file = folder / suite.name / f"{name}.json"
    return TaskRecord.model_validate_json(file.read_text())


@pytest.mark.parametrize("name", TASKS)
def test_missing_vectors_count_as_missing_documents(tmp_path: Path, name: str) -> None:
    refused = scored(tmp_path / "a", name, allow_missing=False, lost=3)
    assert refused.status == "failed"
    assert refused.error is not None
    assert "documents have no vector" in refused.error
    assert "--allow-missing" in refused.error
    served = scored(tmp_path / "b", name, allow_missing=True, lost=3)
    assert served.status == "ok"
    assert served.coverage is not None
    assert served.coverage.documents_needed - served.coverage.documents_found == 3
    whole = scored(tmp_path / "c", name, allow_missing=True, lost=0)
    assert whole.coverage is not None
    assert whole.coverage.complete
