"""A server on the loopback address that speaks the OpenAI form of embeddings, and misbehaves on
demand."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = 8
Vectors = Callable[[list[str]], Sequence[Sequence[float]]]
Reply = tuple[int, dict[str, str], bytes]
Misdeed = Callable[[dict[str, Any]], Reply]
"""From the sound answer to what is sent instead."""


@dataclass
class Server:
    """A running server. ``misdeeds`` are done in turn, one a request, then it behaves; each answer
    takes ``delay`` seconds."""

    url: str = ""
    delay: float = 0.0
    misdeeds: list[Misdeed] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def texts(self) -> list[str]:
        return [text for request in self.requests for text in request["input"]]


def made_vectors(texts: Sequence[str]) -> list[list[float]]:
    """Vectors that a text alone decides."""
    sums = [hashlib.sha256(text.encode()).digest()[:DIMENSIONS] for text in texts]
    return [[byte / 16 for byte in one] for one in sums]


def sound(texts: Sequence[str], vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    rows = [{"index": place, "embedding": list(row)} for place, row in enumerate(vectors)]
    tokens = sum(len(text.split()) for text in texts)
    return {"object": "list", "data": rows, "usage": {"total_tokens": tokens}}


def as_json(value: object) -> Reply:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def status(code: int, words: str = "not now", **headers: str) -> Misdeed:
    body = json.dumps({"error": {"message": words}}).encode()
    return lambda answer: (code, {k.replace("_", "-"): v for k, v in headers.items()}, body)


@contextmanager
def serve(vectors: Vectors = made_vectors, delay: float = 0.0) -> Iterator[Server]:
    """Serve on a free port of 127.0.0.1 while inside the context."""
    server, lock, ended = Server(delay=delay), threading.Lock(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.at_once += 1
                server.most_at_once = max(server.most_at_once, server.at_once)
                server.requests.append(request)
                server.headers.append({key.lower(): value for key, value in self.headers.items()})
                misdeed = server.misdeeds.pop(0) if server.misdeeds else as_json
            answer = sound(request["input"], vectors(request["input"]))
            ended.wait(server.delay)
            code, headers, body = misdeed({**answer, "path": self.path})
            with lock:
                server.at_once -= 1
            try:
                self.send_response(code)
                for key, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # whoever asked has gone

        def log_message(self, *arguments: object) -> None:
            """Nothing: tests read ``requests``."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        ended.set()
        http.shutdown()
        http.server_close()
