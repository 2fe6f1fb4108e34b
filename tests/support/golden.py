"""Files of expected text, made again with ``UPDATE_GOLDEN=1 pytest ...`` and then read."""

from __future__ import annotations

import os
from pathlib import Path


def check_golden(path: Path, text: str) -> None:
    """Assert that ``text`` is what the file holds."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"differs from {path.name}"


HOSTILE = [
    "<script>alert(1)</script>",
    "a|b\\|c",
    "line\nbreak\r\x1b[31m\x00",
    "../../etc/passwd",
    "100%_of_*it* `x` ~~no~~ [l](http://x) ![i](x)",
    "x" * 5000,
    "\u202egnp.exe \u05e9\u05dc\u05d5\u05dd",
    "]]> &amp; \" ' <!--",
    "=cmd()",
    "\ud800 alone",
]
"""Names that break a table, a page, a path or a terminal where they are not kept harmless."""
