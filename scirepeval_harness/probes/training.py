"""A training problem on its device, solved on all rows or on the training part of a fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.probes import admm
from scirepeval_harness.probes.spaces import (
    SCATTER_ROWS,
    Axes,
    Columns,
    Rows,
    Space,
    Turned,
    scatter_of,
    with_constant,
)

if TYPE_CHECKING:
    from torch import Tensor

BLOCK_NUMBERS = 2**25
"""Decision values at work at a time (float32: 128 MB an array)."""
SMALL_NUMBERS = 2**20
"""Up to so many numbers float64 costs little, and problems that interpolate their rows need it."""
TURNED_ROWS = 8
"""Rows a dimension up to which a fold keeps a copy of its rows."""


@dataclass(frozen=True)
class Training:
    """One problem a class.

    Attributes:
        rows: X with the constant feature (n, d + 1).
        targets: t (classes, n).
        scatter: X^T X in float64; None where there are fewer rows than dimensions.
    """

    loss: admm.Loss
    rows: Tensor
    targets: Tensor
    scatter: Tensor | None

    @staticmethod
    def of(loss: admm.Loss, rows: Tensor, targets: Tensor) -> Training:
        """Sums X^T X if that is the smaller matrix."""
        return Training(loss, rows, targets, scatter_of(rows) if _tall(rows) else None)

    def whole(self) -> Part:
        """All rows for all classes."""
        import torch

        every = torch.arange(len(self.rows), device=self.rows.device)
        return self._part(every, self.scatter, self.rows.new_ones((1, 1)))

    def without(self, held_out: Tensor) -> Part:
        """The training part of a fold.

        Args:
            held_out: rows that each class leaves out (classes, n), or all classes (1, n). Rows that
                only some of them leave out stay, and count for the others alone.
        """
        left_out = held_out.all(0)
        scatter = self.scatter
        if scatter is not None:
            scatter = scatter - scatter_of(self.rows[left_out])
        index = (~left_out).nonzero()[:, 0]
        return self._part(index, scatter, (~held_out[:, index]).to(self.rows))

    def _part(self, index: Tensor, scatter: Tensor | None, mask: Tensor) -> Part:
        if scatter is None or len(index) <= self.rows.shape[1]:
            return Part(self, index, mask, Rows(self.rows_at(index)[None]))
        axes = Axes(scatter, self.rows)
        if len(index) <= TURNED_ROWS * self.rows.shape[1]:
            return Part(self, index, mask, Turned(self.rows_at(index), axes))
        # X itself is taken again when it is needed: three folds of it would triple the memory.
        return Part(self, index, mask, axes)

    def rows_at(self, index: Tensor) -> Tensor:
        """Rows at distinct places in rising order; no copy where they are all of them."""
        return self.rows if len(index) == len(self.rows) else self.rows[index]


@dataclass(frozen=True)
class Part:
    """Some rows of a training problem, and what is factored for them.

    Attributes:
        mask: 1 where a row counts for a class, (classes or 1, rows or 1).
    """

    training: Training
    index: Tensor
    mask: Tensor
    factored: Rows | Turned | Axes

    def start(self, labels: Tensor, cost: Tensor) -> admm.State:
        """One column for each pair of a class index and a C (k,), (k,)."""
        import torch

        # Block by block: the squares of all rows would be as large as the rows.
        parts = torch.split(self.training.rows, SCATTER_ROWS)
        size = torch.cat([part.square().sum(1) for part in parts]).mean()[None]
        return admm.start(self._problems(labels, cost), size)

    def advance(
        self, state: admm.State, labels: Tensor, cost: Tensor, open_: Tensor, iterations: int
    ) -> Tensor:
        """Advances some columns (k,) of the state, and gives their weights (columns, d + 1)."""
        import torch

        space: Space
        if isinstance(self.factored, Axes):
            space = Columns(self.training.rows_at(self.index), self.factored)
        else:
            space = self.factored
        found = []
        for columns in torch.split(open_, max(1, BLOCK_NUMBERS // len(self.index))):
            few = admm.State(
                state.split[:, columns],
                state.scaled[:, columns],
                state.rho[:, columns],
                state.gap[:, columns],
            )
            admm.advance(space, self._problems(labels[columns], cost[columns]), few, iterations)
            state.split[:, columns], state.scaled[:, columns] = few.split, few.scaled
            state.rho[:, columns], state.gap[:, columns] = few.rho, few.gap
            assert few.weights is not None
            found.append(space.explicit(few.weights)[0])
        return torch.cat(found)

    def _problems(self, labels: Tensor, cost: Tensor) -> admm.Problems:
        targets = self.training.targets[labels][:, self.index][None]
        mask = self.mask if len(self.mask) == 1 else self.mask[labels]
        return admm.Problems(self.training.loss, targets, cost[None], mask[None])


def on_device(vectors: NDArray[np.floating[Any]], device: str | None) -> Tensor:
    """Vectors (rows, d) with the constant feature (rows, d + 1), in float64 if they are few.

    Args:
        device: as torch names it; None for the processor, which also serves for a device without
            float64.

    Raises:
        ProbeError: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ProbeError(
            "the fast probe needs torch, which is not installed",
            fix="pip install 'scirepeval-harness[models]', or use --probe reference",
        ) from error
    precision = np.float64 if vectors.size <= SMALL_NUMBERS else np.float32
    rows = torch.from_numpy(np.ascontiguousarray(vectors, dtype=precision))
    if device and _has_float64(device):
        rows = rows.to(device)
    return with_constant(rows)


def torch_like(numbers: NDArray[np.floating[Any]], rows: Tensor) -> Tensor:
    """Numbers on the device and in the precision of the rows."""
    import torch

    return torch.from_numpy(numbers).to(rows)


def decisions_of(x_test: NDArray[np.floating[Any]], weights: Tensor) -> NDArray[np.float64]:
    """Decision values of test rows: (m, d), (classes, d + 1) -> (classes, m)."""
    plain = weights.double().cpu().numpy()
    table = np.asarray(x_test)
    out = np.empty((len(plain), len(table)), dtype=np.float64)
    for start in range(0, len(table), SCATTER_ROWS):
        block = table[start : start + SCATTER_ROWS]
        out[:, start : start + SCATTER_ROWS] = plain[:, :-1] @ block.T + plain[:, -1:]
    return out


def _has_float64(device: str) -> bool:
    """Whether a device computes in float64, which the factors need; some graphics chips do not."""
    import torch

    try:
        torch.zeros(1, dtype=torch.float64, device=device)
    except TypeError:
        return False
    return True


def _tall(rows: Tensor) -> bool:
    return rows.shape[0] > rows.shape[1]
