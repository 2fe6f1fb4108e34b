"""The plan of a run: what each model will encode in the chosen tasks, and in what time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.data.records import Document
from scirepeval_harness.encoders.base import BatchEncoder, Encoder, Model
from scirepeval_harness.encoding.keys import key_array, text_key
from scirepeval_harness.encoding.plan import Ledger, ModelPlan, Tally, Way, even_sample
from scirepeval_harness.encoding.rates import related_rate
from scirepeval_harness.encoding.store import EmbeddingStore, space_key
from scirepeval_harness.errors import HarnessError
from scirepeval_harness.roles import Role
from scirepeval_harness.runner.engines import LocalEngine
from scirepeval_harness.runner.loading import TaskLoader
from scirepeval_harness.runner.options import RunOptions
from scirepeval_harness.runner.requests import Request, requests_of
from scirepeval_harness.runner.resources import Selection, build_models, task_loader
from scirepeval_harness.specs.model import ModelKind, ModelSpec

COUNTED = 2_048
"""Texts of a request whose tokens are counted; of more, an even sample stands for all."""


@dataclass
class _Model:
    """What is known of one model so far; sums and rates by space."""

    spec: ModelSpec
    model: Model
    documents: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    rates: dict[str, float | None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def plan_run(
    models: Sequence[tuple[ModelSpec, Model]],
    selection: Selection,
    loader: TaskLoader,
    store: EmbeddingStore | None,
) -> tuple[ModelPlan, ...]:
    """Count what each model has to encode. Loads data and tokenizers, no weights.

    A task or model that cannot be planned is named in ``problems``; the run itself will say more.
    """
    ledger = Ledger()
    states = [_Model(spec, model) for spec, model in models]
    for suite, task in selection:
        able = [state for state in states if state.spec.can_run(task)]
        if not able:
            continue
        try:
            requests = requests_of(task, loader.get(task, suite).data)
        except HarnessError as error:
            for state in able:
                state.problems.append(f"{task.name}: {error}")
            continue
        for state in able:
            state.documents += sum(len(request.documents) for request in requests)
            if not getattr(state.model, "cacheable", False):
                continue
            for request in requests:
                try:
                    _add(state, request, ledger, store)
                except HarnessError as error:
                    state.problems.append(f"{task.name}: {error}")
                    break
    return tuple(_plan_of(state) for state in states)


def dry_run(
    models: Sequence[ModelSpec], selection: Selection, options: RunOptions
) -> tuple[ModelPlan, ...]:
    """The plan alone: reads data and the store, loads tokenizers and no weights, writes nothing.

    Raises:
        HarnessError: a model that cannot be built.
    """
    store = EmbeddingStore(options.cache) if options.cache is not None else None
    return plan_run(
        build_models(models, options, LocalEngine()), selection, task_loader(options), store
    )


def _add(state: _Model, request: Request, ledger: Ledger, store: EmbeddingStore | None) -> None:
    """Count one request of one task for a model whose vectors are kept."""
    encoder, documents = cast(Encoder, state.model), request.documents
    identity = encoder.identity(request.role)
    name = space_key(identity)
    keys = key_array(text_key(encoder.text(item, request.role)) for item in documents)
    fresh = ledger.new(name, keys)
    held = np.zeros(len(fresh), dtype=bool)
    if store is not None:
        held = store.space(identity).holds(keys[fresh])
    tally = state.tallies.setdefault(name, Tally())
    tally.add(request.role.value, len(documents), len(fresh), int(held.sum()))
    missing = fresh[~held]
    if not len(missing):
        return
    sample = [documents[row] for row in missing[even_sample(len(missing), COUNTED)]]
    tally.add_tokens(_count(encoder, sample, request.role), len(missing))
    if name not in state.rates and store is not None and isinstance(encoder, BatchEncoder):
        state.rates[name] = related_rate(store.root, identity, encoder.hardware)


def _count(encoder: Encoder, documents: Sequence[Document], role: Role) -> NDArray[np.int64] | None:
    """Tokens a document; None for an encoder that does not count them."""
    return encoder.count_tokens(documents, role) if isinstance(encoder, BatchEncoder) else None


def _plan_of(state: _Model) -> ModelPlan:
    spaces = tuple(tally.plan(state.rates.get(name)) for name, tally in state.tallies.items())
    problems = tuple(state.problems)
    return ModelPlan(state.spec.name, _way(state), state.documents, spaces, problems)


def _way(state: _Model) -> Way:
    match state.spec.kind:
        case ModelKind.TRANSFORMER:
            return "encode"
        case ModelKind.TFIDF:
            return "fit"
        case ModelKind.BM25:
            return "rank"
        case ModelKind.PRECOMPUTED:
            return "look up"
