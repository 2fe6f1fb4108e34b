"""The one linear system of the solver: a ridge regression, factored once and solved many times.

For each problem of a group, with its own ``rho``:

    minimise over w   1/2 |w|^2 + rho/2 |X w - v|^2

One eigendecomposition serves every ``rho``, so classes, values of C and folds that share rows share
it. Where a group has more rows than dimensions it is that of X^T X, and a solution costs two
products with X; else that of X X^T, and X is not needed at all.

Tensors have shape (groups, problems, rows): on processors the products of a few problems with many
rows are several times as fast that way round as with the rows first. X holds liblinear's constant
feature of one: its intercept is regularised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

SCATTER_ROWS = 8192
"""Rows converted to float64, or squared, at a time."""


class Space(Protocol):
    """Solves the ridge system; ``weights`` are in the space's own coordinates."""

    def fit(self, values: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and their decision values: (g, k, n), (g, k) -> weights, (g, k, n)."""
        ...

    def weights_norm(self, weights: Tensor, values: Tensor) -> Tensor:
        """|w|^2 of weights with these decision values (g, k)."""
        ...

    def rows_norm(self, multipliers: Tensor) -> Tensor:
        """|X^T b|^2 of row multipliers: (g, k, n) -> (g, k)."""
        ...

    def explicit(self, weights: Tensor) -> Tensor:
        """Weights of the features (g, k, d + 1)."""
        ...


class Axes:
    """Eigendecomposition of X^T X, apart from X, which may be large."""

    def __init__(self, scatter: Tensor, rows: Tensor) -> None:
        """Args: scatter X^T X (d + 1, d + 1), float64; rows X, for its precision."""
        import torch

        values, axes = torch.linalg.eigh(scatter)
        self.values: Tensor = values.clamp(min=0).to(rows)
        self.axes: Tensor = axes.to(rows)


class Columns:
    """One group with more rows than dimensions."""

    def __init__(self, rows: Tensor, axes: Axes) -> None:
        """Args: rows X (n, d + 1); axes of X^T X."""
        self._rows, self._values, self._axes = rows, axes.values, axes.axes

    def fit(self, values: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
        penalty = rho[0][:, None]
        turned = values[0] @ self._rows @ self._axes
        weights = (turned * (penalty / (1.0 + penalty * self._values))) @ self._axes.mT
        return weights[None], (weights @ self._rows.mT)[None]

    def weights_norm(self, weights: Tensor, values: Tensor) -> Tensor:
        return weights.square().sum(-1)

    def rows_norm(self, multipliers: Tensor) -> Tensor:
        return (multipliers[0] @ self._rows).square().sum(-1)[None]

    def explicit(self, weights: Tensor) -> Tensor:
        return weights


class Turned(Columns):
    """One group with not many more rows than dimensions: a copy of X along the axes of X^T X halves
    the products of an iteration."""

    def __init__(self, rows: Tensor, axes: Axes) -> None:
        super().__init__(rows @ axes.axes, axes)

    def fit(self, values: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
        penalty = rho[0][:, None]
        weights = (values[0] @ self._rows).mul_(penalty / (1.0 + penalty * self._values))
        return weights[None], (weights @ self._rows.mT)[None]

    def explicit(self, weights: Tensor) -> Tensor:
        return weights @ self._axes.mT


class Rows:
    """Groups of fewer rows than dimensions; groups of unequal size are padded with zero rows."""

    def __init__(self, rows: Tensor) -> None:
        """Args: rows X (groups, n, d + 1)."""
        import torch

        self._rows = rows
        wide = _widened(rows)
        gram = wide @ wide.mT
        values, axes = torch.linalg.eigh(gram)
        self._gram = gram.to(rows)
        self._values = values.clamp(min=0).to(rows)[:, None, :]
        self._axes = axes.to(rows)

    def fit(self, values: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
        # The residual comes by its own factor: as a difference it would lose all its digits.
        penalty = rho[..., None]
        turned = (values @ self._axes) / (1.0 + penalty * self._values)
        weights = (turned * penalty) @ self._axes.mT
        return weights, (turned * (penalty * self._values)) @ self._axes.mT

    def weights_norm(self, weights: Tensor, values: Tensor) -> Tensor:
        return (weights * values).sum(-1)

    def rows_norm(self, multipliers: Tensor) -> Tensor:
        return (multipliers * (multipliers @ self._gram)).sum(-1).clamp(min=0)

    def explicit(self, weights: Tensor) -> Tensor:
        return weights @ self._rows


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
