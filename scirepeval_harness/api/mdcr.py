"""MDCR's exchange form, ``{"query_candidate": score}``: written from a model, or scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scirepeval_harness.api.evaluate import Cache, resolve_cache
from scirepeval_harness.api.results import PathLike
from scirepeval_harness.errors import UsageError
from scirepeval_harness.model.prompts import Prompts, parse_prompts
from scirepeval_harness.options import Quantize, RunOptions, VectorPrecision
from scirepeval_harness.progress import SILENT
from scirepeval_harness.task.places import Data, place_of, read_places
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import TaskSpec

if TYPE_CHECKING:
    from scirepeval_harness.evaluations.citation_pools import CitationPools
    from scirepeval_harness.model.kinds import Pooling
    from scirepeval_harness.progress import Progress

__all__ = ["MEAN", "Written", "score", "write_scores"]
MEAN = "mean of the fields"


@dataclass(frozen=True)
class Written:
    """A file of scores, and how many pairs and queries it holds."""

    path: Path
    pairs: int
    queries: int


def write_scores(
    model: Any,
    output: PathLike,
    *,
    data: Data = None,
    task: str = "mdcr",
    tasks_dirs: Sequence[PathLike] = (),
    device: str | None = None,
    dtype: str | None = None,
    batch_tokens: int | None = None,
    pooling: Pooling | None = None,
    max_length: int | None = None,
    prompts: Prompts | Sequence[str] = (),
    normalize: bool | None = None,
    truncate_dim: int | None = None,
    vector_precision: VectorPrecision = "float32",
    quantize: Quantize | None = None,
    cache: Cache = "default",
    offline: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Score every pair of a task's pools with a model, for the benchmark's own script or `score`.

    Higher is better: minus the Euclidean distance of the vectors, or the score of a lexical model
    or of an ensemble of scores. The arguments are those of `evaluate`.

    Raises:
        UsageError: a task without candidate pools.
        HarnessError: what reading, encoding or writing raises.
    """
    from scirepeval_harness.evaluations.exchange import write_scores as write
    from scirepeval_harness.model.base import EncodeOptions, build_model
    from scirepeval_harness.model.registry import resolve_model
    from scirepeval_harness.run.task import score_pairs
    from scirepeval_harness.vectors.store import open_store

    spec, pools = _load(task, tasks_dirs, data, offline)
    built = build_model(
        resolve_model(
            model,
            pooling=pooling,
            max_length=max_length,
            prompts=parse_prompts(prompts),
            normalize=normalize,
            truncate_dim=truncate_dim,
        ),
        EncodeOptions(device=device, dtype=dtype, batch_tokens=batch_tokens, offline=offline),
    )
    with open_store(resolve_cache(cache)) as store:
        options = RunOptions(
            output=Path(output), vector_precision=vector_precision, quantize=quantize
        )
        run = score_pairs(spec, pools, built, store, options, progress or SILENT)
    write(Path(output), run)
    return Written(Path(output), sum(map(len, run.values())), len(run))


def score(
    scores: PathLike,
    *,
    data: Data = None,
    task: str = "mdcr",
    tasks_dirs: Sequence[PathLike] = (),
) -> dict[str, dict[str, float]]:
    """Metrics x 100 of a file of scores: field -> metric -> value, the fields' mean last.

    Raises:
        UsageError: a task without candidate pools.
        DataError, CoverageError: a file that is malformed, or lacks a pair.
    """
    from scirepeval_harness.evaluations.citation_pools import evaluate_citation_pools
    from scirepeval_harness.evaluations.exchange import exchange_scorer

    spec, pools = _load(task, tasks_dirs, data, offline=True)
    outcome = evaluate_citation_pools(spec, pools, exchange_scorer(Path(scores), pools))
    table: dict[str, dict[str, float]] = {}
    for entry in outcome.scores:
        table.setdefault(entry.field or MEAN, {})[entry.metric] = entry.value
    mean = table.pop(MEAN)
    return table | {MEAN: mean}


def _load(
    name: str, tasks_dirs: Sequence[PathLike], data: Data, offline: bool
) -> tuple[TaskSpec, CitationPools]:
    """A task of candidate pools with its data; raises UsageError for a task of another kind."""
    from scirepeval_harness.evaluations.citation_pools import CitationPools
    from scirepeval_harness.task.load import DataOptions, load_task

    registry = load_registry([Path(folder) for folder in tasks_dirs])
    task = registry.task(name)
    if task.evaluation != "citation_pools":
        raise UsageError(
            f"the task has no candidate pools, it is scored by {task.evaluation}",
            where=f"task {name}",
            fix="Give a task with evaluation = 'citation_pools'",
        )
    suite = registry.home(name)
    directory = place_of(read_places(data), suite, task)
    loaded = load_task(task, suite, DataOptions(directory=directory, offline=offline))
    assert isinstance(loaded.data, CitationPools)
    return task, loaded.data
