"""Every fault of params.yaml is one sentence with its dotted path and what is accepted."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from codeii.schema.params import PublishedSplit
from codeii.workflow.load import check_params, load_params, merge
from codeii.workflow.plugins import model_settings, names_in
from codeii.workflow.run_jobs import evaluate_job, predict_job, submit_job, train_job
from codeii.workflow.runs import runs_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.mark.parametrize("over", [[], ["config/paper.yaml"], ["tests/params/tiny.yaml"], ["tests/params/real.yaml"]])
def test_every_study_of_the_repository_is_valid(over: list[str]) -> None:
    params = load_params([ROOT / "params.yaml", *(ROOT / name for name in over)])
    assert params.experiments


LICENCE = {"name": "CC BY 4.0", "address": "https://creativecommons.org/licenses/by/4.0/", "terms": "Name them."}
PRIMARY = {"page": "https://h/", "licence": LICENCE, "mirrors": ["https://h/files/"]}
FAULTS = [
    ("starts.from_scratch.mode", "partial", ["starts.from_scratch", "partial with trained_stages 0", "at least 1"]),
    ("starts.from_scratch.trained_stages", 2, ["starts.from_scratch", "mode is full with trained_stages 2"]),
    ("recipes.transfer.accumulate", 65, ["recipes.transfer", "accumulate is 65, but a step has 64 records"]),
    ("recipes.transfer.milestones", [3], ["recipes.transfer", "schedule is cosine with milestones [3]"]),
    ("recipes.transfer.schedule", "multistep", ["recipes.transfer", "multistep with milestones []"]),
    ("recipes.transfer.loss", {"label_smoothing": 0.5}, ["recipes.transfer.loss.label_smoothing", "less than 0.5"]),
    ("recipes.transfer.augmentation", {"noise": 5}, ["recipes.transfer.augmentation.noise: this key is not known"]),
    ("recipes.transfer.augmentation", {"crop_samples": 2048}, ["augmentation.crop_samples: found 2048;", "have 1024"]),
    ("sources.ptbxl.verson", "1.0.3", ["sources.ptbxl.verson: this key is not known"]),
    ("preprocessing.code_100hz.rate_hz", 0, ["preprocessing.code_100hz.rate_hz", "found 0", "greater than 0"]),
    ("preprocessing.code_100hz.leads", "nine", ["found 'nine'", "'eight' or 'twelve'"]),
    ("preprocessing.code_100hz.powerline_hz", 60, ["preprocessing.code_100hz.powerline_hz: found 60;", "say mains"]),
    ("preprocessing.code_100hz.resampling", "zoom", ["code_100hz.resampling: found 'zoom'; accepted only with mode"]),
    ("preprocessing.code_100hz.keep_seconds", 5, ["code_100hz.keep_seconds: found 5; accepted only with mode"]),
    ("preprocessing.code_100hz.resampling", "zoom", ["has no low-pass", "say polyphase"]),
    ("preprocessing.code_100hz.resampling", "decimate_joined", ["runs from each lead into the next", "say polyphase"]),
    ("preprocessing.code_100hz.median_baseline_seconds", 0.4, ["takes its elevation for baseline", "say null"]),
    ("preprocessing.code_100hz.median_baseline_seconds", 0, ["found 0", "greater than 0"]),
    ("preprocessing.code_100hz.baseline", "median", ["found 'median'", "'none', 'elliptic' or 'bandpass'"]),
    ("preprocessing.code_100hz.limb_leads", "recorded", ["found 'recorded'; eight leads hold no III", "leads: twelve"]),
    ("preprocessing.code_100hz.normalisation", "range", ["found 'range'", "'none', 'record' or 'lead'"]),
    ("preprocessing.code_100hz.mode", "fast", ["found 'fast'", "'signal_correct' or 'benchmark_compatible'"]),
    ("preprocessing.code_100hz.placement", "last", ["found 'last'", "'centre', 'first' or 'sections'"]),
    ("tasks.ptbxl_all.source", "ptbxll", ["tasks.ptbxl_all.source: 'ptbxll'", "Did you mean 'ptbxl'?"]),
    ("tasks.ptbxl_all.label_set", "ptbxl_al", ["'ptbxl_al' is not one of", "Did you mean 'ptbxl_all'?"]),
    ("tasks.cpsc2018.splits.shares.test", 0.3, ["tasks.cpsc2018.splits.shares", "sum to 1.2, expected 1"]),
    ("tasks.ptbxl_all.splits.test", [9], ["fold 9 is in more than one split"]),
    ("tasks.cpsc2018.splits.by", "record", ["tasks.cpsc2018.splits.by: found 'record'", "patient or published"]),
    ("tasks.cpsc2018.splits.share", 1, ["tasks.cpsc2018.splits.share: this key is not known"]),
    ("tasks.cpsc2018.splits", {"by": "published"}, ["tasks.cpsc2018.splits.name: this key is missing"]),
    (
        "tasks.cpsc2018.splits",
        {"by": "published", "name": "merl"},
        ["'merl' is not one of merl_cpsc2018"],
    ),
    (
        "tasks.ptbxl_all.splits",
        {"by": "published", "name": "merl_cpsc2018"},
        ["tasks.ptbxl_all.splits.name: merl_cpsc2018 names records of cpsc2018, expected those of ptbxl"],
    ),
    ("tasks.cpsc2018.minimum_seconds", -1, ["tasks.cpsc2018.minimum_seconds: found -1"]),
    ("experiments.cpsc2018.models", ["resnet2d"], ["experiments.cpsc2018.models: 'resnet2d'", "resnet1d"]),
    ("experiments.cpsc2018.starts", ["nowhere"], ["experiments.cpsc2018.starts: 'nowhere'", "from_scratch"]),
    ("experiments.cpsc2018.seeds", [0, 0], ["experiments.cpsc2018.seeds", "twice"]),
    ("experiments.cpsc2018.recipe", "transfr", ["experiments.cpsc2018.recipe", "Did you mean 'transfer'?"]),
    ("experiments.code_ii_pretraining.fractions", [0.1], ["needs fraction 1.0 of code_ii_pretraining"]),
    ("starts.code_ii_linear.init", "cpsc2018", ["itself starts from a checkpoint"]),
    ("recipes.transfer.learning_rate", "fast", ["recipes.transfer.learning_rate: found 'fast'", "number"]),
    ("models.resnet1d.kernel", 9, ["models.resnet1d.kernel: this key is not known"]),
    ("models.resnet9d", {}, ["models: 'resnet9d' is not one of"]),
    ("evaluation.metrics", ["auc"], ["evaluation.metrics: 'auc' is not one of"]),
    ("reporting.figures", ["rok"], ["reporting.figures: 'rok'", "Did you mean 'roc'?"]),
    ("sources.ptbxl.twin", None, ["sources.ptbxl.twin: missing"]),
    ("sources.ptbxl.origin", "local", ["sources.ptbxl.path: missing"]),
    ("sources.ptbxl.origin", "primary", ["sources.ptbxl.primary: missing"]),
    ("sources.ptbxl.origin", "archive", ["sources.ptbxl.archive: missing"]),
    ("sources.ptbxl.primary", PRIMARY, ["sources.ptbxl.primary: neither listing nor files"]),
    ("sources.ptbxl.primary", PRIMARY | {"mirrors": ["http://h/"]}, ["primary.mirrors.0", "expected an https address"]),
    ("sources.ptbxl.primary", PRIMARY | {"files": {"a": {"sha256": "x"}}}, ["primary.files.a.sha256", "found 'x'"]),
    ("sources.chapman", {"version": "1", "origin": "local", "path": "x"}, ["sources: 'chapman' is not one of"]),
    ("run.experiments", ["cpsc"], ["run.experiments.0: 'cpsc'"]),
    ("experiments.cpsc2018.fractions", [0.1234567, 0.1234568], ["equal to six digits"]),
    (
        "experiments.ptbxl_few_shot.per_class",
        [5],
        ["ptbxl_few_shot: found", "[0.02, 0.1] and per_class is [5]; an exp"],
    ),
    ("experiments.cpsc2018.fractions", [], ["experiments.cpsc2018: found", "fractions are [] and per_class is []"]),
    ("experiments.cpsc2018.per_class", [5, 0], ["cpsc2018.per_class.1: found 0", "greater than or equal to 1"]),
    ("experiments.cpsc2018.per_class", [5, 5], ["cpsc2018.per_class: [5, 5] names something twice"]),
    ("tracking.uri", "postgresql://me:secret@host/db", ["tracking.uri", "pattern"]),
    ("evaluation.level", 1.5, ["evaluation.level: found 1.5"]),
    ("leakage.waive", [{"kind": "patient_in_two_splits", "reason": "x"}], ["leakage.waive.0", "the two records"]),
    ("leakage.waive", [{"kind": "patient", "task": "cpsc2018", "reason": "x"}], ["leakage.waive.0.kind"]),
    (
        "leakage.waive",
        [{"kind": "patient_in_two_splits", "task": "cpsc", "reason": "x"}],
        ["leakage.waive.0.task: 'cpsc'", "Did you mean 'cpsc2018'?"],
    ),
    (
        "leakage.waive",
        [{"kind": "recording_in_two_splits", "records": ["ptbxl/1", "ptb/2"], "reason": "x"}],
        ["leakage.waive.0.records: 'ptb'", "ptbxl"],
    ),
]


def test_steps_of_published_benchmarks_are_accepted_where_they_are_named(values: dict[str, Any]) -> None:
    changed = deepcopy(values)
    steps = {"mode": "benchmark_compatible", "powerline_hz": 60, "resampling": "zoom", "keep_seconds": 5}
    changed["preprocessing"]["code_100hz"] |= steps
    assert check_params(changed).preprocessing["code_100hz"].model_dump().items() >= steps.items()


def test_counts_take_the_place_of_fractions_from_the_parameters_to_the_paths(values: dict[str, Any]) -> None:
    changed = deepcopy(values)
    changed["experiments"]["cpsc2018"] |= {"per_class": [20, 5], "starts": ["from_scratch", "code_ii_finetuned"]}
    params = check_params(changed)
    assert params.experiments["cpsc2018"].amounts == [(0.0, 20), (0.0, 5)]
    assert check_params(params.model_dump(mode="json")) == params  # the default does not come back
    runs = runs_of("cpsc2018", params.experiments["cpsc2018"])
    assert [run.variant for run in runs] == [f"{start}-n{count}" for start in ("from_scratch", "code_ii_finetuned")
                                             for count in (20, 5)]  # fmt: skip
    job = train_job(params, runs[2])
    assert (job.settings["fraction"], job.settings["per_class"]) == (0, 20)
    assert job.inputs["init"] == ["results/runs/code_ii_pretraining/resnet1d/from_scratch-f1/seed0/manifest.json"]


def test_a_lower_file_s_fractions_are_taken_away_by_an_empty_list(values: dict[str, Any]) -> None:
    over = {"experiments": {"ptbxl_few_shot": {"fractions": [], "per_class": [5]}}}
    assert check_params(merge(values, over)).experiments["ptbxl_few_shot"].amounts == [(0.0, 5)]


def test_a_checkpoint_for_others_is_of_all_records_not_of_a_count(values: dict[str, Any]) -> None:
    over = {"experiments": {"code_ii_pretraining": {"fractions": [], "per_class": [5]}}}
    with pytest.raises(ValueError, match=r"needs fraction 1.0 of code_ii_pretraining, which has per_class \[5\]"):
        check_params(merge(values, over))


def test_how_sections_become_a_record_is_told_to_predict_submit_and_evaluate(values: dict[str, Any]) -> None:
    over = {"experiments": {"code_ii_pretraining": {"sections": "max"}}}
    for placement, said in (("sections", "max"), ("centre", "")):
        placed = {"preprocessing": {"code_100hz": {"placement": placement}}}
        params = check_params(merge(merge(values, over), placed))
        assert predict_job(params, "code_ii_pretraining", "resnet1d").settings["sections"] == "max"
        assert submit_job(params, "code_ii_pretraining", "resnet1d", "code_ii_test").settings["sections"] == "max"
        assert evaluate_job(params, "code_ii_pretraining", "resnet1d").settings["sections"] == said
    assert evaluate_job(check_params(values), "cpsc2018", "resnet1d").settings["sections"] == ""


def test_a_submission_is_of_the_runs_with_the_largest_count(values: dict[str, Any]) -> None:
    changed = deepcopy(values)
    changed["experiments"]["cpsc2018"] |= {"per_class": [20, 5]}
    checkpoints = submit_job(check_params(changed), "cpsc2018", "resnet1d", "code_ii_test").inputs["checkpoints"]
    assert checkpoints == ["results/runs/cpsc2018/resnet1d/from_scratch-n20/seed0/manifest.json"]


SPOILING = {"resampling": "decimate_joined", "median_baseline_seconds": 0.4}
HARMLESS = {"baseline": "bandpass", "limb_leads": "recorded", "normalisation": "lead"}


def test_a_step_of_an_encoder_is_refused_only_where_it_spoils_the_signal(values: dict[str, Any]) -> None:
    for mode in ("signal_correct", "benchmark_compatible"):
        for name, value in (SPOILING | HARMLESS).items():
            changed = deepcopy(values)
            changed["preprocessing"]["code_100hz"] |= {"mode": mode, "leads": "twelve", name: value}
            if mode == "signal_correct" and name in SPOILING:
                with pytest.raises(ValueError, match=f"{name}: found .*; accepted only with mode: benchmark_compat"):
                    check_params(changed)
            else:
                assert check_params(changed).preprocessing["code_100hz"].model_dump()[name] == value


def test_the_study_of_the_paper_holds_what_published_encoders_take() -> None:
    pipelines = load_params([ROOT / "params.yaml", ROOT / "config/paper.yaml"]).preprocessing
    found = {name: (one.rate_hz, one.samples, one.mode) for name, one in pipelines.items()}
    assert found["ecgfounder_500hz"] == (500, 5000, "benchmark_compatible")
    assert found["hubert_ecg_100hz"] == (100, 500, "benchmark_compatible")
    assert found["ecg_fm_500hz"] == (500, 2500, "signal_correct")
    right, published = pipelines["hubert_ecg_100hz_signal_correct"], pipelines["hubert_ecg_100hz"]
    changes = {
        "mode": "benchmark_compatible",
        "stored_rate_hz": 500,
        "keep_seconds": 5,
        "resampling": "decimate_joined",
    }
    assert published == right.model_copy(update=changes)


def test_the_study_of_the_paper_names_every_step_that_a_benchmark_got_wrong() -> None:
    pipelines = load_params([ROOT / "params.yaml", ROOT / "config/paper.yaml"]).preprocessing
    right, published = pipelines["code_400hz"], pipelines["code_400hz_as_published"]
    assert right.mode == "signal_correct" and right.powerline_hz == "mains"
    assert published == right.model_copy(update={"mode": "benchmark_compatible", "powerline_hz": 60})
    assert pipelines["cpsc_benchmark_100hz"].resampling == "zoom"
    assert pipelines["merl_cpsc_500hz"].keep_seconds == 5


@pytest.mark.parametrize(
    ("path", "value", "words"), FAULTS, ids=[f"{fault[0]} {index}" for index, fault in enumerate(FAULTS)]
)
def test_a_fault_is_a_sentence(values: dict[str, Any], path: str, value: Any, words: list[str]) -> None:
    changed = deepcopy(values)
    *parents, last = path.split(".")
    block = changed
    for parent in parents:
        block = block[parent]
    block[last] = value
    with pytest.raises(ValueError) as caught:
        check_params(changed)
    for word in words:
        assert word in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_of_a_twins_layout_is_left_for_the_real_release() -> None:
    params = load_params([ROOT / "params.yaml", ROOT / "config/paper.yaml"])
    assert params.sources["code_ii_open"].layout == params.sources["code_ii_test"].layout == {}


def test_a_password_may_be_a_variable_of_the_environment(values: dict[str, Any]) -> None:
    changed = deepcopy(values)
    changed["tracking"]["uri"] = "postgresql://me:${CODEII_PASSWORD}@host/db"
    assert check_params(changed).tracking.uri.endswith("@host/db")


def test_several_faults_are_several_lines(values: dict[str, Any]) -> None:
    changed = deepcopy(values)
    changed["evaluation"]["replicates"] = -1
    changed["unknown"] = 1
    with pytest.raises(ValueError) as caught:
        check_params(changed)
    assert len(str(caught.value).splitlines()) == 2


def test_null_takes_a_key_of_a_split_away(values: dict[str, Any]) -> None:
    over = {"splits": {"by": "published", "name": "merl_cpsc2018", "shares": None}}
    changed = merge(deepcopy(values), {"tasks": {"cpsc2018": over}})
    assert check_params(changed).tasks["cpsc2018"].splits == PublishedSplit(by="published", name="merl_cpsc2018")


def test_mappings_merge_and_lists_are_replaced() -> None:
    assert merge({"a": {"x": 1, "y": [1, 2]}, "b": 1}, {"a": {"y": [3]}}) == {"a": {"x": 1, "y": [3]}, "b": 1}


def test_a_chain_of_checkpoints_to_another_preprocessing_is_refused(values: dict[str, Any]) -> None:
    changed = deepcopy(values)
    changed["preprocessing"]["other"] = dict(changed["preprocessing"]["code_100hz"], rate_hz=200)
    changed["experiments"]["cpsc2018"]["preprocessing"] = "other"
    with pytest.raises(ValueError, match="a checkpoint keeps its preprocessing"):
        check_params(changed)


@pytest.mark.parametrize("name", names_in("models"))
def test_settings_read_without_torch_are_those_of_the_file(name: str) -> None:
    from importlib import import_module

    module = import_module(f"codeii.models.{name}")
    assert model_settings(name).model_json_schema() == module.Settings.model_json_schema()


def test_noise_in_microvolts_is_refused_where_signals_have_no_volts(values: dict[str, Any]) -> None:
    changed = deepcopy(values)
    changed["recipes"]["transfer"]["augmentation"] = {"noise_uv": 20}
    assert check_params(changed)
    changed["preprocessing"]["code_100hz"]["normalisation"] = "record"
    with pytest.raises(ValueError, match=r"recipes.transfer.augmentation.noise_uv: found 20; .* not in volts"):
        check_params(changed)


def test_milestones_rise(values: dict[str, Any]) -> None:
    changed = deepcopy(values)
    changed["recipes"]["transfer"] |= {"schedule": "multistep", "milestones": [4, 2]}
    with pytest.raises(ValueError, match=r"milestones \[4, 2\] do not rise"):
        check_params(changed)
