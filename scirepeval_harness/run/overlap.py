"""Scoring beside encoding: while an accelerator encodes the next tasks, finished ones are scored.

The encoder stays in the caller's thread, where a user's object may count on it (torch's modes are a
thread's own), and so does Ctrl-C; scoring goes to another thread, one task after another in the
order of the run. So no result, and no order of results, depends on what overlaps.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Beside:
    """Calls ``work()`` in a thread of its own for the time of a ``with`` block, for the first time
    once number 0 is ready, then once 1 is, and so on. At the block's end the call at hand is waited
    for; what is not begun by then is the caller's.

    An error of ``work`` ends the thread and is raised at the end of the block. An interrupt of the
    block interrupts ``work`` as well.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._change = threading.Condition()
        self._ready: set[int] = set()
        self._closed = False
        self._error: BaseException | None = None
        # A daemon, so that a second Ctrl-C ends the process whatever the thread is at.
        self._thread = threading.Thread(target=self._run, name="score", daemon=True)

    def ready(self, number: int) -> None:
        """The call of this number may be made, after those before it."""
        with self._change:
            self._ready.add(number)
            self._change.notify()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._change:
            self._closed = True
            self._change.notify()
        try:
            if error is not None:
                self._interrupt()
            self._thread.join()
        except KeyboardInterrupt:
            self._interrupt()
            self._thread.join()
            raise
        if error is None and self._error is not None:
            raise self._error

    def _interrupt(self) -> None:
        """Raise KeyboardInterrupt in the thread, as Ctrl-C does in the one that hears it."""
        if self._thread.ident is not None and self._thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(KeyboardInterrupt)
            )

    def _run(self) -> None:
        number = 0
        try:
            while self._may(number):
                self._work()
                number += 1
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            self._error = error

    def _may(self, number: int) -> bool:
        with self._change:
            self._change.wait_for(lambda: self._closed or number in self._ready)
            return not self._closed
