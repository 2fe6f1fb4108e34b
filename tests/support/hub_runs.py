"""The harness as a command of its own, with a local server for its hub."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scirepeval_harness.task.registry import load_registry

NOWHERE = "http://127.0.0.1:9"
"""An address at which nothing answers."""


def harness(
    words: list[str], folder: Path, url: str, clone: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command, of a clone if one is given, in ``folder``, where it also keeps its
    downloads and vectors."""
    environment = os.environ | {
        "HF_ENDPOINT": url,
        "HF_HOME": str(folder / "hub"),
        "SCIREPEVAL_HARNESS_CACHE": str(folder / "vectors"),
        "SCIREPEVAL_HARNESS_DATA_DIR": str(folder / "data"),
    }
    if clone is not None:
        environment["PYTHONPATH"] = str(clone)
    return subprocess.run(
        [sys.executable, "-m", "scirepeval_harness", *words],
        capture_output=True, text=True, env=environment, cwd=folder, timeout=540,
    )  # fmt: skip


def clone_with_addresses(clone: Path, addresses: Mapping[str, str]) -> Path:
    """A copy of the package and its task files, in which tasks are downloaded from elsewhere."""
    root = Path(__file__).resolve().parents[2]
    for name in ("scirepeval_harness", "tasks", "results"):
        shutil.copytree(root / name, clone / name, ignore=shutil.ignore_patterns("runs"))
    for name, address in addresses.items():
        suite = load_registry().suite(name)
        assert suite.folder is not None
        path = clone / "tasks" / suite.folder.name / f"{name}.toml"
        text, count = re.subn(r'(?m)^url = ".*"$', f'url = "{address}"', path.read_text())
        assert count == 1
        path.write_text(text)
    return clone


@contextmanager
def serve_files(root: Path) -> Iterator[str]:
    """Serve the files of a folder; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Nothing."""
