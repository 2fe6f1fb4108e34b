from __future__ import annotations

import pytest

from scirepeval_harness.cluster.cluster import Cluster, WorkerPlan, worker_plan
from scirepeval_harness.errors import UsageError

CPUS = Cluster("here", nodes=2, cpus=24, gpus=0, node_cpus=8)
CARDS = Cluster("here", nodes=2, cpus=128, gpus=16, node_cpus=64)


@pytest.mark.parametrize(
    ("cluster", "workers", "device", "plan"),
    [
        (CPUS, None, None, WorkerPlan(2, cpus=8, gpus=0)),
        (CPUS, 2, None, WorkerPlan(2, cpus=8, gpus=0)),
        (CPUS, 3, "cpu", WorkerPlan(3, cpus=4, gpus=0)),
        (CPUS, 100, None, WorkerPlan(100, cpus=1, gpus=0)),
        (CARDS, None, None, WorkerPlan(16, cpus=1, gpus=1)),
        (CARDS, 4, "cuda", WorkerPlan(4, cpus=1, gpus=1)),
        (CARDS, None, "cpu", WorkerPlan(2, cpus=64, gpus=0)),
    ],
)
def test_one_worker_a_card_else_one_a_machine(
    cluster: Cluster, workers: int | None, device: str | None, plan: WorkerPlan
) -> None:
    assert worker_plan(cluster, workers, device) == plan


@pytest.mark.parametrize(
    ("cluster", "device", "message"),
    [
        (CARDS, "cuda:1", "Ray hands out the devices. Give --device cuda and"),
        (CARDS, "cuda:0,cuda:1", "Ray hands out the devices"),
        (CPUS, "cuda", "the cluster has no GPU"),
    ],
)
def test_devices_that_cannot_be_given(cluster: Cluster, device: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        worker_plan(cluster, None, device)


def test_a_worker_plan_in_words() -> None:
    assert str(WorkerPlan(1, 8, 0)) == "1 worker of 8 CPUs"
    assert str(WorkerPlan(16, 1, 1)) == "16 workers of 1 GPU"
