"""The page in a browser: sorting, no requests, no overflow, screenshots to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import scirepeval_harness as sh
from scirepeval_harness.reporting.pages import write_report
from tests.support.chromium import chromium
from tests.support.golden import HOSTILE
from tests.support.made_report import made_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
BASELINES = Path(__file__).resolve().parents[2] / "results" / "baselines" / "sample"
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    report = made_report(folder / "results", synthetic=True).report
    write_report(report, folder / "report")
    return folder / "report" / "report.html"


@pytest.fixture(scope="module")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    bad = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    report = made_report(
        folder / "results", titles=(bad, HOSTILE[5]), title=bad, task_title=HOSTILE[6] + bad
    ).report
    write_report(report, folder / "report")
    return folder / "report" / "report.html"


def column(page: Page, number: int, table: str = "table-leaderboard") -> list[str]:
    cells = page.locator(f"#{table} tbody tr > :nth-child({number})").all_inner_texts()
    return [cell.splitlines()[0] for cell in cells]


def test_a_click_sorts_by_numbers_and_by_names(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    assert column(page, 2) == ["50.0", "49.0", "61.2"]
    head = page.locator("#table-leaderboard thead th").nth(1)
    head.get_by_role("button").click()
    assert column(page, 2) == ["61.2", "50.0", "49.0"]
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert column(page, 2) == ["49.0", "50.0", "61.2"]
    missing = page.locator("#table-leaderboard thead th").nth(2).get_by_role("button")
    for _ in range(2):
        missing.click()
        assert column(page, 3) == ["50.0", "-", "-"], "what is missing stays last"
    page.locator("#table-leaderboard thead button").first.press("Enter")
    assert column(page, 1) == ["Model A", "Model B (partial)", "Old Model (published)"]
    assert head.get_attribute("aria-sort") is None
    page.close()


def test_differences_are_sorted_as_numbers_not_as_text(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.locator("#table-tasks thead button").nth(4).click()
    values = [float(text) for text in column(page, 5, "table-tasks")]
    assert values == sorted(values, reverse=True)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_and_asks_for_nothing(
    size: str, scheme: str, browser: Browser, page_file: Path, hostile_file: Path, tmp_path: Path
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    for number, path in enumerate((page_file, hostile_file)):
        page = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("dialog", lambda dialog, said=said: (said.append("dialog"), dialog.dismiss()))
        page.goto(path.as_uri())
        page.wait_for_load_state("networkidle")
        assert asked == [path.as_uri()]
        for folded in page.locator("summary").all():
            folded.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for box in page.locator("table, svg").all():
            assert box.evaluate("element => element.closest('.box') !== null")
        page.screenshot(path=tmp_path / f"{size}-{scheme}-{number}.png", full_page=True)
        assert said == []
        page.close()
    context.close()


@pytest.mark.parametrize("made", [True, False])
def test_a_phone_shows_numbers_and_not_only_names(
    made: bool, browser: Browser, page_file: Path, tmp_path: Path
) -> None:
    """Of each table the first column of numbers is in sight, and what is left out is said."""
    if not made:
        page_file = sh.report(BASELINES, tmp_path / "report", texts=True).page
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(page_file.as_uri())
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    tables = page.locator("table:has(td[data-sort])")
    assert tables.count() >= 5
    for table in tables.all():
        end = table.evaluate("table => table.parentElement.getBoundingClientRect().right")
        first = table.evaluate(
            "table => Math.min(...[...table.querySelectorAll('td[data-sort]')]"
            ".map(cell => cell.getBoundingClientRect().right))"
        )
        assert first <= end, table.get_attribute("id")
    assert not page.locator("#table-tasks th", has_text="Format").is_visible()
    said = "#tasks > p:has-text('Not shown at this width: Group, Format.')"
    assert page.locator(said).is_visible()
    wide = browser.new_page(viewport={"width": 1400, "height": 844})
    wide.goto(page_file.as_uri())
    assert wide.locator("#table-tasks th", has_text="Format").is_visible()
    assert not wide.locator(said).is_visible()
    page.close()
    wide.close()


def test_pictures_are_dark_on_light_and_light_on_dark(browser: Browser, page_file: Path) -> None:
    sums = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(page_file.as_uri())
        text = page.locator("#tasks svg text").first
        sums[scheme] = channels(text.evaluate("element => getComputedStyle(element).fill"))
        assert abs(sums[scheme] - channels(page.evaluate(
            "getComputedStyle(document.body).backgroundColor"))) > 400  # fmt: skip
        page.close()
    assert sums["light"] < sums["dark"]


def channels(colour: str) -> int:
    """The sum of red, green and blue of ``rgb(1, 2, 3)``."""
    return sum(int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])


def test_paper_shows_what_is_folded_in_dark_ink(browser: Browser, page_file: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(page_file.as_uri())
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(entry.evaluate("e => e.open") for entry in page.locator("details").all())
    assert channels(page.evaluate("getComputedStyle(document.body).color")) == 0
    assert page.pdf().startswith(b"%PDF")
    page.close()
