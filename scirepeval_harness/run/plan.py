"""The plan of a run: what each model will encode in the chosen tasks, and in what time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import HarnessError
from scirepeval_harness.evaluations.base import requests_of
from scirepeval_harness.models.base import BatchEncoder, Encoder, Model
from scirepeval_harness.models.spec import ModelSpec, Way
from scirepeval_harness.options import RunOptions
from scirepeval_harness.roles import Role
from scirepeval_harness.run.resources import (
    LocalEngine,
    Selection,
    TaskLoader,
    build_models,
    task_loader,
)
from scirepeval_harness.tasks.dataset import Document, EncodeRequest
from scirepeval_harness.vectors.encode import related_rate
from scirepeval_harness.vectors.keys import Ledger, key_array, text_key
from scirepeval_harness.vectors.store import EmbeddingStore, space_key

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


def _add(
    state: _Model, request: EncodeRequest, ledger: Ledger, store: EmbeddingStore | None
) -> None:
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
    way = state.spec.implementation.way
    return ModelPlan(state.spec.name, way, state.documents, spaces, problems)


@dataclass(frozen=True, slots=True)
class SpacePlan:
    """One way of encoding (weights, adapter, length, precision) and the texts it is asked for.

    ``documents`` counts every mention in every task, ``texts`` distinct texts not planned before,
    ``cached`` those with a vector in the store; ``tokens`` those of the rest, None where they
    cannot be counted, an estimate unless ``exact``; ``rate`` in tokens a second, None where no
    earlier run measured it.
    """

    roles: tuple[str, ...]
    documents: int
    texts: int
    cached: int
    tokens: int | None
    exact: bool
    rate: float | None

    @property
    def to_encode(self) -> int:
        return self.texts - self.cached

    @property
    def seconds(self) -> float | None:
        """Expected time; None where rate or tokens are unknown."""
        if not self.to_encode:
            return 0.0
        if self.tokens is None or not self.rate:
            return None
        return self.tokens / self.rate


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What one model has to do; ``spaces`` is empty unless its vectors are kept."""

    model: str
    way: Way
    documents: int
    spaces: tuple[SpacePlan, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be planned, in words."""

    @property
    def seconds(self) -> float | None:
        times = [space.seconds for space in self.spaces]
        return None if None in times else sum(time for time in times if time is not None)


@dataclass
class Tally:
    """Running sums of one space over the tasks of a plan."""

    roles: list[str] = field(default_factory=list)
    documents: int = 0
    texts: int = 0
    cached: int = 0
    tokens: float | None = 0.0
    exact: bool = True

    def add(self, role: str, documents: int, texts: int, cached: int) -> None:
        """Count one request of one task."""
        if role not in self.roles:
            self.roles.append(role)
        self.documents += documents
        self.texts += texts
        self.cached += cached

    def add_tokens(self, counted: NDArray[np.int64] | None, texts: int) -> None:
        """Count the tokens of ``texts`` texts, of which an even sample was ``counted``."""
        if counted is None or self.tokens is None:
            self.tokens = None
        elif texts:
            self.tokens += float(counted.mean()) * texts
            self.exact = self.exact and len(counted) == texts

    def plan(self, rate: float | None) -> SpacePlan:
        """The sums as a record."""
        tokens = None if self.tokens is None else round(self.tokens)
        return SpacePlan(
            tuple(self.roles), self.documents, self.texts, self.cached, tokens, self.exact, rate
        )


def even_sample(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` of ``count`` positions, evenly spread; all where they are fewer."""
    if count <= most:
        return np.arange(count)
    return np.arange(most, dtype=np.int64) * count // most


def summary(plan: ModelPlan) -> str:
    """One line: documents, texts, what is cached, tokens and expected time."""
    if plan.way == "rank":
        return f"{plan.model}  plan: scores the texts of {plan.documents:,} documents, no vectors"
    if plan.way == "fit":
        return f"{plan.model}  plan: {plan.documents:,} documents, fitted on each task, none kept"
    if plan.way == "look up":
        return f"{plan.model}  plan: looks up vectors of {plan.documents:,} documents"
    spaces = plan.spaces
    texts, cached = sum(space.texts for space in spaces), sum(space.cached for space in spaces)
    line = f"{plan.model}  plan: {plan.documents:,} documents, {texts:,} texts, {cached:,} cached"
    if texts == cached:
        return f"{line}, nothing to encode"
    tokens = tokens_in_words(spaces)
    return f"{line}, {texts - cached:,} to encode ({tokens}), {time_in_words(plan.seconds)}"


def tokens_in_words(spaces: Sequence[SpacePlan]) -> str:
    """``1,234 tokens``, ``about 1,200,000 tokens`` of an estimate, or that they are unknown."""
    if any(space.tokens is None for space in spaces):
        return "tokens unknown"
    total = sum(space.tokens or 0 for space in spaces)
    if all(space.exact for space in spaces):
        return f"{total:,} tokens"
    digits = max(0, len(str(total)) - 3)
    return f"about {round(total, -digits):,} tokens"


def time_in_words(seconds: float | None) -> str:
    """``about 3 min``; says so where no earlier run measured a rate."""
    if seconds is None:
        return "time unknown (no rate measured here yet)"
    if seconds < 90:
        return f"about {max(1, round(seconds))} s" if seconds else "no time"
    if seconds < 5_400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
