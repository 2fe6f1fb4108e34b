"""Devices, precision and budgets."""

from __future__ import annotations

import pytest

from scirepeval_harness.errors import UsageError
from scirepeval_harness.model import devices


def test_devices_are_split_at_commas() -> None:
    assert devices.choose_devices("cpu, cpu") == ("cpu", "cpu")


@pytest.mark.parametrize("name", ["gpu9", "cuda:99", ",", "meta"])
def test_a_device_that_is_not_there_is_an_error(name: str) -> None:
    with pytest.raises(UsageError):
        devices.choose_devices(name)


def test_the_error_names_what_the_machine_has() -> None:
    with pytest.raises(UsageError, match=r"--device cuda:99: not on this machine\..*cpu"):
        devices.choose_devices("cuda:99")


@pytest.mark.parametrize(
    ("text", "native"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512_bf16 sse2\n", True),
        ("flags : fpu amx_bf16\n", True),
        ("Features : fp asimd bf16\n", True),
        ("flags : fpu avx2 avx512f\n", False),
        ("", False),
    ],
)
def test_native_bf16_is_read_from_the_processor_flags(text: str, native: bool) -> None:
    assert bool(devices.cpu_flags(text) & devices.CPU_BF16_FLAGS) is native


def test_precision_is_float32_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_native_bf16", lambda device: device == "cuda:0")
    assert devices.choose_precision(None, ("cuda:0",)) == "float32"
    assert devices.choose_precision("native", ("cuda:0",)) == "bfloat16"
    assert devices.choose_precision("native", ("cuda:0", "cpu")) == "float32"
    assert devices.choose_precision("float16", ("cpu",)) == "float16"


def test_unknown_precision() -> None:
    with pytest.raises(UsageError, match="unknown precision int8"):
        devices.choose_precision("int8", ("cpu",))


def test_budgets() -> None:
    assert devices.tokens_a_batch(None, ("cuda:0",), "bfloat16") == 65_536
    assert devices.tokens_a_batch(None, ("cuda:0",), "float32") == 32_768
    assert devices.tokens_a_batch(None, ("cuda:0", "cpu"), "bfloat16") == 8_192
    assert devices.tokens_a_batch(123, ("cpu",), "float32") == 123
    with pytest.raises(UsageError):
        devices.tokens_a_batch(0, ("cpu",), "float32")
