"""Probes as Ray tasks: samples, and the classes of a multi-label task, are independent work."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from scirepeval_harness.cluster.cluster import Cluster, WorkerPlan, cluster_errors
from scirepeval_harness.errors import ProbeError
from scirepeval_harness.options import Probe
from scirepeval_harness.probes.fit import ProbeJob, fit_samples, nobody
from scirepeval_harness.probes.problem import Kind, ProbeFit


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples ``first`` to ``last``, and of a multi-label task the classes from ``low`` to
    ``high``; both ends as slices have them."""

    first: int
    last: int
    low: int | None = None
    high: int | None = None

    @property
    def columns(self) -> slice:
        return slice(self.low, self.high)


def pieces_of(kind: Kind, probe: Probe, samples: int, classes: int, places: int) -> list[Piece]:
    """Work for ``places`` tasks at a time, in the order of the samples and classes.

    The reference and the exact probe fit sample by sample and class by class, so any cut gives the
    same fits; two classes at least stay together, because a single column is another problem to
    scikit-learn. The fast probe solves a sample's classes in one go and is cut between samples
    only.
    """
    if probe == "fast":
        # The fast probe gains from samples solved together, so no more pieces than places.
        count = min(samples, places)
        bounds = [samples * number // count for number in range(count + 1)]
        return [Piece(a, b) for a, b in pairwise(bounds)]
    groups = 1
    if kind == "multi":
        groups = max(1, min(classes // 2, math.ceil(places / samples)))
    edges = [classes * number // groups for number in range(groups + 1)]
    spans = list(pairwise(edges)) if kind == "multi" else [(None, None)]
    return [Piece(k, k + 1, low, high) for k in range(samples) for low, high in spans]


def fit_piece(job: ProbeJob, piece: Piece, processes: int, on_gpu: bool) -> list[ProbeFit]:
    """The fits of a piece, one a sample, on the machine that calls this.

    Args:
        processes: fits of one grid search at a time.
        on_gpu: whether the fast probe computes on the card that this task holds.
    """
    samples = slice(piece.first, piece.last)
    own = job.part(samples, piece.columns, "cuda:0" if on_gpu else None)
    return list(fit_samples(own, processes))


def join_classes(parts: Sequence[ProbeFit]) -> ProbeFit:
    """One fit of all classes from fits of some of them, in order."""
    if len(parts) == 1:
        return parts[0]
    chosen = [part.chosen_c for part in parts]
    return ProbeFit(
        predictions=np.concatenate([part.predictions for part in parts], axis=1),
        chosen_c=None
        if None in chosen
        else tuple(value for part in chosen if isinstance(part, tuple) for value in part),
        fits=sum(part.fits for part in parts),
        unconverged=sum(part.unconverged for part in parts),
        fell_back_to_reference=any(part.fell_back_to_reference for part in parts),
    )


class RayProbes:
    """Fits samples on a cluster; called as :func:`~.probes.fit.fit_samples` is."""

    def __init__(self, cluster: Cluster, plan: WorkerPlan) -> None:
        self._cluster, self._gpus = cluster, plan.gpus > 0
        # Workers on cards encode meanwhile: what asked for the processors that they hold as well
        # would wait for their end.
        held = plan.cpus * -(-plan.workers // cluster.nodes) if plan.gpus else 0
        self._node_cpus = max(1, cluster.node_cpus - held)

    def __call__(self, job: ProbeJob) -> Iterator[ProbeFit]:
        """One fit for each set of training rows, in order; the device is the cluster's to choose.

        Raises:
            ProbeError: rows on which the probe cannot be fitted, or a cluster that gives up.
        """
        import ray

        cluster = self._cluster
        on_gpu = job.probe == "fast" and self._gpus and cluster.gpus > 0
        places = cluster.gpus if on_gpu else cluster.cpus
        classes = job.y_train.shape[1] if job.y_train.ndim == 2 else 1
        pieces = pieces_of(job.kind, job.probe, len(job.samples), classes, places)
        # What few pieces leave idle goes to the grid searches inside them.
        processes = max(1, min(self._node_cpus, cluster.cpus // max(1, len(pieces))))
        task = ray.remote(num_cpus=processes, num_gpus=int(on_gpu))(fit_piece)
        # Once for all pieces: Ray hands the arrays of an object out without copies of them. Who is
        # told of fits stays here.
        whole = ray.put(
            replace(job, samples=[np.asarray(rows) for rows in job.samples], done=nobody)
        )
        waiting: list[Any] = [task.remote(whole, piece, processes, on_gpu) for piece in pieces]
        # Nothing is cancelled when one fails: Ray 2.60 aborts the driver over a cancelled task that
        # has just ended. What is left ends by itself, or with the connection.
        with cluster_errors(ProbeError, "fitting on the cluster failed"):
            # Pieces that cover the same samples follow one another, cut by their classes.
            for _, group in groupby(zip(pieces, waiting, strict=True), lambda one: one[0].first):
                # All of a group are waited for: predictions of some classes alone are no fit.
                parts = [ray.get(promise) for _, promise in group]
                yield from (join_classes(fits) for fits in zip(*parts, strict=True))
