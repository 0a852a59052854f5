"""What every table and figure promises, checked on a small study of made-up numbers."""

import ast
import json
import re
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.scores import analyses, comparisons, no_replicates, score_frame
from tests.stores import record_store

from codeii.artifacts.analyses import COLUMNS as OF_ANALYSES
from codeii.artifacts.analyses import POOLED
from codeii.artifacts.audit import Check, Finding, Histogram, Known, Report, write_audit
from codeii.artifacts.checkpoint import CheckpointCard, write_checkpoint
from codeii.artifacts.comparisons import COLUMNS
from codeii.artifacts.explanations import COLUMNS as OF_EXPLANATIONS
from codeii.artifacts.explanations import write_explanations
from codeii.artifacts.leakage import FINDING_COLUMNS, OVERLAP_COLUMNS, write_leakage
from codeii.artifacts.predictions import write_prediction_set, write_predictions
from codeii.artifacts.scores import read_scores, write_scores
from codeii.artifacts.submission import write_submission
from codeii.artifacts.targets import write_targets
from codeii.artifacts.verdicts import CELL_COLUMNS, CLAIM_COLUMNS, write_verdicts
from codeii.reporting.build import make_figure, make_table
from codeii.reporting.study import MADE_FROM, Inputs
from codeii.schema.averages import NO_CLASS
from codeii.schema.record import SEXES, Exclusion, Record

PACKAGE = Path(import_module("codeii.reporting").__file__).parent
TABLES = sorted(path.stem for path in (PACKAGE / "tables").glob("[a-z]*.py"))
FIGURES = sorted(path.stem for path in (PACKAGE / "figures").glob("[a-z]*.py"))
EVERY = [("tables", name) for name in TABLES] + [("figures", name) for name in FIGURES]
HOSTILE = 'x<script>alert("1")</script>&$a$'
CLASSES = ("normal", HOSTILE, "never")  # the last has no positive exam
EXPERIMENTS = {"pretrain": ("from_scratch",), "transfer": ("from_scratch", "finetuned")}
FRACTIONS, SEEDS = (0.1, 1.0), (0, 1)
SETTINGS = {"study": "made up", "level": 0.95}
ORIGINS = ("synthetic", "real")


def made_with(synthetic):
    return {"code": "c0de", "inputs": [], "synthetic": synthetic}


def made_up_study(folder, synthetic):
    """One source, two experiments of two fractions and seeds, a class that cannot be evaluated, hostile names."""
    keys = [
        (experiment, start, fraction, seed)
        for experiment, starts in EXPERIMENTS.items()
        for start in starts
        for fraction in FRACTIONS
        for seed in SEEDS
    ]
    return Inputs(
        records=(made_up_records(folder / "records", synthetic),),
        audits=(made_up_audit(folder / "audit", synthetic),),
        targets=tuple(made_up_targets(folder / "targets" / name, name, synthetic) for name in EXPERIMENTS),
        runs=tuple(made_up_run(folder / "runs" / f"{n}-{key[0]}", *key, synthetic) for n, key in enumerate(keys)),
        predictions=tuple(
            prediction_set(folder / "predictions" / f"{n}-{key[0]}", *key, synthetic) for n, key in enumerate(keys)
        ),
        analyses=tuple(made_up_analyses(folder / "analyses" / name, name, synthetic) for name in EXPERIMENTS),
        explanations=(made_up_explanations(folder / "explanations" / "transfer", synthetic),),
        verdicts=(made_up_verdicts(folder / "verdicts", synthetic),),
        comparisons=tuple(made_up_comparisons(folder / "comparisons" / name, name, synthetic) for name in EXPERIMENTS),
        scores=tuple(made_up_scores(folder / "scores" / name, name, synthetic) for name in EXPERIMENTS),
        submissions=(made_up_submission(folder / "submission", synthetic),),
        leakage=(made_up_leakage(folder / "leakage", synthetic),),
    )


def made_up_records(folder, synthetic):
    generator = np.random.default_rng(0)
    found = [
        Record(
            record_id=f"r{number}{HOSTILE}",
            exam_id=f"e{number}",
            patient_id=f"p{number // 2}",
            tracing=1,
            signal_uv=(200 * generator.standard_normal((12, 1000))).astype(np.int16),
            rate_hz=100,
            statements={HOSTILE: None} if number % 3 else {"normal": 100.0},
            fold="1",
            age_years=float("nan") if number == 0 else 20.0 + 9 * number,
            sex=("female", "male", "unknown")[number % 3],
            flags=("clipped",) if number == 1 else (),
        )
        for number in range(6)
    ]
    excluded = [Exclusion(HOSTILE, "flat", "signal", "constant", "a signal"), Exclusion("r99", "absent", "f", "-", "-")]
    card = {"title": HOSTILE, "version": "1", "records": 9, "licence": "CC", "citation": HOSTILE, "doi": "10.1/x"}
    facts = {"source": "made_up", "card": card}
    return record_store(folder, [*found[:4], *excluded], found[4:], facts=facts, **made_with(synthetic))


def made_up_audit(folder, synthetic):
    finding = Finding(f"r1{HOSTILE}", HOSTILE, "none")
    checks = [
        Check("unit", "fault", HOSTILE, "0.1 mV", HOSTILE),
        Check("records left out", "noted", "none", "1 flat", "the gates", (finding,)),
        Check("sex", "noted", "female or male", "2 unknown", "metadata", (finding, Finding("r2", "unknown", "female"))),
        Check("age", "ok", "0 to 120 years", "all", "metadata"),
    ]
    known = [
        Known("r1", "found", "flag:offset", "flags: offset", HOSTILE, "literature"),
        Known("r7", "absent", "flag:offset", "no such record", "far from zero", "literature"),
    ]
    counts = {"named": 9, "kept": 6, "absent": 2, "faulty": 1, "exams": 6, "patients": 3, "flagged": 1}
    shapes = {
        name: Histogram((1e-3, 1.0, 20.0, 100.0), (2, 4, 0))
        for name in ("length_s", "peak_to_peak_mv", "limb_residual", *(f"age_years {sex}" for sex in SEXES))
    }
    report = Report("made_up", HOSTILE, "1", counts, checks, known, shapes)
    return write_audit(folder, report, settings={}, **made_with(synthetic))


def made_up_targets(folder, task, synthetic):
    count = 24
    ids = pd.DataFrame(
        {name: [f"{name[0]}{n}" for n in range(count)] for name in ("record_id", "exam_id", "patient_id")}
    )
    ids = ids.assign(split=["test" if n % 2 else "validation" for n in range(count)], age_years=50.0, sex="male")
    matrix = np.zeros((count, len(CLASSES)), np.uint8)
    matrix[: count // 2, 0], matrix[::3, 1] = 1, 1
    settings = {"name": task, "task": {"source": "made_up"}}
    return write_targets(folder, ids, matrix, CLASSES, settings=settings, facts={}, **made_with(synthetic))


def made_up_run(folder, experiment, start, fraction, seed, synthetic):
    card = CheckpointCard(
        model="resnet1d",
        model_settings={},
        classes=list(CLASSES),
        leads=["I"],
        rate_hz=400,
        samples=8,
        unit="mV",
        preprocessing={},
        parameters=1234567,
        trained_on=["pretrain", experiment] if start == "finetuned" else [experiment],
        best_epoch=2,
        probe_logits=[],
    )
    history = "epoch,steps,learning_rate,train_loss,validation_loss,validation_auroc\n"
    history += "1,9,0.1,1.0,0.9,\n2,18,0.1,0.8,0.7,0.6\n"
    settings = {"experiment": experiment, "task": experiment, "model": "resnet1d", "start": start, "mode": "full"}
    settings |= {
        "init": "pretrain" if start == "finetuned" else "random",
        "fraction": fraction,
        "per_class": 0,
        "seed": seed,
    }
    facts = {"records": {"train": 100}}
    weights = {"w": np.zeros(1, np.float32)}
    return write_checkpoint(folder, card, weights, history, settings=settings, facts=facts, **made_with(synthetic))


def prediction_set(folder, *run_and_origin):
    run = made_up_predictions(folder / "run", *run_and_origin)
    made = made_with(run_and_origin[-1])
    return write_prediction_set(folder, [run.parent.name], settings={}, **made)


def made_up_predictions(folder, experiment, start, fraction, seed, synthetic):
    logits = np.random.default_rng(seed).standard_normal((24, len(CLASSES))).astype(np.float32)
    classes = pd.DataFrame(logits, columns=list(CLASSES))
    split = ["test" if n % 2 else "validation" for n in range(24)]
    exams = pd.concat([pd.DataFrame({"exam_id": [f"e{n}" for n in range(24)], "split": split}), classes], axis=1)
    records = pd.concat([pd.DataFrame({"record_id": [f"r{n}" for n in range(24)]}), exams], axis=1)
    run = {
        "experiment": experiment,
        "model": "resnet1d",
        "start": start,
        "fraction": fraction,
        "per_class": 0,
        "seed": seed,
    }
    return write_predictions(folder, records, exams, settings={"run": run}, facts={}, **made_with(synthetic))


def made_up_scores(folder, experiment, synthetic):
    rows = []
    for at, start in enumerate(EXPERIMENTS[experiment]):
        for fraction in FRACTIONS:
            of = (experiment, "resnet1d", start, fraction, 0)
            for shift, seed in enumerate([*map(str, SEEDS), "mean"]):
                value = 0.7 + 0.1 * at + 0.05 * fraction + 0.01 * shift
                rows += [
                    (*of, seed, "test", metric, name, value, value - 0.04, value + 0.03, 12, 4, classes)
                    for metric in ("auroc", "auprc", "f1", "brier")
                    for name, classes in (("normal", 1), (HOSTILE, 1), ("macro", 2), ("macro_frequent", 1))
                ]
                rows.append((*of, seed, "test", "auroc", "never", *[np.nan] * 3, 12, 0, 1))
                if seed != "mean":
                    rows.append(
                        (*of, seed, "validation", "threshold", HOSTILE, 0.3 + 0.1 * shift, *[np.nan] * 2, 12, 4, 1)
                    )
            rows.append((*of, "mean", "test", "auroc_seed_sd", "macro", 0.0123, *[np.nan] * 2, 12, 4, 2))
    facts = {"protocol": f"split {HOSTILE} of {experiment}"}
    return write_scores(folder, score_frame(rows), no_replicates(), settings={}, facts=facts, **made_with(synthetic))


def made_up_comparisons(folder, task, synthetic):
    """Both starts of an experiment compared; curves over its two fractions, to which nothing can be fitted."""
    first, *others = EXPERIMENTS[task]
    tables = {name: [] for name in COLUMNS}
    for fraction in FRACTIONS:
        for start in EXPERIMENTS[task]:
            of = (task, "resnet1d", start, fraction, 0, "auroc", "macro")
            tables["curves"].append((*of, 0.8, 0.7, 0.9, 0.05, 0.0123, 2, 12))
        for start in others:
            pair = (task, "resnet1d", start, task, "resnet1d", first, fraction, 0)
            numbers = (0.1, -0.02, 0.15, -0.01, 0.16)
            tables["comparisons"].append((*pair, "auroc", "macro", *numbers, 0.04, 0.08, 2, 12, 2, 2))
            tables["delong"] += [
                (*pair, "ensemble", name, 0.9, 0.8, 0.1, 0.01, 0.19, 2.2, 0.03, 0.06, 2, 12, 4, 11)
                for name in ("normal", HOSTILE)
            ]
            saved = ("resnet1d", start, first, fraction, 0, "auroc", "macro", 3.5, 1.5, 10.0, "", "", "at least", 2)
            tables["efficiency"].append(saved)
    for start in EXPERIMENTS[task]:
        of = (task, "resnet1d", start, "fraction", "auroc", "macro")
        tables["fits"].append((*of, "", "", *[np.nan] * 3, 2, "2 amounts of training data; a fit needs 3"))
    return comparisons(folder, task, tables, **made_with(synthetic))


def made_up_analyses(folder, experiment, synthetic):
    """Each start at all its data: two bins of two classes, groups of which one is too small, one pair of classes."""
    tables = {name: [] for name in OF_ANALYSES}
    for start in EXPERIMENTS[experiment]:
        arm = (experiment, "resnet1d", start, 1.0, 0, "ensemble")
        tables["calibration"] += [
            (*arm, word, name, number, 12, 3, 0.2 + 0.3 * number, 0.25, 0.1, 0.5)
            for word in ("as trained", "recalibrated")
            for name in (POOLED, "normal", HOSTILE)
            for number in (0, 1)
        ]
        tables["recalibration"] += [
            (*arm, 1.4, score, 0.3, 0.2, -0.1, -0.15, 0.05, 12) for score in ("ece", "log_loss", "brier")
        ]
        scored, small = (0.8, 0.7, 0.9, 20, 20, 5, 2, 0.1, -0.1, 0.2, 2, ""), (*[np.nan] * 3, 2, 2, 0, 0)
        tables["subgroups"] += [
            (*arm, "sex", "female", metric, "macro", *scored) for metric in ("auroc", "sensitivity")
        ]
        tables["subgroups"].append((*arm, "age", "unknown", "auroc", "macro", *small, *[np.nan] * 3, 0, "2 exams"))
        tables["confusion"] += [
            (*arm, true, called, 10, 3, 0.3, 20, 1, 0.05) for true, called in (("normal", HOSTILE), (HOSTILE, "normal"))
        ]
    return analyses(folder, tables, **made_with(synthetic))


def made_up_explanations(folder, synthetic):
    """A missed and a wrong answer on records of the source, and a right one."""
    cases = [
        ("missed", f"r1{HOSTILE}", "normal", 0.1, 0.5, f"normal {HOSTILE}", "", 0.01, 0.4),
        ("called wrongly", f"r2{HOSTILE}", HOSTILE, 0.9, 0.5, "", HOSTILE, -0.01, 0.5),
        ("called rightly", f"r0{HOSTILE}", HOSTILE, 0.8, 0.5, HOSTILE, HOSTILE, 0.0, 0.6),
    ]
    facts = {"experiment": "transfer", "model": "resnet1d", "start": "finetuned", "seed": 0, "source": "made_up"}
    facts |= {"leads": ["I", "II"], "rate_hz": 25, "unit": "mV", "bound": 0.7, "agreement": 0.5, "passed": True}
    signal = np.random.default_rng(0).standard_normal((3, 2, 40)).astype(np.float32)
    table = pd.DataFrame(cases, columns=list(OF_EXPLANATIONS))
    return write_explanations(folder, table, signal, -signal, settings={}, facts=facts, **made_with(synthetic))


def made_up_verdicts(folder, synthetic):
    """One cell beside a published number, one that we have alone; one claim."""
    ours = (np.nan,) * 3 if synthetic else (0.9, 0.89, 0.91)
    words = ("not comparable", "synthetic") if synthetic else ("reproduced", "")
    alone = "synthetic" if synthetic else "no published number is known to us"
    cell = ("ptbxl_all", "auroc", "transfer", "resnet1d", HOSTILE, f"release {HOSTILE}", *ours, 3, 71, synthetic)
    theirs = (HOSTILE, "linear_probe", 0.925, 0.9, 0.95, "95 %", "release 1.0.3", HOSTILE, "stated")
    nothing = ("", "", *[np.nan] * 3, "", "", "", "")
    cells = [
        (*words, *cell, *theirs),
        ("not comparable", alone, *cell, *nothing),
    ]
    claims = [(*words, HOSTILE, "stated", "an abstract", "" if synthetic else "ptbxl_all: +0.1 (0.05 to 0.2)")]
    return write_verdicts(
        folder,
        pd.DataFrame(cells, columns=list(CELL_COLUMNS)),
        pd.DataFrame(claims, columns=list(CLAIM_COLUMNS)),
        settings={},
        facts={},
        **made_with(synthetic),
    )


def made_up_submission(folder, synthetic):
    settings = {"source": "blind", "experiment": "pretrain", "model": "resnet1d"}
    made = {"settings": settings, "facts": {}, **made_with(synthetic)}
    return write_submission(folder, ["1"], np.full((1, 1), 0.5, "f4"), ["normal"], weights_sha256=["ab" * 32], **made)


def made_up_leakage(folder, synthetic):
    place = ("transfer", "test", "made_up", f"r1{HOSTILE}", "pretrain", "train", "made_up", "r2", "the same recording")
    findings = [("pretraining_on_held_out", *place, HOSTILE), ("recording_twice", *place[:-1], HOSTILE, "")]
    overlaps = [("pretrain", "transfer", split, 12, 0, 1, 1) for split in ("validation", "test")]
    waiver = {"kind": "patient_in_two_splits", "task": None, "records": [HOSTILE, "b/2"], "reason": HOSTILE}
    facts = {"records": {"made_up": 6}, "candidates": 3, "unsearched": 1, "unused_waivers": [waiver]}
    return write_leakage(
        folder,
        pd.DataFrame(findings, columns=list(FINDING_COLUMNS)),
        pd.DataFrame(overlaps, columns=list(OVERLAP_COLUMNS)),
        settings={},
        facts=facts,
        **made_with(synthetic),
    )


def make(kind, name, inputs, folder, **settings):
    (make_table if kind == "tables" else make_figure)(name, inputs, SETTINGS | settings, "c0de", folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The made-up study, once called synthetic and once called real."""
    return {origin: made_up_study(tmp_path_factory.mktemp(origin), origin == "synthetic") for origin in ORIGINS}


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    """Every table and figure of both studies: files by kind, name and origin."""
    root = tmp_path_factory.mktemp("made")
    return {
        (kind, name, origin): make(kind, name, study[origin], root / origin / kind / name)
        for kind, name in EVERY
        for origin in ORIGINS
    }


def words(files):
    """Everything in the files that a reader could see as text; pictures carry their words as comments."""
    return "\n".join(data.decode() for name, data in sorted(files.items()) if name.endswith((".html", ".svg")))


every = pytest.mark.parametrize(("kind", "name"), EVERY)


@every
def test_it_says_what_it_shows_and_what_it_needs(kind, name):
    tree = ast.parse((PACKAGE / kind / f"{name}.py").read_text())
    title = (ast.get_docstring(tree) or "").partition("\n\n")[0]
    assert title.endswith(".") and "\n" not in title
    constants = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    needs = ast.literal_eval(constants["NEEDS"])
    assert isinstance(needs, tuple) and needs and set(needs) <= set(MADE_FROM)
    assert isinstance(ast.literal_eval(constants["SECTION"]), str)


@every
def test_on_synthetic_data_it_says_so_in_words_and_on_real_data_it_does_not(kind, name, made):
    synthetic, real = made[kind, name, "synthetic"], made[kind, name, "real"]
    beside = [file for file in synthetic if file.endswith((".html", ".svg"))]
    assert beside and all(b"SYNTHETIC DATA" in synthetic[file] for file in beside)
    assert "SYNTHETIC" not in words(real)
    assert [json.loads(files["manifest.json"])["synthetic"] for files in (synthetic, real)] == [True, False]


@every
def test_a_study_with_everything_leaves_nothing_not_run(kind, name, made):
    assert "not run: " not in words(made[kind, name, "real"])


@every
def test_the_same_inputs_give_the_same_bytes(kind, name, study, made, tmp_path):
    first = made[kind, name, "real"]
    assert first == make(kind, name, study["real"], tmp_path)
    assert not re.search(rb"20\d\d-\d\d-\d\d", b"".join(first.values()))


@every
def test_without_inputs_it_says_not_run(kind, name, tmp_path):
    assert "not run: " in words(make(kind, name, Inputs(), tmp_path))


@every
def test_hostile_names_stay_text(kind, name, made):
    files = made[kind, name, "synthetic"]
    assert not [file for file, data in files.items() if file.endswith((".html", ".svg")) and b"<script" in data]


@every
def test_it_is_given_only_what_it_needs_and_lists_it(kind, name, study, made):
    needs = import_module(f"codeii.reporting.{kind}.{name}").NEEDS
    expected = [path.as_posix() for path in study["real"].only(needs).paths()]
    assert sorted(json.loads(made[kind, name, "real"]["manifest.json"])["inputs"]) == sorted(expected)


def mixed(study, experiment):
    """The real study with everything of one experiment synthetic."""
    chosen = {
        kind: tuple(
            synthetic if synthetic.parent.name.endswith(experiment) else real
            for real, synthetic in zip(getattr(study["real"], kind), getattr(study["synthetic"], kind), strict=True)
        )
        for kind in ("targets", "runs", "predictions", "scores", "comparisons", "analyses")
    }
    return replace(study["real"], **chosen)


@every
def test_what_is_synthetic_is_marked_where_real_data_stand_beside_it(kind, name, study, tmp_path):
    module = import_module(f"codeii.reporting.{kind}.{name}")
    if not {"scores", "runs"} & set(module.NEEDS):
        pytest.skip("shows no experiment")
    experiment, other = (
        ("pretrain", "transfer") if module.SECTION in ("Pretraining", "Classes") else ("transfer", "pretrain")
    )
    text = words(make(kind, name, mixed(study, experiment), tmp_path))
    assert "PARTLY SYNTHETIC DATA" in text
    assert "(synthetic)" in text and f"{other} (synthetic)" not in text
    assert not re.search(rf">{experiment}<|<!-- {experiment} -->", text)


@pytest.mark.parametrize("name", TABLES)
def test_no_line_shows_a_published_value_beside_a_synthetic_one(name, made):
    page = words(made["tables", name, "synthetic"])
    lines = [re.sub(r"<[^>]+>", " ", line) for line in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]
    published = [line for line in lines if "0.925" in line]
    assert not [line for line in published if re.search(r"0\.(9|89|91)00?\b", line.replace("0.925 (0.900–0.950)", ""))]
    assert bool(published) == (name == "reproduction")
    real = words(made["tables", name, "real"])
    assert ("0.925 (0.900–0.950)</td><td" in real and "0.900 (0.890–0.910)" in real) == (name == "reproduction")


def test_a_class_without_positives_is_not_evaluable_and_says_on_how_many_exams(made):
    files = made["tables", "per_class", "real"]
    assert "not evaluable (0 of 12 positive)" in words(files)
    table = pd.read_csv(BytesIO(files["table.csv"]))
    assert table.loc[table["class"] == "never", "auroc"].isna().all()


def test_a_table_file_keeps_full_precision(made):
    found = pd.read_csv(BytesIO(made["tables", "headline", "real"]["table.csv"]), dtype=str)
    assert found["auroc"].tolist() == [repr(0.7 + 0.05 + 0.02), repr(0.7 + 0.05 + 0.02), repr(0.7 + 0.1 + 0.05 + 0.02)]
    assert found["n_classes_total"].tolist() == ["3"] * 3 and found["n_seeds"].tolist() == ["2"] * 3


SHOWN = [("tables", name) for name in ("headline", "transfer", "few_shot", "per_class")]
SHOWN += [("figures", name) for name in ("scaling", "few_shot", "transfer", "per_class_forest")]


def with_more_rows(path, folder):
    """The same scores with an ensemble of every arm, other averages, groups, and the thresholds of all rules."""
    found = read_scores(path)
    of_mean = found.scores[(found.scores["seed"] == "mean") & (found.scores["class"] == "macro")]
    own = of_mean[~of_mean["metric"].str.endswith("_seed_sd")].assign(value=0.999)
    thresholds = found.scores[found.scores["metric"] == "threshold"].assign(value=0.001)
    more = [found.scores, found.scores[found.scores["seed"] == "0"].assign(seed="ensemble", value=0.999)]
    more += [own.assign(**{"class": name}) for name in NO_CLASS if not name.startswith("macro")]
    more += [thresholds.assign(metric="threshold_youden"), thresholds.assign(seed="ensemble")]
    scores = pd.concat(more, ignore_index=True)
    return write_scores(
        folder,
        scores,
        no_replicates(),
        settings={},
        facts=found.manifest.facts,
        **made_with(found.manifest.synthetic),
    )


@pytest.mark.parametrize(("kind", "name"), SHOWN)
def test_ensembles_are_not_taken_for_seeds_nor_averages_and_groups_for_classes(kind, name, study, made, tmp_path):
    paths = [with_more_rows(path, tmp_path / str(at)) for at, path in enumerate(study["real"].scores)]
    files = make(kind, name, replace(study["real"], scores=tuple(paths)), tmp_path / "made")
    numbers = {file: data for file, data in files.items() if file.endswith((".csv", ".html", ".svg"))}
    assert numbers == {file: made[kind, name, "real"][file] for file in numbers}


# --- what awaits its data ---

AWAITED = {
    "runs": [["transfer", "resnet1d", HOSTILE, fraction, 0] for fraction in FRACTIONS]
    + [["awaited", "resnet1d", "from_scratch", fraction, 0] for fraction in FRACTIONS],
    "submissions": [["blind_too", "awaited", "resnet1d"]],
}
NOT_RELEASED = "not run: data not released"


@every
def test_what_awaits_its_data_is_named_where_scores_are_shown_and_changes_no_number(kind, name, study, made, tmp_path):
    module = import_module(f"codeii.reporting.{kind}.{name}")
    files = make(kind, name, study["real"], tmp_path, not_run=AWAITED)
    assert ("data are not released" in words(files)) == ("scores" in module.NEEDS)
    numbers = {file: data for file, data in files.items() if file.endswith(".csv")}
    assert numbers == {file: made[kind, name, "real"][file] for file in numbers}
    assert not [file for file, data in files.items() if file.endswith((".html", ".svg")) and b"<script" in data]


@pytest.mark.parametrize("name", ["headline", "transfer", "few_shot", "submission"])
def test_its_cells_say_that_the_data_are_not_released(name, study, tmp_path):
    page = words(make("tables", name, study["real"], tmp_path, not_run=AWAITED))
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", page)
    assert NOT_RELEASED in cells
    assert "awaited" in cells or name in ("transfer", "few_shot")  # it has one start: no transfer
    assert "nan" not in page and "?" not in cells


def test_the_cells_stand_in_the_rows_of_their_experiment(study, tmp_path):
    page = words(make("tables", "transfer", study["real"], tmp_path, not_run=AWAITED)).partition("</table>")[0]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
    starts = [row[2] for row in rows if len(row) > 2 and row[0] == "transfer"]
    assert starts == [
        "from_scratch",
        "finetuned",
        HOSTILE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;"),
    ]
    # each of the three metrics, none of the protocol or of the paired difference
    assert rows[-1].count(NOT_RELEASED) == 3 and rows[-1][-1] == ""


@pytest.mark.parametrize("name", ["headline", "transfer", "few_shot", "submission"])
def test_a_study_of_which_nothing_was_run_yet_says_so(name, tmp_path):
    every = AWAITED | {
        "runs": [*AWAITED["runs"], *(["transfer", "m", "from_scratch", share, 0] for share in FRACTIONS)]
    }
    assert NOT_RELEASED in words(make("tables", name, Inputs(), tmp_path, not_run=every))


@pytest.mark.parametrize("name", ["scaling", "few_shot", "transfer"])
def test_a_figure_of_nothing_but_what_awaits_its_data_says_so(name, tmp_path):
    awaited = {"runs": AWAITED["runs"] + [["transfer", "resnet1d", "from_scratch", share, 0] for share in FRACTIONS]}
    assert NOT_RELEASED in words(make("figures", name, Inputs(), tmp_path, not_run=awaited))


@pytest.mark.parametrize("name", ["headline", "transfer", "few_shot", "submission"])
def test_what_wants_published_weights_says_so_and_not_that_data_are_not_released(name, study, tmp_path):
    wanting = {f"{kind}_without_weights": rows for kind, rows in AWAITED.items()}
    page = words(make("tables", name, study["real"], tmp_path, not_run=wanting))
    assert "not run: weights absent" in re.findall(r"<td[^>]*>([^<]*)</td>", page)
    assert ("Not run, as the weights are absent: " in page) == (name != "submission")
    assert "released" not in page


@pytest.mark.parametrize("name", ["scaling", "few_shot", "transfer"])
def test_a_figure_of_nothing_but_what_wants_weights_says_so(name, tmp_path):
    rows = AWAITED["runs"] + [["transfer", "resnet1d", "from_scratch", share, 0] for share in FRACTIONS]
    page = words(make("figures", name, Inputs(), tmp_path, not_run={"runs_without_weights": rows}))
    assert "not run: weights absent" in page


@pytest.mark.parametrize("name", ["scaling", "few_shot", "transfer"])
def test_an_experiment_that_lost_its_other_starts_is_no_pretraining(name, study, tmp_path):
    """What is transfer is told by the starts declared, not by those that are left."""
    one = replace(study["real"], scores=study["real"].scores[:1])  # `pretrain`, from scratch
    awaited = {"runs": [["pretrain", "resnet1d", "finetuned", share, 0] for share in FRACTIONS]}
    page = words(make("figures", name, one, tmp_path, not_run=awaited))
    assert ("not run: no experiment" in page) == (name == "scaling")


@pytest.mark.parametrize("name", ["headline", "transfer"])
def test_the_protocol_stands_beside_each_score(name, made):
    files = made["tables", name, "real"]
    found = pd.read_csv(BytesIO(files["table.csv"]))
    assert all(found["protocol"] == [f"split {HOSTILE} of {experiment}" for experiment in found["experiment"]])
    assert words(files).count("split x&lt;script&gt;") >= len(found["experiment"].unique())
