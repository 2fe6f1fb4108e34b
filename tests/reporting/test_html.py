"""The page as text: self-contained, escaped, each table whole."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scirepeval_harness.reporting.charts import draw_plots
from scirepeval_harness.reporting.pages import report_html
from tests.support.golden import HOSTILE
from tests.support.made_report import made_report

VOID = {"meta", "link", "br", "path", "use", "rect"}


class Page(HTMLParser):
    """Tags in order, texts by tag, and tables as rows of texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} is closed out of order"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


def page_of(folder: Path, **update: object) -> tuple[str, Page]:
    report = made_report(folder, **update).report  # type: ignore[arg-type]
    text = report_html(report, draw_plots(report))
    return text, Page(text)


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    text, page = page_of(tmp_path)
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or value == "data:,", (tag, value)
    assert not re.search(r"@import|url\((?!#)", text)
    assert text.count("<script") == 1


def test_the_policy_lets_only_the_own_script_run(tmp_path: Path) -> None:
    text, page = page_of(tmp_path)
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"\son\w+=", text)


def test_tables_are_whole_and_hold_the_numbers(tmp_path: Path) -> None:
    _, page = page_of(tmp_path)
    for table in page.tables:
        assert {len(row) for row in table} == {len(table[0])}
    leaderboard = [[" ".join(cell.split()) for cell in row] for row in page.tables[0]]
    assert leaderboard[0] == ["Model", "In-Train", "Out-of-Train", "Average"]
    assert [row[0] for row in leaderboard[1:]] == [
        "Model A",
        "Model B (partial)",
        "Old Model (published)",
    ]
    assert leaderboard[1][2].startswith("50.0[")
    assert leaderboard[2][3].endswith("(3 of 4)")
    assert leaderboard[3] == ["Old Model (published)", "61.2", "-", "-"]


def test_every_id_stands_once(tmp_path: Path) -> None:
    _, page = page_of(tmp_path)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        target = attributes.get("href") or ""
        assert not target.startswith("#") or target[1:] in ids


def test_pictures_follow_the_colours_of_the_page(tmp_path: Path) -> None:
    text, _ = page_of(tmp_path)
    pictures = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(pictures) == 4
    for picture in pictures:
        colours = set(re.findall(r"#[0-9a-f]{6}\b", picture))
        assert colours <= {"#000000"}, colours
        assert 'role="img"' in picture


@pytest.mark.parametrize("name", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_hostile_names_are_text(name: str, tmp_path: Path) -> None:
    text, page = page_of(tmp_path, titles=(name, "B"), title=name, task_title=name)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert len(page.scripts) == 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    for table in page.tables:
        assert {len(row) for row in table} == {len(table[0])}
    assert len(text) < 400_000
