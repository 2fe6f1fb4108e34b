"""The harness as a command of its own, with a local server for its hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NOWHERE = "http://127.0.0.1:9"
"""An address at which nothing answers."""


def harness(words: list[str], folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run the command in ``folder``, where it also keeps its downloads and vectors."""
    environment = os.environ | {
        "HF_ENDPOINT": url,
        "HF_HOME": str(folder / "hub"),
        "SCIREPEVAL_HARNESS_CACHE": str(folder / "vectors"),
    }
    return subprocess.run(
        [sys.executable, "-m", "scirepeval_harness", *words],
        capture_output=True, text=True, env=environment, cwd=folder, timeout=540,
    )  # fmt: skip
