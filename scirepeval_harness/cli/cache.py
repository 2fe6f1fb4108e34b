"""``cache``: the vectors kept between runs."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from scirepeval_harness.cli.options import AsJson
from scirepeval_harness.cli.tables import show_table
from scirepeval_harness.errors import UsageError

app = typer.Typer(help="Show, check and prune the vectors kept between runs.", no_args_is_help=True)

CacheDir = Annotated[
    Path | None,
    typer.Option("--cache", help="Folder of the vectors. Default: the one that `run` uses."),
]
HEADER = ("space", "model", "adapter or base", "precision", "vectors", "size", "damaged", "used")
DAMAGE_FOUND = 3


@app.command("info")
def info(cache: CacheDir = None, as_json: AsJson = False) -> None:
    """Show the spaces (one a way of encoding) with their model, vectors and size."""
    from scirepeval_harness.vectors.inventory import list_spaces, size_in_words

    root = _root(cache)
    spaces = list_spaces(root)
    if as_json:
        records = [
            {
                "space": space.folder.name,
                "model": space.model,
                "details": space.details,
                "vectors": space.vectors,
                "shards": space.shards,
                "bytes": space.bytes,
                "damaged": space.damaged,
                "last_used": datetime.fromtimestamp(space.last_used).isoformat(timespec="seconds"),
            }
            for space in spaces
        ]
        typer.echo(json.dumps({"folder": str(root), "spaces": records}, indent=2))
        return
    if spaces:
        show_table(
            HEADER,
            [
                (
                    space.folder.name[:12],
                    space.model,
                    space.details.get("adapter") or space.details.get("base", "-"),
                    space.details.get("dtype", "-"),
                    f"{space.vectors:,}",
                    size_in_words(space.bytes),
                    str(space.damaged),
                    datetime.fromtimestamp(space.last_used).strftime("%Y-%m-%d"),
                )
                for space in spaces
            ],
        )
    vectors, size = sum(s.vectors for s in spaces), sum(s.bytes for s in spaces)
    typer.echo(f"{root}: {len(spaces)} spaces, {vectors:,} vectors, {size_in_words(size)}")


@app.command("verify")
def verify(cache: CacheDir = None) -> None:
    """Check every checksum. Damaged shards are named and set aside; the next run encodes again what
    was lost. Exit code 3 where there was damage."""
    from scirepeval_harness.progress import Terminal
    from scirepeval_harness.vectors.inventory import list_spaces, size_in_words, verify_store

    root = _root(cache)
    spaces = list_spaces(root)
    size = sum(space.bytes for space in spaces)
    with Terminal().bar("verify", size, "B") as advance:
        damaged = verify_store(root, advance)
    for item in damaged:
        typer.echo(f"damaged: {item.reason}; {item.saved:,} rows saved; set aside as {item.shard}")
    checked = f"{sum(s.shards for s in spaces)} shards, {size_in_words(size)} in {root}"
    if damaged:
        typer.echo(f"{len(damaged)} of {checked} were damaged")
        raise typer.Exit(DAMAGE_FOUND)
    typer.echo(f"all checksums are right: {checked}")


@app.command("prune")
def prune(
    cache: CacheDir = None,
    model: Annotated[str | None, typer.Option(help="Only vectors of this model.")] = None,
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Only spaces not used for so many days.")
    ] = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Only shards that were set aside.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="All spaces.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it only a list.")] = False,
) -> None:
    """List what would be deleted; delete it with --yes. Files that are not the store's own stay."""
    from scirepeval_harness.vectors.inventory import removable, remove, size_in_words, words_of

    if not (model or older_than is not None or damaged or everything):
        raise UsageError(
            "nothing is chosen", fix="Give --model, --older-than DAYS, --damaged or --all"
        )
    root = _root(cache)
    chosen = removable(root, model=model, older_than_days=older_than, damaged_only=damaged)
    for removal in chosen:
        typer.echo(
            f"{removal.space.folder}  {removal.space.model}  {len(removal.files)} files  "
            f"{size_in_words(removal.bytes)}"
        )
    total = words_of(chosen)
    if not yes:
        typer.echo(f"would delete {total}" + ("; pass --yes to do it" if chosen else ""))
        return
    for removal in chosen:
        remove(removal)
    typer.echo(f"deleted {total}")


def _root(cache: Path | None) -> Path:
    from scirepeval_harness.files import cache_dir

    return cache or cache_dir()
