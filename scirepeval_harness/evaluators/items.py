"""Frames of items of the kind ``queries``, and the means made from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

COLUMNS = ("field", "item", "metric", "value")


def query_items(
    measured: Iterable[tuple[str, str, Mapping[str, Mapping[str, float]]]], metrics: Sequence[str]
) -> pd.DataFrame:
    """One row a query and metric, in the order given.

    Args:
        measured: (field, prefix of the metric names, query id -> metric -> value in 0..1).
        metrics: the metrics to take, outermost within a field.
    """
    rows = [
        (field, query, prefix + metric, values[metric])
        for field, prefix, queries in measured
        for metric in metrics
        for query, values in queries.items()
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"field": object, "item": object, "metric": object, "value": np.float64})


def mean_over_queries(measured: Mapping[str, Mapping[str, float]], metric: str) -> float:
    """Mean of a metric over all queries, x 100, as ``compute_aggregated_measure`` takes it."""
    return 100.0 * float(np.mean([values[metric] for values in measured.values()]))
