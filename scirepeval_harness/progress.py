"""Progress on the terminal: a bar for each long part, one line a finished task; quiet elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scirepeval_harness.models.base import Advance
from scirepeval_harness.results.record import TaskRecord


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Advance]:
    """A bar with documents per second and the time left; nothing when not at a terminal."""
    from tqdm import tqdm

    # disable=None: tqdm itself stays silent where standard error is no terminal.
    with tqdm(
        total=total, desc=title, unit="doc", leave=False, disable=None, file=sys.stderr
    ) as bar:

        def advance(documents: int) -> None:
            bar.update(documents)

        yield advance


def say(line: str) -> None:
    """One line on standard error, above any bar."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)


def result_line(model: str, record: TaskRecord, seconds: float) -> str:
    """What is said of a finished task: its scores, the time, and whether something was missing."""
    shown = [score for score in record.scores if score.field is None]
    scores = "  ".join(f"{score.key} {score.value:.2f}" for score in shown)
    partial = "" if record.coverage is None or record.coverage.complete else "  PARTIAL"
    return f"{model}  {record.task}  {scores}  ({seconds:.1f} s){partial}"
