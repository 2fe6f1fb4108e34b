"""What a replica does to the process around its forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from scirepeval_harness.model.devices import CARD_PRODUCTS, Precision
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


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    ("device", "precision", "seen"), [("cuda:0", "tf32", True), ("cuda:0", "float32", False)]
)
def test_the_precision_decides_and_not_what_the_process_had(
    device: str, precision: Precision, seen: bool, before: bool
) -> None:
    batch, had = np.zeros((2, 3), np.int64), torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if before else "highest")
    try:
        assert Watching(device, precision).submit(batch, batch)().tolist() == [[seen], [seen]]
        assert torch.backends.cuda.matmul.allow_tf32 is before
    finally:
        torch.set_float32_matmul_precision(had)


def test_on_a_processor_nothing_is_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CARD_PRODUCTS, "of", None)  # whoever calls it fails
    batch = np.zeros((2, 3), np.int64)
    assert Watching("cpu", "float32").submit(batch, batch)().tolist() == [[0], [0]]
