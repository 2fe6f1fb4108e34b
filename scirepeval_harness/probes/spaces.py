"""The one linear system of the solver: a ridge regression, factored once and solved many times.

For each problem of a group, with its own ``rho``:

    minimise over w   1/2 |w|^2 + rho/2 |X w - v|^2

One eigendecomposition serves every ``rho``, so classes, values of C and folds that share rows share
it. Where a group has more rows than dimensions it is that of X^T X, and a solution costs two
products with X; else that of X X^T, and X is not needed at all. Tensors have shape (groups, rows,
problems). X holds liblinear's constant feature of one: its intercept is regularised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

SCATTER_ROWS = 8192
"""Rows converted to float64 at a time."""


class Space(Protocol):
    """Solves the ridge system; ``weights`` are in the space's own coordinates."""

    def fit(self, values: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and their decision values: (g, n, k), (g, k) -> weights, (g, n, k)."""
        ...

    def weights_norm(self, weights: Tensor, values: Tensor) -> Tensor:
        """|w|^2 of weights with these decision values (g, k)."""
        ...

    def rows_norm(self, multipliers: Tensor) -> Tensor:
        """|X^T b|^2 of row multipliers: (g, n, k) -> (g, k)."""
        ...

    def explicit(self, weights: Tensor) -> Tensor:
        """Weights of the features (g, d + 1, k)."""
        ...


class Axes:
    """Eigendecomposition of X^T X, apart from X, which may be large."""

    def __init__(self, scatter: Tensor) -> None:
        """Args: scatter X^T X (d + 1, d + 1), float64."""
        import torch

        values, axes = torch.linalg.eigh(scatter)
        self.values, self.axes = values.clamp(min=0).float()[:, None], axes.float()


class Columns:
    """One group with more rows than dimensions."""

    def __init__(self, rows: Tensor, axes: Axes) -> None:
        """Args: rows X (n, d + 1), float32; axes of X^T X."""
        self._rows, self._values, self._axes = rows, axes.values, axes.axes

    def fit(self, values: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
        turned = self._axes.mT @ (self._rows.mT @ values[0])
        weights = self._axes @ (turned * (rho / (1.0 + rho * self._values)))
        return weights[None], (self._rows @ weights)[None]

    def weights_norm(self, weights: Tensor, values: Tensor) -> Tensor:
        return weights.square().sum(1)

    def rows_norm(self, multipliers: Tensor) -> Tensor:
        return (self._rows.mT @ multipliers[0]).square().sum(0)[None]

    def explicit(self, weights: Tensor) -> Tensor:
        return weights


class Rows:
    """Groups of fewer rows than dimensions; groups of unequal size are padded with zero rows."""

    def __init__(self, rows: Tensor) -> None:
        """Args: rows X (groups, n, d + 1), float32."""
        import torch

        self._rows = rows
        wide = _widened(rows)
        gram = wide @ wide.mT
        values, axes = torch.linalg.eigh(gram)
        self._gram = gram.to(rows)
        self._values = values.clamp(min=0).to(rows)[..., None]
        self._axes = axes.to(rows)

    def fit(self, values: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
        # The residual comes by its own factor: as a difference it would lose all its digits.
        strength = rho[:, None, :] * self._values
        turned = (self._axes.mT @ values) / (1.0 + strength)
        both = self._axes @ _side_by_side(turned * strength, turned * rho[:, None, :])
        k = values.shape[2]
        return both[..., k:], both[..., :k]

    def weights_norm(self, weights: Tensor, values: Tensor) -> Tensor:
        return (weights * values).sum(1)

    def rows_norm(self, multipliers: Tensor) -> Tensor:
        return (multipliers * (self._gram @ multipliers)).sum(1).clamp(min=0)

    def explicit(self, weights: Tensor) -> Tensor:
        return self._rows.mT @ weights


def scatter_of(rows: Tensor) -> Tensor:
    """X^T X (d, d) in float64, summed over blocks of rows."""
    width = rows.shape[1]
    total = _widened(rows[:0]).new_zeros((width, width))
    for start in range(0, len(rows), SCATTER_ROWS):
        block = _widened(rows[start : start + SCATTER_ROWS])
        total += block.mT @ block
    return total.to(rows.device)


def with_constant(vectors: Tensor) -> Tensor:
    """Appends the constant feature of the regularised intercept: (..., d) -> (..., d + 1)."""
    import torch

    return torch.cat([vectors, vectors.new_ones((*vectors.shape[:-1], 1))], dim=-1)


def _widened(tensor: Tensor) -> Tensor:
    import torch

    return tensor.to(torch.float64)


def _side_by_side(left: Tensor, right: Tensor) -> Tensor:
    import torch

    return torch.cat([left, right], dim=-1)
