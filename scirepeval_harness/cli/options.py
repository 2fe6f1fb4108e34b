"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TasksDir = Annotated[
    list[Path] | None,
    typer.Option(
        "--tasks-dir", metavar="FOLDER", help="A folder of your own task files. May be repeated."
    ),
]
DataDir = Annotated[
    Path | None, typer.Option("--data", help="Read data from this folder, not from the hub.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Never open a connection.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
