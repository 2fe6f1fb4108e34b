"""An environment for the package `s2and`, which pins older libraries than the harness uses."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from scirepeval_harness.atomic import write_json
from scirepeval_harness.errors import ExperimentError, StorageError, UsageError

REQUIREMENT = "s2and==0.51.2"
PYTHON = (3, 11)
"""The package takes Python 3.11 only."""
MARKER = "ready.json"
LINES = 5


def is_ready(folder: Path) -> bool:
    """Whether :func:`set_up` has finished there, for the version that is asked for today."""
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return found == {"requirement": REQUIREMENT} and python_of(folder).exists()


def python_of(folder: Path) -> Path:
    """The environment's interpreter."""
    return folder / "bin" / "python"


def set_up(folder: Path, say: Callable[[str], None]) -> None:
    """Make the environment, install the package from PyPI and import it; nothing if it is ready.

    Raises:
        UsageError: another Python than the package takes, or a folder that holds something else.
        StorageError: the folder cannot be written.
        ExperimentError: the installation or the import failed.
    """
    if is_ready(folder):
        say(f"{folder} is ready ({REQUIREMENT})")
        return
    if sys.version_info[:2] != PYTHON:
        raise UsageError(
            f"{REQUIREMENT} needs Python {PYTHON[0]}.{PYTHON[1]}",
            where=sys.executable,
            fix="Run the harness with that Python, or make the environment with it by hand",
        )
    if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").is_file():
        raise UsageError(
            "the folder holds something else",
            where=str(folder),
            fix="Choose another with --dir",
        )
    say(f"making an environment in {folder}")
    try:
        venv.create(folder, with_pip=True, clear=False)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StorageError(
            f"the environment cannot be made ({error})", where=str(folder), fix="Check the folder"
        ) from error
    say(f"installing {REQUIREMENT} (some minutes)")
    python = str(python_of(folder))
    run([python, "-m", "pip", "install", "--quiet", REQUIREMENT], "the installation", folder)
    run([python, "-c", "import s2and.data, s2and.model"], "the import", folder)
    write_json(folder / MARKER, {"requirement": REQUIREMENT})
    say(f"{folder} is ready ({REQUIREMENT})")


def run(words: list[str], what: str, where: Path) -> str:
    """Run a program and give what it prints; raises ExperimentError with its last lines."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ExperimentError(
            f"{what} cannot be started ({error})", where=str(where), fix="Run `s2and setup` again"
        ) from error
    if done.returncode:
        last = " / ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-LINES:])
        raise ExperimentError(
            f"{what} failed: {last}", where=str(where), fix="Mend the cause and run it again"
        )
    return done.stdout
