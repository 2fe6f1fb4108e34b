"""The site of docs/: it builds, fetches nothing, and what its pages say can be done as they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import DOCS, NEEDS, PAGES, ROOT, blocks, check_command, commands

FETCHED = re.compile(r"<(?:link|script|img|iframe)\b[^>]*\b(?:src|href)=\"(?:https?:)?//[^\"]*\"")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    pytest.importorskip("material", reason="the site's builder is not installed (extra: docs)")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]
    done = subprocess.run(
        [*words, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    assert {page.stem for page in DOCS.glob("*.md")} <= {page.stem for page in site.glob("*.html")}


def test_the_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not FETCHED.findall(page.read_text(encoding="utf-8")), page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:", sheet.read_text(encoding="utf-8")), sheet.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_could_be_typed(page: Path) -> None:
    for command in commands(page):
        check_command(command)


def test_a_block_that_is_not_run_says_why() -> None:
    for page in PAGES:
        for block in blocks(page):
            assert block.needs in {"", *NEEDS}, f"{page.name}:{block.line}"


def test_there_are_commands_to_look_at() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 60


@pytest.mark.parametrize(
    "line",
    [
        "python -m scirepeval_harness run --modle specter2",
        "python -m scirepeval_harness leaderbord results",
        "python -m scirepeval_harness run --limit many",
        'pip install "scirepeval-harness[everything]"',
        "make demonstration",
    ],
)
def test_a_line_that_cannot_be_typed_is_found(line: str) -> None:
    with pytest.raises(AssertionError):
        check_command(line)


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target
