"""How the parts of a document become the one text that a model reads."""

from __future__ import annotations

from collections.abc import Sequence


def join_parts(parts: Sequence[str], separator: str) -> str:
    """The non-empty parts, unchanged, joined by ``separator`` exactly as given."""
    return separator.join(part for part in parts if part)


def token_separator(token: str) -> str:
    """A tokenizer's separator token with a space on each side (protocol, section 2)."""
    return f" {token} "


def with_control_code(code: str | None, text: str) -> str:
    """The control code in front of the text, one space between; the text alone without a code."""
    return text if code is None else f"{code} {text}"
