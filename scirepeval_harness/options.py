"""What a user may choose by name. Plain, so that the command line starts without numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Probe = Literal["reference", "exact", "fast"]
"""Who fits the probes: ``reference`` is scikit-learn, as the protocol says; ``exact`` repeats its
steps in machine code; ``fast`` solves the same problems together, in torch."""
Engine = Literal["local", "ray"]
"""Where a run encodes and fits probes: in this process or on a Ray cluster."""
Width = Literal["float32", "float16"]
"""The precision in which vectors reach the scores."""
Existing = Literal["refuse", "resume", "overwrite"]
"""What a run does with result files that are already there."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Everything that a run needs besides the models and the tasks.

    ``limit`` is in queries, or in rows of each split; ``width`` is the precision in which vectors
    reach the rankings; ``existing`` says what to do with result files that are already there.
    ``ray_address`` and ``workers`` are the Ray engine's; where a run works moves no score.
    """

    output: Path
    cache: Path | None
    data: Path | None = None
    offline: bool = False
    allow_missing: bool = False
    limit: int | None = None
    seed: int = 42
    probe: Probe = "reference"
    width: Width = "float32"
    device: str | None = None
    dtype: str | None = None
    batch_tokens: int | None = None
    existing: Existing = "refuse"
    engine: Engine = "local"
    ray_address: str | None = None
    workers: int | None = None

    def scoring(self) -> dict[str, object]:
        """The choices that may move a score, as they stand in every score file."""
        return {
            "seed": self.seed,
            "limit": self.limit,
            "probe": self.probe,
            "width": self.width,
            "allow_missing": self.allow_missing,
        }
