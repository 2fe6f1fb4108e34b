"""The emulated products of the benchmark of precisions, against bits and plain arithmetic."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("precision")


def numbers() -> NDArray[np.float32]:
    """Of all sizes and signs, with ties in both directions, 0, infinities and the largest."""
    rng = np.random.default_rng(3)
    wide = (rng.standard_normal(5_000) * 10.0 ** rng.integers(-30, 30, 5_000)).astype(np.float32)
    step = np.float32(2.0**-10)
    ties = 1 + (np.arange(64, dtype=np.float32) + np.float32(0.5)) * step
    edge = np.array([0, -0.0, np.inf, -np.inf, 1, 2 - 2**-23, -3.5e-38], np.float32)
    return np.concatenate([wide, ties, -ties, edge])


def test_rounding_to_tf32_is_to_the_nearest(script: ModuleType) -> None:
    given = numbers()
    made = script.rounded(torch.from_numpy(given)).numpy()
    assert not (made.view(np.uint32) & 0x1FFF).any()
    finite = np.isfinite(given)
    assert (made[~finite] == given[~finite]).all()
    # Another way: numpy's rint of 11 binary digits, ties to the even one.
    part, exponent = np.frexp(given[finite].astype(np.float64))
    assert (made[finite] == np.ldexp(np.rint(part * 2**11), exponent - 11)).all()


def test_cutting_is_a_mask_of_bits(script: ModuleType) -> None:
    given = numbers()
    made = script.cut(torch.from_numpy(given)).numpy()
    assert (made.view(np.uint32) == given.view(np.uint32) & np.uint32(0xFFFFE000)).all()
    assert (np.abs(made) <= np.abs(given)).all()


def test_two_halves_hold_sixteen_bits(script: ModuleType) -> None:
    given = numbers()
    given = given[np.isfinite(given) & (np.abs(given) > 1e-20)]
    high, low = (part.numpy() for part in script.halves(torch.from_numpy(given)))
    for part in (high, low):
        assert not (part.view(np.uint32) & 0xFFFF).any()  # a bfloat16 is a float32's upper half
    assert (np.abs(high.astype(np.float64) + low - given) <= np.abs(given) * 2.0**-16).all()


@pytest.mark.parametrize(("way", "bits"), [("tf32", 10), ("tf32, cut", 8), ("3 x bfloat16", 15)])
def test_every_product_of_an_attention_layer_is_rounded(
    script: ModuleType, way: str, bits: int
) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(32, 32)
    query, key, value = torch.randn(3, 2, 4, 7, 32)
    mask = torch.zeros(2, 1, 1, 7).index_fill(3, torch.tensor([5, 6]), -torch.inf)

    def network() -> torch.Tensor:
        attended = torch.nn.functional.scaled_dot_product_attention(query, layer(key), value, mask)
        return attended @ value.mT

    with torch.inference_mode():
        exact = network()
        with script.Emulated(script.plain) as same:
            other = network()
        with script.Emulated(script.WAYS[way][1]) as mode:
            made = network()
    assert same.products == mode.products == 4
    assert torch.allclose(other, exact, atol=2e-5)
    error = float((made - exact).norm() / exact.norm())
    assert 2.0 ** (-bits - 5) < error < 2.0**-bits


def test_a_product_that_is_not_emulated_is_refused(script: ModuleType) -> None:
    square = torch.eye(3)
    with script.Emulated(script.plain), pytest.raises(NotImplementedError, match="addmm"):
        torch.addmm(square, square, square)
