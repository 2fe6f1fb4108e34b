"""Downloads of model files from the hub into its own cache."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scirepeval_harness.errors import ModelError

Choose = Callable[[Iterable[str]], tuple[str, ...]]
TIMEOUT = 30.0
"""Seconds to wait for the hub's answer before a run goes on without it."""


def snapshot(repo: str, revision: str | None) -> Path | None:
    """Folder of what the cache holds of a repository at a revision, complete or not; no network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise ModelError(f"not a repository name: {repo}", fix="Give ORGANISATION/NAME") from error


def download(
    repo: str, revision: str | None, choose: Choose, where: str, have: Path | None = None
) -> Path:
    """Download the chosen files of a repository; returns the folder, named by its commit.

    Args:
        choose: picks the files to download from the names of all.
        where: the model and part concerned, for errors.
        have: a complete copy in the cache, which is returned if it is of the commit asked for.

    Raises:
        ModelError: the hub answers that there is no such repository or revision, or no access.
        OSError: the network or the disk fails.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        info = HfApi().model_info(repo, revision=revision, timeout=TIMEOUT)
        if have is not None and have.name == info.sha:
            return have
        names = choose(item.rfilename for item in info.siblings or ())
        with _progress_at_terminals_only():
            # By the name of the revision, not its commit: the cache then knows the name offline.
            return Path(snapshot_download(repo, revision=revision, allow_patterns=list(names)))
    except GatedRepoError as error:
        raise ModelError(
            "the repository asks for an agreement",
            where=where,
            fix="Accept it, then: hf auth login",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            "the hub has no such repository, or it is private",
            where=where,
            fix="Check the name; for a private one run: hf auth login",
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            "the repository has no such revision",
            where=where,
            fix="Give a branch, a tag or a commit of it",
        ) from error


@contextmanager
def _progress_at_terminals_only() -> Iterator[None]:
    """The hub's own progress bars, switched off while output goes to a file."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
