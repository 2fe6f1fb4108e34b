"""The second run of a finished benchmark: its encode phase against the first run's.

    python benchmarks/second_run.py --limit 5

Two runs of the command line, each in a process of its own, with a BERT-base-sized random model and
one store, on ranking tasks of the real data sets. The time of a phase is the run's own record of it
and holds what the phase needs: importing torch and loading weights in the first run, neither in the
second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from support import ROOT, add_data, parser, read_texts, save_model, show, write

GOAL = 200
FORMATS = ("proximity", "adhoc_search")
MODEL = """name = "random"
title = "Random BERT-base"
kind = "transformer"
[base]
path = "{folder}/base"
[adapters.proximity]
path = "{folder}/proximity"
[adapters.query]
path = "{folder}/query"
"""


def run(words: list[str], output: Path) -> dict[str, object]:
    """One run of the command line; its record."""
    command = [sys.executable, "-m", "scirepeval_harness", "run", *words, "--output", str(output)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return json.loads(next(output.glob("*/run.json")).read_text(encoding="utf-8"))


def main() -> None:
    options = parser(__doc__)
    add_data(options, documents=5_000)
    options.add_argument("--limit", type=int, default=5, help="queries a task")
    options.add_argument("--device", default="cpu")
    options.add_argument("--task", action="append", help="default: all ranking tasks there are")
    chosen = options.parse_args()
    documents = read_texts(chosen.data, chosen.documents)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(folder / "model", documents, ["proximity", "query"])
        (folder / "random.toml").write_text(MODEL.format(folder=folder / "model"))
        words = ["--model", str(folder / "random.toml"), "--cache", str(folder / "cache"),
                 "--tasks-dir", str(chosen.data), "--data", str(chosen.data),
                 "--limit", str(chosen.limit), "--device", chosen.device]  # fmt: skip
        for task in chosen.task or ():
            words += ["--task", task]
        for form in () if chosen.task else FORMATS:
            words += ["--format", form]
        records = [run(words, folder / f"run{number}") for number in range(2)]
    rows = []
    for title, record in zip(("first", "second"), records, strict=True):
        phases = [task["seconds"] for task in record["tasks"]]
        rows.append(
            {"run": title, "encoded": record["documents_encoded"],
             "cached": record["documents_cached"],
             "encode (s)": round(sum(phase.get("encode", 0) for phase in phases), 3),
             "whole run (s)": round(record["seconds"]["total"], 2)}
        )  # fmt: skip
    ratio = rows[0]["encode (s)"] / rows[1]["encode (s)"]
    show(f"{len(records[0]['tasks'])} tasks, {chosen.device}", rows)
    print(f"encode phase: {ratio:,.0f}x (goal {GOAL}x)")
    write(chosen, rows, ratio=round(ratio, 1), goal=GOAL)


if __name__ == "__main__":
    main()
