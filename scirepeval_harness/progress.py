"""What long work says while it goes on: one interface, handed down, never looked up."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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


class Progress(Protocol):
    """Where a run speaks. A notebook or a training process may bring an own one.

    Example:
        >>> import scirepeval_harness as sh
        >>> class Listener(sh.Silent):
        ...     def say(self, line):
        ...         print(line.split("(")[0].strip())
        >>> results = sh.evaluate(
        ...     "tfidf", suite="sample", tasks="sample-search", cache=None, progress=Listener()
        ... )
        tfidf  plan: 254 documents, fitted on each task, none kept
        tfidf  sample-search  ndcg 57.62
    """

    def say(self, line: str) -> None:
        """One line that stays, such as that a task is finished."""
        ...

    def bar(self, title: str, total: int, unit: str = "doc") -> AbstractContextManager[Advance]:
        """A bar of ``total`` units for the time of the block; the block calls what it is given."""
        ...


class Silent:
    """Says nothing: what a library does unless asked.

    Example:
        >>> import scirepeval_harness as sh
        >>> sh.Silent().say("nobody hears this")
    """

    def say(self, line: str) -> None:
        """Nothing."""

    @contextmanager
    def bar(self, title: str, total: int, unit: str = "doc") -> Iterator[Advance]:
        """Nothing to see either."""
        yield lambda count: None


class Terminal:
    """Lines and bars on standard error; bars only where that is a terminal.

    Example:
        >>> import scirepeval_harness as sh
        >>> with sh.Terminal().bar("reading", total=3) as advance:
        ...     advance(3)
    """

    def say(self, line: str) -> None:
        """A line above whatever bar stands there."""
        from tqdm import tqdm

        # tqdm's own, because a plain print would break a bar that stands there.
        tqdm.write(harmless(line), file=sys.stderr)

    @contextmanager
    def bar(self, title: str, total: int, unit: str = "doc") -> Iterator[Advance]:
        """A bar with the rate and the time left; nothing where standard error is no terminal."""
        from tqdm import tqdm

        # disable=None: tqdm itself stays silent where standard error is no terminal.
        with tqdm(
            total=total,
            desc=printable(title),
            unit=unit,
            leave=False,
            disable=None,
            file=sys.stderr,
        ) as bar:

            def advance(count: int) -> None:
                bar.update(count)

            yield advance


SILENT = Silent()
