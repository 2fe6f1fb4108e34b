"""A Ray cluster as the engine of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scirepeval_harness.cluster import cluster as clusters
from scirepeval_harness.cluster.probes import RayProbes
from scirepeval_harness.cluster.workers import settle
from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.base import EncodeOptions, Model, build_model
from scirepeval_harness.model.kinds import WeightsSpec, demand_libraries
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.probes.fit import FitSamples


class RayEngine:
    """Transformers encode on the cluster's workers, all models' probes are fitted there; what is
    left (lexical models, rankings, files) stays on the machine that runs the evaluation."""

    def __init__(self, cluster: clusters.Cluster, plan: clusters.WorkerPlan) -> None:
        self.cluster, self.plan = cluster, plan
        self.fit_samples: FitSamples = RayProbes(cluster, plan)
        self._settled: dict[EncodeOptions, EncodeOptions] = {}

    def __str__(self) -> str:
        machines = f"{self.cluster.nodes} machine{'s' if self.cluster.nodes > 1 else ''}"
        return f"Ray: {self.plan}, {machines}, {self.cluster.cpus} CPUs, {self.cluster.gpus} GPUs"

    def build(self, spec: ModelSpec, options: EncodeOptions) -> Model:
        """As :func:`~.model.base.build_model`, with transformers on the cluster."""
        if not isinstance(spec, WeightsSpec):
            return build_model(spec, options)
        # On the driver, so that a missing library is one line here and no traceback from a worker.
        demand_libraries(spec)
        from scirepeval_harness.cluster.encoder import RayEncoder

        # One question to the cluster for all models of a run: each costs the start of a worker.
        if options not in self._settled:
            self._settled[options] = self._settle(options)
        return RayEncoder(spec, self._settled[options], self.cluster, self.plan)

    def _settle(self, options: EncodeOptions) -> EncodeOptions:
        """Precision and budget as a worker would choose them, so that all use the same."""
        import ray

        task = ray.remote(num_cpus=self.plan.cpus, num_gpus=self.plan.gpus)(settle)
        fix = "Install scirepeval-harness[models,ray] on every machine of the cluster"
        with clusters.cluster_errors(ModelError, "no worker could be asked", "--engine ray", fix):
            settled: EncodeOptions = ray.get(task.remote(options))
        return settled


@contextmanager
def open_ray(address: str | None, workers: int | None, device: str | None) -> Iterator[RayEngine]:
    """The engine for the time of a run.

    Raises:
        MissingExtraError, UsageError: see :func:`joined`, :func:`worker_plan`.
    """
    with clusters.joined(address) as cluster:
        yield RayEngine(cluster, clusters.worker_plan(cluster, workers, device))
