"""What a user may choose by name. Plain, so that the command line starts without numpy."""

from __future__ import annotations

from typing import Literal

Probe = Literal["reference", "fast"]
"""Who fits the probes: ``reference`` is scikit-learn, as the protocol says; ``fast`` solves the
same problems together, in torch."""
Engine = Literal["local", "ray"]
"""Where a run encodes and fits probes: in this process or on a Ray cluster."""
Width = Literal["float32", "float16"]
"""The precision in which vectors reach the scores."""
Existing = Literal["refuse", "resume", "overwrite"]
"""What a run does with result files that are already there."""
