"""A server on the loopback address that speaks as much of the hub's protocol as the harness uses.

It serves ``<root>/models/<org>/<name>/<revision>/...`` and ``<root>/datasets/...``; a slash in a
revision is written ``%2F`` in the folder's name. Every request is recorded.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Hub:
    """A running server: its address and the paths that were asked for."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(root: Path) -> Iterator[Hub]:
    """Serve ``root`` on a free port of 127.0.0.1 while inside the context."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            hub.asked.append(self.path)
            status, headers, content = reply(root, urlsplit(self.path).path)
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Nothing: tests read ``asked``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def reply(root: Path, path: str) -> Reply:
    """The answer to one request: a repository's listing, or a file of it."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 4:
        kind, repo = parts[1], "/".join(parts[2:4])
        revision = unquote("/".join(parts[5:])) if parts[4:5] == ["revision"] else "main"
        found = folder_of(root, kind, repo, revision)
        if isinstance(found, str):
            return 404, {"X-Error-Code": found}, b"{}"
        names = sorted(str(p.relative_to(found)) for p in found.rglob("*") if p.is_file())
        listing = {
            "id": repo,
            "sha": commit_of(found),
            "siblings": [
                {"rfilename": name, "size": (found / name).stat().st_size} for name in names
            ],
        }
        return 200, {"Content-Type": "application/json"}, json.dumps(listing).encode()
    kind = "datasets" if parts[0] == "datasets" else "models"
    rest = parts[1:] if kind == "datasets" else parts
    repo, revision, name = "/".join(rest[:2]), unquote(rest[3]), unquote("/".join(rest[4:]))
    found = folder_of(root, kind, repo, revision)
    if isinstance(found, str):
        return 404, {"X-Error-Code": found}, b""
    if not (found / name).is_file():
        return 404, {"X-Error-Code": "EntryNotFound"}, b""
    content = (found / name).read_bytes()
    etag = hashlib.sha256(content).hexdigest()
    return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": commit_of(found)}, content


def folder_of(root: Path, kind: str, repo: str, revision: str) -> Path | str:
    """The folder of a revision (a name or a commit), or the hub's error code."""
    base = root / kind / repo
    if not base.is_dir():
        return "RepoNotFound"
    for folder in base.iterdir():
        if folder.name == quote(revision, safe="") or commit_of(folder) == revision:
            return folder
    return "RevisionNotFound"


def commit_of(folder: Path) -> str:
    """A commit hash for a folder: 40 hex digits that depend on its place."""
    if len(folder.name) == 40:
        return folder.name
    return hashlib.sha1("/".join(folder.parts[-4:]).encode()).hexdigest()
