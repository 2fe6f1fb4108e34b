"""Where the weights of linear probes live: in the vectors' principal axes, or as row combinations.

A space maps weights to the decision values of all rows (``forward``) and row multipliers back to
weights (``adjoint``). Tensors have shape (groups, rows or coordinates, problems): problems of one
group share their rows. The intercept is a constant feature of one, regularised like every other
weight, as liblinear has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

GRAM_ROWS = 4096
"""Up to this many rows the matrix of their inner products is kept (float64: 134 MB)."""


class Space(Protocol):
    """Linear maps between weights and rows; ``size`` is the number of coordinates."""

    size: int

    def forward(self, weights: Tensor) -> Tensor:
        """Decision values (groups, rows, problems)."""
        ...

    def adjoint(self, multipliers: Tensor) -> Tensor:
        """Weights (groups, size, problems) of a combination of rows."""
        ...

    def inner(self, left: Tensor, right: Tensor, forward_right: Tensor) -> Tensor:
        """Inner products of weights (groups, problems)."""
        ...

    def gram(self, groups: Tensor, rows: Tensor) -> Tensor:
        """Inner products among some rows: (b,), (b, m) -> (b, m, m), float64."""
        ...

    def select(self, groups: Tensor) -> Space:
        """The same space with some of the groups."""
        ...


class PrincipalAxes:
    """One group of many rows, rotated to the eigenbasis of X^T X.

    There the Hessian of every problem is close to diagonal, and columns of very different scale
    are kept apart, which is what lets float32 do.
    """

    def __init__(self, vectors: Tensor) -> None:
        """Args: vectors (rows, dimensions), float32, without the constant feature."""
        import torch

        rows, width = vectors.shape
        scatter = vectors.new_zeros((width + 1, width + 1), dtype=torch.float64)
        for start in range(0, rows, 16384):
            block = with_constant(vectors[start : start + 16384]).double()
            scatter += block.T @ block
        values, axes = torch.linalg.eigh(scatter)
        keep = values > values[-1] * 1e-14
        self.axes = axes[:, keep].to(vectors.dtype)
        self.size = int(self.axes.shape[1])
        self.rotated = vectors @ self.axes[:-1] + self.axes[-1]
        self._gram: Tensor | None = None
        if rows <= GRAM_ROWS:
            wide = with_constant(vectors).double()
            self._gram = wide @ wide.T

    def forward(self, weights: Tensor) -> Tensor:
        return (self.rotated @ weights[0]).unsqueeze(0)

    def adjoint(self, multipliers: Tensor) -> Tensor:
        return (self.rotated.T @ multipliers[0]).unsqueeze(0)

    def inner(self, left: Tensor, right: Tensor, forward_right: Tensor) -> Tensor:
        return (left * right).sum(-2)

    def gram(self, groups: Tensor, rows: Tensor) -> Tensor:
        if self._gram is not None:
            return self._gram[rows[:, :, None], rows[:, None, :]]
        chosen = self.rotated[rows]
        return (chosen @ chosen.mT).double()

    def select(self, groups: Tensor) -> Space:
        return self

    def decide(self, weights: Tensor, vectors: Tensor) -> Tensor:
        """Decision values of other rows: (1, size, problems), (m, dimensions) -> (m, problems)."""
        plain = self.axes @ weights[0]
        return vectors @ plain[:-1] + plain[-1]


class RowCombinations:
    """Groups of few rows each: weights are combinations of the rows, all maps go through X X^T."""

    def __init__(self, gram: Tensor) -> None:
        """Args: gram (groups, rows, rows), float64."""
        self._gram = gram
        self.size = int(gram.shape[-1])

    def forward(self, weights: Tensor) -> Tensor:
        return self._gram @ weights

    def adjoint(self, multipliers: Tensor) -> Tensor:
        return multipliers

    def inner(self, left: Tensor, right: Tensor, forward_right: Tensor) -> Tensor:
        return (left * forward_right).sum(-2)

    def gram(self, groups: Tensor, rows: Tensor) -> Tensor:
        return self._gram[groups[:, None, None], rows[:, :, None], rows[:, None, :]]

    def select(self, groups: Tensor) -> Space:
        return RowCombinations(self._gram[groups])


def with_constant(vectors: Tensor) -> Tensor:
    """Appends the constant feature of the regularised intercept: (..., d) -> (..., d + 1)."""
    import torch

    return torch.cat([vectors, vectors.new_ones((*vectors.shape[:-1], 1))], dim=-1)
