"""Makes a ranking task of any size, runs it with a light encoder and says how much memory it took.

A script of its own, so that the peak is the run's alone. The vectors have the width of BERT's and
cost next to nothing, so that what is measured is documents, store and scoring.

    python -m tests.support.large_task make FOLDER DOCUMENTS
    python -m tests.support.large_task run FOLDER
"""

from __future__ import annotations

import json
import random
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

POOL = 100
"""Candidates of a query; none is in two pools."""
LENGTH = 1_300
"""Characters of a text, about what title and abstract of a paper have together."""
TASK = """
name = "large"
title = "Large (made)"
format = "adhoc_search"
evaluation = "ranking"
metrics = ["ndcg"]
fields = ["title", "abstract"]
synthetic = true
[local]
documents = "large/meta.jsonl"
labels = "large"
"""
MODEL = """
name = "light"
title = "Light"
kind = "transformer"
base = { path = "nowhere" }
"""


def make(folder: Path, documents: int) -> None:
    """Write the task, its model file, and ``documents`` documents in the benchmark's local form."""
    dice = random.Random(7)
    words = ["".join(dice.choices("abcdefghijklmnop", k=dice.randint(2, 11))) for _ in range(5_000)]
    prose = " ".join(dice.choices(words, k=60_000))
    (folder / "tasks").mkdir(parents=True)
    (folder / "data" / "large").mkdir(parents=True)
    (folder / "tasks" / "large.toml").write_text(TASK)
    (folder / "light.toml").write_text(MODEL)
    with (
        (folder / "data/large/meta.jsonl").open("w", encoding="utf-8") as texts,
        (folder / "data/large/test_qrel.jsonl").open("w", encoding="utf-8") as labels,
    ):
        for query in range(documents // POOL):
            candidates = []
            for number in range(query * POOL, (query + 1) * POOL):
                start = dice.randrange(len(prose) - LENGTH)
                text = f"{number} {prose[start : start + LENGTH]}"
                candidates.append({"doc_id": number, "title": text[:80], "abstract": text[80:]})
                grade = {"query_id": f"q{query}", "cand_id": number, "score": int(number % 7 == 0)}
                labels.write(json.dumps(grade) + "\n")
            row = {"doc_id": f"q{query}", "query": f"query {query}", "candidates": candidates}
            texts.write(json.dumps(row) + "\n")


def run(folder: Path) -> None:
    """Run the task; writes peak memory in bytes, before and after, and the documents encoded."""
    import numpy as np

    from scirepeval_harness.cli.main import main
    from scirepeval_harness.model.base import Identity, Vectors
    from scirepeval_harness.roles import Role
    from scirepeval_harness.run.engine import LocalEngine
    from scirepeval_harness.task.dataset import Document

    class Light:
        """An encoder whose vectors are noise that hangs on the text alone."""

        name, cacheable = "light", True

        def identity(self, role: Role) -> Identity:
            return Identity("light", role, {"kind": "noise"})

        def text(self, document: Document, role: Role) -> str:
            return " ".join(document.parts)

        def prepare(self, documents: Sequence[Document]) -> None:
            pass

        def encode(
            self, documents: Sequence[Document], role: Role, advance: Callable[[int], None]
        ) -> Vectors:
            seeds = (zlib.crc32(self.text(item, role).encode()) for item in documents)
            rows: Iterator[Vectors] = (
                np.random.Generator(np.random.SFC64(seed)).standard_normal(768, dtype=np.float32)
                for seed in seeds
            )
            return np.stack(list(rows))

    LocalEngine.build = lambda self, spec, options: Light()  # type: ignore[method-assign]
    places = ["--output", str(folder / "out"), "--cache", str(folder / "cache")]
    before, code = peak(), 0
    try:
        main(["run", "--tasks-dir", str(folder / "tasks"), "--data", str(folder / "data"),
              "--model", str(folder / "light.toml"), *places])  # fmt: skip
    except SystemExit as stop:
        code = int(stop.code or 0)
    made = json.loads((folder / "out" / "light" / "run.json").read_text())
    report = {"before": before, "peak": peak(), "encoded": made["documents_encoded"]}
    (folder / "report.json").write_text(json.dumps(report))
    sys.exit(code)


def peak() -> int:
    """The most memory that this process has had so far, in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        run(Path(sys.argv[2]))
