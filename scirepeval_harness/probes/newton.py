"""Newton's method with a duality gap as its stopping rule, for many problems at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scirepeval_harness.probes.directions import Directions
from scirepeval_harness.probes.problem import Point, Problems, State
from scirepeval_harness.probes.spaces import Space

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-4
"""Duality gap, relative to the primal objective, at which a problem counts as solved."""
MAX_STEPS = 120
PENALTY_GROWTH = 4.0
FIRST_ZONE = 1.0
"""Width of the first smoothing zone, in units of the residuals' scale."""


def start(space: Space, problems: Problems, weights: Tensor, multipliers: Tensor) -> State:
    """A starting point; ``multipliers`` (clipped to the bounds here) guide the kinked losses."""
    import torch

    values = space.forward(weights)
    cost = problems.cost.unsqueeze(1)
    if problems.squared:
        return State(weights, values, torch.zeros_like(values), 2.0 * problems.cost)
    used = problems.high != problems.low
    count = used.sum(1).clamp(min=1)
    scale = ((problems.targets - values).abs() * used).sum(1) / count
    scale = scale.clamp(min=1e-6)
    anchor = multipliers.clamp(min=problems.low * cost, max=problems.high * cost)
    return State(weights, values, anchor, problems.cost / (FIRST_ZONE * scale))


def solve(
    space: Space,
    problems: Problems,
    state: State,
    *,
    tolerance: float = TOLERANCE,
    max_steps: int = MAX_STEPS,
    directions: Directions | None = None,
) -> Tensor:
    """Solves all problems in place in ``state``; ``state.anchor`` ends as the multipliers.

    Returns:
        The relative duality gap of each problem (groups, problems). It is a bound on the
        suboptimality that holds whatever the steps did; above ``tolerance`` means unsolved.
    """
    import torch

    directions = directions or Directions()
    device = state.weights.device
    groups = torch.arange(state.weights.shape[0], device=device)
    columns = torch.arange(state.weights.shape[2], device=device)
    gaps = torch.full_like(state.penalty, float("inf"))
    part, some, here = problems, state, space
    for step in range(max_steps + 1):
        point = look(here, part, some)
        gap = (point.quadratic + point.complement) / point.objective.clamp(min=1e-30)
        gaps[groups[:, None], columns[None, :]] = gap
        solved = gap <= tolerance
        if bool(solved.all()) or step == max_steps:
            _finish(state, groups, columns, some, point, part.squared, solved | True)
            break
        keep_groups, keep_columns = (~solved).any(1), (~solved).any(0)
        if _worth_dropping(keep_groups) or _worth_dropping(keep_columns):
            _finish(state, groups, columns, some, point, part.squared, solved)
            rows, cols = keep_groups.nonzero()[:, 0], keep_columns.nonzero()[:, 0]
            groups, columns = groups[rows], columns[cols]
            part, some = problems.take(groups, columns), state.take(groups, columns)
            here = space.select(groups)
            point = look(here, part, some)
            solved = solved[rows][:, cols]
        if not part.squared:
            outer = (point.quadratic <= 0.2 * point.complement) & ~solved
            if bool(outer.any()):
                some.anchor = torch.where(outer.unsqueeze(1), point.multipliers, some.anchor)
                some.penalty = torch.where(outer, some.penalty * PENALTY_GROWTH, some.penalty)
                point = look(here, part, some)
        direction, forward = directions.find(here, part, some, point, ~solved, columns)
        _move(here, part, some, point, direction, forward, ~solved)
        if step % 8 == 7:
            some.values = here.forward(some.weights)
    return gaps


def look(space: Space, problems: Problems, state: State) -> Point:
    """Evaluates the problems at the state."""
    cost = problems.cost.unsqueeze(1)
    low, high = problems.low * cost, problems.high * cost
    residual = problems.targets - state.values
    raw = state.anchor + state.penalty.unsqueeze(1) * residual
    multipliers = raw.clamp(min=low, max=high)
    free = (raw > low) & (raw < high)
    gradient = state.weights - space.adjoint(multipliers)
    forward_gradient = space.forward(gradient)
    quadratic = 0.5 * space.inner(gradient, gradient, forward_gradient)
    norm = 0.5 * space.inner(state.weights, state.weights, state.values)
    if problems.squared:
        loss = multipliers.square().sum(1) / (2.0 * state.penalty)
        complement = loss * 0.0
    else:
        support = (low * residual).maximum(high * residual)
        loss = support.sum(1)
        complement = (support - multipliers * residual).sum(1)
    return Point(
        residual,
        multipliers,
        free,
        gradient,
        forward_gradient,
        quadratic.clamp(min=0.0),
        complement.clamp(min=0.0),
        norm + loss,
    )


def _worth_dropping(keep: Tensor) -> bool:
    """Whether enough is solved to pay for copying the rest."""
    return int(keep.sum()) <= 0.8 * keep.numel()


def _finish(
    state: State,
    groups: Tensor,
    columns: Tensor,
    some: State,
    point: Point,
    squared: bool,
    ended: Tensor,
) -> None:
    """Writes back the problems at work; those that ended keep their multipliers."""
    import torch

    if not squared:
        some.anchor = torch.where(ended.unsqueeze(1), point.multipliers, some.anchor)
    if some is not state:
        state.put(groups, columns, some)


def _move(
    space: Space,
    problems: Problems,
    state: State,
    point: Point,
    direction: Tensor,
    forward: Tensor,
    active: Tensor,
) -> None:
    """Moves along the direction to (nearly) the minimum of the piecewise quadratic objective."""
    import torch

    cost = problems.cost.unsqueeze(1)
    low, high = problems.low * cost, problems.high * cost
    penalty = state.penalty.unsqueeze(1)
    raw = state.anchor + penalty * point.residual
    change = penalty * forward
    linear = space.inner(state.weights, direction, forward)
    bend = space.inner(direction, direction, forward)

    def slope(length: Tensor) -> Tensor:
        moved = (raw - length.unsqueeze(1) * change).clamp(min=low, max=high)
        return linear + length * bend - (moved * forward).sum(1)

    left = torch.zeros_like(linear)
    right = torch.ones_like(linear)
    slope_left, slope_right = slope(left), slope(right)
    goal = 0.1 * slope_left.abs()
    length = right.clone()
    open_ = active & (slope_right > 3.0 * goal)
    for _ in range(12):
        if not bool(open_.any()):
            break
        # Illinois: regula falsi that halves the stale end, on a monotone piecewise linear slope.
        guess = left - slope_left * (right - left) / (slope_right - slope_left).clamp(min=1e-30)
        value = slope(guess)
        length = torch.where(open_, guess, length)
        above = value > 0
        right = torch.where(open_ & above, guess, right)
        left = torch.where(open_ & ~above, guess, left)
        slope_left = torch.where(open_, torch.where(above, slope_left * 0.5, value), slope_left)
        slope_right = torch.where(open_, torch.where(above, value, slope_right * 0.5), slope_right)
        open_ = open_ & (value.abs() > goal)
    length = torch.where(active, length, torch.zeros_like(length)).unsqueeze(1)
    state.weights = state.weights + length * direction
    state.values = state.values + length * forward
