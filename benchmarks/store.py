"""The embedding store against JSON lines: write and read vectors, open, look up, memory.

    python benchmarks/store.py --rows 100000 --json-rows 2000

JSON lines are linear in rows, so that a part of them stands for all (``--json-rows``); the store is
measured on all rows, written in batches as a run writes them, checksums verified on reading.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from support import Timed, interleaved, parser, show, write

from scirepeval_harness.model.base import Advance, Identity, Vectors
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document, EncodeRequest
from scirepeval_harness.vectors.encode import embed
from scirepeval_harness.vectors.keys import key_array, text_key
from scirepeval_harness.vectors.store import EmbeddingStore

GOAL = 50
BATCH = 256
IDENTITY = Identity("made", Role.PROXIMITY, {"weights": "none"})


class Cheap:
    """Gives each text the same row at no cost: what is left is the harness's own work."""

    name, cacheable = "cheap", True

    def __init__(self, dimensions: int) -> None:
        self.row = np.random.default_rng(0).normal(size=dimensions).astype(np.float32)

    def identity(self, role: Role) -> Identity:
        return IDENTITY

    def text(self, document: Document, role: Role) -> str:
        return " ".join(document.parts)

    def prepare(self, documents: object) -> None:
        """Nothing."""

    def encode(self, documents: list[Document], role: Role, advance: Advance) -> Vectors:
        return np.tile(self.row, (len(documents), 1))


def write_json(path: Path, vectors: np.ndarray) -> None:
    """One line a vector, as the public code caches embeddings."""
    with path.open("w", encoding="utf-8") as out:
        for row, vector in enumerate(vectors):
            out.write(json.dumps({"doc_id": str(row), "embedding": vector.tolist()}) + "\n")


def read_json(path: Path) -> np.ndarray:
    """All vectors of a file of JSON lines."""
    with path.open(encoding="utf-8") as lines:
        return np.asarray([json.loads(line)["embedding"] for line in lines], dtype=np.float32)


def write_store(folder: Path, keys: np.ndarray, vectors: np.ndarray) -> None:
    """All rows in batches, the shard closed and synced at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    store = EmbeddingStore(folder)
    space = store.space(IDENTITY)
    for start in range(0, len(keys), BATCH):
        space.append(keys[start : start + BATCH], vectors[start : start + BATCH])
    store.close()


def read_store(folder: Path, keys: np.ndarray) -> np.ndarray:
    """All rows, by a store that knows nothing yet: open, verify every checksum, copy."""
    space = EmbeddingStore(folder).space(IDENTITY)
    assert space.sound(keys).all()
    return space.take(keys)


def open_many(folder: Path, rows: int) -> tuple[float, float]:
    """Seconds to open a space of ``rows`` short vectors and look 1,000 keys up, and the memory
    that it then holds, in MB."""
    keys = np.frombuffer(np.random.default_rng(1).bytes(16 * rows), dtype="S16")
    store = EmbeddingStore(folder)
    space = store.space(IDENTITY)
    for start in range(0, rows, 1_000):
        space.append(keys[start : start + 1_000], np.zeros((1_000, 4), np.float32))
    store.close()
    del store, space
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_open, (folder,))


def _open(folder: Path) -> tuple[float, float]:
    before, start = _held_mb(), time.perf_counter()
    space = EmbeddingStore(folder).space(IDENTITY)
    space.holds(key_array(text_key(str(row)) for row in range(1_000)))
    seconds = time.perf_counter() - start
    assert len(space)
    return seconds, _held_mb() - before


def _held_mb() -> float:
    """Memory that the process holds now; 0 where the system does not tell."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * resource.getpagesize() / 1e6 if pages.exists() else 0


def task_memory(folder: Path, documents: int, dimensions: int, words: int) -> float:
    """Peak memory in GB of a process that loads, encodes and reads a task of so many documents."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_task, (folder, documents, dimensions, words))


def _task(folder: Path, documents: int, dimensions: int, words: int) -> float:
    """As a task does: all documents in memory, vectors into the store, then train and test rows."""
    made = [
        Document(str(row), (f"title {row}", " ".join(f"w{row + n}" for n in range(words))))
        for row in range(documents)
    ]
    store = EmbeddingStore(folder)
    done = embed(Cheap(dimensions), EncodeRequest(Role.PROXIMITY, tuple(made)), store)
    store.close()
    ids = [item.id for item in made]
    train, test = done.take(ids[: documents // 2]), done.take(ids[documents // 2 :])
    assert len(train) + len(test) == documents
    return _peak_mb() / 1000


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--json-rows", type=int, default=2_000)
    options.add_argument("--dimensions", type=int, default=768)
    options.add_argument("--keys", type=int, default=1_000_000, help="keys of the space to open")
    options.add_argument("--task", type=int, default=260_000, help="documents of the made task")
    options.add_argument("--words", type=int, default=180, help="words a document of it")
    options.formatter_class = argparse.RawDescriptionHelpFormatter
    chosen = options.parse_args()
    vectors = np.random.default_rng(0).normal(size=(chosen.rows, chosen.dimensions))
    vectors = vectors.astype(np.float32)
    keys = key_array(text_key(str(row)) for row in range(chosen.rows))
    part = vectors[: chosen.json_rows]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, store = folder / "vectors.jsonl", folder / "store"
        timed = interleaved(
            {
                "json write": lambda: write_json(lines, part),
                "json read": lambda: read_json(lines),
                "store write": lambda: write_store(store, keys, vectors),
                "store read": lambda: read_store(store, keys),
            },
            chosen.repeats,
        )
        assert np.array_equal(timed["store read"].result, vectors)
        sizes = {"json": lines.stat().st_size * chosen.rows / chosen.json_rows,
                 "store": sum(path.stat().st_size for path in store.rglob("*.vec"))}  # fmt: skip
        shutil.rmtree(store)
        seconds, megabytes = open_many(folder / "many", chosen.keys)
        gigabytes = task_memory(folder / "task", chosen.task, chosen.dimensions, chosen.words)
    scale = chosen.rows / chosen.json_rows
    rows = [_row("write", timed["json write"], timed["store write"], scale),
            _row("read", timed["json read"], timed["store read"], scale)]  # fmt: skip
    rows.append({key: round(rows[0][key] + rows[1][key], 2) if "s)" in key else ""
                 for key in rows[0]} | {"what": "both"})  # fmt: skip
    for clock in ("", "cpu "):
        rows[2][f"{clock}ratio"] = round(
            rows[2][f"JSON ({clock}s)"] / rows[2][f"store ({clock}s)"], 1
        )
    show(f"{chosen.rows:,} x {chosen.dimensions}, JSON lines scaled from {chosen.json_rows:,} "
         f"rows, best of {chosen.repeats}; goal for both: {GOAL}x", rows)  # fmt: skip
    print(f"bytes: JSON lines {sizes['json'] / 1e6:,.0f} MB, store {sizes['store'] / 1e6:,.0f} MB")
    print(f"open {chosen.keys:,} keys and look 1,000 up: {seconds:.2f} s, {megabytes:.0f} MB")
    print(f"task of {chosen.task:,} documents x {chosen.dimensions}: peak {gigabytes:.2f} GB "
          "(texts, keys, and all vectors taken once; goal 4 GB)")  # fmt: skip
    write(
        chosen,
        rows,
        bytes=sizes,
        open_seconds=round(seconds, 3),
        open_megabytes=round(megabytes),
        task_peak_gigabytes=round(gigabytes, 2),
    )


def _row(what: str, plain: Timed, mine: Timed, scale: float) -> dict[str, object]:
    wall, cpu = min(plain.wall) * scale, min(plain.cpu) * scale
    return {
        "what": what,
        "JSON (s)": round(wall, 2), "store (s)": round(min(mine.wall), 2),
        "ratio": round(wall / min(mine.wall), 1),
        "JSON (cpu s)": round(cpu, 2), "store (cpu s)": round(min(mine.cpu), 2),
        "cpu ratio": round(cpu / min(mine.cpu), 1),
    }  # fmt: skip


if __name__ == "__main__":
    main()
