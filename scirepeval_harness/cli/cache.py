"""``cache``: the vectors kept between runs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.display import display
from scirepeval_harness.cli.options import AsJson
from scirepeval_harness.cli.output import print_json, print_table, say

app = typer.Typer(help="Show, check and prune the vectors kept between runs.", no_args_is_help=True)

CacheDir = Annotated[
    Path | None,
    typer.Option("--cache", help="Folder of the vectors. Default: the one that `run` uses."),
]
HEADER = ("space", "model", "adapter or base", "precision", "vectors", "size", "damaged", "used")
SPARE = ("precision", "used", "adapter or base", "damaged")
DAMAGE_FOUND = 3


@app.command("info")
def info(cache: CacheDir = None, as_json: AsJson = False) -> None:
    """Show the spaces (one a way of encoding) with their model, vectors and size."""
    spaces = sh.cache.info(cache)
    root = sh.cache.folder(cache)
    if as_json:
        print_json({"folder": str(root), "spaces": [_record(space) for space in spaces]})
        return
    if spaces:
        print_table(
            HEADER,
            [
                (
                    space.folder.name[:12],
                    space.model,
                    space.details.get("adapter") or space.details.get("base", "-"),
                    space.details.get("dtype", "-"),
                    f"{space.vectors:,}",
                    sh.cache.size_in_words(space.bytes),
                    str(space.damaged),
                    datetime.fromtimestamp(space.last_used).strftime("%Y-%m-%d"),
                )
                for space in spaces
            ],
            SPARE,
        )
    vectors, size = sum(s.vectors for s in spaces), sum(s.bytes for s in spaces)
    say(f"{root}: {len(spaces)} spaces, {vectors:,} vectors, {sh.cache.size_in_words(size)}")


def _record(space: Any) -> dict[str, object]:
    return {
        "space": space.folder.name,
        "model": space.model,
        "details": space.details,
        "vectors": space.vectors,
        "shards": space.shards,
        "bytes": space.bytes,
        "damaged": space.damaged,
        "last_used": datetime.fromtimestamp(space.last_used).isoformat(timespec="seconds"),
    }


@app.command("verify")
def verify(cache: CacheDir = None) -> None:
    """Check every checksum. Damaged shards are named and set aside; the next run encodes again what
    was lost. Exit code 3 where there was damage."""
    with display() as progress:
        found = sh.cache.verify(cache, progress=progress)
    for item in found.damaged:
        say(f"damaged: {item.reason}; {item.saved:,} rows saved; set aside as {item.shard}")
    checked = f"{found.shards} shards, {sh.cache.size_in_words(found.bytes)} in {found.folder}"
    if found.damaged:
        say(f"{len(found.damaged)} of {checked} were damaged")
        raise typer.Exit(DAMAGE_FOUND)
    say(f"all checksums are right: {checked}")


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
    pruned = sh.cache.prune(
        cache,
        model=model,
        older_than_days=older_than,
        damaged=damaged,
        everything=everything,
        delete=yes,
    )
    for removal, size in zip(pruned.removals, pruned.sizes, strict=True):
        say(
            f"{removal.space.folder}  {removal.space.model}  {len(removal.files)} files  "
            f"{sh.cache.size_in_words(size)}"
        )
    if yes:
        say(f"deleted {pruned.total}")
    else:
        more = "; pass --yes to do it" if pruned.removals else ""
        say(f"would delete {pruned.total}{more}")
