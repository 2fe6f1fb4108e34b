"""Scoring beside encoding: the whole time against the larger of the two.

    python benchmarks/overlap.py

Tasks of benchmarks/full_size.py at a share of their rows (made data), and an encoder that sleeps
for each text as long as a card would be busy with it. It says once that it computes on the
processors, so that tasks wait for all encoding, and once that it does not. Both leave the same
score files. Reading and planning, which come before either, are part of each of the two times.
Scores of small shares take tenths of a second, which other work on the machine outweighs: how many
tasks had their scores before the last text was encoded does not hang on that.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from full_size import LABELLED, RANKED, Noise, made
from support import parser, show, write

GOAL = 1.1
TASKS = ("biomimicry", "drsm", "scidocs-mesh", "peer-review-score", "max-hindex", "same-author",
         "highly-influential-citations", "search", "relish", "scidocs-cite", "scidocs-coview",
         "scidocs-cocite", "scidocs-coread")  # fmt: skip


class Slow(Noise):
    """Made vectors, each after so many seconds."""

    __module__ = "overlap"

    def __init__(self, device: str, seconds: float = 0.0) -> None:
        super().__init__()
        self.device, self._seconds = device, seconds
        self.ended, self.wall = 0.0, 0.0

    def encode(self, texts: Sequence[str]) -> Any:
        vectors = super().encode(texts)
        time.sleep(self._seconds * len(texts))
        self.ended, self.wall = time.perf_counter(), time.time()
        return vectors


def run(folder: Path, model: Slow, name: str, chosen: Any) -> tuple[float, Any]:
    """Seconds of a run, and its record."""
    import scirepeval_harness as sh

    start = time.perf_counter()
    results = sh.evaluate(
        model, tasks=chosen.tasks, data=folder, cache=folder / f"cache-{name}",
        output=folder / name, **({"probe": chosen.probe} if chosen.probe else {}),
    )  # fmt: skip
    results.require_complete()
    return time.perf_counter() - start, results["made"].run


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--scale", type=float, default=0.05, help="share of the rows of each task")
    options.add_argument("--factor", type=float, default=1.0, help="encoding over scoring, in time")
    every = [*LABELLED, *RANKED]
    options.add_argument("--tasks", nargs="+", default=TASKS, choices=every, metavar="TASK")
    options.add_argument("--probe", help="default: the harness's own")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(folder, chosen.tasks, chosen.scale)
        run(folder, Slow("cpu"), "warm", chosen)  # imports and compiles
        score, record = run(folder, Slow("cpu"), "score", chosen)
        seconds = chosen.factor * score / record.documents_encoded
        rows: list[dict[str, object]] = [{"way": "scoring alone", "seconds": round(score, 2)}]
        whole: dict[str, float] = {}
        encode = 0.0
        scored: dict[str, int] = {}
        for way, device in (("one after the other", "cpu"), ("beside each other", "cuda")):
            model, start = Slow(device, seconds), time.perf_counter()
            whole[way], _ = run(folder, model, device, chosen)
            # Until the last text: what a run takes that encodes and does nothing else.
            encode = encode or model.ended - start
            files = (folder / device / "made").glob("*/*.json")
            scored[way] = sum(path.stat().st_mtime < model.wall for path in files)
            rows.append({"way": way, "seconds": round(whole[way], 2)})
        rows.insert(1, {"way": "encoding alone", "seconds": round(encode, 2)})
        same = all(
            path.read_bytes() == (folder / "cpu" / path.relative_to(folder / "cuda")).read_bytes()
            for path in (folder / "cuda").glob("made/*/*")
        )
    larger = max(score, encode)
    ratio = whole["beside each other"] / larger
    show(f"{len(chosen.tasks)} tasks of made data, {record.documents_encoded:,} texts", rows)
    print(f"over the larger of the two: {ratio:.2f} (goal {GOAL}); one after the other "
          f"{whole['one after the other'] / larger:.2f}")  # fmt: skip
    early, none = scored["beside each other"], scored["one after the other"]
    print(f"scored before the last text was encoded: {early} of {len(chosen.tasks)} tasks, one "
          f"after the other {none}")  # fmt: skip
    print(f"score files, items and draws {'are the same bytes' if same else 'DIFFER'}")
    facts = {"ratio": round(ratio, 3), "scored": scored, "same": same, "goal": GOAL}
    write(chosen, rows, synthetic=True, **facts)


if __name__ == "__main__":
    main()
