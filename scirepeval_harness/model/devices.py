"""Which device, which precision, how many tokens a batch. torch is imported only where needed."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Literal, cast, get_args

from scirepeval_harness.errors import UsageError

Precision = Literal["float32", "bfloat16", "float16"]

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
    """
    if requested is None:
        return "float32"
    if requested == NATIVE:
        return "bfloat16" if all(map(_native_bf16, devices)) else "float32"
    if requested not in get_args(Precision):
        fix = "Give " + ", ".join((*get_args(Precision), NATIVE))
        raise UsageError(f"unknown precision {requested}", where="--dtype", fix=fix)
    return cast(Precision, requested)


def tokens_a_batch(requested: int | None, devices: tuple[str, ...], precision: Precision) -> int:
    """Budget of padded tokens a batch; half of the device's default in float32 on accelerators."""
    if requested is not None:
        if requested < 1:
            where = f"--batch-tokens {requested}"
            raise UsageError("must be positive", where=where, fix="Give a larger number")
        return requested
    kinds = {_kind(device) for device in devices}
    # All devices take from one list of batches, so the smallest decides.
    budget = min(TOKENS_A_BATCH.get(kind, TOKENS_A_BATCH["cpu"]) for kind in kinds)
    return budget // 2 if precision == "float32" and kinds != {"cpu"} else budget


def hardware_name(devices: tuple[str, ...]) -> str:
    """Devices and machine in one printable name, under which a measured rate is kept."""
    # The machine too: "cuda:0" is another card elsewhere, and a cache may lie on a shared disk.
    names = [f"cpu x {os.cpu_count()}" if name == "cpu" else name for name in devices]
    return f"{', '.join(names)} of {platform.node() or 'this machine'}"


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
