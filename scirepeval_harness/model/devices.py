"""Which device, which precision, how many tokens a batch. torch is imported only where needed."""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast, get_args

from scirepeval_harness.errors import UsageError

Precision = Literal["float32", "tf32", "bfloat16", "float16"]

NATIVE = "native"
# NVIDIA (a container may hold card 3 alone, hence nvidiactl), Linux inside Windows, AMD.
ACCELERATOR_NODES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
# Without one of them a processor computes bf16 by way of float32 and gains nothing.
CPU_BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
# Padded tokens a batch by kind of device (benchmarks/ has the measurements).
TOKENS_A_BATCH = {"cpu": 8_192, "mps": 16_384, "cuda": 65_536}


def choose_devices(requested: str | None) -> tuple[str, ...]:
    """Devices to encode on, each as torch names it.

    Args:
        requested: a device, several separated by commas, or None for the best that is there.

    Raises:
        UsageError: a device that this machine does not have.
    """
    if requested is None:
        return (_best_device(),)
    names = tuple(name.strip() for name in requested.split(",") if name.strip())
    if not names:
        raise UsageError("no device given", where="--device", fix="Give cpu, cuda, cuda:0 or mps")
    return tuple(_checked_device(name) for name in names)


def choose_precision(requested: str | None, devices: tuple[str, ...]) -> Precision:
    """Precision of the forward pass: float32 unless another is asked for.

    The published numbers are float32's, and narrower types move scores of small test sets by more
    than 0.1 point (docs/speed.md). ``native`` takes bf16 where all devices compute it in hardware.
    ``tf32`` is float32 with 10 bits of mantissa in what the products of matrices take.

    Args:
        devices: where the weights run; none if that is another machine's question.

    Raises:
        UsageError: an unknown precision, or ``tf32`` on a device that has no such products.
    """
    if requested is None:
        return "float32"
    if requested == NATIVE:
        return "bfloat16" if all(map(_native_bf16, devices)) else "float32"
    if requested not in get_args(Precision):
        fix = "Give " + ", ".join((*get_args(Precision), NATIVE))
        raise UsageError(f"unknown precision {requested}", where="--dtype", fix=fix)
    if requested == "tf32" and (lacking := [name for name in devices if not _has_tf32(name)]):
        raise UsageError(
            f"{lacking[0]} has no TF32 products; NVIDIA cards of compute capability 8.0 have them",
            where="--dtype tf32",
            fix="Give float32",
        )
    return cast(Precision, requested)


def tokens_a_batch(requested: int | None, devices: tuple[str, ...], precision: Precision) -> int:
    """Budget of padded tokens a batch; half of the device's default where numbers are float32 and
    the device is an accelerator."""
    if requested is not None:
        if requested < 1:
            where = f"--batch-tokens {requested}"
            raise UsageError("must be positive", where=where, fix="Give a larger number")
        return requested
    kinds = {_kind(device) for device in devices}
    # All devices take from one list of batches, so the smallest decides.
    budget = min(TOKENS_A_BATCH.get(kind, TOKENS_A_BATCH["cpu"]) for kind in kinds)
    return budget // 2 if precision in ("float32", "tf32") and kinds != {"cpu"} else budget


def hardware_name(devices: tuple[str, ...]) -> str:
    """Devices and machine in one printable name, under which a measured rate is kept."""
    # The machine too: "cuda:0" is another card elsewhere, and a cache may lie on a shared disk.
    names = [f"cpu x {os.cpu_count()}" if name == "cpu" else name for name in devices]
    return f"{', '.join(names)} of {platform.node() or 'this machine'}"


class CardProducts:
    """How cards multiply float32 matrices in this process, and who relies on it now.

    torch has one switch for all cards and threads, and kernels read it when they are queued. So it
    is set for the time of a forward pass only, and what was set before is put back: the process
    may be a training run with a choice of its own. Several cards work in threads side by side, so
    the last of them puts it back, and who wants the other setting waits for that. The processors'
    setting is not touched.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users, self._tf32 = 0, False
        self._restore: Callable[[], None] = lambda: None

    @contextmanager
    def of(self, precision: Precision) -> Iterator[None]:
        """Products with TF32 inputs for ``tf32``, and none of them for any other precision."""
        tf32 = precision == "tf32"
        with self._changed:
            self._changed.wait_for(lambda: not self._users or self._tf32 == tf32)
            if not self._users:
                self._restore, self._tf32 = _switch(tf32), tf32
            self._users += 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                if not self._users:
                    self._restore()
                    self._changed.notify_all()


CARD_PRODUCTS = CardProducts()
"""Of this process, as torch's switch is."""


def _switch(tf32: bool) -> Callable[[], None]:
    """Set torch's switch for cards; the call that puts back what was set."""
    import torch

    # Two ways to say it in torch, of which older ones know the first alone. Each is put back as it
    # was, the first before the second, because it sets the second too.
    parts = (torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None))
    newer: list[Any] = [part for part in parts if hasattr(part, "fp32_precision")]
    before = [part.fp32_precision for part in newer]
    try:
        older = torch.get_float32_matmul_precision()
    except RuntimeError:  # both were used, and disagree: the newer one holds
        older = None
    torch.backends.cuda.matmul.allow_tf32 = tf32

    def restore() -> None:
        if older is not None:
            torch.set_float32_matmul_precision(older)
        for part, value in zip(newer, before, strict=True):
            part.fp32_precision = value

    return restore


def cpu_flags(text: str) -> frozenset[str]:
    """Feature names in the text of /proc/cpuinfo (``flags`` on x86, ``Features`` on Arm)."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):
            return frozenset(value.split())
    return frozenset()


def _kind(device: str) -> str:
    return device.partition(":")[0]


def _best_device() -> str:
    # Without a device node there is nothing for torch to find, and importing it costs a second.
    if sys.platform == "linux" and not any(Path(node).exists() for node in ACCELERATOR_NODES):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _checked_device(name: str) -> str:
    if name == "cpu":
        return name
    import torch

    where, have = f"--device {name}", ", ".join(_present())
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError("not a device", where=where, fix=f"This machine has {have}") from error
    # "cuda" is torch's current card, which another library in this process may change.
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", 0)
    if str(device) not in _present():
        raise UsageError("not on this machine", where=where, fix=f"This machine has {have}")
    return str(device)


def _present() -> tuple[str, ...]:
    import torch

    cards = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ("cpu", *cards, *(["mps"] if torch.backends.mps.is_available() else []))


def _has_tf32(device: str) -> bool:
    if _kind(device) != "cuda":
        return False
    import torch

    # AMD's cards are "cuda" too, and need more than torch's switch.
    capability: tuple[int, int] = torch.cuda.get_device_capability(device)
    return torch.version.hip is None and capability >= (8, 0)


def _native_bf16(device: str) -> bool:
    if _kind(device) == "cpu":
        info = Path("/proc/cpuinfo")
        return info.is_file() and bool(CPU_BF16_FLAGS & cpu_flags(info.read_text(errors="replace")))
    if _kind(device) == "cuda":
        import torch

        # Emulation counts as support for torch unless told otherwise, and gains nothing here.
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return False
