"""docs/architecture.md is a map of the house that stands."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "scirepeval_harness"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MAP = PAGE[PAGE.index("## The map") : PAGE.index("Outside the package")]


def test_the_map_names_every_package_and_every_module_at_the_top() -> None:
    named = set(re.findall(r"`(\w+)/?`", MAP))
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert packages | modules <= named
    assert set(re.findall(r"`(\w+)/`", MAP)) == packages
    # The public names are a module of their own; nothing else on the map may be missing.
    assert named - packages - modules <= {"api"}


def test_every_path_that_the_page_names_exists() -> None:
    paths = re.findall(r"`([\w./-]+)`", PAGE)
    paths = [path for path in paths if "/" in path or path.endswith(".py")]
    assert len(paths) > 40
    for path in paths:
        inside = [ROOT / path, ROOT / "docs" / path, PACKAGE / path]
        assert any(place.exists() for place in inside), path


def test_every_link_leads_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md"):
        page = ROOT / name
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), (name, link)
