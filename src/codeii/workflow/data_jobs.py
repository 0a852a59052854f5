"""The jobs of the data: from the raw source to tensors, targets and the search for leaks."""

import hashlib
from typing import Any

from codeii.schema.labels import label_set_file
from codeii.schema.params import Experiment, Params, PublishedSplit
from codeii.schema.split_lists import split_list_file
from codeii.workflow.fingerprint import code_fingerprint
from codeii.workflow.job import Job
from codeii.workflow.weights import seen_by

LEAKAGE_MANIFEST = "results/leakage/findings/manifest.json"


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


def record_jobs(params: Params, source: str) -> list[Job]:
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


def audit_job(params: Params, source: str) -> Job:
    """The audit of a source."""
    names = sorted({task.label_set for task in params.tasks.values() if task.source == source})
    hashes = {name: hashlib.sha256(label_set_file(name).read_bytes()).hexdigest() for name in names}
    records, raw = f"results/records/{source}/manifest.json", f"{raw_folder(params, source)}/manifest.json"
    settings = {"source": source, "label_sets": hashes}
    code = code_fingerprint("codeii.audit.run")
    inputs = {"records": [records], "raw": [raw]}
    return Job("audit", "audit", {"source": source}, f"results/audit/{source}", inputs, settings, code)


def tensor_jobs(params: Params, source: str, name: str) -> list[Job]:
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


def targets_job(params: Params, name: str) -> Job:
    """Splits and truth of a task."""
    task = params.tasks[name]
    code = code_fingerprint("codeii.tensors.targets")
    inputs = {"records": [f"results/records/{task.source}/manifest.json"]}
    label_set = hashlib.sha256(label_set_file(task.label_set).read_bytes()).hexdigest()
    settings = {"name": name, "task": task.model_dump(), "label_set_sha256": label_set}
    settings["version"] = params.sources[task.source].version
    if isinstance(task.splits, PublishedSplit):
        settings["split_list_sha256"] = hashlib.sha256(split_list_file(task.splits.name).read_bytes()).hexdigest()
    return Job("targets", "targets", {"task": name}, f"results/targets/{name}", inputs, settings, code)


def tensors_manifest(params: Params, experiment: Experiment, source: str | None = None) -> str:
    """The tensors of an experiment's source, or of another, under its preprocessing."""
    of_source = source or params.tasks[experiment.task].source
    return f"results/tensors/{of_source}/{experiment.preprocessing}/manifest.json"


def targets_manifest(experiment: Experiment) -> str:
    """The targets of an experiment's task."""
    return f"results/targets/{experiment.task}/manifest.json"


def descriptors_job(source: str) -> Job:
    """What the search for duplicates compares, of one source."""
    inputs = {"records": [f"results/records/{source}/manifest.json"]}
    folder, code = f"results/leakage/descriptors/{source}", code_fingerprint("codeii.leakage.build")
    return Job("descriptors", "descriptors", {"source": source}, folder, inputs, {"source": source}, code)


def duplicates_job(sources: list[str]) -> Job:
    """The search for recordings that occur twice, over all sources."""
    inputs = {
        "records": [f"results/records/{source}/manifest.json" for source in sources],
        "descriptors": [f"results/leakage/descriptors/{source}/manifest.json" for source in sources],
    }
    code = code_fingerprint("codeii.leakage.find")
    return Job("duplicates", "duplicates", {}, "results/leakage/duplicates", inputs, {}, code)


def leakage_job(params: Params, experiments: dict[str, Experiment], tasks: list[str]) -> Job:
    """The gate before every training and every score; its search is a job of its own, which no waiver reruns."""
    inputs = {
        "duplicates": ["results/leakage/duplicates/manifest.json"],
        "targets": [f"results/targets/{task}/manifest.json" for task in tasks],
    }
    ways: dict[str, dict[str, Any]] = {}
    for name, experiment in experiments.items():
        inits = dict.fromkeys(params.starts[start].init for start in experiment.starts)
        seen = dict.fromkeys(experiments[init].task for init in inits if init in experiments)
        ways[name] = {"task": experiment.task, "seen": list(seen), "predict": list(experiment.predict)}
        ways[name]["weights"] = [init for init in inits if init in params.weights]
    settings = {"experiments": ways, "waive": params.leakage.model_dump(mode="json")["waive"]}
    used = dict.fromkeys(name for way in ways.values() for name in way["weights"])
    settings["weights"] = {name: seen_by(params.weights[name]) for name in used}
    code = code_fingerprint("codeii.leakage.gate")
    return Job("leakage", "leakage", {}, "results/leakage/findings", inputs, settings, code)
