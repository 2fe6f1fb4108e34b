"""A public address on the loopback interface that serves one file, well or badly."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 4_000


class Address:
    """One file at an address; ``behave`` answers the requests one after another, the last one all
    others. A behaviour is a status, or how many bytes of the body arrive before the line breaks."""

    def __init__(self) -> None:
        self.content, self.tag = CONTENT, '"first"'
        self.behave: list[tuple[int, int | None]] = [(200, None)]
        self.ranges: list[str | None] = []
        address = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                address.ranges.append(wanted)
                plan = address.behave
                status, most = plan.pop(0) if len(plan) > 1 else plan[0]
                if status != 200:
                    self.send_response(status)
                    self.send_header("Retry-After", "0")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                same = self.headers.get("If-Range") == address.tag
                start = int(wanted[6:-1]) if wanted and same else 0
                body = address.content[start:]
                self.send_response(206 if start else 200)
                self.send_header("ETag", address.tag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:most])

            def log_message(self, *arguments: object) -> None:
                """Nothing: the test reads ``ranges``."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
