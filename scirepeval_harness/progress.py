"""What long work says while it goes on: one interface, handed down, never looked up."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

# What GitHub's runner takes for a command: at the start of a line, or anywhere in it.
COMMAND = re.compile(r"^(\s*:)(?=:)|(##)(?=\[)")


def printable(text: str) -> str:
    """Without line ends, control characters and marks that turn the direction of writing, so that
    a name can neither move the cursor nor break a row; each becomes a space."""
    return "".join(char if char.isprintable() else " " for char in text)


def harmless(text: str) -> str:
    """Lines as a terminal or a log of CI may have them: `printable`, and no command to GitHub."""
    return "\n".join(COMMAND.sub(r"\1\2 ", printable(line)) for line in text.split("\n"))


Advance = Callable[[int], None]
"""Called with how much has just been done, in the unit of its bar."""
DETAIL = "detail"
"""The event of lines for those who want to know more (`run -v`)."""
FAILED = "failed"
"""The event of a task that failed, which is said however quiet a run is to be."""
PATIENCE = 60.0
"""Seconds between two lines on one and the same long work, where no bar can move."""


class Progress(Protocol):
    """Where a run speaks. A notebook or a training process may bring an own one.

    Work of two phases may go on at once, in two threads: each has a bar of its own.

    Example:
        >>> import scirepeval_harness as sh
        >>> class Listener(sh.Silent):
        ...     def say(self, line):
        ...         print(line.split("(")[0].strip())
        >>> results = sh.evaluate(
        ...     "tfidf", suite="sample", tasks="sample-search", cache=None, progress=Listener()
        ... )
        tfidf on sample: 1 task
        tfidf  plan: 254 documents, fitted on each task, none kept
        expected: encoding nothing to do; scoring about 1 s
        tfidf  sample-search  ndcg 57.62
    """

    def say(self, line: str) -> None:
        """One line that stays."""
        ...

    def tell(self, event: str, line: str, **facts: object) -> None:
        """What happened, for programs by name and facts (JSON-ready), for persons as a line:
        ``start``, ``plan``, ``cost``, ``result``, ``failed``, ``detail``."""
        ...

    def bar(
        self, title: str, total: int, unit: str = "doc", phase: str = ""
    ) -> AbstractContextManager[Advance]:
        """A bar for the time of the block, which calls what it is given with what is done.

        Args:
            title: whose work it is: a model, a task or a file.
            total: how much there is to do, in ``unit``; 0 where nobody knows.
            phase: what is done: ``encode``, ``probe``, ``few-shot``, ``download``.
        """
        ...


class Silent:
    """Says nothing: what a library does unless asked.

    Example:
        >>> import scirepeval_harness as sh
        >>> sh.Silent().say("nobody hears this")
    """

    def say(self, line: str) -> None:
        """Nothing."""

    def tell(self, event: str, line: str, **facts: object) -> None:
        """To `say`, which a subclass may have, but for details."""
        if event != DETAIL:
            self.say(line)

    @contextmanager
    def bar(self, title: str, total: int, unit: str = "doc", phase: str = "") -> Iterator[Advance]:
        """Nothing to see either."""
        yield lambda count: None


class Terminal:
    """Lines on standard error, as a log wants them: no control characters, no line said twice.

    Long work has a line a minute. The command line shows bars where a person looks on.

    Args:
        verbosity: -1 for failures alone, 0 for the usual, 1 for every phase with its seconds.

    Example:
        >>> import scirepeval_harness as sh
        >>> with sh.Terminal().bar("reading", total=3) as advance:
        ...     advance(3)
    """

    def __init__(self, verbosity: int = 0) -> None:
        self.verbosity = verbosity

    def say(self, line: str) -> None:
        """The line, unless nothing but failures is to be said."""
        self.tell("note", line)

    def tell(self, event: str, line: str, **facts: object) -> None:
        """The line, if it is to be said; the facts are for programs."""
        if self.says(event):
            self.write(line)

    def says(self, event: str) -> bool:
        """Whether an event is said at this verbosity."""
        return self.verbosity >= {FAILED: -1, DETAIL: 1}.get(event, 0)

    def write(self, line: str) -> None:
        """A line on standard error, without what a terminal would obey."""
        # In one piece: two threads may speak at once.
        sys.stderr.write(harmless(line) + "\n")
        sys.stderr.flush()

    @contextmanager
    def bar(self, title: str, total: int, unit: str = "doc", phase: str = "") -> Iterator[Advance]:
        """A line now and then while the work goes on; with its seconds at the end if verbose."""
        work = Work(title, phase, total, unit)
        said = work.begun

        def advance(count: int) -> None:
            nonlocal said
            work.done += count
            if time.monotonic() - said >= PATIENCE:
                said = time.monotonic()
                self.tell("progress", str(work), **work.facts())

        yield advance
        self.tell(DETAIL, f"{work}, done in {work.seconds:.1f} s", **work.facts())


@dataclass
class Work:
    """What a bar shows: whose work, in which phase, how much is done of how much."""

    title: str
    phase: str
    total: int
    unit: str
    done: int = 0
    begun: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.begun

    @property
    def left(self) -> float | None:
        """Seconds until the end at the rate so far; None before anything is known."""
        if not self.total or not self.done:
            return None
        return max(0.0, self.total / self.done - 1.0) * self.seconds

    @property
    def amount(self) -> str:
        """``3 of 25 fits``; bytes in MB."""
        scale, unit = (1e6, "MB") if self.unit == "B" else (1, f"{self.unit}s")
        done, total = (f"{count / scale:,.0f}" for count in (self.done, self.total))
        return f"{done} of {total} {unit}" if self.total else f"{done} {unit}"

    def facts(self) -> dict[str, object]:
        """For programs."""
        known = {"title": self.title, "phase": self.phase, "done": self.done}
        return {**known, "total": self.total, "unit": self.unit, "seconds": round(self.seconds, 3)}

    def __str__(self) -> str:
        left = "" if self.left is None else f", {time_in_words(self.left)} left"
        phase = f"  {self.phase}" if self.phase else ""
        return f"{self.title}{phase}  {self.amount}{left if self.done < self.total else ''}"


def time_in_words(seconds: float) -> str:
    """``about 42 s``, ``about 3 min``, ``about 7.1 h``, ``about 12 days``; ``no time`` for 0."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s" if seconds else "no time"
    if seconds < 5_400:
        return f"about {round(seconds / 60)} min"
    if seconds < 172_800:
        return f"about {seconds / 3600:.1f} h"
    return f"about {seconds / 86_400:.1f} days"


SILENT = Silent()
