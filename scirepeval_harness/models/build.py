"""From a model's description to the model."""

from __future__ import annotations

import importlib.util
import sys

from scirepeval_harness.errors import MissingExtraError
from scirepeval_harness.models.base import EncodeOptions, Encoder, Model, Ranker
from scirepeval_harness.models.spec import ModelKind, ModelSpec
from scirepeval_harness.models.weights import Snapshot, fetch

__all__ = ["EncodeOptions", "build_model", "fetch_model"]


def build_model(spec: ModelSpec, options: EncodeOptions) -> Encoder | Ranker:
    """The encoder or ranker of a description. Weights are loaded when first used.

    Raises:
        MissingExtraError: torch or transformers are needed and not installed.
        UsageError: a device or precision that this machine does not have.
        SpecError, DataError: settings or files of vectors that are wrong.
    """
    model: Model
    match spec.kind:
        case ModelKind.TRANSFORMER:
            demand_libraries(spec)
            from scirepeval_harness.models.transformer import TransformerEncoder

            model = TransformerEncoder(spec, options)
        case ModelKind.TFIDF:
            from scirepeval_harness.models.lexical import TfidfEncoder

            model = TfidfEncoder(spec)
        case ModelKind.BM25:
            from scirepeval_harness.models.lexical import Bm25Ranker

            model = Bm25Ranker(spec)
        case ModelKind.PRECOMPUTED:
            from scirepeval_harness.models.precomputed import PrecomputedEncoder

            model = PrecomputedEncoder(spec)
    return model


def fetch_model(spec: ModelSpec) -> tuple[Snapshot, ...]:
    """Download what a model needs ahead of a run; empty for models that need no weights.

    Raises:
        ModelError, OfflineError, StorageError, MissingExtraError: see :func:`~.weights.locate`.
    """
    return fetch(spec)


def demand_libraries(spec: ModelSpec) -> None:
    """Raises MissingExtraError where a transformer's libraries are not installed."""
    missing = [name for name in ("torch", "transformers") if not _installed(name)]
    if missing:
        raise MissingExtraError(
            f"{' and '.join(missing)} not installed",
            where=f"model {spec.name}",
            fix=f"Run: pip install 'scirepeval-harness[{spec.extra or 'models'}]'",
        )


def _installed(name: str) -> bool:
    # A module that is loaded may lack the spec that find_spec reads, as ``adapters`` does.
    if name in sys.modules:
        return sys.modules[name] is not None
    return importlib.util.find_spec(name) is not None
