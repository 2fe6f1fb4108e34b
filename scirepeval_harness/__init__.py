"""Evaluation of embedding models of scientific papers on SciRepEval and MDCR.

    import scirepeval_harness as sh

    results = sh.evaluate(["specter2", my_encoder], suite="scirepeval")
    results.leaderboard()

The names in ``__all__`` are public; docs/api.md describes each. They are loaded when first used,
so that the import itself stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from scirepeval_harness.errors import HarnessError

if TYPE_CHECKING:
    from scirepeval_harness.api import cache, data, mdcr, s2and
    from scirepeval_harness.api.catalogue import Catalogue, audit, models, tasks
    from scirepeval_harness.api.early import check_early
    from scirepeval_harness.api.evaluate import (
        Interrupted,
        evaluate,
        export_merged,
        fetch,
        plan,
    )
    from scirepeval_harness.api.items import items
    from scirepeval_harness.api.judge import check, compare, leaderboard, report
    from scirepeval_harness.api.results import Results, load_results, runs, verify
    from scirepeval_harness.comparison.policy import Policy
    from scirepeval_harness.evaluations.base import Evaluation
    from scirepeval_harness.evaluations.metrics import metric
    from scirepeval_harness.model.objects import EncoderObject
    from scirepeval_harness.model.spec import ModelKind
    from scirepeval_harness.progress import Progress, Silent, Terminal
    from scirepeval_harness.results.folder import Result

__version__ = "0.1.0"
__all__ = [
    "Catalogue",
    "EncoderObject",
    "Evaluation",
    "HarnessError",
    "Interrupted",
    "ModelKind",
    "Policy",
    "Progress",
    "Result",
    "Results",
    "Silent",
    "Terminal",
    "audit",
    "cache",
    "check",
    "check_early",
    "compare",
    "data",
    "evaluate",
    "export_merged",
    "fetch",
    "items",
    "leaderboard",
    "load_results",
    "mdcr",
    "metric",
    "models",
    "plan",
    "report",
    "runs",
    "s2and",
    "tasks",
    "verify",
]

_PLACES = {
    **dict.fromkeys(("Catalogue", "audit", "models", "tasks"), "api.catalogue"),
    **dict.fromkeys(("Interrupted", "evaluate", "export_merged", "fetch", "plan"), "api.evaluate"),
    **dict.fromkeys(("check", "compare", "leaderboard", "report"), "api.judge"),
    **dict.fromkeys(("Results", "load_results", "runs", "verify"), "api.results"),
    **dict.fromkeys(("Progress", "Silent", "Terminal"), "progress"),
    "check_early": "api.early",
    "EncoderObject": "model.objects",
    "Evaluation": "evaluations.base",
    "ModelKind": "model.spec",
    "items": "api.items",
    "Policy": "comparison.policy",
    "Result": "results.folder",
    "metric": "evaluations.metrics",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _PLACES:
        return importlib.import_module(f"{__name__}.api.{name}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
