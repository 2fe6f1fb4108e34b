"""How many workers, and what each of them is given."""

from __future__ import annotations

from dataclasses import dataclass

from scirepeval_harness.distributed.cluster import Cluster
from scirepeval_harness.errors import UsageError


@dataclass(frozen=True, slots=True)
class Crew:
    """Workers that hold a model each, and the processors and cards of one."""

    workers: int
    cpus: int
    gpus: int

    def __str__(self) -> str:
        share = "1 GPU" if self.gpus else f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}"
        return f"{self.workers} worker{'s' if self.workers > 1 else ''} of {share}"


def crew_of(cluster: Cluster, workers: int | None, device: str | None) -> Crew:
    """One worker a card; without cards one a machine, with all of its processors.

    Args:
        workers: as many as the user wants, or None. More than fit wait until the cluster grows.
        device: the kind of device that the user asked for: cpu, cuda or mps.

    Raises:
        UsageError: a numbered device or several, or cards that the cluster has not.
    """
    if device is not None and ("," in device or ":" in device):
        raise UsageError(
            "on a cluster Ray hands out the devices",
            where=f"--device {device}",
            fix=f"Give --device {device.partition(':')[0]} and a number of --workers",
        )
    if device == "cuda" and not cluster.gpus:
        raise UsageError(
            "the cluster has no GPU",
            where="--device cuda",
            fix="Start its workers where the GPUs are, or leave --device out",
        )
    if cluster.gpus and device in (None, "cuda"):
        return Crew(workers or cluster.gpus, cpus=1, gpus=1)
    count = workers or cluster.nodes
    on_each = -(-count // cluster.nodes)
    return Crew(count, cpus=max(1, cluster.node_cpus // on_each), gpus=0)
