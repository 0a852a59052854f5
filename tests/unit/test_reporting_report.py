import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from codeii.artifacts.manifest import IntegrityError, write_manifest
from codeii.reporting import report
from codeii.reporting.part import Part, caption_html, table_html
from codeii.reporting.report import Shown, image_uri, make_report, not_run_experiments, sections
from codeii.reporting.study import ALL_SYNTHETIC, PARTLY_SYNTHETIC, Inputs

HOSTILE = '"><script>alert(1)</script>&'
SETTINGS = {
    "study": HOSTILE,
    "run": {"experiments": ["transfer"]},
    "starts": {"finetuned": {"init": "pretrain"}, "from_scratch": {"init": "random"}},
    "experiments": {
        "pretrain": {"starts": ["from_scratch"]},
        "transfer": {"starts": ["finetuned"]},
        "other": {"starts": ["from_scratch"]},
    },
    "evaluation": {"level": 0.9, "replicates": 250},
}
MADE = {"code": "c0de", "inputs": [], "settings": {}}


def a_table(folder, synthetic):
    import pandas as pd

    folder.mkdir(parents=True)
    (folder / "table.csv").write_text("experiment,model,start,auroc,low,high\na,m,s,0.75,0.5,\nb,m,s,,,\n")
    part = Part("table", pd.DataFrame({"Class": [HOSTILE]}))
    (folder / "table.html").write_text(table_html([part], "headline", "Headline.", "SYNTHETIC" if synthetic else ""))
    facts = {"name": "headline", "section": "Results", "title": "T", "origin": "synthetic" if synthetic else "real"}
    files = ["table.csv", "table.html"]
    return write_manifest(folder, "table", files=files, facts=facts, synthetic=synthetic, **MADE)


def a_figure(folder, synthetic):
    folder.mkdir(parents=True)
    (folder / "figure.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "figure.png").write_bytes(b"\x89PNG")
    (folder / "caption.html").write_text(caption_html("A figure.\n\nOf something.", ""))
    facts = {"name": "f", "section": "Somewhere", "title": HOSTILE, "origin": "synthetic" if synthetic else "real"}
    files = ["figure.svg", "figure.png", "caption.html"]
    return write_manifest(folder, "figure", files=files, facts=facts, synthetic=synthetic, **MADE)


def a_source(folder, synthetic):
    folder.mkdir(parents=True)
    (folder / "r").write_text("r")
    card = {"title": HOSTILE, "version": "1", "licence": HOSTILE, "citation": HOSTILE, "doi": "10.1/x"}
    facts = {"source": "s", "card": card, "records": 1234, "patients": 5}
    return write_manifest(folder, "records", files=["r"], facts=facts, synthetic=synthetic, **MADE)


def a_report(folder, synthetic=True, real_source=False):
    inputs = Inputs(
        tables=(a_table(folder / "t" / "headline", synthetic),),
        figures=(a_figure(folder / "f", synthetic),),
        records=(a_source(folder / "s", synthetic and not real_source),),
    )
    make_report(inputs, SETTINGS, "c0de", folder / "out")
    return (folder / "out" / "report.html").read_text()


class Links(HTMLParser):
    """Collects every address an element names."""

    def __init__(self):
        super().__init__()
        self.fetched, self.links, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "action") or (name == "href" and tag != "a"):
                self.fetched.append(value)
            elif name == "href":
                self.links.append(value)


def test_the_page_fetches_nothing_and_runs_its_own_script_alone(tmp_path):
    page = a_report(tmp_path)
    found = Links()
    found.feed(page)
    assert [address for address in found.fetched if not address.startswith("data:image/")] == []
    beside = {"documents/index.md", "results/results.json"}  # below the page's own folder
    assert {link for link in found.links if not link.startswith("#")} == {"https://doi.org/10.1/x", *beside}
    assert not {"iframe", "object", "embed", "link"} & set(found.tags) and found.tags.count("script") == 1
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{allowed}'\"" in page
    folder = Path(report.__file__).parent
    assert script == (folder / "report.js").read_text() + (folder / "calipers.js").read_text()
    assert "url(" not in page and "@import" not in page
    assert "default-src 'none'" in page


def test_every_link_inside_the_page_has_its_place(tmp_path):
    page = a_report(tmp_path)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


def test_hostile_text_stays_text(tmp_path):
    page = a_report(tmp_path)
    assert page.count("<script") == 1
    assert page.count("&lt;script&gt;") >= 6


@pytest.mark.parametrize(
    ("synthetic", "real_source", "words"),
    [(True, False, ALL_SYNTHETIC), (True, True, PARTLY_SYNTHETIC), (False, False, "")],
)
def test_the_banner_says_what_the_data_are(tmp_path, synthetic, real_source, words):
    page = a_report(tmp_path, synthetic, real_source)
    banner = re.findall(r'class="synthetic banner">([^<]*)<', page)
    assert banner == ([words] if words else [])
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["synthetic"] == synthetic


def test_the_page_tells_settings_provenance_and_what_was_not_run(tmp_path):
    page = a_report(tmp_path)
    assert "Declared but not run: other." in page
    assert "not run: no network was trained" in page
    assert "90&nbsp;% intervals from 250 resamples" in page
    assert "c0de" in page and "1,234" in page and "For research use only" in page
    assert "replicates: 250" in page


def test_the_page_says_what_awaits_its_data_and_does_not_call_it_a_setting(tmp_path):
    sentences = ["not run: experiment a, because of <b>", "sources.s is awaiting release: set it"]
    make_report(Inputs(), SETTINGS | {"not_run": sentences}, "c0de", tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<li>not run: experiment a, because of &lt;b&gt;</li>" in page
    assert page.count("awaiting release") == 1  # not a second time among the settings
    assert json.loads((tmp_path / "manifest.json").read_text())["settings"]["not_run"] == sentences
    assert 'id="awaited"' not in a_report(tmp_path / "other")


def test_headline_numbers_are_written_flat_without_those_that_do_not_exist(tmp_path):
    a_report(tmp_path)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == {"a.m.s.auroc": 0.75, "a.m.s.low": 0.5}


def test_the_same_inputs_give_the_same_page(tmp_path, monkeypatch):
    pages = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        pages.append(a_report((tmp_path / name).relative_to(tmp_path / name)))
    assert pages[0] == pages[1]


def test_a_table_changed_after_it_was_made_is_refused(tmp_path):
    manifest = a_table(tmp_path / "headline", True)
    (tmp_path / "headline" / "table.html").write_text("0.999")
    with pytest.raises(IntegrityError, match=r"table\.html"):
        make_report(Inputs(tables=(manifest,)), SETTINGS, "c0de", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_report_of_nothing_is_a_page(tmp_path):
    make_report(Inputs(), SETTINGS, "c0de", tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "No source was read." in page and "synthetic banner" not in page
    assert (tmp_path / "metrics.json").read_text() == "{}\n"


def test_known_sections_come_first_and_new_ones_follow():
    shown = [Shown("a", "Mine", "", "", ""), Shown("b", "Data", "", "", ""), Shown("c", "Results", "", "", "")]
    assert [name for name, _ in sections(shown)] == ["Results", "Data", "Mine"]


def test_every_experiment_is_run_where_none_is_chosen():
    assert not_run_experiments({**SETTINGS, "run": {"experiments": None}}) == []


def test_a_large_svg_gives_way_to_a_smaller_png(tmp_path):
    (tmp_path / "figure.png").write_bytes(b"\x89PNG")
    (tmp_path / "figure.svg").write_text("<svg>")
    assert image_uri(tmp_path).startswith("data:image/svg+xml;base64,")
    (tmp_path / "figure.svg").write_text("<svg>" + " " * 800_000)
    assert image_uri(tmp_path).startswith("data:image/png;base64,")
