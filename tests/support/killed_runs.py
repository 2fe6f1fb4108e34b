"""Runs the harness in forked children and kills them at given moments; a script of its own.

The libraries are imported once and every run is a fork, so that a run costs what it encodes. Each
child writes down the keys of the vectors whose writing has returned, which is what a kill must not
lose.

    python -m tests.support.killed_runs FOLDER MODEL SEED ROUNDS
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

LIBRARIES = ("pandas", "pyarrow.parquet", "pytrec_eval", "scipy.stats", "torch",
             "transformers.generation", "transformers.models.bert.tokenization_bert_fast",
             "transformers.models.auto.tokenization_auto")  # fmt: skip
HARNESS = tuple(
    f"scirepeval_harness.{name}"
    for name in ("cli.main", "api.evaluate", "model.replica", "evaluations.probe",
                 "evaluations.ranking", "probes.reference", "run.loop", "statistics.bootstrap")
)  # fmt: skip
"""Imported, not used, before the first fork: threads of a parent do not survive one."""
TASKS = ("sample-cite", "sample-search", "sample-year")


def words_of(model: str, folder: Path) -> list[str]:
    """A run whose batches are single texts, so that a kill has many places to fall."""
    tasks = [word for name in TASKS for word in ("--task", name)]
    places = ["--output", str(folder / "out"), "--cache", str(folder / "cache"), "--resume"]
    return ["run", "--model", f"tiny={model}", "--suite", "sample", *tasks, "--limit", "40",
            "--device", "cpu", "--dtype", "float32", "--batch-tokens", "8", "--max-length", "48",
            *places]  # fmt: skip


def start(words: list[str], log: Path) -> int:
    """Fork a child that runs the harness and logs finished keys; its process id."""
    child = os.fork()
    if child:
        return child
    from scirepeval_harness.cli.main import main
    from scirepeval_harness.vectors.store import Space

    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    append = Space.append

    def logged(space: Space, keys, vectors) -> None:  # type: ignore[no-untyped-def]
        append(space, keys, vectors)
        os.write(
            written, b"".join(space.folder.name.encode() + row.tobytes() for row in keys[:, None])
        )

    Space.append = logged  # type: ignore[method-assign]
    shown = os.open(log.with_suffix(".shown"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(shown, 1)
    os.dup2(shown, 2)
    code = 1
    try:
        main(words)
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        os._exit(code)


def finish(child: int) -> int:
    """Wait for a child; its exit code, or minus its signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    for name in (*LIBRARIES, *HARNESS):
        importlib.import_module(name)
    import transformers

    transformers.logging.set_verbosity_error()
    for name in ("AutoModel", "AutoTokenizer", "BertModel"):
        getattr(transformers, name)
    root, model = Path(sys.argv[1]), sys.argv[2]
    dice, rounds = random.Random(int(sys.argv[3])), int(sys.argv[4])
    whole, warm = root / "whole", root / "warm"
    for folder in (whole, warm):
        folder.mkdir(parents=True)
    # A first run may compile the probes: moments are shares of a run that does not.
    finish(start(words_of(model, warm), warm / "log"))
    clock = time.perf_counter()
    code = finish(start(words_of(model, whole), whole / "log"))
    length = time.perf_counter() - clock
    report = [{"folder": "whole", "seconds": length, "codes": [code]}]
    for number in range(rounds):
        folder = root / f"{number:02d}"
        folder.mkdir()
        moment = dice.uniform(0.1, 0.8) * length
        child = start(words_of(model, folder), folder / "log")
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        codes = [finish(child)]
        (folder / "log").touch()
        (folder / "log").rename(folder / "finished-keys")
        again = finish(start(words_of(model, folder), folder / "log"))
        report.append({"folder": folder.name, "seconds": moment, "codes": [*codes, again]})
    (root / "report.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
