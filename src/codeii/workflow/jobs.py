"""All jobs of a study: one list, from which the rules, `plan` and `verify` all read."""

from collections.abc import Iterator

from codeii.schema.params import Experiment, Params
from codeii.workflow import data_jobs, run_jobs
from codeii.workflow.awaiting import what_can_run
from codeii.workflow.document_jobs import document_jobs
from codeii.workflow.job import Job
from codeii.workflow.runs import chosen_experiments, runs_of
from codeii.workflow.verdict_jobs import reproduce_job


def all_jobs(declared: Params) -> list[Job]:
    """Every job of the study that can be run, in the order of the data's way.

    Raises ValueError where every part of it awaits data (`codeii.workflow.awaiting`).
    """
    params = what_can_run(declared)
    experiments = chosen_experiments(params)
    tasks = list(dict.fromkeys(experiment.task for experiment in experiments.values()))
    sources = list(dict.fromkeys(_sources_of(params, experiments)))
    pairs = list(dict.fromkeys(_tensors_of(params, experiments)))
    jobs = [data_jobs.raw_job(params, source) for source in sources]
    for source in sources:
        jobs += data_jobs.record_jobs(params, source)
    jobs += [data_jobs.audit_job(params, source) for source in sources]
    for source, preprocessing in pairs:
        jobs += data_jobs.tensor_jobs(params, source, preprocessing)
    jobs += [data_jobs.targets_job(params, task) for task in tasks]
    jobs += [data_jobs.descriptors_job(source) for source in sources]
    jobs += [data_jobs.duplicates_job(sources), data_jobs.leakage_job(params, experiments, tasks)]
    jobs += [run_jobs.weights_job(params, name) for name in _weights_of(params, experiments)]
    for name, experiment in experiments.items():
        jobs += [run_jobs.train_job(params, run) for run in runs_of(name, experiment)]
        jobs += [run_jobs.predict_job(params, name, model) for model in experiment.models]
        jobs += [run_jobs.evaluate_job(params, name, model) for model in experiment.models]
        jobs += [run_jobs.analyse_job(params, name, model) for model in experiment.models]
        jobs += run_jobs.explain_jobs(params, name)
        for model in experiment.models:
            jobs += [run_jobs.submit_job(params, name, model, source) for source in experiment.predict]
        jobs.append(run_jobs.track_job(params, name))
    for task in tasks:
        of_task = {name: experiment for name, experiment in experiments.items() if experiment.task == task}
        jobs.append(run_jobs.compare_job(params, task, of_task))
    jobs.append(reproduce_job(declared, jobs))
    published = run_jobs.published_jobs(declared, jobs)
    return [*jobs, *published, *document_jobs(declared, jobs), run_jobs.track_page_job(declared, published)]


def _weights_of(params: Params, experiments: dict[str, Experiment]) -> list[str]:
    given = {params.starts[start].init for experiment in experiments.values() for start in experiment.starts}
    return [name for name in params.weights if name in given]


def _sources_of(params: Params, experiments: dict[str, Experiment]) -> Iterator[str]:
    for experiment in experiments.values():
        yield params.tasks[experiment.task].source
        yield from experiment.predict


def _tensors_of(params: Params, experiments: dict[str, Experiment]) -> Iterator[tuple[str, str]]:
    for experiment in experiments.values():
        yield params.tasks[experiment.task].source, experiment.preprocessing
        yield from ((source, experiment.preprocessing) for source in experiment.predict)
