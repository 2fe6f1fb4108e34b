"""An environment for the package `s2and`, which pins older libraries than the harness uses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from scirepeval_harness.errors import ExperimentError, StorageError, UsageError
from scirepeval_harness.files import read_json, write_json

REQUIREMENT = "s2and==0.51.2"
PINS = (
    "fastcluster==1.2.6",
    "jellyfish==1.3.0",
    "numpy==1.26.4",
    "pandas==2.1.4",
    "pycld2==0.42",
    "scipy==1.17.1",
    "strsimpy==0.2.1",
)
"""Libraries that can move the scores and that the package itself leaves free."""
# The package takes this Python only.
PYTHON = "3.11"
MARKER, MAKER = "ready.json", "scirepeval_harness s2and setup"
LINES = 5
Say = Callable[[str], None]


def is_ready(folder: Path) -> bool:
    """Whether :func:`set_up` has finished there, for the versions that are asked for today."""
    try:
        found = read_json(folder / MARKER)
    except (OSError, ValueError):
        return False
    return bool(found == contents()) and python_of(folder).exists()


def _is_ours(folder: Path) -> bool:
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # Finished ones, of earlier versions too, name their requirement.
    return isinstance(found, dict) and (
        found.get("made_by") == MAKER or str(found.get("requirement")).startswith("s2and==")
    )


def contents() -> dict[str, object]:
    """What a finished environment says of itself."""
    return {"requirement": REQUIREMENT, "pins": list(PINS)}


def python_of(folder: Path) -> Path:
    """The environment's interpreter."""
    return folder / "bin" / "python"


def set_up(folder: Path, say: Say) -> None:
    """Make the environment, install the package from PyPI and import it; nothing if it is ready.

    Raises:
        UsageError: no Python that the package takes, or a folder that holds something else.
        StorageError: the folder cannot be read.
        ExperimentError: making it, the installation or the import failed.
    """
    if is_ready(folder):
        say(f"{folder} is ready ({REQUIREMENT})")
        return
    try:
        filled = folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise StorageError(
            f"the folder cannot be read ({error.strerror})", where=str(folder), fix="Choose another"
        ) from error
    if filled and not _is_ours(folder):
        raise UsageError(
            "the folder holds something that this command did not make",
            where=str(folder),
            fix="Choose another with --dir, or remove it",
        )
    interpreter = find_python()
    # First of all: what an installation that is cut off leaves is this command's to go on with.
    write_json(folder / MARKER, {"made_by": MAKER})
    say(f"making an environment in {folder}")
    run([interpreter, "-m", "venv", str(folder)], "the making of the environment", folder)
    say(f"installing {REQUIREMENT} (1.3 GB, some minutes)")
    python = str(python_of(folder))
    run([python, "-m", "pip", "install", "--quiet", REQUIREMENT, *PINS], "the installation", folder)
    run([python, "-I", "-c", "import s2and.data, s2and.model"], "the import", folder)
    write_json(folder / MARKER, contents())
    say(f"{folder} is ready ({REQUIREMENT})")


def find_python() -> str:
    """A Python of the version that the package takes: this one, or one on the path.

    Raises:
        UsageError: there is none.
    """
    if ".".join(map(str, sys.version_info[:2])) == PYTHON:
        return sys.executable
    found = shutil.which(f"python{PYTHON}")
    if found is None:
        raise UsageError(
            f"{REQUIREMENT} needs Python {PYTHON}",
            where=sys.executable,
            fix=f"Install Python {PYTHON} so that `python{PYTHON}` is found",
        )
    return found


def run(words: Sequence[str], what: str, where: Path, say: Say | None = None) -> None:
    """Run a program to its end; ``say`` gets each line that it prints as it comes.

    Raises:
        ExperimentError: it cannot be started or fails; with the last lines of its errors.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        last: list[str] = []
        try:
            with subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
            ) as program:
                assert program.stdout is not None
                try:
                    for line in program.stdout:
                        last = [*last, line.rstrip()][-LINES:]
                        if say is not None:
                            say(line.rstrip())
                except BaseException:
                    program.kill()
                    raise
        except OSError as error:
            raise ExperimentError(
                f"{what} cannot be started ({error})",
                where=str(where),
                fix="Run `s2and setup` again",
            ) from error
        if program.returncode:
            errors.seek(0)
            said = [line for line in errors.read().splitlines() if line.strip()][-LINES:] or last
            raise ExperimentError(
                f"{what} failed: {' / '.join(said)}",
                where=str(where),
                fix="Mend the cause and run it again",
            )
