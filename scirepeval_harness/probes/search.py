"""The grid search over C with all folds, classes and values of C at work together.

Rounds of iterations alternate with scores on the held-out rows. A C whose score is out of reach of
the best is given up, and the search ends when one is left; the others go on until their duality
gap is small. Values of C that fit worst take longest to solve, so this is where most time is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.probes import solver

if TYPE_CHECKING:
    from torch import Tensor


Floats = NDArray[np.float64]
Score = Callable[[int, Floats], NDArray[Any]]
"""(fold, decision values of the rows that any group holds out (classes, C, rows)) -> scores
(groups, C)."""

ROUND = 10
SEARCH_ROUNDS = 36
SEARCH_GAP = 1e-3
FEW_ROUNDS = 150
FEW_GAP = 1e-5
"""Of problems small enough for float64: they cost little, and one row of few can decide."""
REFIT_ROUNDS = 150
REFIT_GAP = 1e-5
SOLVED_GAP = 1e-4
"""A refit with a larger gap counts as unconverged."""
CHANGES = 2.0
ERRORS = 2.0
"""Out of reach is worse by more than so many changes in the last round and standard errors."""


@dataclass(frozen=True)
class Choice:
    """The grid's answer.

    Attributes:
        chosen: index into the grid (groups,).
        unconverged: fits that stayed in the race and missed their gap (groups,).
        solved: whether the chosen C won alone, or its fits met the gap (groups,).
        warm: split values and multipliers (classes, rows) at the chosen C.
    """

    chosen: NDArray[np.int64]
    unconverged: NDArray[np.int64]
    solved: NDArray[np.bool_]
    warm: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class _Fold:
    part: FoldProblem
    state: solver.State
    held_out: Tensor
    decisions: Tensor


def search(
    training: Training,
    grid: Sequence[float],
    held_out: Sequence[NDArray[np.bool_]],
    usable: NDArray[np.bool_],
    score: Score,
    error: Callable[[Floats], Floats],
) -> Choice:
    """Chooses C by the mean score over the folds; ties go to the smallest.

    Args:
        held_out: rows that each fold leaves out (groups, n). A group is what shares one C and its
            folds: all classes, or each class is its own.
        usable: groups whose folds can all be fitted (groups,). Where a fold cannot, the mean is
            undefined for every C and the smallest is taken, as in scikit-learn.
        score: what a fold scores.
        error: standard error of a mean score of this size.
    """
    import torch

    like = training.rows
    # on_device has chosen the precision by size; what is float64 is small.
    few = like.dtype == torch.float64
    rounds, gap = (FEW_ROUNDS, FEW_GAP) if few else (SEARCH_ROUNDS, SEARCH_GAP)
    classes, values, groups = len(training.targets), len(grid), len(usable)
    # Labels go class by class, and within a class C by C.
    cost = torch.tensor(grid, dtype=like.dtype).to(like).repeat(classes)
    labels = torch.arange(classes, device=like.device).repeat_interleave(values)
    folds: list[_Fold] = []
    for rows in held_out:
        part = training.without(torch.from_numpy(rows).to(like.device))
        out = torch.from_numpy(np.flatnonzero(rows.any(0))).to(like.device)
        blank = like.new_zeros((classes * values, len(out)))
        folds.append(_Fold(part, part.start(labels, cost), out, blank))
    # A group with a fold that cannot be fitted never races: its answer is the smallest C.
    alive = np.repeat(usable[:, None], values, axis=1)
    means = np.full((groups, values), np.nan)
    for _ in range(rounds):
        # One left alive has won, and its groups cost no more iterations.
        racing = alive & (alive.sum(1, keepdims=True) > 1)
        wanted = np.broadcast_to(racing[:, None], (groups, classes // groups, values)).ravel()
        wide = torch.from_numpy(wanted.copy()).to(like.device)
        moved = False
        for fold in folds:
            open_ = (wide & (fold.state.gap[0] > gap)).nonzero()[:, 0]
            if len(open_):
                weights = fold.part.advance(fold.state, labels, cost, open_, ROUND)
                fold.decisions[open_] = weights @ training.rows[fold.held_out].mT
                moved = True
        if not moved:
            break
        marks = [
            score(k, fold.decisions.reshape(classes, values, -1).double().cpu().numpy())
            for k, fold in enumerate(folds)
        ]
        last, means = means, np.mean(marks, axis=0)
        alive &= ~_out_of_reach(np.where(alive, means, -np.inf), means - last, error)
    marks_left = np.where(alive, means, -np.inf)
    # Without any usable score, argmax of equal marks is the first.
    chosen = marks_left.argmax(1).astype(np.int64)
    missed = np.zeros((groups, values), dtype=np.int64)
    for fold in folds:
        left = fold.state.gap[0].reshape(groups, -1, values).amax(1).cpu().numpy()
        missed += np.isfinite(left) & (left > gap)
    contested = alive.sum(1) > 1
    unconverged = np.where(contested, (missed * alive).sum(1), 0)
    # A C that is left alone in the race has won before it is solved.
    solved = ~contested | (missed[np.arange(groups), chosen] == 0)
    return Choice(chosen, unconverged, solved, _warm(training, folds, chosen, values))


def refit(
    training: Training, cost: Tensor, warm: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, NDArray[np.float64]]:
    """Solves one problem a class (classes,) on all rows: weights (classes, d + 1) and gaps."""
    import torch

    part = training.whole()
    labels = torch.arange(len(cost), device=cost.device)
    state = part.start(labels, cost)
    if warm is not None:
        state.split, state.scaled = warm[0][None], -(warm[1] / state.rho[0][:, None])[None]
    weights = training.rows.new_zeros((len(cost), training.rows.shape[1]))
    for _ in range(REFIT_ROUNDS):
        open_ = (state.gap[0] > REFIT_GAP).nonzero()[:, 0]
        if not len(open_):
            break
        weights[open_] = part.advance(state, labels, cost, open_, ROUND)
    return weights, state.gap[0].double().cpu().numpy()


def _out_of_reach(
    means: Floats, changes: Floats, error: Callable[[Floats], Floats]
) -> NDArray[np.bool_]:
    """Values of C that cannot be expected to catch up with the best of their group."""
    best = means.argmax(1)[:, None]
    top = np.take_along_axis(means, best, axis=1)
    moved = np.abs(changes) + np.abs(np.take_along_axis(changes, best, axis=1))
    # In the first round the changes are NaN, and nothing compares as out of reach.
    out: NDArray[np.bool_] = means + CHANGES * moved + ERRORS * error(top) < top
    return out


def _warm(
    training: Training, folds: Sequence[_Fold], chosen: NDArray[np.int64], values: int
) -> tuple[Tensor, Tensor]:
    """Means over the folds in which a row is a training row."""
    import torch

    classes = len(training.targets)
    picked = np.arange(classes) * values + np.broadcast_to(
        np.repeat(chosen, classes // len(chosen)), (classes,)
    )
    columns = torch.from_numpy(picked).to(training.rows.device)
    split, dual = torch.zeros_like(training.targets), torch.zeros_like(training.targets)
    count = torch.zeros_like(training.targets[:1])
    for fold in folds:
        index = fold.part.index
        split[:, index] += fold.state.split[0][columns]
        dual[:, index] += solver.multipliers(fold.state)[0][columns]
        count[:, index] += 1
    return split / count, dual / count


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

    loss: solver.Loss
    rows: Tensor
    targets: Tensor
    scatter: Tensor | None

    @staticmethod
    def of(loss: solver.Loss, rows: Tensor, targets: Tensor) -> Training:
        """Sums X^T X if that is the smaller matrix."""
        return Training(loss, rows, targets, solver.scatter_of(rows) if _tall(rows) else None)

    def whole(self) -> FoldProblem:
        """All rows for all classes."""
        import torch

        every = torch.arange(len(self.rows), device=self.rows.device)
        return self._part(every, self.scatter, self.rows.new_ones((1, 1)))

    def without(self, held_out: Tensor) -> FoldProblem:
        """The training part of a fold.

        Args:
            held_out: rows that each class leaves out (classes, n), or all classes (1, n). Rows that
                only some of them leave out stay, and count for the others alone.
        """
        left_out = held_out.all(0)
        scatter = self.scatter
        if scatter is not None:
            scatter = scatter - solver.scatter_of(self.rows[left_out])
        index = (~left_out).nonzero()[:, 0]
        return self._part(index, scatter, (~held_out[:, index]).to(self.rows))

    def _part(self, index: Tensor, scatter: Tensor | None, mask: Tensor) -> FoldProblem:
        if scatter is None or len(index) <= self.rows.shape[1]:
            return FoldProblem(self, index, mask, solver.DualRidge(self.rows_at(index)[None]))
        axes = solver.Axes(scatter, self.rows)
        if len(index) <= TURNED_ROWS * self.rows.shape[1]:
            return FoldProblem(
                self, index, mask, solver.RotatedPrimalRidge(self.rows_at(index), axes)
            )
        # X itself is taken again when it is needed: three folds of it would triple the memory.
        return FoldProblem(self, index, mask, axes)

    def rows_at(self, index: Tensor) -> Tensor:
        """Rows at distinct places in rising order; no copy where they are all of them."""
        return self.rows if len(index) == len(self.rows) else self.rows[index]


@dataclass(frozen=True)
class FoldProblem:
    """Some rows of a training problem, and what is factored for them.

    Attributes:
        mask: 1 where a row counts for a class, (classes or 1, rows or 1).
    """

    training: Training
    index: Tensor
    mask: Tensor
    factored: solver.DualRidge | solver.RotatedPrimalRidge | solver.Axes

    def start(self, labels: Tensor, cost: Tensor) -> solver.State:
        """One column for each pair of a class index and a C (k,), (k,)."""
        import torch

        # Block by block: the squares of all rows would be as large as the rows.
        parts = torch.split(self.training.rows, solver.SCATTER_ROWS)
        size = torch.cat([part.square().sum(1) for part in parts]).mean()[None]
        return solver.start(self._problems(labels, cost), size)

    def advance(
        self, state: solver.State, labels: Tensor, cost: Tensor, open_: Tensor, iterations: int
    ) -> Tensor:
        """Advances some columns (k,) of the state, and gives their weights (columns, d + 1)."""
        import torch

        space: solver.Space
        if isinstance(self.factored, solver.Axes):
            space = solver.PrimalRidge(self.training.rows_at(self.index), self.factored)
        else:
            space = self.factored
        found = []
        for columns in torch.split(open_, max(1, BLOCK_NUMBERS // len(self.index))):
            few = solver.State(
                state.split[:, columns],
                state.scaled[:, columns],
                state.rho[:, columns],
                state.gap[:, columns],
            )
            solver.advance(space, self._problems(labels[columns], cost[columns]), few, iterations)
            state.split[:, columns], state.scaled[:, columns] = few.split, few.scaled
            state.rho[:, columns], state.gap[:, columns] = few.rho, few.gap
            assert few.weights is not None
            found.append(space.explicit(few.weights)[0])
        return torch.cat(found)

    def _problems(self, labels: Tensor, cost: Tensor) -> solver.Problems:
        targets = self.training.targets[labels][:, self.index][None]
        mask = self.mask if len(self.mask) == 1 else self.mask[labels]
        return solver.Problems(self.training.loss, targets, cost[None], mask[None])


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
            fix="pip install 'scirepeval-harness[models]', or leave --probe fast out",
        ) from error
    precision = np.float64 if vectors.size <= SMALL_NUMBERS else np.float32
    rows = torch.from_numpy(np.ascontiguousarray(vectors, dtype=precision))
    if device and _has_float64(device):
        rows = rows.to(device)
    return solver.with_constant(rows)


def torch_like(numbers: NDArray[np.floating[Any]], rows: Tensor) -> Tensor:
    """Numbers on the device and in the precision of the rows."""
    import torch

    return torch.from_numpy(numbers).to(rows)


def decisions_of(x_test: NDArray[np.floating[Any]], weights: Tensor) -> NDArray[np.float64]:
    """Decision values of test rows: (m, d), (classes, d + 1) -> (classes, m)."""
    plain = weights.double().cpu().numpy()
    table = np.asarray(x_test)
    out = np.empty((len(plain), len(table)), dtype=np.float64)
    for start in range(0, len(table), solver.SCATTER_ROWS):
        block = table[start : start + solver.SCATTER_ROWS]
        out[:, start : start + solver.SCATTER_ROWS] = plain[:, :-1] @ block.T + plain[:, -1:]
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
