"""A verdict while training: scores of the model in memory, in the trainers of others.

- `Monitor`: tasks, read once; called with a model it gives its scores as a flat dictionary.
- `TrainingEvaluator`: the same for ``evaluator=`` of sentence-transformers' trainer.
- `TrainingCallback`: the same as a callback of transformers' trainer.

Each leaves the training as it was: the mode of every module, the state of every random number
generator, devices, gradients, and memory. Nothing is written unless ``output`` is given.
"""

from __future__ import annotations

import importlib

__all__ = ["Monitor", "PooledModel", "TrainingCallback", "TrainingEvaluator"]

# On first use: each needs its own library, and none of them should be loaded for the others.
_PLACES = {
    "Monitor": "monitor",
    "PooledModel": "transformers",
    "TrainingCallback": "transformers",
    "TrainingEvaluator": "sentence_transformers",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
