"""The page in a real browser: nothing fetched, nothing complained of, readable, sortable, printable.

Needs Chromium (Debian's package `chromium`); without it the tests are skipped.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from tests.contracts.test_figures_and_tables import EVERY, HOSTILE, made_up_study, make

from codeii.reporting.report import make_report

UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
# The first column of a table, made of the texts given and of nothing else.
COLUMN = """(texts) => {
  const body = document.querySelector('#table-runs table').tBodies[0];
  [...body.rows].forEach((row, at) => { row.cells[0].textContent = texts[at] ?? ''; });
}"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt-get install chromium)")
SETTINGS: dict[str, Any] = {
    "study": f"made up {HOSTILE}",
    "experiments": {"pretrain": {"starts": ["from_scratch"]}, "transfer": {"starts": ["from_scratch", "finetuned"]}},
    "evaluation": {"level": 0.95, "replicates": 200},
}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a made-up synthetic study, with every table and figure there is."""
    root = tmp_path_factory.mktemp("study")
    inputs = made_up_study(root, True)
    paths: dict[str, list[Path]] = {"tables": [], "figures": []}
    for kind, name in EVERY:
        make(kind, name, inputs, root / kind / name)
        paths[kind].append(root / kind / name / "manifest.json")
    shown = replace(inputs, tables=tuple(paths["tables"]), figures=tuple(paths["figures"]))
    make_report(shown, SETTINGS, "c0de", root / "published")
    return root / "published/report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Seen:
    """What a page asked for and said."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))


@pytest.fixture
def opened(browser: Browser, page_file: Path) -> Iterator[tuple[Page, Seen]]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    seen = Seen(page)
    page.goto(page_file.as_uri())
    yield page, seen
    page.close()


def test_it_asks_for_nothing_and_has_nothing_to_complain_of(opened: tuple[Page, Seen], page_file: Path) -> None:
    page, seen = opened
    assert [url for url in seen.requests if not url.startswith("data:")] == [page_file.as_uri()]
    assert seen.said == []
    assert page.evaluate("window.alert.toString()").endswith("{ [native code] }")
    assert "<script>alert" in page.inner_text("body")  # a name, as text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(opened: tuple[Page, Seen], scheme: Any) -> None:
    page, _ = opened
    page.emulate_media(color_scheme=scheme)
    page.evaluate(UNFOLD)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"][:120]) for fault in found] == []


def test_headings_descend_one_by_one_and_claims_come_first(opened: tuple[Page, Seen]) -> None:
    page, _ = opened
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    titles = page.locator("h2").all_inner_texts()
    assert titles[:2] == ["Claims", "What was run"] and {"Limits", "Where each number comes from"} <= set(titles)
    targets = page.evaluate("[...document.querySelectorAll('nav a')].map((one) => one.getAttribute('href'))")
    assert all(page.locator(target).count() == 1 for target in targets)


def test_everything_is_readable_without_script(browser: Browser, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    for word in ("SYNTHETIC DATA", "Claims", "Comparisons", "research use only"):
        assert word in page.inner_text("body")
    assert page.locator("th button").count() == 0
    context.close()


def test_a_table_is_sorted_by_the_keyboard_and_back(opened: tuple[Page, Seen]) -> None:
    page, _ = opened
    page.evaluate(UNFOLD)
    table = page.locator("#table-runs table").first
    column = "#table-runs table tbody tr td:nth-child(1)"
    before = page.locator(column).all_inner_texts()
    heading = table.locator("th").first
    heading.locator("button").focus()
    orders = []
    for _ in range(3):
        page.keyboard.press("Enter")
        orders.append((heading.get_attribute("aria-sort"), page.locator(column).all_inner_texts()))
    assert orders[0] == ("ascending", sorted(before)) and orders[1] == ("descending", sorted(before, reverse=True))
    assert orders[2] == (None, before)


NUMBERS = ["\u22120.2", "1,000", "+0.5", "not run", "12", "not evaluable (3 of 9)"]
NAMES = ["xresnet1d101", "code15", "cpsc2018", "ECG-FM", "not run", "code_ii"]


@pytest.mark.parametrize(
    ("texts", "rising", "falling"),
    [
        (
            NUMBERS,
            ["\u22120.2", "+0.5", "12", "1,000", "not run", "not evaluable (3 of 9)"],
            ["1,000", "12", "+0.5", "\u22120.2", "not run", "not evaluable (3 of 9)"],
        ),
        (
            NAMES,
            ["code_ii", "code15", "cpsc2018", "ECG-FM", "not run", "xresnet1d101"],
            ["xresnet1d101", "not run", "ECG-FM", "cpsc2018", "code15", "code_ii"],
        ),
    ],
    ids=["numbers", "names with digits"],
)
def test_columns_are_sorted_by_what_they_hold_and_gaps_stay_below(
    opened: tuple[Page, Seen], texts: list[str], rising: list[str], falling: list[str]
) -> None:
    page, _ = opened
    page.evaluate(UNFOLD)
    page.evaluate(COLUMN, texts)
    for expected in (rising, falling):
        page.locator("#table-runs th button").first.click()
        found = page.locator("#table-runs table tbody tr td:nth-child(1)").all_text_contents()
        assert found[: len(expected)] == expected and set(found[len(expected) :]) <= {""}


def test_sentences_have_room(opened: tuple[Page, Seen]) -> None:
    page, _ = opened
    height = """(name) => {
      const row = document.querySelector('#table-headline table').tBodies[0].rows[0];
      const cell = row.cells[row.cells.length - 1];
      cell.className = name;
      cell.textContent = 'words of a protocol '.repeat(10);
      return row.offsetHeight;
    }"""
    assert page.evaluate(height, "prose") < 100 < page.evaluate(height, "")


def test_the_theme_is_switched_by_a_button_that_says_where_it_leads(opened: tuple[Page, Seen]) -> None:
    page, _ = opened
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    assert page.inner_text("#theme") == "Dark"
    page.click("#theme")
    assert page.evaluate(paper) != light and page.inner_text("#theme") == "Light"


@pytest.mark.parametrize("width", [360, 768])
def test_a_narrow_screen_scrolls_tables_and_not_the_page(browser: Browser, page_file: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 740})
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_calipers_measure_time_and_voltage_with_the_mouse(opened: tuple[Page, Seen]) -> None:
    page, _ = opened
    picture = page.locator("#figure-example_ecgs img")
    picture.evaluate("(image) => image.scrollIntoView()")
    edge = picture.bounding_box()
    assert edge is not None
    scale = edge["width"] / float(picture.get_attribute("data-mm") or "nan")  # pixels of a millimetre
    x, y = edge["x"] + 100, edge["y"] + 60
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20 * scale, y + 5 * scale, steps=4)  # 20 mm are 0.8 s, 5 mm are 0.5 mV
    page.mouse.up()
    said = page.inner_text("#figure-example_ecgs output")
    found = [float(number) for number in re.findall(r"[\d.]+", said)]
    assert found == [pytest.approx(800, abs=8), pytest.approx(75, abs=1), pytest.approx(0.5, abs=0.02)], said


def test_calipers_measure_with_the_keyboard_alone(opened: tuple[Page, Seen]) -> None:
    page, _ = opened
    page.focus("#figure-example_ecgs .paper")
    for key in ["ArrowRight"] * 10 + ["Shift+ArrowLeft"] * 2 + ["ArrowUp"] * 4:
        page.keyboard.press(key)  # half a millimetre each: 6 mm and 2 mm
    assert page.inner_text("#figure-example_ecgs output") == "240 ms, 250 per minute, 0.20 mV"
    assert page.locator("#figure-example_ecgs .caliper").is_visible()


def test_print_has_no_controls_and_opens_what_is_folded(opened: tuple[Page, Seen]) -> None:
    page, _ = opened
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    assert not any(page.locator(name).first.is_visible() for name in ("nav", "#theme"))
    assert page.locator("details.data:not([open])").count() == 0
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert re.findall(r"\d+", ink) == ["0", "0", "0"]
    assert page.pdf()[:5] == b"%PDF-"
