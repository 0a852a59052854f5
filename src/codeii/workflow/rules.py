"""What `common.smk` imports: a job's inputs, settings and code by rule and wildcards, and the guards at the start."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeii.schema.params import Params
from codeii.schema.recipe import Recipe
from codeii.workflow.job import Job
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import check_params
from codeii.workflow.plugins import docstring, section_of

ROOT = Path(__file__).parents[3]
Lookup = Callable[[Any], Any]

# One thread per library inside a job: bits depend on thread counts, and Snakemake runs jobs side by side.
# Freed memory is kept for the next batch instead of being given back and cleared anew (a few per cent of a training).
# Telemetry of every tool is off; MLflow never unpickles; figures need no screen.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MPLBACKEND": "agg",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}


Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Study:
    """The jobs of a study, looked up as the rules need them."""

    params: Params
    jobs: dict[Key, Job]

    def job(self, rule: str, wildcards: Mapping[str, str]) -> Job:
        """The job of a rule for these wildcards. Raises ValueError where the study has none."""
        job = self.jobs.get(_key(rule, wildcards))
        if job is None:
            raise ValueError(f"the study has no job {rule} for {dict(wildcards)}; see params.yaml")
        return job

    def inputs(self, rule: str, role: str) -> Lookup:
        """Input function of a rule: the manifests that play `role`."""
        return lambda wildcards: self.job(rule, dict(wildcards)).inputs.get(role, [])

    def settings(self, rule: str) -> Lookup:
        """Params function of a rule: the job's settings as JSON on one line."""
        return lambda wildcards: json.dumps(self.job(rule, dict(wildcards)).settings, sort_keys=True)

    def code(self, rule: str) -> Lookup:
        """Params function of a rule: the fingerprint of the job's code."""
        return lambda wildcards: self.job(rule, dict(wildcards)).code

    def all_inputs(self, rule: str) -> Lookup:
        """Input function of a reporting rule: every manifest the job reads."""
        return lambda wildcards: [path for role in self.job(rule, dict(wildcards)).inputs.values() for path in role]

    def flags(self, rule: str) -> Lookup:
        """Params function of a reporting rule: its inputs as command-line flags, by role."""
        return lambda wildcards: " ".join(
            f"--{role} {' '.join(paths)}" for role, paths in self.job(rule, dict(wildcards)).inputs.items() if paths
        )

    def caption(self, rule: str) -> Lookup:
        """Params function of a table or figure: the docstring of its file, for Snakemake's own report."""
        return lambda wildcards: docstring(f"reporting/{rule}s", wildcards.name)

    def section(self, rule: str) -> Lookup:
        """Category function of a table or figure in Snakemake's own report: its section of the page."""
        return lambda wildcards: section_of(f"reporting/{rule}s", wildcards.name)

    def initial_checkpoint(self, wildcards: Any) -> str:
        """Params function of `train`: the flag that names the checkpoint to start from, or nothing."""
        paths = self.job("train", dict(wildcards)).inputs["init"]
        return f"--init {paths[0]}" if paths else ""

    def tracking_settings(self, wildcards: Any) -> str:
        """Params function of `tracking_store`."""
        return json.dumps(self.params.tracking.model_dump())

    def priority(self, wildcards: Any) -> int:
        """Runs that others start from go first: they are the longest way through the study."""
        started_from = {start.init for start in self.params.starts.values()}
        return int(wildcards.experiment in started_from)

    def threads(self, wildcards: Any) -> int:
        """CPU threads of a prediction job, from its recipe."""
        return self._recipe(wildcards).threads

    def training_threads(self, wildcards: Any) -> int:
        """CPU threads of a training, all processes together."""
        return self.threads(wildcards) * self.processes(wildcards)

    def processes(self, wildcards: Any) -> int:
        """Processes of a training, from its recipe: as many GPUs."""
        return self._recipe(wildcards).processes

    def launcher(self, wildcards: Any) -> str:
        """Params function of `train`: what starts its processes. By this name, torchrun is that of the same Python."""
        processes = self.processes(wildcards)
        if processes == 1:
            return "python"
        return f"python -m torch.distributed.run --standalone --nproc-per-node {processes}"

    def _recipe(self, wildcards: Any) -> Recipe:
        return self.params.recipes[self.params.experiments[wildcards.experiment].recipe]

    def manifests(self, *rules: str) -> list[str]:
        """Manifests of every job of the given rules."""
        return [job.manifest for job in self.jobs.values() if job.rule in rules]

    def words(self, rule: str, wildcard: str) -> str:
        """Wildcard constraint: the values a rule's wildcard takes in this study."""
        values = sorted({job.wildcards[wildcard] for job in self.jobs.values() if job.rule == rule})
        return "|".join(value.replace(".", r"\.") for value in values) or "(?!)"


def study_of(config: Mapping[str, Any], workflow: Any) -> Study:
    """Check the configuration and the machine, and list the jobs; every fault is a sentence, before the first job."""
    from snakemake.exceptions import WorkflowError

    try:
        params = check_params(config)
        study = Study(params, {_key(job.rule, job.wildcards): job for job in all_jobs(params)})
    except ValueError as error:
        raise WorkflowError(f"params.yaml is not usable:\n{error}") from None
    if wants_conda(workflow) and shutil.which("conda") is None:
        raise WorkflowError(
            "--use-conda (--sdm conda) was asked for, but there is no conda on PATH. Install Miniforge "
            "(https://conda-forge.org/download) and open a new shell, or leave the flag out: "
            "`make study` sets up an environment of its own without conda."
        )
    os.environ.update(ENVIRONMENT)
    return study


def wants_conda(workflow: Any) -> bool:
    """Whether Snakemake was asked to deploy conda environments, by either spelling of the flag."""
    methods = workflow.deployment_settings.deployment_method
    return any(getattr(method, "name", str(method)).upper() == "CONDA" for method in methods)


def shell_prefix() -> str:
    """What every job's shell starts with: the package on the path, and the environment of `ENVIRONMENT`."""
    exports = {"PYTHONPATH": str(ROOT / "src"), **ENVIRONMENT}
    return "".join(f"export {name}='{value}'; " for name, value in exports.items())


def _key(rule: str, wildcards: Mapping[str, str]) -> Key:
    return rule, frozenset((name, str(value)) for name, value in wildcards.items())
