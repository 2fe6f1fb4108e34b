"""MDCR's exchange form of scores: one JSON object ``{"query_candidate": score}`` a file.

Ids may hold underscores, so a key is never split: it is looked up among the pairs that the task
knows, and two pairs with the same key are an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.evaluations.base import PairScorer
from scirepeval_harness.evaluations.citation_pools import CitationPools
from scirepeval_harness.evaluations.scorers import Pools, Run, pools_of
from scirepeval_harness.files import write_with
from scirepeval_harness.schema import shown
from scirepeval_harness.task.tables import as_number, read_json_object


def pairs_of(data: CitationPools) -> dict[str, tuple[str, ...]]:
    """All pairs of the benchmark, fields together; a query of two fields has both pools."""
    pools: dict[str, dict[str, int]] = {}
    for qrels in data.fields.values():
        for query, grades in qrels.items():
            pools.setdefault(query, {}).update(grades)
    return pools_of(pools, data.lost)


def write_scores(path: Path, run: Mapping[str, Mapping[str, float]]) -> None:
    """Write a run in the exchange form, pair by pair, so that its size does not matter.

    Raises:
        DataError: a score that is not finite, or two pairs with the same key.
        StorageError: the file cannot be written; what was there stays.
    """
    # All is checked before a byte is written: an error leaves no half file.
    _keys({query: tuple(scores) for query, scores in run.items()})
    for query, scores in run.items():
        for candidate, score in scores.items():
            _finite(score, f"query {query}, candidate {candidate}")

    def fill(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8") as file:
            separator = "{\n"
            for query, scores in run.items():
                for candidate, score in scores.items():
                    key = json.dumps(f"{query}_{candidate}")
                    file.write(f"{separator}{key}: {json.dumps(float(score))}")
                    separator = ",\n"
            file.write("\n}\n" if run else "{}\n")

    write_with(path, fill)


def read_scores(path: Path, pools: Pools) -> Run:
    """Read the scores of ``pools`` from a file in the exchange form.

    Pairs of the file that ``pools`` lacks are left aside: a file covers a whole benchmark, a run
    may be limited to a part of it.

    Raises:
        CoverageError: a pair has no score in the file.
        DataError: no such file, no JSON object of numbers, a key twice, a score that is not finite,
            or two pairs of ``pools`` with the same key.
    """
    keys = _keys(pools)
    found = read_json_object(path)
    missing = [key for key in keys if key not in found]
    if missing:
        raise CoverageError(
            f"{len(missing)} of {len(keys)} pairs have no score, the first is {missing[0]}",
            where=str(path),
            fix="Score every query with every candidate of its pool",
        )
    return {
        query: {
            candidate: _number(found[f"{query}_{candidate}"], path, f"{query}_{candidate}")
            for candidate in pool
        }
        for query, pool in pools.items()
    }


def exchange_scorer(path: Path, data: CitationPools) -> PairScorer:
    """Scorer from a file in the exchange form, for ``evaluate_citation_pools``."""
    return ExchangeScorer(read_scores(path, pairs_of(data)))


@dataclass(frozen=True)
class ExchangeScorer:
    """Scores that were made elsewhere; see :func:`exchange_scorer`."""

    run: Mapping[str, Mapping[str, float]]

    @property
    def settings(self) -> dict[str, object]:
        return {"score": "exchange file"}

    def __call__(self, query: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        known = self.run.get(query, {})
        for candidate in candidates:
            if candidate not in known:
                raise CoverageError(
                    "the pair has no score",
                    where=f"query {query}, candidate {candidate}",
                    fix="Read the file with the same pools as the task's",
                )
        return np.array([known[candidate] for candidate in candidates], dtype=np.float64)


def _keys(pools: Pools) -> set[str]:
    seen: dict[str, tuple[str, str]] = {}
    for query, candidate in ((query, own) for query, pool in pools.items() for own in pool):
        key = f"{query}_{candidate}"
        other = seen.setdefault(key, (query, candidate))
        if other != (query, candidate):
            raise DataError(
                f"the pairs {other} and {(query, candidate)} have the same key",
                where=f"key {key!r}",
                fix="The exchange form joins ids with '_'; rename the ids that clash",
            )
    return set(seen)


def _number(value: object, path: Path, key: str) -> float:
    number = None if isinstance(value, str) else as_number(value)
    if number is None:
        raise DataError(
            f"the score {shown(value)} is not a number, or not a finite one",
            where=f"{path}, key {key!r}",
            fix="Correct it",
        )
    return number


def _finite(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise DataError(
            f"the score {value} is not a finite number",
            where=where,
            fix="Check the vectors of both for NaN, infinity and overflow",
        )
    return float(value)
