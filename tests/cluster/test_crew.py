from __future__ import annotations

import pytest

from scirepeval_harness.cluster.cluster import Cluster, Crew, crew_of
from scirepeval_harness.errors import UsageError

CPUS = Cluster("here", nodes=2, cpus=24, gpus=0, node_cpus=8)
CARDS = Cluster("here", nodes=2, cpus=128, gpus=16, node_cpus=64)


@pytest.mark.parametrize(
    ("cluster", "workers", "device", "crew"),
    [
        (CPUS, None, None, Crew(2, cpus=8, gpus=0)),
        (CPUS, 2, None, Crew(2, cpus=8, gpus=0)),
        (CPUS, 3, "cpu", Crew(3, cpus=4, gpus=0)),
        (CPUS, 100, None, Crew(100, cpus=1, gpus=0)),
        (CARDS, None, None, Crew(16, cpus=1, gpus=1)),
        (CARDS, 4, "cuda", Crew(4, cpus=1, gpus=1)),
        (CARDS, None, "cpu", Crew(2, cpus=64, gpus=0)),
    ],
)
def test_one_worker_a_card_else_one_a_machine(
    cluster: Cluster, workers: int | None, device: str | None, crew: Crew
) -> None:
    assert crew_of(cluster, workers, device) == crew


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
        crew_of(cluster, None, device)


def test_a_crew_in_words() -> None:
    assert str(Crew(1, 8, 0)) == "1 worker of 8 CPUs"
    assert str(Crew(16, 1, 1)) == "16 workers of 1 GPU"
