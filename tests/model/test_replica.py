"""What a replica does to the process around its forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from scirepeval_harness.model.devices import Precision
from scirepeval_harness.model.replica import DeviceReplica


class Watching(DeviceReplica):
    """Says 1 where float32 matrices on a card were multiplied from TF32, else 0."""

    def __init__(self, device: str, precision: Precision) -> None:
        super().__init__(
            device="cpu", precision=precision, truncate_dim=None, normalize=False, where="made"
        )
        self.device = torch.device(device)  # there need be no such card: nothing is moved to it

    def _pooled(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> torch.Tensor:
        assert self._dtype == torch.float32
        return torch.full((len(ids), 1), float(torch.backends.cuda.matmul.allow_tf32))


@pytest.mark.parametrize(
    ("device", "precision", "seen"),
    [("cuda:0", "tf32", 1), ("cuda:0", "float32", 0), ("cpu", "float32", 0)],
)
def test_tf32_is_on_for_the_forward_pass_alone(
    device: str, precision: Precision, seen: int
) -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    batch = np.zeros((2, 3), np.int64)
    assert Watching(device, precision).submit(batch, batch)().tolist() == [[seen], [seen]]
    assert torch.backends.cuda.matmul.allow_tf32 is before is False
