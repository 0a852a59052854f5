"""What awaits its data falls away, with everything that needs it and nothing else, and is named with what to set."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from codeii.__main__ import main
from codeii.checks.verify import verify
from codeii.schema.params import Params
from codeii.workflow.awaiting import missing_from_tables, not_run, not_run_words, what_can_run
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import check_params, load_params, merge

ROOT = Path(__file__).parents[2]
BUILT_IN = yaml.safe_load((ROOT / "params.yaml").read_text())
SOURCES = sorted(BUILT_IN["sources"])


def awaiting(*sources: str, over: dict[str, Any] | None = None) -> Params:
    """The built-in study with some sources awaited."""
    changed = merge(deepcopy(BUILT_IN), over or {})
    for source in sources:
        changed["sources"][source] |= {"origin": "awaiting", "awaiting": {"reason": "no address is public"}}
    return check_params(changed)


@pytest.fixture(scope="module")
def behind() -> dict[str, set[str]]:
    """Manifest of every training, target and submission of the whole study -> the sources it rests on."""
    of: dict[str, set[str]] = {}
    wanted = {}
    for job in all_jobs(awaiting()):  # upstream first
        rests_on = [of[path] for role in job.inputs.values() for path in role]
        of[job.manifest] = set().union(*rests_on) if rests_on else {job.wildcards["source"]}
        if job.rule in ("targets", "train", "submit"):
            wanted[job.manifest] = of[job.manifest]
    return wanted


SETS = [{source} for source in SOURCES] + [
    {"code_ii_open", "code_ii_test"},
    {"code15", "ptbxl"},
    {*SOURCES} - {"ptbxl"},
]


@pytest.mark.parametrize("awaited", SETS, ids=lambda names: "+".join(sorted(names)))
def test_exactly_what_rests_on_an_awaited_source_falls_away(behind: dict[str, set[str]], awaited: set[str]) -> None:
    jobs = all_jobs(awaiting(*awaited))
    made = {job.manifest for job in jobs}
    needed = {path for job in jobs for role in job.inputs.values() for path in role}
    assert needed <= made
    assert {job.manifest for job in jobs if job.rule in ("targets", "train", "submit")} == {
        manifest for manifest, sources in behind.items() if not sources & awaited
    }
    # nothing is fetched, read or preprocessed for an experiment that fell away
    assert {job.manifest for job in jobs if job.rule in ("synthesise", "fetch", "records", "tensors")} <= needed
    of_rule = {
        rule: {job.wildcards["experiment"] for job in jobs if job.rule == rule} for rule in ("train", "evaluate")
    }
    assert of_rule["train"] == of_rule["evaluate"]


def test_the_chain_of_reasons_is_kept() -> None:
    lost = {(part.part, part.experiment, part.start): part for part in not_run(awaiting("code_ii_open"))}
    whole = lost["experiment", "code_ii_pretraining", ""]
    assert (whole.awaited, whole.runs) == ("code_ii_open", 3)
    assert whole.because == "its task code_ii reads code_ii_open, which is awaiting release"
    start = lost["start", "ptbxl_all", "code_ii_linear"]
    assert start.because.startswith("it starts from code_ii_pretraining, which is not run as its task code_ii reads")
    assert not any(experiment == "code15_pretraining" for _, experiment, _ in lost)


def test_each_sentence_says_what_why_and_what_to_set() -> None:
    text = "\n".join(not_run_words(load_params([ROOT / "params.yaml", ROOT / "config/paper.yaml"])))
    assert "not run: experiment code_ii_pretraining (25 runs), because its task code_ii reads code_ii_open" in text
    assert "not run: start code_ii_linear of ptbxl_superdiagnostic, " in text and "cpsc2018 (35 runs)" in text
    assert "sources.code_ii_open is awaiting release: its authors announce it" in text
    assert "set sources.code_ii_open to origin: local with path and layout" in text
    assert "sources.code_ii_test is awaiting release" in text
    assert "sources.code_ii is" not in text  # the full set is awaited too, but nothing asks for it
    assert not_run_words(awaiting()) == []


def test_the_full_set_that_is_asked_for_says_how_to_get_it() -> None:
    over = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    over["experiments"]["code_ii_pretraining"]["task"] = "code_ii_full"
    text = "\n".join(not_run_words(check_params(merge(BUILT_IN, over))))
    assert "sources.code_ii is awaiting release: it is given out case by case" in text
    assert "experiments.code_ii_pretraining.task to code_ii_full" in text


def test_predictions_alone_fall_away_where_only_their_source_is_awaited() -> None:
    params = awaiting("code_ii_test")
    assert [(part.part, part.awaited) for part in not_run(params)] == [("predictions", "code_ii_test")]
    jobs = all_jobs(params)
    assert len(all_jobs(awaiting())) - len(jobs) == 8  # twin, records, tensors, shards, audit, descriptors, submission
    assert missing_from_tables(params) == {
        "runs": [],
        "submissions": [["code_ii_test", "code_ii_pretraining", "resnet1d"]],
        "runs_without_weights": [],
        "submissions_without_weights": [],
    }


def test_an_experiment_without_a_start_left_falls_away_whole() -> None:
    over = {"experiments": {"cpsc2018_few_shot": {"starts": ["code_ii_linear", "code_ii_finetuned"]}}}
    params = awaiting("code_ii_open", over=over)
    lost = [part for part in not_run(params) if part.experiment == "cpsc2018_few_shot"]
    assert [(part.part, part.runs) for part in lost] == [("experiment", 12)]
    assert "none of its starts is left: it starts from code_ii_pretraining" in lost[0].because
    assert "cpsc2018_few_shot" not in what_can_run(params).experiments


def test_the_next_start_is_the_reference_where_the_first_falls_away_and_it_is_said() -> None:
    over = {"experiments": {"cpsc2018": {"starts": ["code_ii_finetuned", "from_scratch", "random_encoder"]}}}
    params = awaiting("code_ii_open", over=over)
    words = "\n".join(not_run_words(params))
    assert "note: starts of cpsc2018 are compared with from_scratch, as code_ii_finetuned is not run" in words


def test_a_study_of_which_nothing_is_left_stops_with_a_sentence() -> None:
    params = awaiting(*SOURCES)
    with pytest.raises(ValueError, match=r"nothing of this study can be run yet:\nnot run: experiment code_ii_pretr"):
        all_jobs(params)


def test_tables_are_told_every_run_that_is_missing() -> None:
    missing = missing_from_tables(awaiting("code_ii_open"))["runs"]
    assert ["cpsc2018_few_shot", "resnet1d", "code_ii_finetuned", 0.02, 0] in missing
    assert [run for run in missing if run[0] == "code_ii_pretraining"] == [
        ["code_ii_pretraining", "resnet1d", "from_scratch", fraction, 0] for fraction in (0.1, 0.3, 1.0)
    ]
    assert len(missing) == len({tuple(run) for run in missing})  # once, however many seeds


def test_a_copy_is_declared_by_one_block_and_then_everything_runs() -> None:
    over = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    mine = {name: {"origin": "local", "path": "/data", "layout": {"table": "exams.csv"}} for name in
            ("code_ii_open", "code_ii_test")}  # fmt: skip
    del over["weights"]  # files that others publish
    over["experiments"] = {name: one for name, one in over["experiments"].items() if name in BUILT_IN["experiments"]}
    over["starts"] = {}
    params = check_params(merge(merge(BUILT_IN, over), {"sources": mine}))
    assert not_run(params) == [] and what_can_run(params) is params


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"reason": ""}, "sources.ptbxl.awaiting.reason: found ''"),
        ({}, "sources.ptbxl.awaiting.reason: this key is missing"),
        ({"reason": "r", "why": "x"}, "sources.ptbxl.awaiting.why: this key is not known"),
    ],
)
def test_a_reason_is_a_sentence(block: dict[str, str], words: str) -> None:
    changed = deepcopy(BUILT_IN)
    changed["sources"]["ptbxl"] |= {"origin": "awaiting", "awaiting": block}
    with pytest.raises(ValueError, match=words):
        check_params(changed)


def test_plan_says_what_is_not_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "--params", str(ROOT / "params.yaml"), str(ROOT / "config/paper.yaml")]) == 0
    output = capsys.readouterr().out
    assert "training       202     202" in output
    assert "not run: experiment code_ii_pretraining" in output


def test_verify_misses_nothing_that_was_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = verify(awaiting("code_ii_open"))
    assert found.artefacts == 0 and len(found.faults) > 50  # nothing is there yet, and nothing else is asked for
    assert not any("code_ii" in fault for fault in found.faults)
