"""Choices that do not depend on the machine, and are as random as they claim."""

from __future__ import annotations

import random

from tools.sample.draw import Draw, proper_names


def test_equal_streams_are_equal_and_others_differ() -> None:
    first = [Draw(1, "a").below(1000), Draw(1, "a").below(1000)]
    assert first[0] == first[1]
    rows = [[Draw(seed, name).below(10**9)] for seed, name in ((1, "a"), (2, "a"), (1, "b"))]
    assert len({row[0] for row in rows}) == 3


def test_draws_come_from_the_stable_part_of_random() -> None:
    expected = random.Random("7/x")
    draw = Draw(7, "x")
    assert [draw.below(50) for _ in range(20)] == [int(expected.random() * 50) for _ in range(20)]


def test_samples_hold_different_items_and_stop_at_all_of_them() -> None:
    draw = Draw(3, "sample")
    assert sorted(draw.shuffled(range(30))) == list(range(30))
    assert draw.shuffled(range(30)) != list(range(30))
    assert len(set(draw.sample(range(30), 12))) == 12
    assert sorted(draw.sample("abc", 9)) == ["a", "b", "c"]
    assert draw.sample([], 2) == []


def test_between_reaches_both_ends() -> None:
    draw = Draw(4, "between")
    assert {draw.between(2, 5) for _ in range(200)} == {2, 3, 4, 5}


def test_chance_and_noise_have_their_moments() -> None:
    draw = Draw(5, "noise")
    assert abs(sum(draw.chance(0.3) for _ in range(20_000)) / 20_000 - 0.3) < 0.015
    values = [draw.noise() for _ in range(20_000)]
    mean = sum(values) / len(values)
    assert abs(mean) < 0.03
    assert abs(sum((value - mean) ** 2 for value in values) / len(values) - 1) < 0.04


def test_proper_names_are_different_and_of_the_words_asked_for() -> None:
    names = proper_names(Draw(6, "names"), 300, words=2)
    assert len(set(names)) == 300
    assert all(len(name.split()) == 2 and name.istitle() for name in names)
    assert len(proper_names(Draw(6, "names"), 50)) == 50
