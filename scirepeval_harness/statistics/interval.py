"""The interval of bootstrap draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def interval(draws: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of ``level`` around the draws' median."""
    import numpy as np

    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return float(low), float(high)
