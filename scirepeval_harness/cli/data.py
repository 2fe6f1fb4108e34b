"""``data``: what is kept on this machine of the tasks' data."""

from __future__ import annotations

from dataclasses import asdict

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import AsJson, TasksDir
from scirepeval_harness.cli.output import print_json, print_table, say

app = typer.Typer(help="Show the data that is kept on this machine.", no_args_is_help=True)


LEGEND = {"file": "hub: a repository in the cache of the hub, shared with other programs"}


@app.command("list")
def list_data(tasks_dir: TasksDir = None, as_json: AsJson = False) -> None:
    """Show downloads and tables of the hub, with their sizes."""
    parts = sh.data.kept(tasks_dir or ())
    if as_json:
        print_json([{**asdict(part), "path": str(part.path)} for part in parts])
        return
    rows = [
        (
            part.name,
            part.path.name if part.sha256 else "hub",
            sh.cache.size_in_words(part.bytes),
            (part.fetched_at or "-")[:10],
        )
        for part in parts
    ]
    if rows:
        print_table(("task or repository", "file", "size", "fetched"), rows, legend=LEGEND)
    total = sh.cache.size_in_words(sum(part.bytes for part in parts))
    say(f"{total} in all; downloads are kept in {sh.data.folder()}")
