"""What the pages of docs/ and the README say is done as they say it, and prints what they show."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

import scirepeval_harness
from tests.support.page_folders import prepare
from tests.support.pages import DOCS, NEEDS, PAGES, ROOT, Reader, blocks, check_command, commands

ELSEWHERE = {"api.md": "tests/api", "extending.md": "tests/test_extending_page.py"}
"""Pages whose blocks have tests of their own."""
SLOW = ("index.md", "leaderboard.md", "models.md", "training.md")


def marked(page: Path) -> object:
    marks = [pytest.mark.slow] if page.name in SLOW else []
    return pytest.param(page, id=page.name, marks=marks)


@pytest.mark.parametrize("page", [marked(page) for page in PAGES if page.name not in ELSEWHERE])
def test_a_reader_who_does_what_the_page_says_sees_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # The README is read on a page that is wider than a terminal.
    monkeypatch.setenv("COLUMNS", "100" if page.name == "README.md" else "80")
    monkeypatch.setenv("NO_COLOR", "1")
    with prepare(page.name, tmp_path) as replaced:
        Reader(tmp_path, replaced).follow(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_could_be_typed(page: Path) -> None:
    for command in commands(page):
        check_command(command)


def test_a_block_that_is_not_run_says_why() -> None:
    for page in PAGES:
        for block in blocks(page):
            assert block.needs in {"", *NEEDS}, f"{page.name}:{block.line}"


def test_there_are_commands_to_look_at() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 100


@pytest.mark.parametrize(
    "line",
    [
        "python -m scirepeval_harness run --modle specter2",
        "python -m scirepeval_harness leaderbord results",
        "python -m scirepeval_harness run --limit many",
        'pip install "scirepeval-harness[everything]"',
        "make demonstration",
        "python benchmarks/encode.py --fast",
    ],
)
def test_a_line_that_cannot_be_typed_is_found(line: str) -> None:
    with pytest.raises(AssertionError):
        check_command(line)


def test_a_page_that_shows_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ python -m scirepeval_harness --version\n9.9\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:2"):
        Reader(tmp_path).follow(page)


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == scirepeval_harness.__version__
    needed = {"cff-version", "message", "title", "authors", "references", "license"}
    assert needed <= set(citation)
    assert all({"type", "title", "authors"} <= set(one) for one in citation["references"])


def said_by_the_package() -> str:
    """Every piece of text in the package's code, one a line."""
    found = []
    for path in (ROOT / "scirepeval_harness").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_every_symptom_is_said_by_the_package() -> None:
    said = said_by_the_package()
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    symptoms = re.findall(r"^### `(.+)`$", page, re.MULTILINE)
    assert len(symptoms) > 20
    for symptom in symptoms:
        for piece in symptom.split("..."):
            assert piece.strip() in said, symptom
