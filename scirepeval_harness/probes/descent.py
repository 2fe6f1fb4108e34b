"""Dual coordinate descent for several values of C at once, as long as they go one way.

C bounds the multipliers of a descent and enters it nowhere else (but for the squared hinge). As
long as no multiplier has met the bound of a smaller C, the descents of all C are the same to the
last bit, and one stands for all. Where one is met, the smaller C goes its own way from the
beginning of that pass. Vectors of language models are so long, and rows so few, that large values
of C often never part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes.liblinear import (
    DENSE,
    FEW,
    MET,
    STRICT,
    UNDECIDED,
    Descent,
    strict_size,
)

Floats = NDArray[np.floating[Any]]
Wide = NDArray[np.float64]
Index = NDArray[np.int64]

NOTHING: Wide = np.empty(0)
Solver = Callable[[Floats, int, Wide, float, float, Descent, Descent], int]
"""One of :mod:`liblinear`'s: (table, way, sizes, C, a smaller C, descent, room) -> passes."""


@dataclass(frozen=True)
class TrainingVectors:
    """Training vectors of a sample, shared by all fits.

    Attributes:
        x: vectors (n, d) in float32 or float64.
        sizes: |x|^2 with the 1 of the intercept (n,).
        table: what the dual's solvers go by: x, or inner products (n, n) where they are few.
        few: which of the two.
    """

    x: Floats
    sizes: Wide
    table: Floats
    few: bool

    @staticmethod
    def of(x: Floats) -> TrainingVectors:
        """Inner products move a decision value in n steps, weights in 2 d."""
        kind = np.float32 if x.dtype == np.float32 else np.float64
        x = np.ascontiguousarray(x, dtype=kind)
        few = len(x) <= x.shape[1]
        if few:
            wide = x.astype(np.float64)
            table = wide @ wide.T + 1.0
            return TrainingVectors(x, np.ascontiguousarray(table.diagonal()), table, True)
        sizes = np.einsum("ij,ij->i", x, x, dtype=np.float64) + 1.0
        return TrainingVectors(x, sizes, x, False)


@dataclass(frozen=True)
class Answer:
    """Where a descent ended.

    Attributes:
        weights: the intercept last (d + 1,); nothing (0,) where rows were few and held out.
        held_out: decision values of the held-out rows (k,).
        passes: how many were made.
        random: the generator's state behind them.
    """

    weights: Wide
    held_out: Wide
    passes: int
    random: Index


@dataclass(frozen=True)
class Problem:
    """A fit of the dual, but for C.

    Attributes:
        rows: places of the training rows (l,), in scikit-learn's order.
        held_out: places of other rows whose decision values are wanted (k,); where there are none,
            it is the weights that are.
        random: the generator's state at first.
        solver: called with what else it needs.
        softness, signs: as in :func:`~.liblinear.hinge`; a softness that is not zero is that of one
            C alone.
    """

    data: TrainingVectors
    rows: Index
    held_out: Index
    random: Index
    solver: Solver
    softness: float = 0.0
    signs: Wide | None = None

    def begin(self, costs: Sequence[float]) -> Branch:
        """Nothing done yet, for values of C."""
        way = FEW if self.data.few else DENSE
        return self._at_zero(tuple(sorted(costs)), way, self.data.sizes + self.softness)

    def again(self, costs: tuple[float, ...]) -> Branch:
        """As :meth:`begin`, in liblinear's own order."""
        sizes = self.data.sizes.copy()
        for row in self.rows:
            sizes[row] = strict_size(self.data.x, row, self.softness)
        return self._at_zero(costs, STRICT, sizes)

    def _at_zero(self, costs: tuple[float, ...], way: int, sizes: Wide) -> Branch:
        count, (total, width) = len(self.rows), self.data.x.shape
        start = Descent(
            point=np.zeros(total if way == FEW else width + 1),
            multipliers=np.zeros(count),
            order=np.arange(count),
            random=self.random.copy(),
            counts=np.array([0, count, -1]),
            bounds=np.array([np.inf, -np.inf, 0.0]),
        )
        return Branch(self, costs, way, sizes, start)

    def answer(self, branch: Branch, passes: int) -> Answer:
        """What the end of a branch says."""
        point, x = branch.at.point, self.data.x
        weights, found = point, NOTHING
        if branch.way == FEW and len(self.held_out):
            weights, found = NOTHING, point[self.held_out]
        elif branch.way == FEW:
            factors = branch.at.multipliers * (1.0 if self.signs is None else self.signs)
            weights = np.append(factors @ x[self.rows], factors.sum())
        elif len(self.held_out):
            found = x[self.held_out] @ point[:-1] + point[-1]
        return Answer(weights, found, passes, branch.at.random)


@dataclass(frozen=True)
class Branch:
    """A descent that stands for several values of C, at the beginning of a pass.

    Attributes:
        costs: the values of C, rising.
        way: see :mod:`liblinear`.
        sizes: |x|^2, with the 1 of the intercept and the softness (n,).
        at: where it is; moves on.
    """

    problem: Problem
    costs: tuple[float, ...]
    way: int
    sizes: Wide
    at: Descent

    def finish(self, part: Callable[[Branch], object]) -> list[tuple[float, Answer]]:
        """Goes on to the end, once.

        Args:
            part: given a branch for each C that goes its own way, which it may finish elsewhere.

        Returns:
            The answer for each C that did not, the same for all.
        """
        costs, data = self.costs, self.problem.data
        table = data.x if self.way == STRICT else data.table
        kept = self.at.copy() if len(costs) > 1 else self.at
        while True:
            least = costs[0] if len(costs) > 1 else np.inf
            passes = self.problem.solver(
                table, self.way, self.sizes, costs[-1], least, self.at, kept
            )
            if passes != MET:
                break
            part(replace(self, costs=costs[:1], at=self.at.copy()))
            costs = costs[1:]
        if passes == UNDECIDED:
            return self.problem.again(costs).finish(part)
        answer = self.problem.answer(self, passes)
        return [(cost, answer) for cost in costs]
