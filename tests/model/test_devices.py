"""Devices, precision and budgets."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

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


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        (("cuda:0",), None),
        (("cuda:0", "cuda:1"), "cuda:1"),
        (("cuda:0", "cpu"), "cpu"),
        (("mps",), "mps"),
        (("cpu",), "cpu"),
        ((), None),
    ],
)
def test_tf32_needs_cards_that_have_it(
    names: tuple[str, ...], refused: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"cuda:0": (8, 0), "cuda:1": (7, 5)}
    monkeypatch.setattr(torch.cuda, "get_device_capability", found.__getitem__)
    if refused is None:
        assert devices.choose_precision("tf32", names) == "tf32"
        return
    with pytest.raises(UsageError, match=rf"^--dtype tf32: {refused} has no TF32 .* Give float32$"):
        devices.choose_precision("tf32", names)


def test_no_tf32_on_cards_of_another_maker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 4))
    monkeypatch.setattr(torch.version, "hip", "6.3")
    with pytest.raises(UsageError, match="no TF32"):
        devices.choose_precision("tf32", ("cuda:0",))


def flags() -> tuple[object, ...]:
    """All that torch says of how float32 matrices are multiplied."""
    parts = (torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None))
    newer = [getattr(part, "fp32_precision", None) for part in parts]
    try:
        return (*newer, torch.get_float32_matmul_precision(), on())
    except RuntimeError:
        return (*newer, "torch's two ways to say it disagree")


def on() -> bool:
    return torch.backends.cuda.matmul.allow_tf32


@pytest.fixture
def own_flags() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    parts = (torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None))
    newer = [part for part in parts if hasattr(part, "fp32_precision")]
    values = [part.fp32_precision for part in newer]
    yield
    torch.set_float32_matmul_precision(before)
    for part, value in zip(newer, values, strict=True):
        part.fp32_precision = value


@pytest.mark.usefixtures("own_flags")
@pytest.mark.parametrize("before", ["untouched", "highest", "high", "medium", "newer", "both"])
@pytest.mark.parametrize("precision", ["tf32", "float32"])
def test_the_switch_is_put_back(before: str, precision: devices.Precision) -> None:
    if before in ("newer", "both"):
        if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):
            pytest.skip("a torch that has one way to say it")
        torch.set_float32_matmul_precision("high" if before == "both" else "highest")
        torch.backends.cuda.matmul.fp32_precision = "ieee" if before == "both" else "tf32"
    elif before != "untouched":
        torch.set_float32_matmul_precision(before)
    found, products = flags(), devices.CardProducts()
    seen = []

    def failing_forward() -> None:
        with products.of(precision):
            seen.append(on())
            raise ValueError("of a batch")

    with pytest.raises(ValueError, match="of a batch"):
        failing_forward()
    assert seen == [precision == "tf32"]
    after = flags()
    assert after[:2] == found[:2]
    # What torch would not tell before cannot be put back.
    assert after == found or len(found) == 3


@pytest.mark.usefixtures("own_flags")
def test_cards_side_by_side_share_the_switch() -> None:
    products = devices.CardProducts()
    seen, entered, leave = [], threading.Event(), threading.Event()

    def other(precision: devices.Precision) -> None:
        with products.of(precision):
            seen.append((precision, on()))
            entered.set()
            leave.wait(10)

    with products.of("tf32"):
        beside = threading.Thread(target=other, args=("tf32",))
        beside.start()
        assert entered.wait(10)
    assert on()  # one has left, and the other still multiplies
    waiting = threading.Thread(target=other, args=("float32",))
    waiting.start()
    waiting.join(0.1)
    assert seen == [("tf32", True)]
    leave.set()
    for thread in (beside, waiting):
        thread.join(10)
    assert seen == [("tf32", True), ("float32", False)]
    assert not on()


def test_budgets() -> None:
    assert devices.tokens_a_batch(None, ("cuda:0",), "tf32") == 32_768
    assert devices.tokens_a_batch(None, ("cuda:0",), "bfloat16") == 65_536
    assert devices.tokens_a_batch(None, ("cuda:0",), "float32") == 32_768
    assert devices.tokens_a_batch(None, ("cuda:0", "cpu"), "bfloat16") == 8_192
    assert devices.tokens_a_batch(123, ("cpu",), "float32") == 123
    with pytest.raises(UsageError):
        devices.tokens_a_batch(0, ("cpu",), "float32")
