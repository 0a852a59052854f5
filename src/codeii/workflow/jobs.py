"""All jobs of a study: one list, from which the rules, `plan` and `verify` all read."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codeii.schema.labels import label_set_file
from codeii.schema.params import Experiment, Params, PublishedSplit
from codeii.schema.split_lists import split_list_file
from codeii.workflow.awaiting import missing_from_tables, not_run_words, what_can_run
from codeii.workflow.fingerprint import code_fingerprint
from codeii.workflow.plugins import docstring_hash, model_settings, needs_of
from codeii.workflow.runs import RunKey, chosen_experiments, initial_run, runs_of

KIND_OF_NEED = ("records", "audits", "targets", "runs", "predictions", "scores", "submissions", "leakage")
LEAKAGE_MANIFEST = "results/leakage/findings/manifest.json"
PREDICTION_BATCH = 256  # changes nothing but memory


@dataclass(frozen=True, slots=True)
class Job:
    """One artefact to be made: by which rule, for which wildcards, from what, under which settings and code."""

    rule: str
    kind: str  # of the manifest
    wildcards: dict[str, str]
    folder: str
    inputs: dict[str, list[str]]  # role -> manifests
    settings: dict[str, Any]
    code: str

    @property
    def manifest(self) -> str:
        """Path of the artefact's manifest."""
        return f"{self.folder}/manifest.json"


def all_jobs(declared: Params) -> list[Job]:
    """Every job of the study that can be run, in the order of the data's way.

    Raises ValueError where every part of it awaits data (`codeii.workflow.awaiting`).
    """
    params = what_can_run(declared)
    experiments = chosen_experiments(params)
    tasks = list(dict.fromkeys(experiment.task for experiment in experiments.values()))
    sources = list(dict.fromkeys(_sources_of(params, experiments)))
    pairs = list(dict.fromkeys(_tensors_of(params, experiments)))
    jobs = [raw_job(params, source) for source in sources]
    for source in sources:
        jobs += _records(params, source)
    jobs += [_audit(params, source) for source in sources]
    for source, preprocessing in pairs:
        jobs += _tensors(params, source, preprocessing)
    jobs += [_targets(params, task) for task in tasks]
    jobs += [_descriptors(source) for source in sources]
    jobs += [_duplicates(sources), _leakage(params, experiments, tasks)]
    for name, experiment in experiments.items():
        for run in runs_of(name, experiment):
            jobs.append(_train(params, run))
        jobs += [_predict(params, name, model) for model in experiment.models]
        jobs += [_evaluate(params, name, model) for model in experiment.models]
        jobs += [_submit(params, name, model, source) for model in experiment.models for source in experiment.predict]
        jobs.append(_track(params, name))
    return [*jobs, *_published(declared, jobs)]


def _sources_of(params: Params, experiments: dict[str, Experiment]) -> Iterator[str]:
    for experiment in experiments.values():
        yield params.tasks[experiment.task].source
        yield from experiment.predict


def _tensors_of(params: Params, experiments: dict[str, Experiment]) -> Iterator[tuple[str, str]]:
    for experiment in experiments.values():
        yield params.tasks[experiment.task].source, experiment.preprocessing
        yield from ((source, experiment.preprocessing) for source in experiment.predict)


def raw_folder(params: Params, source: str) -> str:
    """Where a source's raw data (or, for a local copy, its list of files) lies."""
    settings = params.sources[source]
    suffix = "-twin" if settings.origin == "synthetic" else ""
    return f"data/raw/{source}/{settings.version}{suffix}"


def raw_job(params: Params, source: str) -> Job:
    """The job that makes or fetches the raw data of a source."""
    settings = params.sources[source]
    version = raw_folder(params, source).rsplit("/", 1)[1]
    wildcards = {"source": source, "version": version}
    if settings.origin == "synthetic":
        code = code_fingerprint("codeii.synthetic.build", f"codeii.synthetic.writers.{source}")
        kept = settings.model_dump(include={"version", "twin", "layout"})
        return Job("synthesise", "raw", wildcards, raw_folder(params, source), {}, kept, code)
    code = code_fingerprint("codeii.fetch.build")
    of_origin = {"local": "path"}.get(settings.origin, settings.origin)
    kept = settings.model_dump(include={"version", "origin", of_origin})
    return Job("fetch", "raw", wildcards, raw_folder(params, source), {}, kept, code)


def _shards(params: Params, source: str) -> list[dict[str, int]]:
    count = params.sources[source].shards
    return [{"index": index, "count": count} for index in range(count)]


def _records(params: Params, source: str) -> list[Job]:
    """A job for each shard of a source, and the one that judges and gathers them."""
    settings = params.sources[source]
    raw = {"raw": [f"{raw_folder(params, source)}/manifest.json"]}
    folder = f"results/records/{source}"
    code = code_fingerprint("codeii.records.build", f"codeii.sources.{source}")
    shards = [
        Job(
            "record_shard",
            "record_shard",
            {"source": source, "shard": str(shard["index"])},
            f"{folder}/shards/{shard['index']}",
            raw,
            {"layout": settings.layout, "shard": shard},
            code,
        )
        for shard in _shards(params, source)
    ]
    inputs = {"shards": [job.manifest for job in shards]}
    kept = settings.model_dump(include={"max_faulty_share"})
    return [*shards, Job("records", "records", {"source": source}, folder, inputs, kept, code)]


def _audit(params: Params, source: str) -> Job:
    names = sorted({task.label_set for task in params.tasks.values() if task.source == source})
    hashes = {name: hashlib.sha256(label_set_file(name).read_bytes()).hexdigest() for name in names}
    records, raw = f"results/records/{source}/manifest.json", f"{raw_folder(params, source)}/manifest.json"
    settings = {"source": source, "label_sets": hashes}
    code = code_fingerprint("codeii.audit.run")
    inputs = {"records": [records], "raw": [raw]}
    return Job("audit", "audit", {"source": source}, f"results/audit/{source}", inputs, settings, code)


def _tensors(params: Params, source: str, name: str) -> list[Job]:
    """A job for each shard of a source under one preprocessing, and the one that gathers them."""
    settings = {"preprocessing": params.preprocessing[name].model_dump()}
    inputs = {"records": [f"results/records/{source}/manifest.json"]}
    wildcards = {"source": source, "preprocessing": name}
    folder = f"results/tensors/{source}/{name}"
    code = code_fingerprint("codeii.tensors.build")
    shards = [
        Job(
            "tensor_shard",
            "tensor_shard",
            {**wildcards, "shard": str(shard["index"])},
            f"{folder}/shards/{shard['index']}",
            inputs,
            {**settings, "shard": shard},
            code,
        )
        for shard in _shards(params, source)
    ]
    return [
        *shards,
        Job("tensors", "tensors", wildcards, folder, {"shards": [j.manifest for j in shards]}, settings, code),
    ]


def _targets(params: Params, name: str) -> Job:
    task = params.tasks[name]
    code = code_fingerprint("codeii.tensors.targets")
    inputs = {"records": [f"results/records/{task.source}/manifest.json"]}
    label_set = hashlib.sha256(label_set_file(task.label_set).read_bytes()).hexdigest()
    settings = {"name": name, "task": task.model_dump(), "label_set_sha256": label_set}
    settings["version"] = params.sources[task.source].version
    if isinstance(task.splits, PublishedSplit):
        settings["split_list_sha256"] = hashlib.sha256(split_list_file(task.splits.name).read_bytes()).hexdigest()
    return Job("targets", "targets", {"task": name}, f"results/targets/{name}", inputs, settings, code)


def _tensors_manifest(params: Params, experiment: Experiment, source: str | None = None) -> str:
    of_source = source or params.tasks[experiment.task].source
    return f"results/tensors/{of_source}/{experiment.preprocessing}/manifest.json"


def _targets_manifest(experiment: Experiment) -> str:
    return f"results/targets/{experiment.task}/manifest.json"


def _descriptors(source: str) -> Job:
    inputs = {"records": [f"results/records/{source}/manifest.json"]}
    folder, code = f"results/leakage/descriptors/{source}", code_fingerprint("codeii.leakage.build")
    return Job("descriptors", "descriptors", {"source": source}, folder, inputs, {"source": source}, code)


def _duplicates(sources: list[str]) -> Job:
    inputs = {
        "records": [f"results/records/{source}/manifest.json" for source in sources],
        "descriptors": [f"results/leakage/descriptors/{source}/manifest.json" for source in sources],
    }
    code = code_fingerprint("codeii.leakage.find")
    return Job("duplicates", "duplicates", {}, "results/leakage/duplicates", inputs, {}, code)


def _leakage(params: Params, experiments: dict[str, Experiment], tasks: list[str]) -> Job:
    """The gate before every training and every score; its search is a job of its own, which no waiver reruns."""
    inputs = {
        "duplicates": ["results/leakage/duplicates/manifest.json"],
        "targets": [f"results/targets/{task}/manifest.json" for task in tasks],
    }
    ways = {}
    for name, experiment in experiments.items():
        inits = dict.fromkeys(params.starts[start].init for start in experiment.starts)
        seen = dict.fromkeys(experiments[init].task for init in inits if init in experiments)
        ways[name] = {"task": experiment.task, "seen": list(seen), "predict": list(experiment.predict)}
    settings = {"experiments": ways, "waive": params.leakage.model_dump(mode="json")["waive"]}
    code = code_fingerprint("codeii.leakage.gate")
    return Job("leakage", "leakage", {}, "results/leakage/findings", inputs, settings, code)


def _train(params: Params, run: RunKey) -> Job:
    experiment = params.experiments[run.experiment]
    start = params.starts[run.start]
    inputs = {"tensors": [_tensors_manifest(params, experiment)], "targets": [_targets_manifest(experiment)]}
    init = initial_run(params, run)
    inputs["init"] = [f"results/runs/{init.path}/manifest.json"] if init else []
    settings = {
        **run.facts,
        "task": experiment.task,
        "init": start.init,
        "mode": start.mode,
        "model_settings": model_settings(run.model)(**params.models.get(run.model, {})).model_dump(mode="json"),
        "preprocessing": params.preprocessing[experiment.preprocessing].model_dump(),
        "recipe": params.recipes[experiment.recipe].model_dump(),
    }
    code = code_fingerprint("codeii.training.run", f"codeii.models.{run.model}")
    return Job("train", "checkpoint", run.wildcards, f"results/runs/{run.path}", inputs, settings, code)


def _predict(params: Params, name: str, model: str) -> Job:
    experiment = params.experiments[name]
    runs = runs_of(name, experiment, model)
    inputs = {
        "checkpoints": [f"results/runs/{run.path}/manifest.json" for run in runs],
        "tensors": [_tensors_manifest(params, experiment)],
        "targets": [_targets_manifest(experiment)],
    }
    settings = {"threads": params.recipes[experiment.recipe].threads, "batch_size": PREDICTION_BATCH}
    code = code_fingerprint("codeii.prediction.run", f"codeii.models.{model}")
    wildcards = {"experiment": name, "model": model}
    return Job("predict", "prediction_set", wildcards, f"results/predictions/{name}/{model}", inputs, settings, code)


def _evaluate(params: Params, name: str, model: str) -> Job:
    experiment = params.experiments[name]
    predictions = [f"results/predictions/{name}/{model}/manifest.json"]
    inputs = {"predictions": predictions, "targets": [_targets_manifest(experiment)], "leakage": [LEAKAGE_MANIFEST]}
    settings = {"evaluation": params.evaluation.model_dump(), "reference_start": experiment.starts[0]}
    settings["preprocessing"] = preprocessing_words(params, experiment.preprocessing)
    metrics = (f"codeii.evaluation.metrics.{metric}" for metric in params.evaluation.metrics)
    code = code_fingerprint("codeii.evaluation.run", *metrics)
    wildcards = {"experiment": name, "model": model}
    return Job("evaluate", "scores", wildcards, f"results/scores/{name}/{model}", inputs, settings, code)


def preprocessing_words(params: Params, name: str) -> str:
    """A preprocessing by name, with its mode where it has one."""
    mode = params.preprocessing[name].model_dump().get("mode")
    return f"{name} ({mode})" if mode else name


def _submit(params: Params, name: str, model: str, source: str) -> Job:
    experiment = params.experiments[name]
    runs = [run for run in runs_of(name, experiment, model) if run.fraction == max(experiment.fractions)]
    chosen = [run for run in runs if run.start == experiment.starts[0]]
    inputs = {
        "checkpoints": [f"results/runs/{run.path}/manifest.json" for run in chosen],
        "tensors": [_tensors_manifest(params, experiment, source)],
    }
    settings = {"source": source, "experiment": name, "model": model, "batch_size": PREDICTION_BATCH}
    settings["threads"] = params.recipes[experiment.recipe].threads
    code = code_fingerprint("codeii.prediction.submission", f"codeii.models.{model}")
    wildcards = {"source": source, "experiment": name, "model": model}
    folder = f"results/submissions/{source}/{name}/{model}"
    return Job("submit", "submission", wildcards, folder, inputs, settings, code)


def _track(params: Params, name: str) -> Job:
    experiment = params.experiments[name]
    inputs = {
        "runs": [f"results/runs/{run.path}/manifest.json" for run in runs_of(name, experiment)],
        "scores": [f"results/scores/{name}/{model}/manifest.json" for model in experiment.models],
    }
    settings = {"experiment": name, "study": params.study, **params.tracking.model_dump()}
    code = code_fingerprint("codeii.tracking.run")
    return Job("track", "tracking", {"experiment": name}, f"results/tracking/{name}", inputs, settings, code)


def _published(params: Params, jobs: list[Job]) -> list[Job]:
    by_need = {"records": "records", "audit": "audits", "targets": "targets", "train": "runs", "predict": "predictions"}
    by_need |= {"evaluate": "scores", "submit": "submissions", "leakage": "leakage"}
    made: dict[str, list[str]] = {need: [] for need in KIND_OF_NEED}
    for job in jobs:
        if job.rule in by_need:
            made[by_need[job.rule]].append(job.manifest)
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
    inputs |= {kind: made[kind] for kind in ("records", "audits", "runs", "scores", "leakage")}
    settings = {**params.model_dump(exclude={"tracking"}), "not_run": not_run_words(params)}
    code = code_fingerprint("codeii.reporting.report")
    return Job("report", "report", {}, "results/published", inputs, settings, code)
