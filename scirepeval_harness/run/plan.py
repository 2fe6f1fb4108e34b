"""The plan of a run: what each model will encode in the chosen tasks, and in what time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import HarnessError
from scirepeval_harness.evaluations.base import requests_of
from scirepeval_harness.model.base import (
    BatchEncoder,
    Encoder,
    Metered,
    Model,
    kept_encoders,
)
from scirepeval_harness.model.spec import ModelSpec, Way
from scirepeval_harness.options import RunOptions
from scirepeval_harness.progress import time_in_words
from scirepeval_harness.run.engine import LocalEngine, build_models
from scirepeval_harness.run.loading import Selection, TaskLoader, task_loader
from scirepeval_harness.task.spec import TaskSpec
from scirepeval_harness.vectors.encode import Lookup, look_up, related_rate
from scirepeval_harness.vectors.keys import Ledger, space_key
from scirepeval_harness.vectors.store import EmbeddingStore

COUNTED = 2_048
"""Texts of a request whose tokens are counted; of more, an even sample stands for all."""


@dataclass(slots=True)
class SpacePlan:
    """One way of encoding (weights, adapter, length, precision) and the texts it is asked for.

    ``documents`` counts every mention in every task, ``texts`` distinct texts not planned before,
    ``cached`` those with a vector in the store; ``tokens`` those of the rest, None where they
    cannot be counted, an estimate unless ``exact``; ``rate`` in tokens a second, None where no
    earlier run measured it; ``price`` in US dollars a million tokens, where there is one.
    """

    roles: tuple[str, ...] = ()
    documents: int = 0
    texts: int = 0
    cached: int = 0
    tokens: float | None = 0.0
    exact: bool = True
    rate: float | None = None
    price: float | None = None

    @property
    def to_encode(self) -> int:
        return self.texts - self.cached

    def in_words(self) -> tuple[str, ...]:
        """Roles, documents, texts, cached, to encode, tokens and time, to print."""
        counts = (self.documents, self.texts, self.cached, self.to_encode)
        open_work = self.to_encode > 0
        return (
            ", ".join(self.roles),
            *(f"{count:,}" for count in counts),
            tokens_in_words([self]).removesuffix(" tokens") if open_work else "0",
            expected_time(self.seconds) if open_work else "none",
        )

    @property
    def seconds(self) -> float | None:
        """Expected time; None where rate or tokens are unknown."""
        if not self.to_encode:
            return 0.0
        if self.tokens is None or not self.rate:
            return None
        return self.tokens / self.rate

    def add(self, role: str, documents: int, texts: int, cached: int) -> None:
        """Count one request of one task."""
        if role not in self.roles:
            self.roles += (role,)
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


@dataclass(slots=True)
class ModelPlan:
    """What one model has to do; ``spaces`` is empty unless its vectors are kept."""

    model: str
    way: Way
    documents: int = 0
    spaces: tuple[SpacePlan, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be planned, in words."""
    tasks: tuple[str, ...] = ()
    """What the model runs of the chosen tasks."""

    @property
    def seconds(self) -> float | None:
        times = [space.seconds for space in self.spaces]
        return None if None in times else sum(time for time in times if time is not None)

    @property
    def cost(self) -> float | None:
        """Expected US dollars; None where no price or no tokens are known."""
        prices = [space.price for space in self.spaces if space.price is not None]
        if not prices or any(space.tokens is None for space in self.spaces):
            return None
        return sum((s.tokens or 0) * (s.price or 0) for s in self.spaces) / 1e6

    @property
    def summary(self) -> str:
        """One line: documents, texts, what is cached, tokens and expected time."""
        documents = f"{self.documents:,} documents"
        if self.way == "rank":
            return f"{self.model}  plan: scores the texts of {documents}, no vectors"
        if self.way == "fit":
            return f"{self.model}  plan: {documents}, fitted on each task, none kept"
        if self.way == "look up":
            return f"{self.model}  plan: looks up vectors of {documents}"
        spaces = self.spaces
        texts, cached = sum(space.texts for space in spaces), sum(space.cached for space in spaces)
        line = f"{self.model}  plan: {documents}, {texts:,} texts, {cached:,} cached"
        if texts == cached:
            return f"{line}, nothing to encode"
        tokens = tokens_in_words(spaces)
        line += f", {texts - cached:,} to encode ({tokens}), {expected_time(self.seconds)}"
        return line if self.cost is None else f"{line}, about {self.cost:.2g} USD"

    def facts(self) -> dict[str, object]:
        """For programs, and for a display of the whole run."""
        spaces = self.spaces
        return {
            "model": self.model,
            "documents": self.documents,
            "texts": sum(space.texts for space in spaces),
            "cached": sum(space.cached for space in spaces),
            "tokens": None
            if any(space.tokens is None for space in spaces)
            else round(sum(space.tokens or 0 for space in spaces)),
            "seconds": self.seconds,
            "tasks": list(self.tasks),
        }


def plan_run(
    models: Sequence[tuple[ModelSpec, Model]],
    selection: Selection,
    loader: TaskLoader,
    store: EmbeddingStore | None,
) -> tuple[ModelPlan, ...]:
    """Count what each model has to encode. Loads data and tokenizers, no weights.

    A task or model that cannot be planned is named in ``problems``; the run itself will say more.
    """
    # One for all tasks: a text that two of them hold is encoded, and counted, once.
    ledger = Ledger()
    plans = [ModelPlan(spec.name, spec.implementation.way) for spec, model in models]
    spaces: dict[tuple[str, str], SpacePlan] = {}
    for suite, task in selection:
        able = [
            (plan, model)
            for plan, (spec, model) in zip(plans, models, strict=True)
            if spec.can_run(task)
        ]
        for plan, _ in able:
            plan.tasks += (task.name,)
        try:
            requests = requests_of(task, loader.get(task, suite).data) if able else ()
        except Exception as error:  # noqa: BLE001
            for plan, _ in able:
                plan.problems += (_problem(task, error),)
            continue
        for plan, model in able:
            plan.documents += sum(len(request.documents) for request in requests)
            # Rankers, files of vectors and models fitted on each task: nothing is in the store.
            try:
                for encoder, request in product(kept_encoders(model, task), requests):
                    # Keys alone are looked at: checksums are read when the vectors are needed.
                    found = look_up(encoder, request, store, ledger, verify=False)
                    name = space_key(encoder.identity(request.role))
                    if (plan.model, name) not in spaces:
                        spaces[plan.model, name] = SpacePlan()
                        plan.spaces += (spaces[plan.model, name],)
                    _count(encoder, found, store, spaces[plan.model, name])
            except Exception as error:  # noqa: BLE001
                plan.problems += (_problem(task, error),)
    return tuple(plans)


def _problem(task: TaskSpec, error: Exception) -> str:
    """Any error of a task is that task's, as in the run itself, and stops the plan of no other."""
    kind = "" if isinstance(error, HarnessError) else f"{type(error).__name__}: "
    return f"{task.name}: {kind}{error}"


def dry_run(
    models: Sequence[ModelSpec], selection: Selection, options: RunOptions
) -> tuple[ModelPlan, ...]:
    """The plan alone: reads data and the store, loads tokenizers and no weights, writes nothing.

    Raises:
        HarnessError: a model that cannot be built.
    """
    store = EmbeddingStore(options.cache) if options.cache is not None else None
    with task_loader(options) as loader:
        return plan_run(build_models(models, options, LocalEngine()), selection, loader, store)


def _count(encoder: Encoder, found: Lookup, store: EmbeddingStore | None, plan: SpacePlan) -> None:
    role, documents = found.request.role, found.request.documents
    plan.add(role.value, len(documents), len(found.fresh), int(found.held.sum()))
    missing = found.fresh[~found.held]
    if not len(missing):
        return
    if not isinstance(encoder, BatchEncoder):
        plan.add_tokens(None, len(missing))
        return
    sample = [documents[row] for row in missing[even_sample(len(missing), COUNTED)]]
    plan.add_tokens(encoder.count_tokens(sample, role), len(missing))
    if isinstance(encoder, Metered):
        plan.exact, plan.price = False, encoder.price
    if plan.rate is None and store is not None:
        plan.rate = related_rate(store.root, encoder.identity(role), encoder.hardware)


def even_sample(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` of ``count`` positions, evenly spread; all where they are fewer."""
    if count <= most:
        return np.arange(count)
    # Not random: a plan of the same data says the same numbers each time.
    return np.arange(most, dtype=np.int64) * count // most


def tokens_in_words(spaces: Sequence[SpacePlan]) -> str:
    """``1,234 tokens``, ``about 1,200,000 tokens`` of an estimate, or that they are unknown."""
    if any(space.tokens is None for space in spaces):
        return "tokens unknown"
    total = round(sum(space.tokens or 0 for space in spaces))
    if all(space.exact for space in spaces):
        return f"{total:,} tokens"
    # Three digits of an estimate: more would promise what an even sample cannot hold.
    digits = max(0, len(str(total)) - 3)
    return f"about {round(total, -digits):,} tokens"


def expected_time(seconds: float | None) -> str:
    """``about 3 min``; says so where no earlier run measured a rate."""
    return "time unknown (no rate measured here yet)" if seconds is None else time_in_words(seconds)
