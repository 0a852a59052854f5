"""Published weights in params.yaml: what is refused before the first job, and what is not run without their file."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from codeii.__main__ import main
from codeii.artifacts.manifest import sha256_of
from codeii.schema.params import Preprocessing
from codeii.workflow import plugins, weights
from codeii.workflow.awaiting import missing_from_tables, not_run, not_run_words
from codeii.workflow.job import Job
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import check_params, merge

ROOT = Path(__file__).parents[2]
BUILT_IN = yaml.safe_load((ROOT / "params.yaml").read_text())
NEEDS = {"leads": "eight", "rate_hz": 100, "samples": [1024, 2048], "settings": {"kernel_size": 9}}
THEIRS = {"model": "resnet1d", "encoder": "ECGFounder", "path": "theirs.pth", "licence": "as its page says"}
OVER: dict[str, Any] = {
    "weights": {"theirs": THEIRS},
    "starts": {"theirs_tuned": {"init": "theirs"}, "theirs_probe": {"init": "theirs", "mode": "linear_probe"}},
    "experiments": {
        "ptbxl_form": {"starts": ["from_scratch", "theirs_tuned", "theirs_probe"]},
        "cpsc2018": {"starts": ["theirs_tuned"]},
    },
}


@pytest.fixture(autouse=True)
def in_a_folder_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """resnet1d passes for a model with published weights; the copy of its file lies in the working directory."""
    monkeypatch.setattr(weights, "published_needs", lambda model: NEEDS if model == "resnet1d" else None)
    monkeypatch.chdir(tmp_path)
    Path("theirs.pth").write_bytes(b"numbers")
    return tmp_path


def study(*over: dict[str, Any]) -> Any:
    changed = merge(deepcopy(BUILT_IN), OVER)
    for one in over:
        changed = merge(changed, one)
    return check_params(changed)


def one(jobs: list[Job], rule: str, **wildcards: str) -> Job:
    (job,) = (job for job in jobs if job.rule == rule and wildcards.items() <= job.wildcards.items())
    return job


def test_the_file_is_read_by_one_job_and_every_start_takes_what_it_makes() -> None:
    jobs = all_jobs(study())
    job = one(jobs, "weights")
    assert (job.kind, job.manifest) == ("checkpoint", "results/weights/theirs/manifest.json")
    assert job.inputs == {"file": ["theirs.pth"]}
    assert job.settings["needs"] == {"leads": ["eight"], "rate_hz": [100], "samples": [1024, 2048]}
    assert job.settings["published"]["seen"]["sources"] == {"ptbxl": "undetermined", "cpsc2018": "undetermined"}
    tuned = [job for job in jobs if job.rule == "train" and job.settings["init"] == "theirs"]
    assert len(tuned) == 3 * len(study().experiments["cpsc2018"].seeds)
    assert {path for job in tuned for path in job.inputs["init"]} == {"results/weights/theirs/manifest.json"}
    assert not_run(study()) == []


def test_the_gate_is_told_what_they_have_seen() -> None:
    settings = one(all_jobs(study()), "leakage").settings
    assert settings["experiments"]["ptbxl_form"]["weights"] == ["theirs"]
    assert settings["experiments"]["ptbxl_all"]["weights"] == []
    assert "HEEDB" in settings["weights"]["theirs"]["data"]


def test_what_is_said_in_place_of_the_table_of_encoders() -> None:
    said = [
        {"data": "A", "holds": ["ptbxl"], "lacks": ["cpsc2018", "code15"], "known": "stated"},
        {"data": "B", "lacks": ["cpsc2018", "ptbxl"], "known": "second-hand"},
    ]
    params = study({"weights": {"theirs": {"encoder": None, "pretrained_on": said}}})
    seen = one(all_jobs(params), "weights").settings["published"]["seen"]
    # in one of them is in all; in none only where each is said to lack it
    assert seen == {"data": "A; B", "known": "stated; second-hand", "sources": {"cpsc2018": "no", "ptbxl": "yes"}}


@pytest.mark.parametrize("path", [None, "absent.pth"])
def test_without_the_file_exactly_what_starts_from_it_is_not_run(path: str | None) -> None:
    whole, params = all_jobs(study()), study({"weights": {"theirs": {"path": path}}})
    jobs = all_jobs(params)
    made = {job.manifest for job in jobs}
    assert {path for job in jobs for role in job.inputs.values() for path in role} <= made
    lost = {job.manifest for job in whole if job.rule in ("weights", "train", "evaluate")} - made
    ours = [job for job in whole if job.rule == "train" and job.settings["init"] != "theirs"]
    assert {job.manifest for job in jobs if job.rule == "train"} == {job.manifest for job in ours}
    assert "results/scores/cpsc2018/resnet1d/manifest.json" in lost
    assert "results/scores/ptbxl_form/resnet1d/manifest.json" not in lost
    told = {(part.part, part.experiment, part.start, part.lacks, part.awaited) for part in not_run(params)}
    assert told == {
        ("experiment", "cpsc2018", "", "weights", "theirs"),
        ("start", "ptbxl_form", "theirs_tuned", "weights", "theirs"),
        ("start", "ptbxl_form", "theirs_probe", "weights", "theirs"),
    }
    missing = missing_from_tables(params)
    assert ["ptbxl_form", "resnet1d", "theirs_probe", 1.0, 0] in missing["runs_without_weights"]
    assert missing["runs"] == []


def test_the_words_say_what_is_absent_and_where_to_put_it() -> None:
    page = {"page": "https://example.org/weights"}
    text = "\n".join(not_run_words(study({"weights": {"theirs": {"path": "a/b.pth", **page}}})))
    assert "not run: start theirs_tuned of ptbxl_form (" in text
    assert "because the file of weights.theirs is absent" in text
    assert "not run: experiment cpsc2018 (" in text and "because none of its starts is left" in text
    where = (
        "weights.theirs: no file at a/b.pth; put the file of https://example.org/weights at a/b.pth (licence: as its"
    )
    assert where in text
    text = "\n".join(not_run_words(study({"weights": {"theirs": {"path": None}}})))
    assert "no path is given; put the file of the publisher of ECGFounder, whose address is not known here, on" in text
    assert "and set weights.theirs.path to it" in text


def test_each_absent_file_of_an_experiment_without_a_start_left_is_named() -> None:
    absent = {name: {**THEIRS, "path": None} for name in ("theirs", "others")}
    over = {"weights": absent, "starts": {"others_tuned": {"init": "others"}}}
    words = not_run_words(study(over, {"experiments": {"cpsc2018": {"starts": ["theirs_tuned", "others_tuned"]}}}))
    assert [line.partition(":")[0] for line in words if "no path is given" in line] == [
        "weights.theirs",
        "weights.others",
    ]


def test_whether_the_file_is_there_is_looked_up_once() -> None:
    params = study()
    Path("theirs.pth").unlink()
    assert not_run(params) == [] and params.model_copy(update={"study": "x"}).weights["theirs"].there
    assert not study().weights["theirs"].there


def test_weights_that_nothing_starts_from_are_neither_read_nor_missed() -> None:
    over = {"experiments": {name: {"starts": ["from_scratch"]} for name in ("ptbxl_form", "cpsc2018")}}
    assert not [job for job in all_jobs(study(over)) if job.rule == "weights"]
    assert not_run_words(study(over, {"weights": {"theirs": {"path": None}}})) == []


def test_the_plan_says_what_to_pin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(OVER))
    files = [str(ROOT / "params.yaml"), str(tmp_path / "over.yaml")]
    assert main(["plan", "--params", *files]) == 0
    output = capsys.readouterr().out
    assert f"note: weights.theirs.sha256 is null; pin this file: {sha256_of(Path('theirs.pth'))}" in output
    assert "weights          1       1" in output
    Path("theirs.pth").unlink()
    assert main(["plan", "--params", *files]) == 0
    output = capsys.readouterr().out
    assert "pin this file" not in output and "weights.theirs: no file at theirs.pth" in output


BOTH = {"pretrained_on": [{"data": "A", "known": "stated"}]}


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"starts": {"theirs_tuned": {"init": "thiers"}}}, "starts.theirs_tuned.init: 'thiers' is not one of random, "),
        ({"starts": {"theirs_tuned": {"init": "thiers"}}}, "Did you mean 'theirs'?"),
        ({"weights": {"theirs": {"encoder": "ECGFinder"}}}, r"weights.theirs.encoder: 'ECGFinder' .*mean 'ECGFounder'"),
        ({"weights": {"theirs": {"encoder": None}}}, "weights.theirs: .*say what it was pretrained on, once"),
        ({"weights": {"theirs": BOTH}}, "say what it was pretrained on, once"),
        ({"weights": {"theirs": {"sha256": "abc"}}}, "weights.theirs.sha256: found 'abc'"),
        ({"weights": {"theirs": {"licence": None}}}, "weights.theirs.licence: found None"),
        ({"weights": {"theirs": {"url": "x"}}}, "weights.theirs.url: this key is not known"),
        ({"weights": {"theirs": {"model": "resnet2d"}}}, "weights.theirs.model: 'resnet2d' is not one of"),
        ({"weights": {"random": THEIRS}}, "weights.random: init has this name too"),
        ({"weights": {"ptbxl_form": THEIRS}}, "weights.ptbxl_form: experiments has this name too"),
        ({"models": {"resnet1d": {"kernel_size": 17}}}, "models.resnet1d.kernel_size: found 17, but weights.theirs"),
        (
            {"preprocessing": {"code_100hz": {"samples": 4096}}},
            r"experiments.\w+.preprocessing: code_100hz has samples 4096, but weights.theirs .* need 1024 or 2048",
        ),
        ({"preprocessing": {"code_100hz": {"leads": "twelve"}}}, "has leads 'twelve', but weights.theirs"),
    ],
)
def test_what_does_not_fit_is_a_sentence_before_the_first_job(over: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        study(over)


def test_only_experiments_of_that_model_alone_start_from_them(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"models": ["other_net", "resnet1d"]}
    monkeypatch.setattr("codeii.workflow.load.names_in", lambda f: names.get(f) or plugins.names_in(f))
    with pytest.raises(
        ValueError, match=r"cpsc2018.models: found \['resnet1d', 'other_net'\]; start theirs_tuned need"
    ):
        study({"experiments": {"cpsc2018": {"models": ["resnet1d", "other_net"]}}})


def test_a_model_without_published_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "published_needs", lambda model: None)
    with pytest.raises(ValueError, match=r"resnet1d.py has no load_published and PUBLISHED; models that have: none"):
        study()


def test_what_a_model_file_says_is_read_without_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "PACKAGE", tmp_path)
    (tmp_path / "models").mkdir()
    plain = "PUBLISHED: dict[str, object] = {'leads': 'eight'}\nraise SystemExit\n"
    (tmp_path / "models/net_a.py").write_text(f"{plain}def load_published(state, network):\n    return {{}}\n")
    (tmp_path / "models/net_b.py").write_text(plain)
    assert plugins.published_needs("net_a") == {"leads": "eight"}
    assert plugins.published_needs("net_b") is None


@pytest.mark.parametrize("model", plugins.names_in("models"))
def test_every_model_file_asks_for_what_a_preprocessing_can_say(model: str) -> None:
    needs = plugins.published_needs(model)
    if needs is not None:
        assert {"leads", "rate_hz", "samples"} <= needs.keys() <= {*Preprocessing.model_fields, "settings"}
        assert needs.get("settings", {}).keys() <= plugins.model_settings(model).model_fields.keys()
