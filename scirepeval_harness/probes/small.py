"""Few-shot classifiers: many small samples of the training rows, solved together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes import admm
from scirepeval_harness.probes.search import REFIT_GAP, REFIT_ROUNDS, ROUND, SOLVED_GAP
from scirepeval_harness.probes.spaces import Rows
from scirepeval_harness.probes.training import decisions_of, on_device, torch_like
from scirepeval_harness.probes.types import DEFAULT_C, ProbeFit, check_classes, check_rows

if TYPE_CHECKING:
    from torch import Tensor

BATCH_NUMBERS = 2**25
"""Numbers in a batch of samples: their Gram matrices and padded rows (float32: 128 MB)."""


def fit_small_classifiers(
    x_train: NDArray[np.floating[Any]],
    y_train: NDArray[np.generic],
    samples: Sequence[NDArray[np.int64]],
    x_test: NDArray[np.floating[Any]],
    *,
    device: str | None = None,
) -> Iterator[ProbeFit]:
    """Linear SVMs with squared hinge and C = 1, one a sample; as fit_classifier without a grid.

    Args:
        samples: training rows of each fit; meant for fewer rows than dimensions.
        others: as in :func:`fast.fit_classifier`.

    Raises:
        ProbeError: shapes that do not match, a sample of one class, or torch is not installed.
    """
    check_rows("single", x_train, y_train, x_test)
    for chosen in samples:
        check_classes(y_train[chosen])
    names, codes = np.unique(y_train, return_inverse=True)
    rows = on_device(x_train, device)
    longest = max((len(chosen) for chosen in samples), default=1)
    step = max(1, BATCH_NUMBERS // (longest * (longest + rows.shape[1])))
    for begin in range(0, len(samples), step):
        some = samples[begin : begin + step]
        weights, gaps = _solve(rows, codes, len(names), some)
        for k, chosen in enumerate(some):
            decisions = decisions_of(x_test, weights[k])
            if len(names) == 2:
                found = (decisions[0] > 0).astype(np.int64)
            else:
                # Classes that the sample lacks are no candidates.
                present = np.isin(np.arange(len(names)), codes[chosen])
                found = np.where(present[:, None], decisions, -np.inf).argmax(0)
            missed = int(bool((gaps[k] > SOLVED_GAP).any()))
            yield ProbeFit(names[found], None, fits=1, unconverged=missed)


def _solve(
    rows: Tensor, codes: NDArray[np.int64], classes: int, samples: Sequence[NDArray[np.int64]]
) -> tuple[Tensor, Tensor]:
    """Weights (samples, classes, d + 1), one line for two classes, and gaps (samples, classes)."""
    import torch

    longest = max(len(chosen) for chosen in samples)
    index = np.zeros((len(samples), longest), dtype=np.int64)
    filled = np.zeros((len(samples), 1, longest))
    for k, chosen in enumerate(samples):
        index[k, : len(chosen)] = chosen
        filled[k, 0, : len(chosen)] = 1.0
    labels = np.array([1]) if classes == 2 else np.arange(classes)
    signs = np.where(codes[index][:, None] == labels[None, :, None], 1.0, -1.0)
    mask = torch_like(filled, rows)
    # Padding is a row of zeros, which weighs nothing anywhere.
    padded = rows[torch.from_numpy(index).to(rows.device)] * mask.mT
    space = Rows(padded)
    cost = rows.new_full((len(samples), len(labels)), DEFAULT_C)
    problems = admm.Problems("squared_hinge", torch_like(signs, rows), cost, mask)
    size = padded.square().sum((1, 2)) / mask.sum((1, 2))
    state = admm.start(problems, size)
    for _ in range(REFIT_ROUNDS):
        admm.advance(space, problems, state, ROUND)
        if not bool((state.gap > REFIT_GAP).any()):
            break
    assert state.weights is not None
    return space.explicit(state.weights), state.gap
