"""Pictures of the finished study's page for the documents, and how long it takes to open.

    python benchmarks/screenshots.py [results/published/report.html]

Needs Chromium. Writes docs/images/report_{desktop,dark,phone,print}.png.
"""

import shutil
import sys
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path("docs/images")
VIEWS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
}
ROUNDS = 5


def opening_seconds(browser: Browser, url: str) -> float:
    """Median over rounds of the time from asking for the page to its load event, images decoded."""
    times = []
    for _ in range(ROUNDS):
        page = browser.new_page()
        page.goto(url, wait_until="load")
        times.append(page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart") / 1000)
        page.close()
    return median(times)


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "results/published/report.html").resolve()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not path.is_file():
        sys.exit(f"needs Chromium on PATH (found {chromium}) and a finished study ({path})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        print(f"{path.stat().st_size / 1e6:.1f} MB, opens in {opening_seconds(browser, path.as_uri()):.2f} s")
        for name, view in VIEWS.items():
            page = browser.new_page(**view)
            page.goto(path.as_uri())
            page.screenshot(path=IMAGES / f"report_{name}.png")
            page.close()
        page = browser.new_page(viewport={"width": 1123, "height": 794})
        page.goto(path.as_uri())
        page.emulate_media(media="print")
        page.screenshot(path=IMAGES / "report_print.png")
        browser.close()


if __name__ == "__main__":
    main()
