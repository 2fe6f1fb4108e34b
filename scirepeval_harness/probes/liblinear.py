"""Dual coordinate descent as liblinear does it, to the last decision, over dense rows.

The algorithms, and the library whose order of steps, draws and stopping rules is followed:

    C. Hsieh et al., "A dual coordinate descent method for large-scale linear SVM", ICML 2008;
    C. Ho, C. Lin, "Large-scale linear support vector regression", JMLR 13, 2012;
    LIBLINEAR, copyright (c) The LIBLINEAR Project, BSD 3-Clause licence, in the form that
    scikit-learn (BSD 3-Clause as well) carries and gave its own random numbers.

scikit-learn's LinearSVC and LinearSVR stop at an iteration limit, often far from the minimum, so
their answer is that of their steps. The steps are repeated here: the same random order of the rows
(Mersenne twister mt19937, Lemire's bounded draw), the same shrinking, the same stopping rule. What
differs is the order in which the products of a sum are added, so weights agree to about 1e-13.

A problem's *point* is what the steps move: the weights with the intercept last (d + 1,); or, where
rows are few, the decision values of all rows (n,), which one line of their inner products moves,
and which cost nothing to look up. ``table`` is then that matrix of inner products, intercept and
all. The *way* says which.

Repeated rows bring slopes that are zero but for rounding, and whether such a slope is above or
below zero decides what is shrunk. A solver that meets a decision within :data:`CLOSE` gives up, and
the problem is solved again in the way STRICT: number by number in liblinear's own order, which
gives its bits, at its speed.

C enters a descent only as the bound of its multipliers (but for the squared hinge). Until one of
them meets the bound of the smaller C, descents of two values of C are one and the same, to the last
bit: :mod:`descent` makes them once.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes.compiled import add, add_and_dot, compiled, dot

Floats = NDArray[np.floating[Any]]
Wide = NDArray[np.float64]
Index = NDArray[np.int64]

WORDS = 624
"""Numbers in the state of a Mersenne twister; behind them stands how many are used up."""
DENSE, FEW, STRICT = 0, 1, 2
UNDECIDED, MET = -1, -2
"""Returned in place of a number of passes."""
CLOSE = 1e-9
"""Differences that rounding might turn around, in units of the targets."""
NEGLIGIBLE = 1e-12
"""Steps that liblinear does not take."""


class Descent(NamedTuple):
    """Where a descent is at the beginning of a pass; the solvers move it in place.

    Attributes:
        point: see the module; zero at first and the answer at last.
        multipliers: one for each training row (l,), zero at first.
        order: the training rows as they were shuffled last, those that are shrunk at the end (l,).
        random: the generator's state.
        counts: passes made, rows that are not shrunk, and the row whose decision value is known, or
            -1 (3,).
        bounds: two that the last pass set for this one's shrinking and stopping, and that value
            (3,).
    """

    point: Wide
    multipliers: Wide
    order: Index
    random: Index
    counts: Index
    bounds: Wide

    def copy(self) -> Descent:
        """One that moves on its own."""
        return Descent(
            self.point.copy(), self.multipliers.copy(), self.order.copy(), self.random.copy(),
            self.counts.copy(), self.bounds.copy(),
        )  # fmt: skip


@compiled
def _copy(numbers: NDArray[Any], into: NDArray[Any]) -> None:
    for k in range(len(numbers)):
        into[k] = numbers[k]


@compiled
def keep(descent: Descent, kept: Descent) -> None:
    """Copies a descent into another."""
    _copy(descent.point, kept.point)
    _copy(descent.multipliers, kept.multipliers)
    _copy(descent.bounds, kept.bounds)
    _copy(descent.order, kept.order)
    _copy(descent.random, kept.random)
    _copy(descent.counts, kept.counts)


def random_state(seed: int) -> Index:
    """Where liblinear's random numbers start when scikit-learn has ``random_state=seed``.

    scikit-learn draws the generator's seed from numpy's; numpy and C++ seed a twister alike.
    """
    return _first_state(seed).copy()


@cache
def _first_state(seed: int) -> Index:
    # To seed a twister twice takes as long as a whole fit of few rows.
    drawn = np.random.RandomState(seed).randint(np.iinfo(np.int32).max)
    state = np.empty(WORDS + 1, dtype=np.int64)
    words: Any = np.random.RandomState(drawn).get_state(legacy=True)
    state[:WORDS] = words[1]
    state[WORDS] = WORDS
    return state


@compiled
def draw(state: Index) -> int:
    """The next 32 random bits of mt19937."""
    used = state[WORDS]
    if used == WORDS:
        for k in range(WORDS):
            bits = (state[k] & 0x80000000) | (state[(k + 1) % WORDS] & 0x7FFFFFFF)
            mixed = state[(k + 397) % WORDS] ^ (bits >> 1)
            state[k] = mixed ^ 0x9908B0DF if bits & 1 else mixed
        used = 0
    state[WORDS] = used + 1
    bits = state[used]
    bits ^= bits >> 11
    bits ^= (bits << 7) & 0x9D2C5680
    bits ^= (bits << 15) & 0xEFC60000
    result: int = bits ^ (bits >> 18)
    return result


@compiled
def draw_below(state: Index, limit: int) -> int:
    """A number below ``limit`` < 2^31 without bias, by Lemire's multiplication."""
    product = draw(state) * limit
    if product & 0xFFFFFFFF < limit:
        least = (0x100000000 - limit) % limit
        while product & 0xFFFFFFFF < least:
            product = draw(state) * limit
    return product >> 32


@compiled
def shuffle(order: Index, count: int, state: Index) -> None:
    """Shuffles the first ``count`` places."""
    for k in range(count):
        other = k + draw_below(state, count - k)
        order[k], order[other] = order[other], order[k]


@compiled
def strict_size(table: Any, row: int, start: float) -> Any:
    """|x|^2 with the 1 of the intercept, on top of a start, in liblinear's order."""
    total = start
    for k in range(table.shape[1]):
        number = np.float64(table[row, k])
        total += number * number
    return total + 1.0


@compiled
def decision(table: Any, way: int, point: Any, row: int, start: float) -> Any:
    """Decision value of a row of the table, on top of a start."""
    if way == FEW:
        return point[row] + start
    width = table.shape[1]
    if way == DENSE:
        return dot(point, table, row) + point[width] + start
    total = start
    for k in range(width):
        total += point[k] * table[row, k]
    return total + point[width]


@compiled
def move(table: Any, way: int, point: Any, row: int, step: float, coming: int) -> Any:
    """Moves the weights along a row.

    Returns:
        The decision value of the row that comes next; 0 if there is none (-1).
    """
    if way == FEW:
        add(point, step, table, row)
        return point[coming] if coming >= 0 else 0.0
    width = table.shape[1]
    point[width] += step
    if way == STRICT:
        for k in range(width):
            point[k] += step * table[row, k]
        return 0.0
    if coming < 0:
        add(point, step, table, row)
        return 0.0
    return add_and_dot(point, step, table, row, coming) + point[width]


@compiled
def absolute_error(
    table: Floats,
    way: int,
    sizes: Wide,
    rows: Index,
    targets: Wide,
    cost: float,
    least: float,
    tolerance: float,
    limit: int,
    descent: Descent,
    kept: Descent,
) -> int:
    """Regression with the loss C |x w - t| (LinearSVR with epsilon = 0).

    Args:
        table, way: see the module.
        sizes: |x|^2, with the 1 of the intercept and the softness, for each row of the table.
        rows: places of the training rows in the table (l,), in scikit-learn's order.
        targets: t for each training row (l,).
        cost: C.
        least: a smaller C, or infinity.
        tolerance: stops when the violations sum to so much of what they summed to at first.
        limit: stops after so many passes.
        descent: moves on.
        kept: room for a copy of it, where there is a smaller C.

    Returns:
        Passes made; ``limit`` if the tolerance was missed; UNDECIDED where rounding decides; MET
        where a multiplier has met the smaller C, the descent being where that pass began.
    """
    point, multipliers, order, random, counts, bounds = descent
    count = len(rows)
    # The row that comes next, and its decision value since the last step.
    done, left, coming = counts
    largest_before, first_sum, ahead = bounds
    close = 0.0
    for target in targets:
        close = max(close, CLOSE * abs(target))
    while done < limit:
        if least < np.inf:
            keep(descent, kept)
        shuffle(order, left, random)
        largest = 0.0
        total = 0.0
        place = 0
        while place < left:
            item = order[place]
            row = rows[item]
            if row == coming:
                slope = ahead - targets[item]
            else:
                slope = decision(table, way, point, row, -targets[item])
            old = multipliers[item]
            violation = abs(slope)
            shrunk = False
            if (old >= cost and slope <= 0) or (old <= -cost and slope >= 0):
                violation = 0.0
                shrunk = abs(slope) > largest_before
                if way != STRICT and abs(abs(slope) - largest_before) < close:
                    return UNDECIDED
            if shrunk:
                # It is looked at again when the others are solved.
                left -= 1
                order[place], order[left] = order[left], order[place]
                continue
            place += 1
            largest = max(largest, violation)
            total += violation
            step = -old if slope == sizes[row] * old else -slope / sizes[row]
            if abs(step) < NEGLIGIBLE:
                continue
            new = min(max(old + step, -cost), cost)
            if abs(new) >= least:
                keep(kept, descent)
                return MET
            if new != old:
                multipliers[item] = new
                coming = rows[order[place]] if place < left and way != STRICT else -1
                ahead = move(table, way, point, row, new - old, coming)
        if done == 0:
            first_sum = total
        done += 1
        if way != STRICT and abs(total - tolerance * first_sum) < close * tolerance:
            return UNDECIDED
        if total <= tolerance * first_sum:
            if left == count:
                break
            left = count
            largest_before = np.inf
        else:
            largest_before = largest
        counts[0], counts[1], counts[2] = done, left, coming
        bounds[0], bounds[1], bounds[2] = largest_before, first_sum, ahead
    return int(done)


@compiled
def hinge(
    table: Floats,
    way: int,
    sizes: Wide,
    rows: Index,
    signs: Wide,
    softness: float,
    bound: float,
    least: float,
    tolerance: float,
    limit: int,
    descent: Descent,
    kept: Descent,
) -> int:
    """Classification with the hinge loss (softness 0, bound C) or its square (1 / 2C, infinity).

    Args:
        signs: 1 or -1 for each training row (l,).
        least: as in :func:`absolute_error`; infinity for the squared hinge, where every step hangs
            on C.
        tolerance: stops when the projected slopes of a pass lie so close together.
        others: as in :func:`absolute_error`.

    Returns:
        As :func:`absolute_error`.
    """
    point, multipliers, order, random, counts, bounds = descent
    count = len(rows)
    done, left, coming = counts
    top_before, bottom_before, ahead = bounds
    while done < limit:
        if least < np.inf:
            keep(descent, kept)
        shuffle(order, left, random)
        top, bottom = -np.inf, np.inf
        doubtful = zero = False
        place = 0
        while place < left:
            item = order[place]
            row = rows[item]
            value = ahead if row == coming else decision(table, way, point, row, 0.0)
            old = multipliers[item]
            slope = value * signs[item] - 1.0 + old * softness
            projected = slope
            shrunk = False
            if old == 0.0:
                projected = min(slope, 0.0)
                shrunk = slope > top_before
                doubtful |= abs(slope - top_before) < CLOSE
            elif old == bound:
                projected = max(slope, 0.0)
                shrunk = slope < bottom_before
                doubtful |= abs(slope - bottom_before) < CLOSE
            if doubtful and way != STRICT:
                return UNDECIDED
            if shrunk:
                left -= 1
                order[place], order[left] = order[left], order[place]
                continue
            place += 1
            top, bottom = max(top, projected), min(bottom, projected)
            zero |= abs(slope) < CLOSE
            if abs(projected) > NEGLIGIBLE:
                new = min(max(old - slope / sizes[row], 0.0), bound)
                if new >= least:
                    keep(kept, descent)
                    return MET
                multipliers[item] = new
                coming = rows[order[place]] if place < left and way != STRICT else -1
                ahead = move(table, way, point, row, (new - old) * signs[item], coming)
        done += 1
        if way != STRICT:
            # A slope of zero may have either sign, which counts where no other is larger.
            doubtful |= zero and (top < CLOSE or bottom > -CLOSE)
            doubtful |= abs(top - bottom - tolerance) < CLOSE * tolerance
            if doubtful:
                return UNDECIDED
        if top - bottom <= tolerance:
            if left == count:
                break
            left = count
            top_before, bottom_before = np.inf, -np.inf
        else:
            # A slope of the wrong sign says nothing of how far the others may be.
            top_before = top if top > 0 else np.inf
            bottom_before = bottom if bottom < 0 else -np.inf
        counts[0], counts[1], counts[2] = done, left, coming
        bounds[0], bounds[1], bounds[2] = top_before, bottom_before, ahead
    return int(done)
