"""SciRepEval and MDCR at their real row counts, made up: time by task and phase, and memory.

    python benchmarks/full_size.py                       # everything; minutes, 4 GB of disk
    python benchmarks/full_size.py --scale 0.05          # a twentieth of the rows of every task
    python benchmarks/full_size.py --tasks fields-of-study mdcr

Texts are a few words and vectors are made of random numbers and the labels, so no score means
anything; the numbers of rows, queries, candidates, classes and few-shot samples are those of the
published data. All vectors are in the store before the clock starts: nothing is encoded. The first
run scores everything, the second resumes it. S2AND is left out: it has an environment of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from support import ROOT, parser, show, write

GOAL_SECONDS, GOAL_AGAIN, GOAL_BYTES, GOAL_INTERVALS = 480, 60, 4e9, 0.05
PHASES = ("read", "vectors", "probe", "rank", "intervals", "write")
WIDTH = 768
TEST_SHARE = 0.2
"""Of labelled rows, where only their sum is known."""


@dataclass(frozen=True)
class Labelled:
    """A supervised task: rows in all, those of its test split, and classes; none is a number a row.

    ``lists`` for several labels a row.
    """

    documents: str
    rows: int
    classes: int = 0
    test: int | None = None
    lists: bool = False


@dataclass(frozen=True)
class Ranked:
    """A ranking task: labelled pairs and queries; no candidate belongs to two queries."""

    pairs: int
    queries: int
    texts: bool = False


LABELLED = {
    "mesh-descriptors": Labelled("mesh_descriptors", 259_000, classes=30),
    "fields-of-study": Labelled("fos", 54_600, classes=23, test=49_700, lists=True),
    "citation-count": Labelled("cite_count", 30_000),
    "publication-year": Labelled("pub_year", 30_000),
    "biomimicry": Labelled("biomimicry", 11_000, classes=2),
    "drsm": Labelled("drsm", 8_500, classes=6),
    "scidocs-mag": Labelled("scidocs_mag_mesh", 21_000, classes=19),
    "scidocs-mesh": Labelled("scidocs_mag_mesh", 20_000, classes=11),
    "peer-review-score": Labelled("peer_review_score_hIndex", 10_200),
    "max-hindex": Labelled("peer_review_score_hIndex", 10_900),
    "tweet-mentions": Labelled("tweet_mentions", 26_000),
}
RANKED = {
    "same-author": Ranked(123_000, 12_300),
    "highly-influential-citations": Ranked(58_300, 1_200),
    "search": Ranked(26_000, 2_600, texts=True),
    "relish": Ranked(191_000, 3_190),
    "nfcorpus": Ranked(44_600, 323, texts=True),
    "trec-covid": Ranked(69_000, 50, texts=True),
    "scidocs-cite": Ranked(30_000, 1_000),
    "scidocs-coview": Ranked(30_000, 1_000),
    "scidocs-cocite": Ranked(30_000, 1_000),
    "scidocs-coread": Ranked(30_000, 1_000),
}
"""Labelled pairs as published; queries as published, or pairs over a usual number of candidates."""
PAPERS, REVIEWERS, OWN, JUDGED = 107, 668, 100, 16
MDCR_QUERIES, MDCR_LIST = 180, 8
"""Queries a field and candidates a list: 192,000 papers, those of its 250 MB of texts."""
SOURCES = ("bm25", "scincl", "specter", "graph", "most_cited", "random", "true")


class Noise:
    """An encoder whose vectors are two rows of a table of noise and one of the label's, by the
    number that is the first word of a text."""

    # Imported or run as a script, it is the same model.
    __module__ = "full_size"
    name = "made"
    identity = "benchmarks/full_size.py, version 1"

    def __init__(self) -> None:
        random = np.random.default_rng(7)
        self._noise = random.standard_normal((2, 4_093, WIDTH), dtype=np.float32)
        self.labels = random.standard_normal((1_009, WIDTH), dtype=np.float32)

    def encode(self, texts: Sequence[str]) -> Any:
        numbers = np.array([int(text.split(maxsplit=1)[0]) for text in texts])
        first, second = self._noise
        # Of about length 15, as are those of BERT-sized encoders.
        noise = first[numbers % 4_093] + second[numbers % 4_079]
        return 0.25 * noise + 0.4 * self.labels[kind_of(numbers)]


def kind_of(number: Any) -> Any:
    """What labels and vectors have in common."""
    return number * 7_919 % 1_009


def made(root: Path, names: Sequence[str], scale: float) -> None:
    """Write the data of the tasks in the benchmark's local form."""
    from scirepeval_harness.task.registry import load_registry

    registry, start = load_registry(), iter(range(0, 10**9, 10**6))
    documents: dict[str, tuple[int, int]] = {}
    for name, task in LABELLED.items():
        test = round(task.rows * TEST_SHARE) if task.test is None else task.test
        # So many at least, that the few-shot settings have their samples at any scale.
        sizes = max(400, round((task.rows - test) * scale)), max(100, round(test * scale))
        first, most = documents.get(task.documents) or (next(start), 0)
        documents[task.documents] = first, max(most, sum(sizes))
        local = registry.task(name).local
        if name in names and local is not None:
            _labels(root / str(local.labels), task, first, sizes)
    for config, (first, rows) in documents.items():
        if any(task.documents == config and name in names for name, task in LABELLED.items()):
            _lines(root / config / "meta.jsonl", map(_paper, range(first, first + rows)))
    flat: list[int] = []
    for name, ranked in RANKED.items():
        local = registry.task(name).local
        first = next(start)
        if name in names and local is not None:
            flat += _ranking(root, str(local.labels), ranked, first, scale, str(local.documents))
    if flat:
        _lines(root / "scidocs_view_cite_read" / "meta.jsonl", map(_paper, dict.fromkeys(flat)))
    if "reviewer-matching" in names:
        _reviewers(root, next(start), scale)
    if "mdcr" in names:
        _pools(root, registry.task("mdcr").expected_fields, next(start), scale)


def _paper(number: int) -> dict[str, Any]:
    # Numbered, so that no two texts are one.
    return {"doc_id": number, "title": f"{number} a made paper", "abstract": "of a few words"}


def _labels(folder: Path, task: Labelled, first: int, sizes: tuple[int, int]) -> None:
    """Labels that a linear probe can learn in part: what leads in the vector, with noise."""
    random = np.random.default_rng(first + len(folder.name))
    numbers = np.arange(first, first + sum(sizes))
    hints = Noise().labels[kind_of(numbers)] + 0.3 * random.standard_normal((len(numbers), WIDTH))
    labels: list[Any]
    if task.lists:
        # Two labels a row in the mean, and each at least once in a while.
        labels = [json.dumps(row) for row in (hints[:, : task.classes] > 1.3).astype(int).tolist()]
    elif task.classes:
        labels = hints[:, : task.classes].argmax(axis=1).tolist()
    else:
        labels = np.round(np.exp(1.0 + hints[:, 0]), 1).tolist()
    rows = list(zip(numbers.tolist(), labels, strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in (("train", rows[: sizes[0]]), ("test", rows[sizes[0] :])):
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("paper_id", "label"), *part])


def _ranking(
    root: Path, labels: str, task: Ranked, first: int, scale: float, documents: str
) -> list[int]:
    """Queries with their candidates; the papers, where they stand in a file of several tasks."""
    queries = max(5, round(task.queries * scale))
    each = max(2, round(task.pairs / task.queries))
    pools = [
        (first + q, range(first + queries + q * each, first + queries + (q + 1) * each))
        for q in range(queries)
    ]
    _lines(
        root / labels / "test_qrel.jsonl",
        (
            {"query_id": str(q), "cand_id": str(c), "score": int(c % 5 == 0)}
            for q, pool in pools
            for c in pool
        ),
    )
    if documents.startswith("scidocs_view_cite_read"):
        return [number for q, pool in pools for number in (q, *pool)]
    _lines(
        root / documents,
        (
            {
                "doc_id": str(q),
                "query": f"{q} a query" if task.texts else _paper(q),
                "candidates": [_paper(c) | {"score": 0} for c in pool],
            }
            for q, pool in pools
        ),
    )
    return []


def _reviewers(root: Path, first: int, scale: float) -> None:
    people = max(20, round(REVIEWERS * scale))
    own = [range(first + PAPERS + n * OWN, first + PAPERS + (n + 1) * OWN) for n in range(people)]
    _lines(
        root / "paper_reviewer_matching" / "meta.jsonl",
        map(_paper, range(first, first + PAPERS + people * OWN)),
    )
    _lines(
        root / "reviewers" / "reviewer_metadata.jsonl",
        ({"r_id": f"r{n}", "papers": list(map(str, papers))} for n, papers in enumerate(own)),
    )
    for split in ("hard", "soft"):
        _lines(
            root / "paper_reviewer_matching" / f"test_{split}_qrel.jsonl",
            (
                {
                    "query_id": str(first + q),
                    "cand_id": f"r{(q * 7 + n) % people}",
                    "score": int(n % 3 == 0),
                }
                for q in range(PAPERS)
                for n in range(JUDGED)
            ),
        )


def _pools(root: Path, fields: Sequence[str], first: int, scale: float) -> None:
    queries, each = max(2, round(MDCR_QUERIES * scale)), MDCR_LIST * len(SOURCES)
    pools: dict[str, Any] = {}
    number = first
    for field in fields:
        pools[field] = {}
        for _ in range(queries):
            starts = range(number + 1, number + 1 + each, MDCR_LIST)
            pools[field][str(number)] = {
                source: list(map(str, range(start, start + MDCR_LIST)))
                for source, start in zip(SOURCES, starts, strict=True)
            }
            number += 1 + each
    (root / "mdcr_test.json").write_text(json.dumps(pools), encoding="utf-8")
    _lines(
        root / "mdcr_test_data.jsonl",
        ({"paper_id": one.pop("doc_id"), **one} for one in map(_paper, range(first, number))),
    )


def _lines(path: Path, rows: Iterator[dict[str, Any]] | Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def fill(folder: Path, names: Sequence[str]) -> int:
    """Put the vectors of all the tasks' documents into the store; how many there are."""
    from scirepeval_harness.evaluations.base import requests_of
    from scirepeval_harness.model.objects import ObjectEncoder, describe_object
    from scirepeval_harness.options import RunOptions
    from scirepeval_harness.run.loading import task_loader
    from scirepeval_harness.task.registry import load_registry
    from scirepeval_harness.vectors.encode import encode_ahead
    from scirepeval_harness.vectors.store import open_store

    registry, counts = load_registry(), [0]
    encoder = ObjectEncoder(describe_object(Noise()))
    options = RunOptions(output=folder / "out", cache=folder / "cache", data=(("", folder),))

    def count(texts: int) -> None:
        counts[0] += texts

    with open_store(options.cache) as store:
        for name in names:
            with task_loader(options) as loader:
                data = loader.get(registry.task(name), registry.suite(suite_of(name))).data
                encode_ahead(encoder, requests_of(registry.task(name), data), store, count)
    return counts[0]


def suite_of(name: str) -> str:
    return "mdcr" if name == "mdcr" else "scirepeval"


def measure(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """One run in this process: seconds by task and phase, in all, and the most memory (bytes)."""
    import scirepeval_harness as sh
    from scirepeval_harness.run import loading

    read: dict[str, float] = {}
    load: Callable[..., Any] = loading.load_task

    def timed(task: Any, *given: Any) -> Any:
        start = time.perf_counter()
        try:
            return load(task, *given)
        finally:
            read[task.name] = read.get(task.name, 0.0) + time.perf_counter() - start

    loading.load_task = timed
    more = {} if chosen.probe is None else {"probe": chosen.probe}
    start = time.perf_counter()
    results = sh.evaluate(
        Noise(),
        tasks=chosen.tasks,
        data=folder,
        cache=folder / "cache",
        output=folder / "out",
        existing="resume",
        progress=sh.Terminal(),
        **more,
    )
    seconds = time.perf_counter() - start
    results.require_complete()
    run = results["made"].run
    if run.documents_encoded:
        raise SystemExit(f"{run.documents_encoded:,} vectors were not in the store")
    tasks = {entry.task: _phases(entry.task, entry.seconds, read) for entry in run.tasks}
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    return {"seconds": seconds, "read": sum(read.values()), "peak": peak, "tasks": tasks}


def _phases(task: str, seconds: Mapping[str, float], read: Mapping[str, float]) -> dict[str, float]:
    names = {"encode": "vectors", "score": "probe" if task in LABELLED else "rank"}
    # What was read for the plan counts once: a task's own load finds it in memory.
    found = {names.get(phase, phase): value for phase, value in seconds.items() if phase != "load"}
    return {"read": read.get(task, 0.0), **found}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--scale", type=float, default=1.0, help="share of the rows of each task")
    every = [*LABELLED, *RANKED, "reviewer-matching", "mdcr"]
    options.add_argument("--tasks", nargs="+", default=every, choices=every, metavar="TASK")
    options.add_argument("--probe", help="default: the harness's own")
    options.add_argument("--folder", type=Path, help="keeps data, vectors and results here")
    options.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.folder, chosen)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.folder or Path(name)
        made(folder, chosen.tasks, chosen.scale)
        vectors = fill(folder, chosen.tasks)
        words = [
            sys.executable,
            __file__,
            "--measure",
            "--folder",
            str(folder),
            "--tasks",
            *chosen.tasks,
            *(["--probe", chosen.probe] if chosen.probe else []),
        ]
        # A process each, so that the peak is the run's alone.
        first, again = (
            json.loads(subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.PIPE).stdout)
            for _ in range(2)
        )
    report(chosen, vectors, first, again)


def report(
    chosen: argparse.Namespace, vectors: int, first: dict[str, Any], again: dict[str, Any]
) -> None:
    """Print the tables and write the JSON."""
    rows: list[dict[str, object]] = []
    for name, phases in first["tasks"].items():
        own = {phase: round(phases.get(phase, 0.0), 2) for phase in PHASES}
        rows.append({"task": name, **own, "all": round(sum(phases.values()), 2)})
    sums = {key: round(sum(float(str(row[key])) for row in rows), 2) for key in (*PHASES, "all")}
    rows.append({"task": "all tasks", **sums})
    whole = first["seconds"]
    shares = {phase: f"{sums[phase] / whole:.1%}" for phase in PHASES}
    rows.append({"task": "share", **shares, "all": f"{sums['all'] / whole:.1%}"})
    show(
        f"made data, {vectors:,} vectors at hand, {chosen.scale:g} of the real rows; seconds", rows
    )
    print(
        f"everything: {whole:,.1f} s (goal {GOAL_SECONDS} s at full size on two cores); "
        f"plan, start and the rest {whole - sums['all']:,.1f} s"
    )
    print(f"intervals: {sums['intervals'] / whole:.1%} (goal {GOAL_INTERVALS:.0%})")
    print(f"peak memory: {first['peak'] / 1e9:.2f} GB (goal {GOAL_BYTES / 1e9:.0f} GB)")
    print(
        f"second run: {again['seconds']:,.1f} s (goal {GOAL_AGAIN} s), of it reading "
        f"{again['read']:,.1f} s, {again['peak'] / 1e9:.2f} GB"
    )
    write(chosen, rows, synthetic=True, vectors=vectors, first=first, second=again)


if __name__ == "__main__":
    main()
