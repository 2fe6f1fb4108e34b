"""Made vectors of the kinds that embeddings come in."""

from __future__ import annotations

import numpy as np

KINDS = ("isotropic", "specter", "power")


def vectors(kind: str, rows: int, d: int, seed: int = 0) -> np.ndarray:
    """Float32 vectors; the last tenth of the rows repeats the first.

    ``specter`` has norm 18 and mean cosine 0.9; ``power`` a spectrum that falls with the root.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, d))
    if kind == "specter":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        mean = rng.normal(size=d)
        x = 18 * (np.sqrt(0.9) * mean / np.linalg.norm(mean) + np.sqrt(0.1) * x)
    elif kind == "power":
        x *= np.arange(1, d + 1) ** -0.5
        x *= 15 / np.linalg.norm(x, axis=1).mean()
    x[rows - rows // 10 :] = x[0]
    return x.astype(np.float32)
