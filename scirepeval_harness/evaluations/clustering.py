"""S2AND's light form: average-linkage clusters of name blocks by vectors alone, and B-cubed F1."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations.author_disambiguation import LIGHT_METRIC, AuthorBlocks
from scirepeval_harness.evaluations.base import Outcome, Score, VectorTable
from scirepeval_harness.evaluations.scorers import unit_rows
from scirepeval_harness.task.spec import TaskSpec

PRECISION, RECALL = "b3_precision", "b3_recall"

Tree = NDArray[np.float64]
"""SciPy's linkage matrix (n - 1, 4): the two clusters merged, the height, the size."""


MOST = 2.0  # The largest cosine distance: opposite vectors.


@dataclass(frozen=True, slots=True)
class Cut:
    """A threshold and the B-cubed F1 (0..1) that it has on the blocks it was chosen on."""

    threshold: float
    f1: float


def merge_tree(vectors: NDArray[np.float32]) -> Tree:
    """Average-linkage tree of a block's vectors (n, dimensions) by cosine distance, in float64.

    A vector of zeros is at distance 1 from every other. A block of one signature has no merges.
    """
    # scipy's clustering takes a while to load, and only this task needs it.
    from scipy.cluster.hierarchy import linkage

    if len(vectors) < 2:
        return np.empty((0, 4), dtype=np.float64)
    units = unit_rows(vectors)
    upper = np.triu_indices(len(units), k=1)
    # Rounding may carry equal vectors a little below 0, where linkage makes trees that go down.
    distances = np.clip(1.0 - (units @ units.T)[upper], 0.0, MOST)
    tree: Tree = linkage(distances, method="average")
    return tree


def cut(tree: Tree, threshold: float) -> NDArray[np.intp]:
    """Cluster of each signature (n,), from 1, when merges above ``threshold`` are undone."""
    from scipy.cluster.hierarchy import fcluster

    if not len(tree):
        return np.ones(1, dtype=np.intp)
    return np.asarray(fcluster(tree, threshold, criterion="distance"), dtype=np.intp)


def best_cut(trees: Sequence[Tree], truths: Sequence[Sequence[str]]) -> Cut:
    """The one threshold for all blocks that gives the highest B-cubed F1 over their signatures.

    Every place where the clusters change is tried: the merges of all blocks are gone through by
    height, and the sums of precision and recall are kept up to date. Of equal ones the lowest is
    taken, and the threshold lies halfway to the next merge, or to 2 after the last.

    Args:
        trees: merge trees of the blocks.
        truths: true clusters of the signatures of each block, in the tree's order.
    """
    sizes = Counter(name for truth in truths for name in truth)
    total = sum(sizes.values())
    gains = [_gains(tree, truth, sizes) for tree, truth in zip(trees, truths, strict=True)]
    steps = np.concatenate([np.empty((0, 3)), *gains])
    steps = steps[np.argsort(steps[:, 0], kind="stable")]
    # Without any merge a signature is alone: precision 1, recall 1 / size of its true cluster.
    precision = np.cumsum([float(total), *steps[:, 1]]) / total
    recall = np.cumsum([float(len(sizes)), *steps[:, 2]]) / total
    heights = np.concatenate([[-1.0], steps[:, 0]])
    # Merges of one height are done together: only the last of them is a state that a cut can give.
    ends = np.flatnonzero(np.append(np.diff(heights) > 0, True))
    scores = [f1(float(precision[end]), float(recall[end])) for end in ends]
    # Sums in another order differ in the last digits: those are ties too.
    best = int(np.flatnonzero(np.array(scores) >= max(scores) - 1e-12)[0])
    low = float(heights[ends[best]])
    following = float(heights[ends[best + 1]]) if best + 1 < len(ends) else MOST
    middle = (max(low, 0.0) + following) / 2
    # Between two neighbouring floats there is no middle, and below a merge at 0 no room.
    return Cut(middle if low <= middle < following else low, scores[best])


def _gains(tree: Tree, truth: Sequence[str], sizes: Counter[str]) -> NDArray[np.float64]:
    """For each merge its height and what it adds to the sums of precision and of recall.

    With c the predicted and k the true clusters and n_ck their overlaps, the sum of precision is
    the sum of n_ck^2 / |c|, and the sum of recall the sum of n_ck^2 / |k|.
    """
    clusters: list[Counter[str]] = [Counter([name]) for name in truth]
    rows = []
    for left, right, height, _ in tree:
        one, other = clusters[int(left)], clusters[int(right)]
        merged = one + other
        precision = _purity(merged) - _purity(one) - _purity(other)
        common = one.keys() & other.keys()
        recall = sum(2 * one[name] * other[name] / sizes[name] for name in sorted(common))
        clusters.append(merged)
        rows.append((height, precision, recall))
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _purity(cluster: Counter[str]) -> float:
    return sum(count * count for count in cluster.values()) / cluster.total()


Values = NDArray[np.float64]


def b_cubed(truth: Sequence[str], predicted: Sequence[int]) -> tuple[Values, Values]:
    """Precision and recall of each signature, two arrays (n,) with values in 0..1.

    A signature's precision is the share of its predicted cluster that is of its true cluster, its
    recall the share of its true cluster that is in its predicted one, itself included both times.
    The means over all signatures are the B-cubed precision and recall.

    Args:
        truth: true cluster of each signature.
        predicted: predicted cluster of each signature, in the same order.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} true clusters for {len(predicted)} predicted ones")
    true_codes, true_sizes = _codes(np.asarray(truth, dtype=object).astype(str))
    found_codes, found_sizes = _codes(np.asarray(predicted))
    pairs = true_codes.astype(np.int64) * max(1, len(found_sizes)) + found_codes
    pair_codes, pair_sizes = _codes(pairs)
    shared = pair_sizes[pair_codes].astype(np.float64)
    return shared / found_sizes[found_codes], shared / true_sizes[true_codes]


def f1(precision: float, recall: float) -> float:
    """Harmonic mean of two values, 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def _codes(values: NDArray[np.generic]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    _, codes, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return codes.reshape(-1), sizes


@dataclass(frozen=True)
class _Part:
    """Name blocks of one side of the split: names, merge trees and true clusters."""

    names: tuple[str, ...]
    trees: tuple[Tree, ...]
    truths: tuple[tuple[str, ...], ...]


def evaluate_author_disambiguation(
    task: TaskSpec, data: AuthorBlocks, vectors: VectorTable
) -> Outcome:
    """``light_b3_f1``, x 100: the unweighted mean over data sets, and one score a data set.

    Each block is clustered by average linkage on the cosine distance of its papers' vectors. The
    data set's threshold is the one with the highest B-cubed F1 on its training blocks; precision
    and recall are means over all signatures of its test blocks. A true cluster that reaches into
    several test blocks counts as a whole, as in S2AND.

    An item is a test block: ``value`` is its mean over signatures, ``weight`` their number, so that
    F1 follows from the weighted means of both metrics over any sample of blocks.

    Raises:
        DataError: no data sets, fewer than two blocks in one, an empty block, or a signature
            without paper or true cluster.
        CoverageError: a paper without a vector.
        ModelError: a vector that is not finite.
    """
    if not data.blocks:
        raise DataError(
            "there are no name blocks", where=f"task {task.name}", fix="Check the S2AND folder"
        )
    scores, rows, notes = [], [], {}
    for name, blocks in data.blocks.items():
        train_names, test_names = split_blocks(name, tuple(blocks))
        train = _part(data, name, train_names, vectors)
        test = _part(data, name, test_names, vectors)
        chosen = best_cut(train.trees, train.truths)
        items = _block_items(name, test, chosen.threshold)
        scores.append(Score(LIGHT_METRIC, 100 * _f1_of(items), field=name))
        rows.extend(items)
        notes[name] = {
            "threshold": chosen.threshold,
            "train_f1": 100 * chosen.f1,
            "train_blocks": len(train.names),
            "test_blocks": len(test.names),
            "test_signatures": sum(map(len, test.truths)),
        }
    mean = Score(LIGHT_METRIC, sum(score.value for score in scores) / len(scores))
    frame = pd.DataFrame(rows, columns=["field", "item", "metric", "value", "weight"])
    types = {"field": object, "item": object, "metric": object}
    return Outcome(
        scores=(mean, *scores),
        kind="blocks",
        items=frame.astype({**types, "value": np.float64, "weight": np.int64}),
        notes={"clustering": "average linkage, cosine distance", "data_sets": notes},
    )


def split_blocks(data_set: str, blocks: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Training and test blocks: the blocks by the SHA-256 of their name, cut in the middle.

    The data has no official split. The hash makes the halves the same on every machine and for any
    order of the blocks; with an odd number the test half is the larger.
    """
    if len(blocks) < 2:
        raise DataError(
            "a threshold can only be chosen with two name blocks or more",
            where=f"data set {data_set}",
            fix="Add blocks, or leave the data set out",
        )
    ordered = sorted(
        blocks, key=lambda block: hashlib.sha256(f"{data_set}\0{block}".encode()).hexdigest()
    )
    middle = len(ordered) // 2
    return tuple(ordered[:middle]), tuple(ordered[middle:])


def _part(data: AuthorBlocks, data_set: str, names: Sequence[str], vectors: VectorTable) -> _Part:
    trees, truths = [], []
    for name in names:
        signatures = data.blocks[data_set][name]
        where = f"data set {data_set}, block {name}"
        if not signatures:
            raise DataError("the block is empty", where=where, fix="Remove it")
        truths.append(_looked_up(data.cluster_of, signatures, "true cluster", where))
        papers = _looked_up(data.paper_of, signatures, "paper", where)
        trees.append(merge_tree(vectors.take(papers)))
    return _Part(tuple(names), tuple(trees), tuple(truths))


def _looked_up(
    table: Mapping[str, str], signatures: Sequence[str], kind: str, where: str
) -> tuple[str, ...]:
    missing = [signature for signature in signatures if signature not in table]
    if missing:
        raise DataError(
            f"{len(missing)} signatures have no {kind}, the first is {missing[0]}",
            where=where,
            fix="Check that signatures, papers and clusters are of the same data set",
        )
    return tuple(table[signature] for signature in signatures)


Item = tuple[str, str, str, float, int]


def _block_items(data_set: str, part: _Part, threshold: float) -> list[Item]:
    truth = [name for block in part.truths for name in block]
    predicted: list[int] = []
    for tree in part.trees:
        # Clusters of different blocks are different clusters.
        first = len(predicted)
        predicted.extend((cut(tree, threshold) + first).tolist())
    values = dict(zip((PRECISION, RECALL), b_cubed(truth, predicted), strict=True))
    sizes = [len(block) for block in part.truths]
    ends = np.cumsum(sizes)[:-1]
    return [
        (data_set, name, metric, float(np.mean(own)), size)
        for metric in (PRECISION, RECALL)
        for name, own, size in zip(part.names, np.split(values[metric], ends), sizes, strict=True)
    ]


def _f1_of(items: Sequence[Item]) -> float:
    means = {
        metric: float(
            np.average(
                [value for _, _, name, value, _ in items if name == metric],
                weights=[weight for _, _, name, _, weight in items if name == metric],
            )
        )
        for metric in (PRECISION, RECALL)
    }
    return f1(means[PRECISION], means[RECALL])
