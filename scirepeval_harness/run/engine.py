"""Where a run works: this machine or a cluster, which builds its models and fits its probes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from scirepeval_harness.model.base import EncodeOptions, Model, build_model
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.model.weights import as_read
from scirepeval_harness.options import RunOptions
from scirepeval_harness.probes.fit import FitSamples, fit_samples


class Engine(Protocol):
    """Builds models and fits probes. Printed, it says what it works with."""

    fit_samples: FitSamples

    def build(self, spec: ModelSpec, options: EncodeOptions) -> Model:
        """The model, without its weights yet."""
        ...


class LocalEngine:
    """Everything on this machine."""

    def __init__(self) -> None:
        self.fit_samples: FitSamples = fit_samples

    def __str__(self) -> str:
        return "local"

    def build(self, spec: ModelSpec, options: EncodeOptions) -> Model:
        return build_model(spec, options)


@contextmanager
def open_engine(options: RunOptions) -> Iterator[Engine]:
    """The engine that the options name, for the time of a run.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: the cluster does not answer, or lacks what was asked for.
    """
    if options.engine == "local":
        yield LocalEngine()
        return
    # Here, because Ray is an extra that a run on this machine does without.
    from scirepeval_harness.cluster.engine import open_ray

    with open_ray(options.ray_address, options.workers, options.device) as engine:
        yield engine


def build_models(
    models: Sequence[ModelSpec], options: RunOptions, engine: Engine
) -> list[tuple[ModelSpec, Model]]:
    """The models, none with its weights yet.

    Raises:
        HarnessError: see :func:`~.model.base.build_model`.
    """
    chosen = EncodeOptions(
        device=options.device,
        dtype=options.dtype,
        batch_tokens=options.batch_tokens,
        offline=options.offline,
    )
    # Settled here and not by the engine, so that the record names the kind that was built.
    read = [as_read(spec, offline=options.offline) for spec in models]
    return [(spec, engine.build(spec, chosen)) for spec in read]
