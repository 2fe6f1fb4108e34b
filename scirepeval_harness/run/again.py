"""Texts, labels and rankings of a finished task, read again: nothing is encoded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, cast

from scirepeval_harness.errors import HarnessError
from scirepeval_harness.evaluations.base import PairScorer, RankedPools, evaluation_of, requests_of
from scirepeval_harness.evaluations.scorers import euclidean_scorer, make_run, ranker_scorer
from scirepeval_harness.evaluations.trec import in_order, measure
from scirepeval_harness.model.base import Encoder, Model, in_task, kept_encoders
from scirepeval_harness.model.ensemble import EnsembleRanker
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.options import RunOptions, scoring_choices
from scirepeval_harness.results.folder import Result
from scirepeval_harness.results.record import TaskRecord
from scirepeval_harness.run import task as scoring
from scirepeval_harness.run.engine import LocalEngine, build_models
from scirepeval_harness.task.dataset import Document, EncodeRequest
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.places import Places
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec
from scirepeval_harness.vectors.encode import embed_task, look_up
from scirepeval_harness.vectors.store import EmbeddingStore, open_store

TOLERANCE = 1e-6
Ranks = Mapping[tuple[str, str], Sequence[str]]
"""Candidates, best first, by field and query."""


@dataclass(frozen=True)
class Material:
    """What a task's data says of its items: documents by id, what is ranked, names of classes.
    ``why`` says why there is nothing."""

    documents: Mapping[str, Document] = field(default_factory=dict)
    pools: RankedPools | None = None
    classes: Sequence[str] = ()
    data: Any = None
    why: str | None = None


def read_material(
    record: TaskRecord, suite: SuiteSpec, task: TaskSpec, folders: Sequence[Path | None]
) -> Material:
    """The data that a task was scored on, from the first folder that has it; never downloaded."""
    why = "no data"
    for folder in folders:
        options = DataOptions(
            directory=folder,
            offline=True,
            allow_missing=bool(record.settings.get("allow_missing")),
            limit=record.settings.get("limit"),
            seed=record.settings.get("seed", 42),
        )
        try:
            loaded = load_task(task, suite, options)
        except (HarnessError, OSError) as error:
            why = error.what if isinstance(error, HarnessError) else str(error)
            continue
        if record.data is None or loaded.provenance.fingerprint != record.data.fingerprint:
            why = "the data here has other rows than the task was scored on"
            continue
        evaluation = evaluation_of(task)
        return Material(
            evaluation.documents(loaded.data),
            evaluation.pools(loaded.data),
            evaluation.class_names(loaded.data),
            loaded.data,
        )
    return Material(why=why)


def options_again(
    folder: Path,
    record: TaskRecord,
    arguments: Mapping[str, object],
    cache: Path | None,
    data: Places | None = None,
) -> RunOptions:
    """The options of the run, offline; its device and precision as far as they move vectors."""
    chosen = {name: arguments.get(name) for name in ("dtype", "device")}
    return RunOptions(
        output=folder,
        cache=cache,
        data=tuple((data or {}).items()),
        offline=True,
        **{**chosen, **scoring_choices(record.settings)},
    )


def count_lacking(
    encoders: Iterable[Encoder], requests: Sequence[EncodeRequest], store: EmbeddingStore
) -> int:
    """How many vectors of some requests would have to be encoded."""
    return sum(
        len(look_up(encoder, request, store).missing().documents)
        for encoder, request in product(encoders, requests)
    )


def rank_again(
    result: Result,
    record: TaskRecord,
    task: TaskSpec,
    models: Sequence[ModelSpec],
    material: Material,
    wanted: Collection[tuple[str, str]],
    cache: Path,
) -> Ranks | str:
    """The candidates of some queries as the result's model, one of ``models``, ranks them, from
    vectors in the store; or why not. A ranking is given only where its metrics are those of the
    result's items."""
    spec = next((one for one in models if one.name == result.run.model.name), None)
    if spec is None:
        return f"no model {result.run.model.name!r} here"
    if material.pools is None or not material.pools.candidates:
        return "its candidates are no documents"
    chosen = {
        name: {query: grades for query, grades in qrels.items() if (name, query) in wanted}
        for name, qrels in material.pools.fields.items()
    }
    pools = replace(material.pools, fields={name: own for name, own in chosen.items() if own})
    try:
        options = options_again(result.folder, record, result.run.arguments, cache)
        ((_, model),) = build_models([spec], options, LocalEngine())
        if scoring.model_record(spec, model, task).roles != record.model.roles:
            return "the model here is another one: its weights, settings or libraries differ"
        found = _runs(model, task, material, pools, options)
    except HarnessError as error:
        return error.what
    if isinstance(found, str):
        return found
    items = result.items(task.name).set_index(["field", "item", "metric"])["value"]
    for name, run in found.items():
        measured = measure(pools.fields[name], run, task.metrics, lost=pools.lost)
        for query, values in measured.items():
            for metric, value in values.items():
                if not abs(items.get((name, query, metric), float("nan")) - value) <= TOLERANCE:
                    return "made again, the ranking does not give the result's numbers"
    return {
        (name, query): in_order(scores)
        for name, run in found.items()
        for query, scores in run.items()
    }


def _runs(
    model: Model, task: TaskSpec, material: Material, pools: RankedPools, options: RunOptions
) -> dict[str, dict[str, dict[str, float]]] | str:
    """Scores of the candidates by field and query."""
    model = in_task(model, task)
    if isinstance(model, EnsembleRanker):
        return "the rankings of an ensemble are not made again"
    if not hasattr(model, "encode"):
        model.prepare(list(pools.candidates.values()))
        return _scored(ranker_scorer(model, material.documents, pools.candidates), pools)
    requests = requests_of(task, material.data)
    kept = kept_encoders(model, task)
    if kept and options.quantize is None:
        # Of a model whose vectors are kept these texts are enough; a fitted one needs all of them.
        labels = [own for qrels in pools.fields.values() for own in qrels.items()]
        needed = {key for query, grades in labels for key in (query, *grades)}
        requests = tuple(
            EncodeRequest(r.role, tuple(d for d in r.documents if d.id in needed)) for r in requests
        )
    with open_store(options.cache) as store:
        if lacking := count_lacking(kept, requests, store):
            return f"{lacking:,} vectors are not in the store"
        vectors = embed_task(task.name, requests, cast(Encoder, model), store)
        table = scoring.as_kept(task, material.data, vectors, options)
        return _scored(euclidean_scorer(table, width=options.vector_precision), pools)


def _scored(scorer: PairScorer, pools: RankedPools) -> dict[str, dict[str, dict[str, float]]]:
    return {name: make_run(scorer, qrels, pools.lost) for name, qrels in pools.fields.items()}
