"""Running the command line in a Python that has no libraries for models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BLOCKED = ("torch", "transformers", "adapters", "datasets", "tokenizers")
BLOCKER = f"""
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec


def found(name, path=None, target=None):
    return None if name.partition(".")[0] in {BLOCKED!r} else find_spec(name, path, target)


PathFinder.find_spec = staticmethod(found)
"""
ROOT = Path(__file__).resolve().parents[2]


def run_without_models(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``python -m scirepeval_harness WORDS`` in ``folder``, where those cannot be imported."""
    site = folder / "blocker"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(BLOCKER)
    paths = [str(site), str(ROOT)]
    return subprocess.run(
        [sys.executable, "-m", "scirepeval_harness", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
    )
