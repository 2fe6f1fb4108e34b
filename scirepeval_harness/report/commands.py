"""The command line that a run was started with, from the arguments in its run file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

REPEATED = {
    "models": "--model",
    "suites": "--suite",
    "tasks": "--task",
    "formats": "--format",
    "tasks_dirs": "--tasks-dir",
}
VALUES = {
    "data": "--data",
    "limit": "--limit",
    "device": "--device",
    "dtype": "--dtype",
    "batch_tokens": "--batch-tokens",
    "engine": "--engine",
    "workers": "--workers",
    "pooling": "--pooling",
    "max_length": "--max-length",
    "probe": "--probe",
    "width": "--width",
    "seed": "--seed",
}
FLAGS = {"offline": "--offline", "allow_missing": "--allow-missing"}


def run_command_line(arguments: Mapping[str, object]) -> str:
    """The ``run`` command of these arguments, for a POSIX shell, on one line."""
    words = ["python", "-m", "scirepeval_harness", "run"]
    for name, option in REPEATED.items():
        given = arguments.get(name)
        for value in given if isinstance(given, list | tuple) else ():
            words += [option, str(value)]
    for name, option in VALUES.items():
        if arguments.get(name) is not None:
            words += [option, str(arguments[name])]
    words += [option for name, option in FLAGS.items() if arguments.get(name)]
    return " ".join(shell_word(word) for word in words)


def shell_word(word: str) -> str:
    """A word quoted for bash and zsh; what cannot be printed is written as an escape."""
    if word.isprintable():
        return shlex.quote(word)
    # Bytes, not characters: a lone surrogate stands for a byte that is no UTF-8.
    raw = word.encode("utf-8", "surrogatepass")
    return "$'" + "".join(_byte(value) for value in raw) + "'"


def _byte(value: int) -> str:
    char = chr(value)
    if char in "\\'":
        return f"\\{char}"
    return char if 32 <= value < 127 else f"\\x{value:02x}"
