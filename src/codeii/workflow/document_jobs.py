"""The jobs that bring a study into one file for programs, and that file into what others ask for."""

import hashlib
from pathlib import Path

from codeii.schema.needs import MADE_BY, OF_RESULTS
from codeii.schema.params import Params
from codeii.workflow.awaiting import not_run_words
from codeii.workflow.fingerprint import code_fingerprint
from codeii.workflow.job import Job

ROOT = Path(__file__).parents[3]
RESULTS_FOLDER, DOCUMENTS_FOLDER = "results/published/results", "results/published/documents"


def document_jobs(params: Params, jobs: list[Job]) -> list[Job]:
    """The results, and the documents made from them alone; jobs : all that results may be made from."""
    inputs = {need: [job.manifest for job in jobs if job.rule == MADE_BY[need][0]] for need in OF_RESULTS}
    settings = {
        "params": params.model_dump(mode="json", exclude={"tracking"}),
        "not_run": not_run_words(params),
        "project": project_hashes(),
    }
    code = code_fingerprint("codeii.documents.gather")
    results = Job("results", "results", {}, RESULTS_FOLDER, inputs, settings, code)
    made_from = {"results": [results.manifest]}
    code = code_fingerprint("codeii.documents.build")
    return [results, Job("documents", "documents", {}, DOCUMENTS_FOLDER, made_from, {}, code)]


def project_hashes() -> dict[str, str]:
    """Hash of each file of the project that says what runs, under which licence, and how to cite it."""
    rules = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "workflow/rules").glob("*.smk"))
    names = ("CITATION.cff", "LICENSE", "Snakefile", *rules)
    return {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in names}
