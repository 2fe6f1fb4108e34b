"""Which folder the data of a task is read from: named on the command line, in the environment, or
in a settings file; else where it always comes from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from scirepeval_harness.errors import UnknownNameError, UsageError
from scirepeval_harness.schema import did_you_mean, read_toml, validate
from scirepeval_harness.task.registry import Registry
from scirepeval_harness.task.spec import Strict, SuiteSpec, TaskSpec

Places = Mapping[str, Path]
"""Folders by the name of a task or suite; ``EVERYTHING`` for all that is not named."""
Data = str | Path | Sequence[str | Path] | Mapping[str, str | Path] | None
"""Folders as a user gives them: FOLDER, NAME=FOLDER, several of these, or a mapping from names."""
EVERYTHING = ""
VARIABLE = "SCIREPEVAL_HARNESS_DATA"
SETTINGS = Path("scirepeval.toml")
_NAMED = re.compile(r"^([a-z0-9][a-z0-9._-]*)=(.+)$")


class Settings(Strict):
    """The settings file of a working folder: ``[data]`` names a folder by task or suite, or
    ``all``."""

    data: dict[str, str] = Field(default={})


def read_places(given: Data) -> Places:
    """Folders from what the user gave, over ``$SCIREPEVAL_HARNESS_DATA`` (FOLDER or NAME=FOLDER,
    separated as in a PATH), over ``scirepeval.toml`` in the working folder.

    Raises:
        UsageError: a folder that is not there, or a name given twice.
        SpecError: a settings file that does not follow its schema.
    """
    if isinstance(given, Mapping):
        named = {name: Path(folder) for name, folder in given.items()}
    else:
        named = _read([given] if isinstance(given, str | Path) else given or (), "--data")
    variable = os.environ.get(VARIABLE, "")
    found = _settings()
    for stronger in (_read(filter(None, variable.split(os.pathsep)), VARIABLE), named):
        # A folder for everything means everything: what a weaker place names is no longer asked.
        found = stronger if EVERYTHING in stronger else {**found, **stronger}
    for name, folder in found.items():
        if not folder.is_dir():
            fix = f"Check --data, ${VARIABLE} and {SETTINGS}"
            where = f"{name}={folder}" if name else str(folder)
            raise UsageError("no such folder", where=where, fix=fix)
    return found


def place_of(places: Places, suite: SuiteSpec, task: TaskSpec) -> Path | None:
    """The folder of a task, by its own name, its suite's, or for everything; None for none. A draw
    reads what the whole task reads."""
    for name in (task.name, suite.name, task.whole, suite.of, EVERYTHING):
        if name is not None and name in places:
            return places[name]
    return None


def check_names(places: Places, registry: Registry) -> None:
    """Raises UnknownNameError where a place names neither a task nor a suite."""
    known = [*registry.suites, *registry.tasks]
    for name in places:
        if name != EVERYTHING and name not in known:
            raise UnknownNameError(
                f"data is given for {name!r}, which is no task and no suite",
                fix=did_you_mean(name, known),
            )


def _settings() -> dict[str, Path]:
    if not SETTINGS.is_file():
        return {}
    read = validate(Settings, read_toml(SETTINGS), str(SETTINGS))
    names = {EVERYTHING if name == "all" else name: folder for name, folder in read.data.items()}
    return {name: Path(folder).expanduser() for name, folder in names.items()}


def _read(given: Iterable[str | Path], where: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for one in given:
        # A folder may hold "=" itself; one that is there is never taken apart.
        match = None if isinstance(one, Path) or Path(one).is_dir() else _NAMED.match(one)
        name, folder = match.groups() if match else (EVERYTHING, one)
        if name in found:
            problem = f"two folders for {name or 'everything'}"
            raise UsageError(problem, where=where, fix="Give one, or name a task: NAME=FOLDER")
        found[name] = Path(folder).expanduser()
    return found
