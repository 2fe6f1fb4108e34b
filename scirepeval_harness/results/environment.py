"""What ran where: package versions, hardware and the commit of the checkout."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    *("scirepeval-harness", "adapters", "bm25s", "datasets", "numpy", "pandas"),
    *("pytrec-eval-terrier", "scikit-learn", "scipy", "tokenizers", "torch", "transformers"),
)


@dataclass(frozen=True)
class Environment:
    """Package versions, hardware, and the commit of the checkout that the code came from."""

    packages: Mapping[str, str]
    hardware: Mapping[str, str]
    git_commit: str | None
    git_dirty: bool | None


def describe_environment(folder: Path) -> Environment:
    """The environment of this process; ``folder`` holds the code that runs."""
    return Environment(packages(), hardware(), *git_state(folder))


def packages() -> dict[str, str]:
    """Versions of the packages that can move a score, where installed."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        # What belongs to an extra, such as torch and adapters, may not be installed.
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def hardware() -> dict[str, str]:
    """Processor, cores and system; the device of a run stands in its arguments."""
    # On Linux `platform` knows the architecture at best, not which processor it is.
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return {"cpu": model, "cores": str(os.cpu_count()), "system": platform.platform()}


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Commit and whether there are uncommitted changes, for the checkout that holds ``folder``."""

    def git(*words: str) -> str | None:
        try:
            # A repository on a hung network disk must not hold up a run.
            done = subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    top = git("rev-parse", "--show-toplevel")
    if top is None or not (Path(top) / "scirepeval_harness").is_dir():
        return None, None  # an installed package inside somebody else's repository
    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return commit, None if changes is None else bool(changes)
