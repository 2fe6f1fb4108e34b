"""What a user may choose about encoding, as one plain record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """Choices for encoding; None lets the machine decide.

    ``device`` may name several, separated by commas; ``dtype`` is float32, bfloat16 or float16;
    ``batch_tokens`` is the number of padded tokens a batch.
    """

    device: str | None = None
    dtype: str | None = None
    batch_tokens: int | None = None
    offline: bool = False
    compile: bool = False
