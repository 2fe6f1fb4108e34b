"""Makes report.png, the README's picture: parts of the page that ``report`` writes, as it is.

From the top of the checkout, with chromium installed:

    python docs/images/report_picture.py
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.chromium import browser_path  # noqa: E402

BASELINES = ROOT / "results" / "baselines" / "sample"
WIDTH, COLOURS, GAP = 880, 256, 24


def main() -> None:
    """Write the report of the committed baselines, and the picture of its page."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--baseline", str(BASELINES / "tfidf"), "--output", folder]
        harness = [sys.executable, "-m", "scirepeval_harness", "report", str(BASELINES), *words]
        subprocess.run(harness, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with sync_playwright() as playwright:
            path = browser_path(playwright)
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
            page.goto((Path(folder) / "report.html").as_uri())
            left = clip(page, "header", "#leaderboard")
            heatmap = clip(page, "#tasks h2", "#tasks figure")
            differences = clip(page, "#deltas h3:last-of-type", "#deltas figure:last-of-type")
            browser.close()
    height = max(left.height, heatmap.height + differences.height)
    picture = Image.new("RGB", (2 * WIDTH + GAP, height), "white")
    picture.paste(left, (0, 0))
    picture.paste(heatmap, (WIDTH + GAP, 0))
    picture.paste(differences, (WIDTH + GAP, heatmap.height))
    small = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(Path(__file__).with_name("report.png"), optimize=True)


def clip(page: Page, first: str, last: str) -> Image.Image:
    """The page from the top of one element to the end of another."""
    top = page.locator(first).first.bounding_box()
    bottom = page.locator(last).last.bounding_box()
    assert top is not None
    assert bottom is not None
    end = bottom["y"] + bottom["height"]
    area = {"x": 0, "y": top["y"] - 8, "width": WIDTH, "height": end - top["y"] + 16}
    data = page.screenshot(full_page=True, clip=area)  # type: ignore[arg-type]
    return Image.open(io.BytesIO(data)).convert("RGB")


if __name__ == "__main__":
    main()
