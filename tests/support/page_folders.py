"""What a reader of a page has beside it: models, vectors, a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def prepare(page: str, folder: Path) -> Iterator[dict[str, str]]:
    """Put into the folder what the page speaks of, while inside the context.

    Yields:
        Words of the page and what stands for them here (an address of a server, say).
    """
    yield {}
