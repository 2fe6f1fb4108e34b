"""Did-you-mean for names that a user mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from scirepeval_harness.errors import UnknownNameError

SHOWN = 30


def near(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Known names that resemble ``name``, best first, whatever their case."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    wanted = name.casefold()
    close = difflib.get_close_matches(wanted, by_folded, n=limit, cutoff=0.6)
    # A part of a name ("covid") is too unlike the whole for a ratio, yet plainly meant.
    parts = [other for other in by_folded if len(wanted) > 2 and wanted in other]
    found = dict.fromkeys([*close, *sorted(parts, key=len)])
    return tuple(by_folded[other] for other in list(found)[:limit])


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence for the error's ``fix``: the nearest names, else all that are known."""
    listed = list(known)
    guesses = near(name, listed)
    if guesses:
        return f"Did you mean {' or '.join(guesses)}?"
    if not listed:
        return "None are known"
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"Known are {', '.join(listed[:SHOWN])}{more}"


def unknown(
    kind: str, name: str, known: Iterable[str], where: str | None = None
) -> UnknownNameError:
    """The error for a name of a ``kind`` (task, suite, model, role) that no registry holds."""
    return UnknownNameError(f"unknown {kind} {name!r}", where=where, fix=did_you_mean(name, known))
