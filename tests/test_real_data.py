"""Every real set goes through the command line; skipped without the folder of real sets."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

MDCR = """
name = "mdcr-hepph"
title = "MDCR-style high-energy physics"
format = "proximity"
evaluation = "citation_pools"
metrics = ["map", "ndcg", "recall_5"]
[local]
documents = "mdcr_hepph/mdcr_test_data.jsonl"
pools = "mdcr_hepph/mdcr_test.json"
"""


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.timeout(600)
def test_every_real_set_is_scored(realdata: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "mdcr-hepph.toml").write_text(MDCR)
    listed = [json.loads(line) for line in (realdata / "tasks.jsonl").open()]
    for task in listed:
        # 150 fits a class in the few-shot settings take minutes and need more rows than the limit.
        task.pop("few_shot", None)
    lines = "".join(json.dumps(task) + "\n" for task in listed)
    (tmp_path / "tasks" / "tasks.jsonl").write_text(lines)
    subprocess.run(
        [sys.executable, "-m", "scirepeval_harness", "run", "--model", "tfidf", "--model", "bm25",
         "--tasks-dir", str(tmp_path / "tasks"),
         "--data", str(realdata), "--limit", "150", "--output", str(tmp_path / "out")],
        check=True, capture_output=True,
    )  # fmt: skip
    found = {
        name: [json.loads(path.read_text()) for path in (tmp_path / "out" / name).rglob("*/*.json")]
        for name in ("tfidf", "bm25")
    }
    assert len(found["tfidf"]) == len(listed) + 1
    assert 0 < len(found["bm25"]) < len(found["tfidf"])
    for record in [*found["tfidf"], *found["bm25"]]:
        assert record["status"] == "ok", record["task"]
        assert all(math.isfinite(score["value"]) for score in record["scores"]), record["task"]
        assert record["coverage"]["documents_found"] == record["coverage"]["documents_needed"]
