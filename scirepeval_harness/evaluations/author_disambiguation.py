"""S2AND's light form: clusters of signatures from embeddings alone (docs/protocol.md).

This is not the protocol's S2AND number, which comes from a pairwise model over names, affiliations
and more besides the embedding: its metric has another name and no published average takes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations.base import Outcome, Score, VectorTable
from scirepeval_harness.evaluations.clustering import Tree, b_cubed, best_cut, cut, f1, merge_tree
from scirepeval_harness.tasks.dataset import AuthorBlocks, Coverage
from scirepeval_harness.tasks.spec import LIGHT_METRIC, TaskSpec
from scirepeval_harness.tasks.tables import Collected, check_coverage, parts_of, read_json_object

PRECISION, RECALL = "b3_precision", "b3_recall"


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


def read_blocks(
    task: str, folder: Path, fields: Sequence[str], *, limit: int | None, allow_missing: bool
) -> tuple[AuthorBlocks, Coverage]:
    """All data sets below ``folder``: ``<name>/<name>_{papers,signatures,clusters}.json``.

    Ids are prefixed with the data set, since two data sets may number papers alike.

    Raises:
        DataError: no data set, a file that is missing or malformed, a signature without cluster.
        CoverageError: a paper that is missing.
    """
    names = sorted(
        path.name for path in folder.glob("*") if (path / f"{path.name}_papers.json").is_file()
    )
    if not names:
        raise DataError(
            "no data set in S2AND's layout",
            where=str(folder),
            fix="Expected <name>/<name>_papers.json and its signatures and clusters",
        )
    found = Collected()
    blocks: dict[str, dict[str, tuple[str, ...]]] = {}
    paper_of: dict[str, str] = {}
    cluster_of: dict[str, str] = {}
    for name in names:
        signatures = read_json_object(folder / name / f"{name}_signatures.json")
        clusters = read_json_object(folder / name / f"{name}_clusters.json")
        truth = {
            str(signature): str(cluster)
            for cluster, entry in clusters.items()
            for signature in entry["signature_ids"]
        }
        grouped: dict[str, list[str]] = {}
        for signature, entry in signatures.items():
            block = entry["author_info"].get("given_block") or entry["author_info"]["block"]
            grouped.setdefault(str(block), []).append(str(signature))
        blocks[name] = {}
        for block in sorted(grouped)[:limit]:
            blocks[name][block] = tuple(f"{name}/{signature}" for signature in grouped[block])
            for signature in grouped[block]:
                if signature not in truth:
                    raise DataError(
                        f"signature {signature} is in no cluster",
                        where=str(folder / name),
                        fix="Complete the clusters",
                    )
                key = f"{name}/{signature}"
                paper_of[key] = f"{name}/{signatures[signature]['paper_id']}"
                cluster_of[key] = f"{name}/{truth[signature]}"
        papers = read_json_object(folder / name / f"{name}_papers.json")
        wanted = set(paper_of.values())
        for paper, entry in papers.items():
            key = f"{name}/{paper}"
            if key in wanted:
                found.add(key, parts_of(entry, fields), str(folder / name))
    coverage = check_coverage(task, found.documents, found.empty, paper_of.values(), allow_missing)
    whole = folder if limit is None and coverage.complete else None
    return AuthorBlocks(found.documents, blocks, paper_of, cluster_of, whole), coverage
