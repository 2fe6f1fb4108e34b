"""The step summary of GitHub Actions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scirepeval_harness.errors import StorageError

VARIABLE = "GITHUB_STEP_SUMMARY"
LARGEST = 1_000_000
"""GitHub refuses a summary of more than 1 MiB (docs.github.com, workflow commands)."""


def append_step_summary(markdown: str, environment: Mapping[str, str]) -> Path | None:
    """Append ``markdown`` to the job's summary; None where the variable is not set.

    Raises:
        StorageError: the file cannot be written.
    """
    name = environment.get(VARIABLE)
    if not name:
        return None
    if len(markdown.encode()) > LARGEST:
        markdown = markdown.encode()[:LARGEST].decode(errors="ignore") + "\n\n(cut: too long)\n"
    path = Path(name)
    try:
        with path.open("a", encoding="utf-8") as summary:
            summary.write(markdown)
    except OSError as error:
        raise StorageError(
            f"cannot write the step summary ({error.strerror or error})",
            where=name,
            fix=f"Unset {VARIABLE} or make the file writable",
        ) from error
    return path
