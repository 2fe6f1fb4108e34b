"""The one optimisation problem behind all three losses.

    minimise over w   1/2 |w|^2 + sum_i L_i(r_i),   r_i = t_i - f_i,   f = X w

with a multiplier beta_i = L_i'(r_i) between bounds. Hinge (t = y = +-1) has L = max(lo r, hi r) with
bounds (0, C) for positives and (-C, 0) for negatives; the absolute error of LinearSVR (epsilon 0)
has (-C, C); squared hinge has no upper bound and L = C r^2 on the wrong side of the margin. A row
outside the training part of a fold has bounds (0, 0).

For the two losses with kinks an augmented Lagrangian in the multipliers smooths the loss: beta =
clip(a + s r, lo, hi), with ``a`` the last multipliers and ``s`` a growing penalty (Yan and Li, "An
efficient augmented Lagrangian method for support vector machine", 2020). Squared hinge is the same
with a = 0, s = 2C, and needs no outer steps. Each smooth problem is piecewise quadratic, and
Newton's method ends on it after finitely many steps (Keerthi and DeCoste, "A modified finite Newton
method for fast solution of large scale linear SVMs", 2005).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Problems:
    """Problems of shape (groups, rows, problems), which may share rows.

    Attributes:
        targets: t.
        low, high: bounds of the multipliers for C = 1; 0 for rows left out.
        cost: C of each problem (groups, problems).
        squared: squared hinge.
    """

    targets: Tensor
    low: Tensor
    high: Tensor
    cost: Tensor
    squared: bool

    def take(self, groups: Tensor, columns: Tensor) -> Problems:
        """The problems of some groups and columns."""
        return Problems(
            self.targets[groups][:, :, columns],
            self.low[groups][:, :, columns],
            self.high[groups][:, :, columns],
            self.cost[groups][:, columns],
            self.squared,
        )


@dataclass
class State:
    """Weights, their decision values, the multipliers and penalty; replaced as a whole."""

    weights: Tensor
    values: Tensor
    anchor: Tensor
    penalty: Tensor

    def take(self, groups: Tensor, columns: Tensor) -> State:
        return State(
            self.weights[groups][:, :, columns],
            self.values[groups][:, :, columns],
            self.anchor[groups][:, :, columns],
            self.penalty[groups][:, columns],
        )

    def put(self, groups: Tensor, columns: Tensor, part: State) -> None:
        """Writes a part taken before back in place."""
        for name in ("weights", "values", "anchor"):
            getattr(self, name)[groups[:, None], :, columns[None, :]] = getattr(
                part, name
            ).transpose(1, 2)
        self.penalty[groups[:, None], columns[None, :]] = part.penalty


@dataclass
class Point:
    """What is known at the current weights.

    Attributes:
        residual: r.
        multipliers: beta, feasible for the dual.
        free: rows where beta moves with r, the Newton step's rows.
        gradient, forward_gradient: w - X^T beta and X of it.
        quadratic, complement: the two parts of the duality gap (groups, problems).
        objective: the primal objective.
    """

    residual: Tensor
    multipliers: Tensor
    free: Tensor
    gradient: Tensor
    forward_gradient: Tensor
    quadratic: Tensor
    complement: Tensor
    objective: Tensor
