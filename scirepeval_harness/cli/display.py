"""What a person, a log or a program sees of long work while it goes on; all on standard error.

Three forms of one interface (:mod:`scirepeval_harness.progress`): bars below the lines at a
terminal, lines alone in a pipe, one JSON object a line for programs.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scirepeval_harness.progress import (
    DETAIL,
    Advance,
    Terminal,
    Work,
    harmless,
    printable,
    time_in_words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars

LONGEST_TITLE = 18
TITLES, BAR = LONGEST_TITLE + 9, 10
"""Widths of columns: all of a bar's line fits 80 characters, and nothing jumps."""
TICKS = 4
"""Times a second that bars are drawn."""
ENCODING = ""
"""Stands in the place of a task for what is encoded ahead of all."""
LEAST = 0.1
"""Seconds that a task weighs at least."""
MANY = 1_000
"""From so many on, what is done is a share."""
MOST_FITTED = 0.95
"""Of a task whose probes are all fitted: intervals and files come after them."""
LEAST_KNOWN = 0.02
"""Of a run, to say how long the rest takes."""


@contextmanager
def display(*, verbosity: int = 0, as_json: bool = False) -> Iterator[Terminal]:
    """The form for this terminal, pipe or program, for the time of the block.

    Args:
        verbosity: -1 for failures alone, 0 for the usual, 1 for every phase.
        as_json: one JSON object a line, whoever reads.
    """
    # The libraries read it when they are loaded, later. A person may see how far a download is.
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    if as_json or verbosity < 0 or not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if as_json:
        yield JsonLines(verbosity)
        return
    if verbosity >= 0 and sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True, highlight=False)
        if not console.is_dumb_terminal:
            with Live(console, verbosity) as live:
                yield live
            return
    yield Terminal(verbosity)


class JsonLines(Terminal):
    """One JSON object a line: when, what happened, the line that a person would read, its facts."""

    def tell(self, event: str, line: str, **facts: object) -> None:
        """The event, if it is to be said."""
        if self.says(event):
            self.write(json_line(event, line, **facts))


def json_line(event: str, line: str, **facts: object) -> str:
    """An event of ``--log-json``; plain ASCII."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "event": event, "message": line, **facts})


class Live(Terminal):
    """Lines as they come, and below them the whole run and the work that goes on."""

    def __init__(self, console: Console, verbosity: int = 0) -> None:
        super().__init__(verbosity)
        self._console = console
        self._bars = bars_on(console)
        self._run = WholeRun()
        self._whole: Any = None
        self._lock = threading.Lock()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def tell(self, event: str, line: str, **facts: object) -> None:
        """The line, and what it says of how far the run is."""
        with self._lock:
            if self._run.heard(event, facts) and self._whole is None:
                self._bars.start()
                self._whole = self._bars.add_task("run", total=1.0, words=str(self._run))
        super().tell(event, line, **facts)
        self._draw()

    def write(self, line: str) -> None:
        """A line above the bars, broken between words, without what a terminal would obey."""
        from rich.text import Text

        self._console.print(Text(harmless(line)))

    @contextmanager
    def bar(self, title: str, total: int, unit: str = "doc", phase: str = "") -> Iterator[Advance]:
        """A bar for the time of the block."""
        work = Work(title, phase, total, unit)
        words = f"{printable(phase):<8} {_shortened(printable(title))}"
        with self._lock:
            self._bars.start()
            # Nothing to measure against: the bar only moves.
            row = self._bars.add_task(words, total=total or None, words=_amount(work))

        def advance(count: int) -> None:
            work.done += count
            self._bars.update(row, completed=work.done, words=_amount(work))
            self._run.worked(work, count)
            self._draw()

        try:
            yield advance
        finally:
            self._bars.remove_task(row)
        self.tell(DETAIL, f"{work}, done in {work.seconds:.1f} s")

    def _draw(self) -> None:
        if self._whole is not None:
            self._bars.update(self._whole, completed=self._run.share, words=str(self._run))


def bars_on(console: Console) -> Bars:
    """The bars: what is done, how far, in which words, for how long."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    return Progress(
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(width=TITLES, no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(BAR),
        TextColumn(
            "{task.fields[words]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        # Both are the same screen, or standard output goes elsewhere and is no business of ours.
        redirect_stdout=sys.stdout.isatty(),
        refresh_per_second=TICKS,
    )


class WholeRun:
    """How far a run is, and how long it will take.

    Work is weighed by the seconds that the plan expects of it; the time left is the weight left at
    the pace so far, so that a plan that is wrong by a factor still ends with the right time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._weights: dict[tuple[str, str], float] = {}
        """By model and task, of encoding without a task."""
        self._shares: dict[tuple[str, str], float] = {}
        self._ended: set[tuple[str, str]] = set()
        self._tokens: dict[str, int] = {}

    def heard(self, event: str, facts: Mapping[str, Any]) -> bool:
        """Takes what an event says; whether anything is known of the run."""
        model, task = facts.get("model", ""), facts.get("task", "")
        if event == "plan":
            self._tokens[model] = facts["tokens"] or facts["texts"] - facts["cached"]
            self._weights[model, ENCODING] = facts["seconds"] or 0.0
            expected = facts.get("scoring", {})
            for name in facts["tasks"]:
                self._weights[model, name] = max(expected.get(name) or 0.0, LEAST)
        elif event in ("result", "failed") and (model, task) in self._weights:
            self._shares[model, task] = 1.0
            self._ended.add((model, task))
            if not self._open(model):
                # Encoding took what it took, whatever was expected.
                self._shares[model, ENCODING] = 1.0
        return bool(self._weights)

    def worked(self, work: Work, count: int) -> None:
        """Takes a part of a model's encoding, or of the fits of a task that is not finished."""
        if work.phase == "encode" and self._tokens.get(work.title):
            key, part, most = (work.title, ENCODING), count / self._tokens[work.title], 1.0
        elif work.phase == "probe" and work.total:
            # Models come one after another: the first that has not finished it is at work.
            at_work = [k for k in self._weights if k[1] == work.title and k not in self._ended]
            if not at_work:
                return
            key, part, most = at_work[0], count / work.total, MOST_FITTED
        else:
            return
        self._shares[key] = min(most, self._shares.get(key, 0.0) + part)

    @property
    def share(self) -> float:
        """Of the expected work, what is done."""
        total = sum(self._weights.values())
        done = sum(weight * self._shares.get(key, 0.0) for key, weight in self._weights.items())
        return done / total if total else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the end; None while too little is done to say."""
        share = self.share
        if share < LEAST_KNOWN:
            return None
        return (self._clock() - self._begun) * (1.0 - share) / share

    def _open(self, model: str) -> bool:
        own = {key for key in self._weights if key[0] == model and key[1] != ENCODING}
        return bool(own - self._ended)

    def __str__(self) -> str:
        tasks = sum(key[1] != ENCODING for key in self._weights)
        left = "" if self.left is None else f", {_left(self.left)}"
        return f"{len(self._ended)} of {tasks} tasks, {self.share:.0%}{left}"


def _amount(work: Work) -> str:
    """``13 of 25 fits, 3 min left``; of many, ``55% of 195,348 tokens``, which stays narrow."""
    amount = work.amount
    if work.total >= MANY and work.unit != "B":
        amount = f"{work.done / work.total:.0%} of {work.total:,} {work.unit}s"
    return amount if work.left is None else f"{amount}, {_left(work.left)}"


def _left(seconds: float) -> str:
    return f"{time_in_words(seconds).removeprefix('about ')} left"


def _shortened(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 3] + "..."
