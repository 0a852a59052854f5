"""Documents say what results.json says, harmlessly, and to the same bytes."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
import yaml
from rocrate.rocrate import ROCrate
from tests.contracts.test_figures_and_tables import made_up_study
from tests.results import HOSTILE, made_up_results

from codeii.artifacts.manifest import IntegrityError, sha256_of
from codeii.artifacts.results import as_json, read_results, write_results
from codeii.documents import project
from codeii.documents.build import documents_of, write_documents
from codeii.documents.checklists import ANSWERED, items
from codeii.documents.gather import results_of
from codeii.documents.words import in_markdown
from codeii.schema.needs import OF_RESULTS
from codeii.schema.results import Results, Table
from codeii.workflow.document_jobs import project_hashes
from codeii.workflow.documentation import results_schema

# The validator's own library is on its way from one class of graphs to another.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
mlcroissant = pytest.importorskip("mlcroissant")
TRIPOD = (
    "1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 15 16 17 18a 18b 18c"
)
TRIPOD += " 18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c"
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def written(folder: Path, results: Results) -> Path:
    """The documents of these results, through both doors."""
    manifest = write_results(folder / "results", results, settings={}, code="c", inputs=[])
    write_documents(manifest, {}, "c", folder / "documents")
    return folder / "documents"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("documents"), made_up_results())


def test_results_are_read_as_they_were_written_and_as_the_schema_says(tmp_path: Path) -> None:
    results = made_up_results()
    manifest = write_results(tmp_path, results, settings={}, code="c", inputs=[])
    assert read_results(manifest) == results
    jsonschema.validate(json.loads((tmp_path / "results.json").read_text()), json.loads(results_schema()))


def test_a_results_file_of_another_shape_is_refused_by_field(tmp_path: Path) -> None:
    manifest = write_results(tmp_path, made_up_results(), settings={}, code="c", inputs=[])
    path = tmp_path / "results.json"
    value = json.loads(path.read_text())
    value["runs"][0]["seed"] = "first"
    path.write_text(json.dumps(value))
    with pytest.raises(IntegrityError, match=r"results\.json: \d+ bytes, the manifest says"):
        read_results(manifest)
    said = json.loads(manifest.read_text())
    said["files"]["results.json"] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    manifest.write_text(json.dumps(said))
    with pytest.raises(IntegrityError, match=r"results\.json: runs\.0\.seed: .*found first"):
        read_results(manifest)


@pytest.mark.parametrize("name", ["../x", "a/b", "A B"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str) -> None:
    value = made_up_results().model_dump()
    value["judged"][0]["experiment"] = name
    with pytest.raises(ValueError, match=r"judged\.0\.experiment"):
        Results.model_validate(value)


def test_synthetic_results_without_their_warning_are_refused() -> None:
    with pytest.raises(ValueError, match="origin is 'synthetic' and the warning ''"):
        made_up_results(warning="")
    with pytest.raises(ValueError, match="row 1 has 1 cells, expected 2"):
        Table(columns=["a", "b"], rows=[[1, 2], [1]])


def test_the_same_results_have_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = written(tmp_path, made_up_results())
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*") if path.name != "manifest.json"}
        for folder in (made, again)
    )
    assert first == second and len(first) > 20


def test_what_is_no_longer_made_does_not_stay(tmp_path: Path) -> None:
    stale = tmp_path / "documents/model_cards/gone-resnet1d.md"
    stale.parent.mkdir(parents=True)
    stale.write_text("old")
    assert (written(tmp_path, made_up_results()) / "model_cards/transfer-resnet1d.md").is_file()
    assert not stale.exists()


def test_every_document_says_synthetic_and_no_real_one_does() -> None:
    for synthetic in (True, False):
        results = made_up_results(synthetic)
        for path, text in documents_of(results).items():
            assert ("SYNTHETIC" in text) == synthetic, path


@pytest.mark.parametrize("block", ["comparisons", "analyses", "explanations", "verdicts", "leakage"])
def test_blocks_that_a_study_does_not_have_leave_no_gap(block: str) -> None:
    value = {**made_up_results().model_dump(), block: None}
    assert len(documents_of(Results.model_validate(value))) == 6


def test_a_comparison_stands_in_the_card_and_what_is_not_defined_in_words(made: Path) -> None:
    card = (made / "model_cards/transfer-resnet1d.md").read_text()
    assert "| b | a | auroc | -0.100 (-0.200 to not defined) | 0.040 | 0.080 |" in card
    row = next(line for line in card.splitlines() if line.startswith("| x\\|"))
    assert row.endswith("| 0.812 \\(0.612 to 0.912\\) | not defined |")


def test_names_stay_names_in_markdown(made: Path) -> None:
    for path in made.glob("**/*.md"):
        body = re.split("^---\n", path.read_text(), flags=re.M)[-1]
        assert "<script" not in body and "\n# head" not in body and "](javascript" not in body
        assert " 42 " not in body
        assert "www.evil" not in body
        tables = [line for line in body.splitlines() if line.startswith("| ")]
        for line in tables:
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 4, 5, 6, 7), line


@pytest.mark.parametrize("sign", list("\\`*_{}[]()#+!|~^$@"))
def test_a_sign_of_markdown_is_escaped(sign: str) -> None:
    assert in_markdown(f"a{sign}b") == f"a\\{sign}b"


def test_text_stays_on_one_line_and_out_of_html() -> None:
    assert in_markdown("a\n\x00<b>&\u2028c") == "a &lt;b&gt;&amp; c"
    assert in_markdown("see https://x.org and www.x.org") == "see https&#8203;://x.org and www&#8203;.x.org"


def test_the_front_matter_is_yaml_with_the_scores(made: Path) -> None:
    text = (made / "model_cards/transfer-resnet1d.md").read_text()
    _, front, _ = re.split("^---\n", text, maxsplit=2, flags=re.M)
    said = yaml.safe_load(front)
    (scored,) = said["model-index"][0]["results"]
    assert {"type": "roc_auc", "name": "macro auroc, start a", "value": 0.81234} in scored["metrics"]
    assert scored["dataset"]["name"] == f"SYNTHETIC twin of {' '.join(HOSTILE.split())}"
    assert said["license"] == "mit" and "synthetic-data" in said["tags"]


@pytest.mark.parametrize(("name", "numbers"), [("tripod_ai", TRIPOD.split()), ("neurips_checklist", range(1, 17))])
def test_every_item_is_answered_or_marked(made: Path, name: str, numbers: Any) -> None:
    text = (made / f"{name}.md").read_text()
    blocks = re.split(r"^### ", text, flags=re.M)[1:]
    assert [block.split(". ")[0] for block in blocks] == [str(number) for number in numbers]
    for block in blocks:
        assert re.search(rf"^\*\*({'|'.join(ANSWERED.values())}):\*\* \S.{{9,}}", block, re.M), block
    assert {line.answered for line in items(name)} == set(ANSWERED)


def test_no_number_stands_in_a_document_that_is_not_in_the_results() -> None:
    results = made_up_results()
    found = [value for row in results.scores.rows + results.comparisons["comparisons"].rows for value in row]
    known = set(NUMBER.findall(as_json(results)))
    known |= {f"{abs(value):.3f}" for value in found if isinstance(value, float)}
    known |= {f"{int(value):,}" for value in known if value.isdigit()}
    known |= {f"3.{part}" for part in range(1, 6)}  # of the artifact appendix
    known |= {str(number) for number in range(60)}  # how many classes, items and answers there are
    known |= {"8203"}  # the space without width, as HTML writes it
    for path, text in documents_of(results).items():
        words = text if path.endswith(".md") else json.dumps(json.loads(text), ensure_ascii=False)
        words = words.replace("2024;385:e078378", "").replace("checklist of 2025", "").replace("croissant/1.0", "")
        assert set(NUMBER.findall(words)) <= known, path


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    """Results of artefacts on disk, below a folder as the study has it."""
    root = tmp_path_factory.mktemp("gathered")
    study = made_up_study(root / "results/made", True)
    settings = {"params": {"study": "made up"}, "not_run": [], "project": project_hashes()}
    return root, results_of({need: getattr(study, need) for need in OF_RESULTS}, settings)


def test_everything_of_the_artefacts_is_gathered(gathered: tuple[Path, Results]) -> None:
    _, results = gathered
    assert results.origin == "synthetic" and results.counts["runs"] == len(results.runs) == 12
    assert len(results.provenance) == results.counts["artefacts"]
    hostile = results.scores.records(
        experiment="transfer", start="finetuned", fraction=1.0, seed="mean", metric="auroc"
    )
    assert {row["class"]: row["value"] for row in hostile}["never"] is None
    assert {row["class"]: row["value"] for row in hostile}["macro"] == pytest.approx(0.87)
    for need in ("comparisons", "analyses", "explanations", "verdicts", "leakage"):
        assert getattr(results, need), need
    assert results.verdicts and results.verdicts["cells"].records()[0]["ours"] is None
    assert results.explanations and results.explanations["cases"].records()[0]["experiment"] == "transfer"
    assert results.tasks[0].source == "made_up" and results.sources[0].checks is not None
    assert json.loads(as_json(results))["scores"]["columns"][0] == "experiment"


def test_a_data_card_is_croissant_and_its_table_can_be_read(gathered: tuple[Path, Results], tmp_path: Path) -> None:
    """The library follows the card to the study's own files, checks their hashes and yields the rows."""
    from codeii.documents.build import as_json as text_of
    from codeii.documents.croissant import UP, croissant

    _, results = gathered
    card = croissant(results, results.sources[0])
    for file in card["distribution"]:
        file["contentUrl"] = file["contentUrl"].removeprefix(UP)
    path = tmp_path / "card.json"
    path.write_text(text_of(card))
    data = mlcroissant.Dataset(str(path))
    assert not data.metadata.ctx.issues.errors
    rows = list(data.records("records"))
    assert len(rows) == results.sources[0].facts["records"] == 6
    stored = pd.read_parquet(card["distribution"][0]["contentUrl"])
    assert [row["records/record_id"].decode() for row in rows] == list(stored["record_id"])


def test_a_data_card_leads_from_its_place_to_the_files_of_the_study(made: Path) -> None:
    card = json.loads((made / "croissant/made_up.json").read_text())
    (file,) = card["distribution"]
    place = Path("/study/results/published/documents/croissant") / file["contentUrl"]
    assert place.resolve() == Path("/study/results/records/made_up/records.parquet")
    assert not mlcroissant.Dataset(str(made / "croissant/made_up.json")).metadata.ctx.issues.errors


def test_the_crate_opens_and_holds_what_it_lists(made: Path) -> None:
    crate = ROCrate(str(made))
    listed = {entity.id for entity in crate.get_entities() if "File" in str(entity.type)}
    here = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert listed - {"ro-crate-metadata.json"} == here - {"ro-crate-metadata.json", "manifest.json"}
    run = crate.dereference("#run")
    assert run["instrument"].id == "crate/Snakefile" and run.type == "CreateAction"
    assert crate.dereference("crate/results.json") in run["result"]
    assert crate.dereference("#author-1")["name"] == HOSTILE
    for entity in crate.get_entities():
        if entity.id in here and "sha256" in entity.properties():
            assert sha256_of(made / entity.id) == entity["sha256"], entity.id
    assert "datePublished" not in (made / "ro-crate-metadata.json").read_text()
    assert (made / "crate/Snakefile").read_bytes() == (project.ROOT / "Snakefile").read_bytes()
    assert yaml.safe_load((made / "crate/params.yaml").read_text()) == made_up_results().settings


def test_a_release_date_of_the_citation_is_that_of_the_crate(tmp_path: Path) -> None:
    software = made_up_results().software.model_dump() | {"date_released": "2026-11-30"}
    text = (written(tmp_path, made_up_results(software=software)) / "ro-crate-metadata.json").read_text()
    assert text.count('"datePublished": "2026-11-30"') == 1


def test_a_workflow_that_changed_meanwhile_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"Snakefile: sha256 [0-9a-f]+, expected ab"):
        project.software_of({"Snakefile": "ab" * 32})
