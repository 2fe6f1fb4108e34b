"""Sums over many vectors in one order, number by number, for several problems at a time.

The bits of a sum hang on the order of its parts. A sum over the dimensions of a vector can then not
be split among the lanes of a processor, but the sums of many vectors can run side by side, which
takes the vectors turned, a line for each dimension: in *panels* of some hundred vectors, whose
lines stay in the cache while every problem goes over them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes.compiled import compiled

Floats = NDArray[np.floating[Any]]
Wide = NDArray[np.float64]
Index = NDArray[np.int64]

PANEL = 480
"""Rows whose sums run together, and whose vectors lie together, at most: the sums stay in the first
level of cache. Lines that are a power of two apart would push each other out of it."""
STRIDE = 32
"""Numbers that the processor takes at a time; what is left over it takes one by one."""


@compiled
def _add_four(
    total: Wide, a: float, p: Floats, b: float, q: Floats, c: float, r: Floats, d: float, s: Floats
) -> None:
    """Adds multiples of four lines, in this order."""
    # One by one, the processor would spend its time on fetching and storing the total.
    for k in range(len(total)):
        total[k] = (((total[k] + a * p[k]) + b * q[k]) + c * r[k]) + d * s[k]


@compiled
def _add_four_twice(
    total: Wide, a: float, b: float, c: float, d: float,
    other: Wide, e: float, f: float, g: float, h: float,
    p: Floats, q: Floats, r: Floats, s: Floats,
) -> None:  # fmt: skip
    """As :func:`_add_four`, for two totals of the same lines, which are widened once."""
    for k in range(len(total)):
        first, second = np.float64(p[k]), np.float64(q[k])
        third, fourth = np.float64(r[k]), np.float64(s[k])
        total[k] = (((total[k] + a * first) + b * second) + c * third) + d * fourth
        other[k] = (((other[k] + e * first) + f * second) + g * third) + h * fourth


@compiled
def _add_to_each(
    totals: Wide, factors: Wide, at: int, which: Index, p: Floats, q: Floats, r: Floats, s: Floats
) -> None:
    """Adds multiples of four lines to some totals (k, m), by the factors from a place on."""
    paired = len(which) - len(which) % 2
    for number in range(0, paired, 2):
        i, j = which[number], which[number + 1]
        _add_four_twice(
            totals[i], factors[i, at], factors[i, at + 1], factors[i, at + 2], factors[i, at + 3],
            totals[j], factors[j, at], factors[j, at + 1], factors[j, at + 2], factors[j, at + 3],
            p, q, r, s,
        )  # fmt: skip
    for i in which[paired:]:
        _add_four(
            totals[i], factors[i, at], p, factors[i, at + 1], q, factors[i, at + 2], r,
            factors[i, at + 3], s,
        )  # fmt: skip


@compiled
def decision_values(panels: Floats, weights: Wide, which: Index, out: Wide) -> None:
    """Decision values of vectors in panels (:class:`Panels`), each sum in the order of the
    dimensions: for some lines of weights (k, d + 1), into the same lines of values (k, l).
    """
    width, most = panels.shape[1:]
    whole = width - width % 4
    sums = np.empty((len(weights), most))
    for number in range(len(panels)):
        lines = panels[number]
        for p in which:
            sums[p] = 0.0
        alone, only = sums[which[0]], weights[which[0]]
        for j in range(0, whole, 4):
            if len(which) > 1:
                _add_to_each(
                    sums, weights, j, which, lines[j], lines[j + 1], lines[j + 2], lines[j + 3]
                )
                continue
            # Of few rows, to find the one problem again would take longer than its sums.
            _add_four(
                alone, only[j], lines[j], only[j + 1], lines[j + 1], only[j + 2], lines[j + 2],
                only[j + 3], lines[j + 3],
            )  # fmt: skip
        for p in which:
            for j in range(whole, width):
                for k in range(most):
                    sums[p, k] += weights[p, j] * lines[j, k]
            low = number * most
            for k in range(min(most, out.shape[1] - low)):
                out[p, low + k] = sums[p, k] + weights[p, width]


@compiled
def combinations(
    x: Floats, rows: Index, factors: Wide, starts: Wide, which: Index, out: Wide
) -> None:
    """start + 2 sum factor x, row after row: for some lines of factors (k, l) and starts
    (k, d + 1), into the same lines of sums (k, d + 1)."""
    width = x.shape[1]
    whole = len(rows) - len(rows) % 4
    sums = np.zeros((len(out), width))
    for i in range(0, whole, 4):
        _add_to_each(
            sums, factors, i, which, x[rows[i]], x[rows[i + 1]], x[rows[i + 2]], x[rows[i + 3]]
        )
    for p in which:
        for i in range(whole, len(rows)):
            for k in range(width):
                sums[p, k] += factors[p, i] * x[rows[i], k]
        total = 0.0
        for i in range(len(rows)):
            total += factors[p, i]
        for k in range(width):
            out[p, k] = starts[p, k] + 2.0 * sums[p, k]
        out[p, width] = starts[p, width] + 2.0 * total


@compiled
def _set_eight(
    lines: Floats, at: int,
    a: Floats, b: Floats, c: Floats, d: Floats, e: Floats, f: Floats, g: Floats, h: Floats,
) -> None:  # fmt: skip
    for j in range(len(a)):
        line = lines[j]
        line[at], line[at + 1], line[at + 2], line[at + 3] = a[j], b[j], c[j], d[j]
        line[at + 4], line[at + 5], line[at + 6], line[at + 7] = e[j], f[j], g[j], h[j]


@compiled
def _turn(x: Floats, rows: Index, out: Floats) -> None:
    """Fills panels with some vectors."""
    most = out.shape[2]
    for number in range(len(out)):
        lines = out[number]
        own = rows[number * most : (number + 1) * most]
        whole = len(own) - len(own) % 8
        for k in range(0, whole, 8):
            # One by one, the lines of the panel would not stay in the cache.
            _set_eight(
                lines, k, x[own[k]], x[own[k + 1]], x[own[k + 2]], x[own[k + 3]], x[own[k + 4]],
                x[own[k + 5]], x[own[k + 6]], x[own[k + 7]],
            )  # fmt: skip
        for k in range(whole, len(own)):
            for j in range(x.shape[1]):
                lines[j, k] = x[own[k], j]
        for j in range(x.shape[1]):
            for k in range(len(own), most):
                lines[j, k] = 0.0


class Panels:
    """Room for vectors in panels, used again and again: fresh memory takes longer than the copy."""

    def __init__(self, x: Floats) -> None:
        self._x, self._room = x, np.empty(0, dtype=x.dtype)

    def of(self, rows: Index) -> Floats:
        """Vectors at some places (l,) as equal panels (l / m, d, m), a line for each dimension,
        with zeros behind the last row. What was handed out before is overwritten."""
        number = max(1, -(-len(rows) // PANEL))
        most = -(-len(rows) // number)
        shape = number, self._x.shape[1], most + -most % STRIDE
        size = int(np.prod(shape))
        if self._room.size < size:
            self._room = np.empty(size, dtype=self._x.dtype)
        panels = self._room[:size].reshape(shape)
        _turn(self._x, rows, panels)
        return panels
