from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scirepeval_harness.evaluations.clustering import best_cut, cut, merge_tree
from tests.oracle import clusters as oracle


def directions(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def distance(degrees: float) -> float:
    return 1 - math.cos(math.radians(degrees))


def grouped(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


def test_average_linkage_by_hand() -> None:
    tree = merge_tree(directions(0, 10, 30))
    assert tree[0, 2] == pytest.approx(distance(10), abs=1e-6)
    assert tree[1, 2] == pytest.approx((distance(30) + distance(20)) / 2, abs=1e-6)
    assert grouped(cut(tree, 0.001)) == {frozenset({0}), frozenset({1}), frozenset({2})}
    assert grouped(cut(tree, 0.05)) == {frozenset({0, 1}), frozenset({2})}
    assert grouped(cut(tree, 0.5)) == {frozenset({0, 1, 2})}


def test_length_does_not_matter_and_zeros_are_at_distance_one() -> None:
    rows = directions(0, 10, 30) * np.float32(7)
    assert merge_tree(rows) == pytest.approx(merge_tree(directions(0, 10, 30)), abs=1e-6)
    tree = merge_tree(np.array([[0, 0], [1, 0], [0, 0]], dtype=np.float32))
    assert tree[:, 2].tolist() == [1.0, 1.0]


def test_a_block_of_one_signature() -> None:
    tree = merge_tree(directions(0))
    assert tree.shape == (0, 4)
    assert cut(tree, 0.5).tolist() == [1]


def test_the_best_cut_separates_what_is_separable() -> None:
    tree = merge_tree(directions(0, 2, 4, 60, 62))
    found = best_cut([tree], [["x", "x", "x", "y", "y"]])
    assert found.f1 == pytest.approx(1.0)
    assert distance(4) < found.threshold < distance(50)
    assert len(grouped(cut(tree, found.threshold))) == 2


def test_the_best_cut_may_merge_nothing_or_everything() -> None:
    tree = merge_tree(directions(0, 20, 40))
    alone = best_cut([tree], [["x", "y", "z"]])
    assert alone.f1 == 1.0
    assert cut(tree, alone.threshold).tolist() != cut(tree, 1.0).tolist()
    assert len(set(cut(tree, alone.threshold))) == 3
    together = best_cut([tree], [["x", "x", "x"]])
    assert together.f1 == pytest.approx(1.0)
    assert len(set(cut(tree, together.threshold))) == 1


def test_equal_vectors_of_different_people_can_stay_apart() -> None:
    # Four people with one vector: apart F1 is 1, and no cut above 0 could give that.
    tree = merge_tree(np.ones((4, 2), dtype=np.float32))
    found = best_cut([tree], [["w", "x", "y", "z"]])
    assert found.f1 == 1.0
    assert len(set(cut(tree, found.threshold))) == 4


def test_blocks_without_merges() -> None:
    found = best_cut([merge_tree(directions(0))] * 2, [["x"], ["x"]])
    assert found.f1 == pytest.approx(2 / 3), "one person in two blocks: precision 1, recall 1/2"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_no_other_threshold_is_better(seed: int, sizes: list[int]) -> None:
    random = np.random.default_rng(seed)
    blocks = [random.normal(size=(size, 3)).astype(np.float32) for size in sizes]
    # People of one block and, with "shared", of several.
    truths = [
        [str(random.choice([f"{number}a", f"{number}b", "shared"])) for _ in range(size)]
        for number, size in enumerate(sizes)
    ]
    trees = [merge_tree(block) for block in blocks]
    found = best_cut(trees, truths)
    plain = [block.tolist() for block in blocks]
    assert found.f1 == pytest.approx(oracle.score(plain, truths, found.threshold), abs=1e-9)
    heights = [-1.0, *(float(height) for tree in trees for height in tree[:, 2])]
    for height in heights:
        assert oracle.score(plain, truths, height + 1e-9) <= found.f1 + 1e-9
    for tree, block in zip(trees, plain, strict=True):
        expected = {frozenset(rows) for rows in oracle.linked(block, found.threshold)}
        assert grouped(cut(tree, found.threshold)) == expected
