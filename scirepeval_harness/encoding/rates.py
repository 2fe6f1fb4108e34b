"""How fast a model encoded on a machine, kept beside its vectors for the next run's plan."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from scirepeval_harness.atomic import write_json
from scirepeval_harness.encoders.base import BatchEncoder, Encoder, Identity

FILE = "rates.json"
SAME_SPEED = ("base_weights", "dtype")
LEAST_SECONDS = 1.0
"""A rate measured over less is mostly warming up."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens (without padding) and documents encoded in so many seconds on ``hardware``."""

    hardware: str
    tokens: int
    documents: int
    seconds: float


class Clock:
    """Measures an encoder from its first batch on, so that loading the weights does not count."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder if isinstance(encoder, BatchEncoder) else None
        self._start: float | None = None
        self._tokens = self._documents = 0

    def tick(self, documents: int) -> None:
        """A batch is done."""
        if self._start is None:
            self._start = time.perf_counter()
            self._tokens = self._encoder.stats.tokens if self._encoder else 0
        else:
            self._documents += documents

    def rate(self) -> Rate | None:
        """None where nothing that lasted was measured."""
        if self._encoder is None or self._start is None:
            return None
        seconds = time.perf_counter() - self._start
        tokens = self._encoder.stats.tokens - self._tokens
        if seconds < LEAST_SECONDS or not tokens:
            return None
        return Rate(self._encoder.hardware, tokens, self._documents, round(seconds, 3))


def write_rate(folder: Path, rate: Rate) -> None:
    """Keep the latest rate a hardware in a space's folder."""
    rates = read_rates(folder) | {rate.hardware: rate}
    write_json(folder / FILE, [asdict(rates[key]) for key in sorted(rates)])


def read_rates(folder: Path) -> dict[str, Rate]:
    """Rates by hardware; empty where none were kept. A file that cannot be read counts as none:
    only an estimate hangs on it."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        rows = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {row["hardware"]: Rate(**row) for row in rows}
    return {}


def related_rate(root: Path, identity: Identity, hardware: str) -> float | None:
    """Tokens a second on ``hardware``, measured with the same base at the same precision: an
    adapter or another role hardly changes it. The longest measurement counts."""
    found: list[Rate] = []
    for about in root.glob("*/space.json"):
        with suppress(OSError, ValueError, AttributeError, KeyError):
            details = json.loads(about.read_text(encoding="utf-8")).get("details", {})
            if all(details.get(name) == identity.details.get(name) for name in SAME_SPEED):
                found += [read_rates(about.parent)[hardware]]
    best = max(found, key=lambda rate: rate.seconds, default=None)
    return None if best is None else best.tokens / best.seconds
