"""What long work says while it goes on: one interface, handed down, never looked up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]
"""Called with how much has just been done, in the unit of its bar."""


class Progress(Protocol):
    """Where a run speaks. A notebook or a training process may bring an own one."""

    def say(self, line: str) -> None:
        """One line that stays, such as that a task is finished."""
        ...

    def bar(self, title: str, total: int, unit: str = "doc") -> AbstractContextManager[Advance]:
        """A bar of ``total`` units for the time of the block; the block calls what it is given."""
        ...


class Silent:
    """Says nothing: what a library does unless asked."""

    def say(self, line: str) -> None:
        pass

    @contextmanager
    def bar(self, title: str, total: int, unit: str = "doc") -> Iterator[Advance]:
        yield lambda count: None


class Terminal:
    """Lines and bars on standard error; bars only where that is a terminal."""

    def say(self, line: str) -> None:
        from tqdm import tqdm

        # tqdm's own, because a plain print would break a bar that stands there.
        tqdm.write(line, file=sys.stderr)

    @contextmanager
    def bar(self, title: str, total: int, unit: str = "doc") -> Iterator[Advance]:
        from tqdm import tqdm

        # disable=None: tqdm itself stays silent where standard error is no terminal.
        with tqdm(
            total=total, desc=title, unit=unit, leave=False, disable=None, file=sys.stderr
        ) as bar:

            def advance(count: int) -> None:
                bar.update(count)

            yield advance


SILENT = Silent()
