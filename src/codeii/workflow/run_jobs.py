"""The jobs of the runs: from training to scores, and what is published of them."""

from collections.abc import Mapping
from typing import Any

from codeii.schema.needs import MADE_BY, OF_REPORT
from codeii.schema.params import Experiment, Params
from codeii.workflow.awaiting import missing_from_tables, not_run_words
from codeii.workflow.data_jobs import LEAKAGE_MANIFEST, targets_manifest, tensors_manifest
from codeii.workflow.fingerprint import code_fingerprint
from codeii.workflow.job import Job
from codeii.workflow.plugins import docstring_hash, model_settings, needs_of
from codeii.workflow.runs import RunKey, initial_run, runs_of
from codeii.workflow.weights import needs_of_tensors, seen_by

PREDICTION_BATCH = 256  # changes nothing but memory
WEIGHTS_FOLDER = "results/weights"


def weights_job(params: Params, name: str) -> Job:
    """The import of weights published by others: their file becomes a checkpoint to start from."""
    weights = params.weights[name]
    settings = {
        "name": name,
        "model": weights.model,
        "model_settings": model_settings(weights.model)(**params.models.get(weights.model, {})).model_dump(mode="json"),
        "needs": needs_of_tensors(weights.model),
        "sha256": weights.sha256,
        "published": {**weights.model_dump(include={"encoder", "page", "licence"}), "seen": seen_by(weights)},
    }
    code = code_fingerprint("codeii.training.published", f"codeii.models.{weights.model}")
    inputs = {"file": [str(weights.path)]}
    return Job("weights", "checkpoint", {"name": name}, f"{WEIGHTS_FOLDER}/{name}", inputs, settings, code)


def train_job(params: Params, run: RunKey) -> Job:
    """One training."""
    experiment = params.experiments[run.experiment]
    start = params.starts[run.start]
    inputs = {"tensors": [tensors_manifest(params, experiment)], "targets": [targets_manifest(experiment)]}
    init = initial_run(params, run)
    inputs["init"] = [f"results/runs/{init.path}/manifest.json"] if init else []
    if start.init in params.weights:
        inputs["init"] = [f"{WEIGHTS_FOLDER}/{start.init}/manifest.json"]
    settings = {
        **run.facts,
        "task": experiment.task,
        "init": start.init,
        "mode": start.mode,
        "trained_stages": start.trained_stages,
        "model_settings": model_settings(run.model)(**params.models.get(run.model, {})).model_dump(mode="json"),
        "preprocessing": params.preprocessing[experiment.preprocessing].model_dump(),
        "recipe": params.recipes[experiment.recipe].model_dump(),
    }
    code = code_fingerprint("codeii.training.run", f"codeii.models.{run.model}")
    return Job("train", "checkpoint", run.wildcards, f"results/runs/{run.path}", inputs, settings, code)


def predict_job(params: Params, name: str, model: str) -> Job:
    """The predictions of all runs of an experiment and model."""
    experiment = params.experiments[name]
    runs = runs_of(name, experiment, model)
    inputs = {
        "checkpoints": [f"results/runs/{run.path}/manifest.json" for run in runs],
        "tensors": [tensors_manifest(params, experiment)],
        "targets": [targets_manifest(experiment)],
    }
    settings = _asking(params, experiment)
    code = code_fingerprint("codeii.prediction.run", f"codeii.models.{model}")
    wildcards = {"experiment": name, "model": model}
    return Job("predict", "prediction_set", wildcards, f"results/predictions/{name}/{model}", inputs, settings, code)


def _asking(params: Params, experiment: Experiment) -> dict[str, Any]:
    """How trained networks are asked: as they were trained."""
    recipe = params.recipes[experiment.recipe]
    how = {"threads": recipe.threads, "precision": recipe.precision, "compile": recipe.compile}
    return {**how, "batch_size": PREDICTION_BATCH, "sections": experiment.sections}


def evaluate_job(params: Params, name: str, model: str) -> Job:
    """The scores of an experiment and model."""
    experiment = params.experiments[name]
    predictions = [f"results/predictions/{name}/{model}/manifest.json"]
    inputs = {"predictions": predictions, "targets": [targets_manifest(experiment)], "leakage": [LEAKAGE_MANIFEST]}
    settings: dict[str, Any] = {"evaluation": params.evaluation.model_dump()}
    settings["preprocessing"] = preprocessing_words(params, experiment.preprocessing)
    cut = params.preprocessing[experiment.preprocessing].placement == "sections"
    settings["sections"] = experiment.sections if cut else ""
    metrics = (f"codeii.evaluation.metrics.{metric}" for metric in params.evaluation.metrics)
    code = code_fingerprint("codeii.evaluation.run", *metrics)
    wildcards = {"experiment": name, "model": model}
    return Job("evaluate", "scores", wildcards, f"results/scores/{name}/{model}", inputs, settings, code)


def analyse_job(params: Params, name: str, model: str) -> Job:
    """What is looked at beyond the scores of an experiment and model."""
    inputs = {
        "predictions": [f"results/predictions/{name}/{model}/manifest.json"],
        "targets": [targets_manifest(params.experiments[name])],
    }
    settings = {"evaluation": params.evaluation.model_dump(), "analyses": params.analyses.model_dump()}
    metrics = (f"codeii.evaluation.metrics.{metric}" for metric in params.analyses.metrics)
    code = code_fingerprint("codeii.evaluation.analyse", *metrics)
    wildcards = {"experiment": name, "model": model}
    return Job("analyse", "analyses", wildcards, f"results/analyses/{name}/{model}", inputs, settings, code)


def explain_jobs(params: Params, name: str) -> list[Job]:
    """What an experiment's networks got wrong, and on which samples they rested; nothing where it is not asked for."""
    experiment = params.experiments[name]
    if name not in params.explanation.experiments:
        return []
    return [_explain_job(params, name, model, experiment) for model in experiment.models]


def _explain_job(params: Params, name: str, model: str, experiment: Experiment) -> Job:
    most = max(experiment.amounts)
    runs = [run for run in runs_of(name, experiment, model) if (run.fraction, run.per_class) == most]
    chosen = next(run for run in runs if run.start == experiment.starts[-1])
    inputs = {
        "checkpoint": [f"results/runs/{chosen.path}/manifest.json"],
        "tensors": [tensors_manifest(params, experiment)],
        "targets": [targets_manifest(experiment)],
        "scores": [f"results/scores/{name}/{model}/manifest.json"],
    }
    explanation = params.explanation.model_dump(exclude={"experiments"})
    settings = {"explanation": explanation, "threads": params.recipes[experiment.recipe].threads}
    code = code_fingerprint("codeii.prediction.explain", f"codeii.models.{model}")
    wildcards = {"experiment": name, "model": model}
    return Job("explain", "explanations", wildcards, f"results/explanations/{name}/{model}", inputs, settings, code)


def compare_job(params: Params, task: str, experiments: Mapping[str, Experiment]) -> Job:
    """What tells apart all that was trained for a task; experiments : those of the task that are run."""
    pairs = [(name, model) for name, experiment in experiments.items() for model in experiment.models]
    inputs = {
        "scores": [f"results/scores/{name}/{model}/manifest.json" for name, model in pairs],
        "predictions": [f"results/predictions/{name}/{model}/manifest.json" for name, model in pairs],
        "targets": [f"results/targets/{task}/manifest.json"],
    }
    shared = {name: _shared_by_a_curve(experiment) for name, experiment in experiments.items()}
    settings = {"evaluation": params.evaluation.model_dump(), "experiments": shared}
    code = code_fingerprint("codeii.evaluation.compare")
    return Job("compare", "comparisons", {"task": task}, f"results/comparisons/{task}", inputs, settings, code)


def _shared_by_a_curve(experiment: Experiment) -> dict[str, str]:
    """What experiments of a task have in common where their runs differ in the amount of training data alone."""
    return {name: getattr(experiment, name) for name in ("preprocessing", "recipe", "sections")}


def preprocessing_words(params: Params, name: str) -> str:
    """A preprocessing by name, with its mode where it has one."""
    mode = params.preprocessing[name].model_dump().get("mode")
    return f"{name} ({mode})" if mode else name


def submit_job(params: Params, name: str, model: str, source: str) -> Job:
    """The predictions file of an experiment and model for a source whose labels are withheld."""
    experiment = params.experiments[name]
    most = max(experiment.amounts)
    runs = [run for run in runs_of(name, experiment, model) if (run.fraction, run.per_class) == most]
    chosen = [run for run in runs if run.start == experiment.starts[0]]
    inputs = {
        "checkpoints": [f"results/runs/{run.path}/manifest.json" for run in chosen],
        "tensors": [tensors_manifest(params, experiment, source)],
    }
    settings = {"source": source, "experiment": name, "model": model, **_asking(params, experiment)}
    code = code_fingerprint("codeii.prediction.submission", f"codeii.models.{model}")
    wildcards = {"source": source, "experiment": name, "model": model}
    folder = f"results/submissions/{source}/{name}/{model}"
    return Job("submit", "submission", wildcards, folder, inputs, settings, code)


def track_job(params: Params, name: str) -> Job:
    """The mirror of an experiment in MLflow."""
    experiment = params.experiments[name]
    inputs = {
        "runs": [f"results/runs/{run.path}/manifest.json" for run in runs_of(name, experiment)],
        "scores": [f"results/scores/{name}/{model}/manifest.json" for model in experiment.models],
    }
    settings = {"experiment": name, "study": params.study, **params.tracking.model_dump()}
    code = code_fingerprint("codeii.tracking.run")
    return Job("track", "tracking", {"experiment": name}, f"results/tracking/{name}", inputs, settings, code)


def track_page_job(params: Params, published: list[Job]) -> Job:
    """The mirror of the page in MLflow; published : the tables, the figures and the report."""
    inputs = {
        "report": [job.manifest for job in published if job.rule == "report"],
        "parts": [job.manifest for job in published if job.rule in ("table", "figure")],
    }
    settings = {"study": params.study, **params.tracking.model_dump()}
    code = code_fingerprint("codeii.tracking.page")
    return Job("track_page", "tracking", {}, "results/tracking/the-page", inputs, settings, code)


def published_jobs(params: Params, jobs: list[Job]) -> list[Job]:
    """Tables and figures, and the report that shows them; jobs : all that they may be made from."""
    of_rule = {rule: need for need, (rule, _) in MADE_BY.items()}
    made: dict[str, list[str]] = {need: [] for need in MADE_BY}
    for job in jobs:
        if job.rule in of_rule:
            made[of_rule[job.rule]].append(job.manifest)
    missing = missing_from_tables(params)
    parts = []
    for rule, names in (("table", params.reporting.tables), ("figure", params.reporting.figures)):
        for name in names:
            inputs = {need: made[need] for need in needs_of(f"reporting/{rule}s", name)}
            settings = {
                "study": params.study,
                "level": params.evaluation.level,
                "not_run": missing,
                "caption_sha256": docstring_hash(f"reporting/{rule}s", name),  # a fingerprint leaves docstrings out
            }
            code = code_fingerprint("codeii.reporting.build", f"codeii.reporting.{rule}s.{name}")
            folder = f"results/published/{rule}s/{name}"
            parts.append(Job(rule, rule, {"name": name}, folder, inputs, settings, code))
    return [*parts, _report(params, parts, made)]


def _report(params: Params, parts: list[Job], made: dict[str, list[str]]) -> Job:
    inputs = {f"{rule}s": [job.manifest for job in parts if job.rule == rule] for rule in ("table", "figure")}
    inputs |= {kind: made[kind] for kind in OF_REPORT}
    settings = {**params.model_dump(exclude={"tracking"}), "not_run": not_run_words(params)}
    code = code_fingerprint("codeii.reporting.report")
    return Job("report", "report", {}, "results/published", inputs, settings, code)
