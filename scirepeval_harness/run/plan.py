"""The plan of a run: what each model will encode in the chosen tasks, and in what time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import HarnessError, OfflineError
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
from scirepeval_harness.run import cost
from scirepeval_harness.run.cost import Cost
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
    sizes: dict[str, int] = field(default_factory=dict)
    """Documents of each task that the model runs."""
    expected: int = 0
    """Documents that nobody could count: the data or the model is not here yet."""
    encoding: float | None = None
    scoring: dict[str, float | None] = field(default_factory=dict)
    """Seconds expected of encoding and of scoring each task, estimates among them."""

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
        if self.expected:
            rest = f"{self.expected:,} of them not counted: their data or the model is not here yet"
            return f"{self.model}  plan: about {documents}, {rest}"
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

    def expect(self, task: str, documents: int) -> None:
        """Count a task whose documents, or the model that would encode them, are not here."""
        self.sizes[task] = documents
        self.documents += documents
        self.expected += documents

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
            "seconds": self.encoding,
            "tasks": list(self.sizes),
            "scoring": self.scoring,
        }


def plan_run(
    models: Sequence[tuple[ModelSpec, Model]],
    selection: Selection,
    loader: TaskLoader,
    store: EmbeddingStore | None,
    absent: Collection[str] | None = None,
) -> tuple[ModelPlan, ...]:
    """Count what each model has to encode. Loads data and tokenizers, no weights.

    A task or model that cannot be planned is named in ``problems``; the run itself will say more.

    Args:
        absent: of a plan that downloads nothing, the tasks whose data is not here. Their documents,
            and those of models that are not here, are ``expected``.
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
        if absent is not None and task.name in absent:
            for plan, _ in able:
                plan.expect(task.name, task.expected_documents or 0)
            continue
        try:
            requests = requests_of(task, loader.get(task, suite).data) if able else ()
        except Exception as error:  # noqa: BLE001
            for plan, _ in able:
                plan.sizes[task.name] = 0
                plan.problems += (_problem(task, error),)
            continue
        for plan, model in able:
            plan.sizes[task.name] = sum(len(request.documents) for request in requests)
            plan.documents += plan.sizes[task.name]
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
            except OfflineError as error:
                if absent is None:
                    plan.problems += (_problem(task, error),)
                else:
                    plan.documents -= plan.sizes[task.name]
                    plan.expect(task.name, plan.sizes[task.name])
            except Exception as error:  # noqa: BLE001
                plan.problems += (_problem(task, error),)
    return tuple(plans)


def _problem(task: TaskSpec, error: Exception) -> str:
    """Any error of a task is that task's, as in the run itself, and stops the plan of no other."""
    kind = "" if isinstance(error, HarnessError) else f"{type(error).__name__}: "
    return f"{task.name}: {kind}{error}"


@dataclass(frozen=True)
class RunPlan(Sequence[ModelPlan]):
    """What each model will do, and what all of it costs.

    Example:
        >>> import scirepeval_harness as sh
        >>> plan = sh.plan("tfidf", suite="sample", tasks="sample-search")
        >>> len(plan), plan.cost.downloads, plan.cost.encode
        (1, (), 0.0)
    """

    models: tuple[ModelPlan, ...]
    cost: Cost

    def __getitem__(self, place: Any) -> Any:
        return self.models[place]

    def __len__(self) -> int:
        return len(self.models)


def dry_run(
    models: Sequence[ModelSpec],
    selection: Selection,
    options: RunOptions,
    lacks: Sequence[str] = (),
) -> RunPlan:
    """The plan alone: reads data and the store, loads tokenizers and no weights, writes and
    downloads nothing. The hub is asked for sizes, unless offline.

    Raises:
        HarnessError: a model that cannot be built.
    """
    store = EmbeddingStore(options.cache) if options.cache is not None else None
    absent = cost.absent_tasks(selection, dict(options.data))
    here = replace(options, offline=True)
    try:
        built = build_models(models, here, LocalEngine())
    except OfflineError:
        # What a repository holds decides how it is read.
        built = build_models(models, options, LocalEngine())
    with task_loader(here) as loader:
        plans = plan_run(built, selection, loader, store, absent)
    specs = [spec for spec, _ in built]
    downloads = cost.wanted(specs, selection, absent, ask=not options.offline)
    own = cost_of(specs, plans, selection, options)
    return RunPlan(
        plans,
        replace(own, downloads=tuple(downloads), lacks=tuple(lacks), asked=not options.offline),
    )


def cost_of(
    models: Sequence[ModelSpec],
    plans: Sequence[ModelPlan],
    selection: Selection,
    options: RunOptions,
) -> Cost:
    """Time, disk and memory of planned work; measured rates where there are some."""
    times = cost.read_times(options.cache)
    tasks = {task.name: task for _, task in selection}
    encode: list[tuple[float | None, bool]] = []
    score: list[tuple[float | None, bool]] = []
    disk = 0.0
    for spec, plan in zip(models, plans, strict=True):
        for name, documents in plan.sizes.items():
            score.append(cost.score_seconds(tasks[name], documents, options, times))
            plan.scoring[name] = score[-1][0]
        if plan.way != "encode":
            continue
        texts = plan.expected + sum(space.to_encode for space in plan.spaces)
        disk += texts * cost.vector_bytes(spec) if options.cache is not None else 0.0
        own: list[tuple[float | None, bool]]
        own = [(space.seconds, True) for space in plan.spaces if space.seconds is not None]
        tokens = plan.expected * cost.TOKENS_A_DOCUMENT + sum(
            space.to_encode * cost.TOKENS_A_DOCUMENT if space.tokens is None else space.tokens
            for space in plan.spaces
            if space.seconds is None
        )
        if tokens:
            measured = [space.rate for space in plan.spaces if space.rate]
            rate = measured[0] if measured else cost.device_rate(spec, options)
            own.append((tokens / rate if rate else None, bool(measured) and not plan.expected))
        plan.encoding = _sum(own)
        encode += own
    sizes = [size for plan in plans for size in plan.sizes.items()]
    memory = max((cost.memory_bytes(tasks[name], count) for name, count in sizes), default=0)
    return Cost(
        encode=_sum(encode),
        encode_measured=all(measured for _, measured in encode),
        score=_sum(score),
        score_measured=all(measured for _, measured in score),
        disk=disk,
        memory=cost.MEMORY + memory,
    )


def _sum(parts: Sequence[tuple[float | None, bool]]) -> float | None:
    times = [seconds for seconds, _ in parts]
    return None if None in times else sum((time for time in times if time is not None), 0.0)


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
