"""Many linear support vector machines at once, by the alternating direction method of multipliers.

    minimise over w   1/2 |w|^2 + C sum_i L(t_i, x_i w)

for the squared hinge, the hinge (t = +-1) and the absolute error. The decision values get a copy
z = X w of their own (Boyd et al., "Distributed optimization and statistical learning via the
alternating direction method of multipliers", 2011, sections 3 and 6): the step in w is a ridge
regression with a factor that all problems share, the step in z is a formula per row. So an
iteration is two products of the data with a matrix that has a column for each class and each C.

An iteration count proves nothing: the multipliers are feasible for the dual problem at every step,
so the duality gap bounds how far the objective is from its minimum, and solving stops on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor


Loss = Literal["squared_hinge", "hinge", "absolute"]

# Over-relaxation of 1.5 to 1.8 is what Boyd et al. (section 3.4.3) report to help.
RELAXATION = 1.6
BALANCE_WITHIN = 5.0
"""rho changes by at most this factor at a time, and not at all for a ratio under 1.5."""


@dataclass(frozen=True)
class Problems:
    """Problems that share rows within a group.

    Attributes:
        targets: t (groups, problems, rows).
        cost: C (groups, problems).
        mask: 1 for rows that count, else 0 (groups, problems or 1, rows or 1).
    """

    loss: Loss
    targets: Tensor
    cost: Tensor
    mask: Tensor


@dataclass
class State:
    """Where the problems stand; advanced in place.

    Attributes:
        split: z (groups, problems, rows).
        scaled: multipliers divided by -rho, same shape.
        rho: the penalty (groups, problems).
        gap: duality gap relative to the objective (groups, problems); infinite before the first
            iteration.
        weights: in the coordinates of the space.
    """

    split: Tensor
    scaled: Tensor
    rho: Tensor
    gap: Tensor
    weights: Tensor | None = None


def start(problems: Problems, size: Tensor) -> State:
    """The zero vector, with a penalty that suits the size of the vectors.

    Args:
        size: mean squared length of the rows (groups,).
    """
    targets, cost = problems.targets, problems.cost
    # Signs have the size 1; numbers to regress on may have any, and rho must follow it.
    scale = cost.new_ones(cost.shape)
    if problems.loss == "absolute":
        middle = targets.median(-1, keepdim=True).values
        scale = (targets - middle).abs().mean(-1)
        scale = scale.where(scale > 0, 1.0)
    unit = cost / scale
    # Fitted to where the balancing below ends on vectors of length 1 and 15 at C of 1e-2 to 1e2.
    rho = 0.125 * unit * (unit * size[:, None]).clamp(min=1e-2).pow(-0.75)
    zeros = targets.new_zeros(targets.shape)
    return State(zeros, zeros.clone(), rho, cost.new_full(cost.shape, float("inf")))


def advance(space: Space, problems: Problems, state: State, iterations: int) -> None:
    """Makes that many iterations, then measures the gap and balances the penalty."""
    assert iterations > 0
    rho, z, u = state.rho[..., None], state.split, state.scaled
    limit = problems.cost[..., None] / rho * problems.mask
    before = z
    for _ in range(iterations):
        before = z
        weights, values = space.fit(z - u, state.rho)
        moved = z.lerp(values, RELAXATION).add_(u)
        u = _shrinkage(problems.loss, moved, problems.targets, limit)
        z = moved.sub_(u)
    state.gap = _gap(space, problems, weights, values, -rho * u)
    state.weights = weights
    step = _step(space, values, z, before, u, state.rho)
    state.rho = state.rho * step
    state.split, state.scaled = z, u / step[..., None]


def multipliers(state: State) -> Tensor:
    """The dual variables (groups, problems, rows), whose combination of rows tends to w."""
    return -state.rho[..., None] * state.scaled


def _shrinkage(loss: Loss, values: Tensor, targets: Tensor, limit: Tensor) -> Tensor:
    """v - argmin over z of L(t, z) + |z - v|^2 / (2 limit)."""
    if loss == "absolute":
        return (values - targets).maximum(-limit).minimum(limit)
    margin = (1.0 - targets * values).clamp_(min=0)
    if loss == "hinge":
        return margin.minimum(limit).mul_(targets).neg_()
    return margin.mul_(2.0 * limit / (1.0 + 2.0 * limit)).mul_(targets).neg_()


def _gap(space: Space, problems: Problems, weights: Tensor, values: Tensor, dual: Tensor) -> Tensor:
    """Primal minus dual objective over the primal one."""
    # Padding and held-out rows are masked in the losses; their multipliers are zero by the limit.
    targets, mask = problems.targets, problems.mask
    if problems.loss == "absolute":
        losses = (values - targets).abs() * mask
    else:
        losses = (1.0 - targets * values).clamp(min=0) * mask
        if problems.loss == "squared_hinge":
            losses = losses.square()
    primal = 0.5 * space.weights_norm(weights, values) + problems.cost * losses.sum(-1)
    lower = (targets * dual).sum(-1) - 0.5 * space.rows_norm(dual)
    if problems.loss == "squared_hinge":
        lower = lower - dual.square().sum(-1) / (4.0 * problems.cost)
    return ((primal - lower) / primal.clamp(min=1e-30)).clamp(min=0)


def _step(
    space: Space, values: Tensor, z: Tensor, before: Tensor, u: Tensor, rho: Tensor
) -> Tensor:
    """Factor for rho that evens out the two residuals (Boyd et al., section 3.4.1)."""
    tiny = 1e-12
    primal = (values - z).square().sum(-1) / values.square().sum(-1).clamp(min=tiny)
    dual = space.rows_norm(z - before) / space.rows_norm(u).clamp(min=tiny)
    # Squares of the residuals: the fourth root is the square root of their ratio.
    step = (primal.clamp(min=tiny) / dual.clamp(min=tiny)).pow(0.25)
    # An unbounded factor, far from the solution, would swing rho up and down.
    step = step.clamp(1.0 / BALANCE_WITHIN, BALANCE_WITHIN)
    return step.where((step > 1.5) | (step < 1 / 1.5), 1.0)


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

        # Of a symmetric matrix in float64: squaring the data has already halved the digits.
        values, axes = torch.linalg.eigh(scatter)
        self.values: Tensor = values.clamp(min=0).to(rows)
        self.axes: Tensor = axes.to(rows)


class PrimalRidge:
    """One group with more rows than dimensions: the ridge step is solved in the weights."""

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


class RotatedPrimalRidge(PrimalRidge):
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


class DualRidge:
    """Groups of fewer rows than dimensions: the ridge step is solved in the rows' multipliers.
    Groups of unequal size are padded with zero rows."""

    def __init__(self, rows: Tensor) -> None:
        """Args: rows X (groups, n, d + 1)."""
        import torch

        self._rows = rows
        wide = rows.double()
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
    total = rows[:0].double().new_zeros((width, width))
    for start in range(0, len(rows), SCATTER_ROWS):
        block = rows[start : start + SCATTER_ROWS].double()
        total += block.mT @ block
    return total.to(rows.device)


def with_constant(vectors: Tensor) -> Tensor:
    """Appends the constant feature of the regularised intercept: (..., d) -> (..., d + 1)."""
    import torch

    return torch.cat([vectors, vectors.new_ones((*vectors.shape[:-1], 1))], dim=-1)
