"""What a run costs before it begins: downloads, time, disk, memory. An estimate is called one.

Rates come from earlier runs on this machine, else from the tables below, which name their sources.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from scirepeval_harness.errors import DataError, OfflineError
from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.files import read_json, write_json
from scirepeval_harness.model.devices import choose_devices
from scirepeval_harness.model.ensemble import member_specs
from scirepeval_harness.model.kinds import (
    EnsembleSpec,
    SentenceTransformerSpec,
    StaticSpec,
    TransformerSpec,
    WeightsSpec,
)
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.model.weights import Part, missing_files, needed_files, snapshot
from scirepeval_harness.options import RunOptions
from scirepeval_harness.progress import time_in_words
from scirepeval_harness.task.download import have
from scirepeval_harness.task.places import place_of
from scirepeval_harness.task.sources import is_packaged, open_config
from scirepeval_harness.task.spec import Download, HubTable, SuiteSpec, TaskSpec

Selection = Sequence[tuple[SuiteSpec, TaskSpec]]

TOKENS_A_DOCUMENT = 213
"""The mean of 2,000 titles with abstracts, at most 512 tokens each (docs/scale.md)."""
DIMENSIONS, NUMBER, KEY = 768, 4, 16
"""Of a vector in the store: its width where nothing is known, bytes a number, bytes of its key."""
BASE_BYTES = 440e6
"""Weights of BERT-base, of which all rates below are; another model's go by its size."""
MEMORY, MEMORY_RANKED, MEMORY_PROBED = 150e6, 8_100, 13_000
"""Bytes of any run, and for each document of its largest ranking or probe (docs/scale.md,
measured)."""
CORE_RATES = {"float32": 380.0, "bfloat16": 1_040.0}
"""Tokens a second of a processor core: measured on two of an AMD EPYC (docs/speed.md)."""
SHARE = 0.4
"""Of a card's peak, assumed (docs/scale.md)."""
OPERATIONS = 2 * 84.9e6 + 12 * 4 * 768 * TOKENS_A_DOCUMENT
"""A token of BERT-base (docs/scale.md)."""
PEAKS = {
    "B200": (80e12, 2_250e12),
    "H200": (67e12, 989e12),
    "H100": (67e12, 989e12),
    "A100": (19.5e12, 312e12),
    "L40S": (91.6e12, 362e12),
    "L4": (30.3e12, 121e12),
    "A10": (31.2e12, 125e12),
    "V100": (15.7e12, 125e12),
    "T4": (8.1e12, 65e12),
    "4090": (82.6e12, 165e12),
    "3090": (35.6e12, 71e12),
}
"""Dense operations a second in float32 and in 16 bits, from the makers' data sheets (L4, L40S and
4090: half of the sheet's number for sparse matrices)."""
SECONDS_A_ROW = {"exact": 0.0008, "sklearn": 0.016, "reference": 0.016, "fast": 0.0025}
"""Of a probe's documents, on two cores: of all tasks at their real sizes, and for scikit-learn of
classification of 20,000 rows (docs/speed.md). Vectors that are hard to separate take many times as
long."""
RANKED, LEAST = 2e-5, 0.5
"""Seconds a document of a ranking, and of any task's reading, intervals and files."""
TIMES = "scoring.json"
TIMEOUT, HEAD_TIMEOUT = 20.0, 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something to download, with its bytes where the hub tells them."""

    name: str
    bytes: int | None


@dataclass(frozen=True)
class Cost:
    """What a run needs. Seconds and bytes; None where nothing is known.

    ``measured`` tells whether all of a time was measured on this machine; ``lacks`` are lines on
    what the row will not have, and how to add it.
    """

    downloads: tuple[Wanted, ...] = ()
    encode: float | None = 0.0
    encode_measured: bool = True
    score: float | None = 0.0
    score_measured: bool = True
    disk: float = 0.0
    memory: float = MEMORY
    lacks: tuple[str, ...] = ()
    asked: bool = True
    """Whether the hub was asked for sizes."""

    @property
    def line(self) -> str:
        """All but the downloads, in one line."""
        encode = _time(self.encode, self.encode_measured)
        score = _time(self.score, self.score_measured)
        disk = f"{size(self.disk)} of vectors to keep, " if self.disk else ""
        return f"expected: encoding {encode}; scoring {score}; {disk}{size(self.memory)} of memory"

    def facts(self) -> dict[str, object]:
        """For programs."""
        names = ("encode", "encode_measured", "score", "score_measured", "disk", "memory")
        return {name: getattr(self, name) for name in names}

    @property
    def downloads_in_words(self) -> str:
        """``1.2 GB: allenai/scirepeval 1.1 GB, ...; size not told: ...``; ``nothing``."""
        told = [f"{one.name} {size(one.bytes)}" for one in self.downloads if one.bytes is not None]
        total = size(sum(one.bytes or 0 for one in self.downloads))
        rest = [one.name for one in self.downloads if one.bytes is None]
        parts = [f"{total}: {', '.join(told)}"] if told else []
        if rest:
            parts.append(f"size not told{'' if self.asked else ' (offline)'}: {', '.join(rest)}")
        return "; ".join(parts) or "nothing"

    def rows(self) -> Iterator[tuple[str, str]]:
        """Names and values, to print one a line."""
        yield "To download", self.downloads_in_words
        yield "Encoding", _time(self.encode, self.encode_measured)
        yield "Scoring", _time(self.score, self.score_measured)
        yield "Disk", f"{size(self.disk)} of vectors" if self.disk else "no vectors to keep"
        yield "Memory", f"{size(self.memory)}, and the model's own"
        for line in self.lacks:
            yield "Left out", line


def size(count: float) -> str:
    """``1.2 GB``, ``340 MB``, ``12 kB``."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= one:
            return f"{count / one:.1f} {unit}" if count < 10 * one else f"{count / one:.0f} {unit}"
    return f"{count:.0f} B"


def _time(seconds: float | None, measured: bool) -> str:
    if seconds is None:
        return "unknown (nothing measured here yet)"
    how = "measured here" if measured else "an estimate"
    return f"{time_in_words(seconds)} ({how})" if seconds else "nothing to do"


def absent_tasks(selection: Selection, places: Mapping[str, Path]) -> list[str]:
    """Tasks whose data is not on this machine. Opens no connection."""
    return [
        task.name
        for suite, task in selection
        if place_of(places, suite, task) is None
        and not is_packaged(suite)
        and not _here(suite, task)
    ]


def _here(suite: SuiteSpec, task: TaskSpec) -> bool:
    if task.hub is None:
        return task.download is None or have(task)
    return not list(_absent_tables(suite, task))


def _absent_tables(suite: SuiteSpec, task: TaskSpec) -> Iterator[HubTable]:
    hub = task.hub
    for table in (hub.documents, hub.labels, hub.reviewers) if hub else ():
        if table is not None:
            try:
                open_config(table, suite.revision_of(table), offline=True, task=task.name)
            except OfflineError:
                yield table
            except DataError:
                pass  # a name that is no repository: reading the task says so


def wanted(
    models: Sequence[ModelSpec], selection: Selection, absent: Collection[str], *, ask: bool
) -> list[Wanted]:
    """What a run downloads: repositories of models and data, and the files of tasks.

    Args:
        ask: ask the hub for sizes, once a repository.
    """
    found, hub = [], Sizes(ask)
    for spec in models:
        for repo, revision, part in absent_weights(spec):
            files = hub.of(repo, revision, "model")
            needed = files and sum(files[name] for name in needed_files(part, files))
            found.append(Wanted(repo, needed or None))
    patterns: dict[tuple[str, str | None], set[str]] = {}
    for suite, task in selection:
        if task.name in absent:
            for table in _absent_tables(suite, task):
                own = patterns.setdefault((table.repo, suite.revision_of(table)), set())
                own |= {f"{table.config}/*.parquet", f"{table.config}/*/*.parquet"}
    for (repo, revision), globs in patterns.items():
        files = hub.of(repo, revision, "dataset")
        needed = sum(v for n, v in files.items() if any(fnmatch(n, glob) for glob in globs))
        found.append(Wanted(repo, needed or None))
    for _, task in selection:
        if task.name in absent and task.hub is None and task.download is not None:
            found.append(Wanted(f"{task.name} from {task.download.url}", hub.at(task.download)))
    return list(dict.fromkeys(found))


def absent_weights(spec: ModelSpec) -> Iterator[tuple[str, str | None, Part]]:
    """Repositories of a model that are not complete on this machine, each once."""
    if isinstance(spec, EnsembleSpec):
        for member in member_specs(spec):
            yield from absent_weights(member)
        return
    parts: dict[tuple[str, str | None], Part] = {}
    if isinstance(spec, WeightsSpec | StaticSpec) and spec.base.repo is not None:
        modules = isinstance(spec, SentenceTransformerSpec)
        parts[spec.base.repo, spec.base.revision] = "modules" if modules else "base"
    if isinstance(spec, TransformerSpec):
        for weights in spec.adapters.values():
            if weights.repo is not None:
                parts[weights.repo, weights.revision] = "adapter"
    for (repo, revision), part in parts.items():
        folder = snapshot(repo, revision)
        files = folder.rglob("*") if folder is not None else ()
        if folder is None or missing_files(
            part, [path.relative_to(folder).as_posix() for path in files]
        ):
            yield repo, revision, part


class Sizes:
    """Bytes of files as the hub and other addresses tell them; who does not answer once is not
    asked again, so that a network that is away costs one wait."""

    def __init__(self, ask: bool) -> None:
        self._ask = ask

    def of(self, repo: str, revision: str | None, kind: str) -> dict[str, int]:
        """Each file of a repository, in one call; none where it does not answer."""
        from huggingface_hub import HfApi, errors

        if not self._ask:
            return {}
        try:
            info = HfApi().repo_info(
                repo, repo_type=kind, revision=revision, files_metadata=True, timeout=TIMEOUT
            )
        except errors.HfHubHTTPError:
            return {}  # no such repository, say: the download will say so
        except (OSError, errors.HFValidationError, errors.HTTPError):  # type: ignore[attr-defined]
            self._ask = False
            return {}
        return {item.rfilename: item.size or 0 for item in info.siblings or ()}

    def at(self, source: Download) -> int | None:
        """All files of an address together; None where one has no length."""
        import requests

        total = 0
        try:
            for path in source.paths if self._ask else ():
                answer = requests.head(
                    source.address(path), timeout=HEAD_TIMEOUT, allow_redirects=True
                )
                total += int(answer.headers["Content-Length"]) if answer.ok else 0
        except (requests.RequestException, KeyError, ValueError):
            return None
        return total or None


def device_rate(spec: ModelSpec, options: RunOptions) -> float | None:
    """Tokens a second that this machine may reach, from the tables; None for an unknown device, or
    a model that is no network on it."""
    if not isinstance(spec, WeightsSpec):
        return None
    width = options.dtype or "float32"
    devices = choose_devices(options.device)
    total = 0.0
    for device in devices:
        if device == "cpu":
            # bfloat16 is only as fast where the processor has it; this is an estimate.
            total += CORE_RATES["float32" if width == "float32" else "bfloat16"] * (
                os.cpu_count() or 1
            )
        elif device.startswith("cuda"):
            import torch

            name = torch.cuda.get_device_name(torch.device(device))
            peak = next((peaks for key, peaks in PEAKS.items() if key in name), None)
            if peak is None:
                return None
            wide, narrow = peak
            # Cards that have TF32 products make half as many of them as of those of 16 bits.
            rate = {"float32": wide, "tf32": narrow / 2}.get(width, narrow)
            total += SHARE * rate / OPERATIONS
        else:
            return None
    return total * BASE_BYTES / _weight_bytes(spec)


def _weight_bytes(spec: ModelSpec) -> float:
    """Bytes of a model's weights, as its file says them in words."""
    told = re.search(r"([\d.]+) GB", spec.facts.get("download", ""))
    return float(told[1]) * 1e9 if told and float(told[1]) else BASE_BYTES


def vector_bytes(spec: ModelSpec) -> float:
    """Bytes that the store keeps of a text."""
    told = spec.facts.get("dimensions", "")
    cut = getattr(spec, "truncate_dim", None)
    return NUMBER * (cut or (int(told) if told.isdigit() else DIMENSIONS)) + KEY


def _probed(task: TaskSpec) -> bool:
    return "probe" in EVALUATIONS.get(task.evaluation).settings


def memory_bytes(task: TaskSpec, documents: int) -> int:
    """Bytes that scoring a task takes, beside those of any run."""
    return documents * (MEMORY_PROBED if _probed(task) else MEMORY_RANKED)


def score_seconds(
    task: TaskSpec, documents: int, options: RunOptions, times: Mapping[str, float]
) -> tuple[float | None, bool]:
    """Seconds that scoring a task will take, and whether they were measured on this machine."""
    if (known := times.get(_key(task, options))) is not None:
        return known, True
    if not _probed(task):
        return LEAST + RANKED * documents, False
    row = SECONDS_A_ROW.get(options.probe)
    return (None if row is None else LEAST + row * documents), False


def read_times(cache: Path | None) -> dict[str, float]:
    """Seconds by task that scoring took in earlier runs; only an estimate hangs on the file, so one
    that cannot be read counts as none."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        if cache is not None:
            return {key: float(value) for key, value in read_json(cache / TIMES).items()}
    return {}


def keep_time(task: TaskSpec, options: RunOptions, seconds: float) -> None:
    """Keep what scoring a task took, for the plan of a later run."""
    if options.cache is not None:
        times = read_times(options.cache) | {_key(task, options): round(seconds, 2)}
        with suppress(OSError):
            write_json(options.cache / TIMES, dict(sorted(times.items())))


def _key(task: TaskSpec, options: RunOptions) -> str:
    # The machine too: a cache may lie on a shared disk.
    machine = f"{platform.node()} x {os.cpu_count()}"
    return f"{machine}|{task.name}|{options.probe}|{options.limit or 'all'}"
