# The CODE-II study: raw electrocardiograms in, results/published/report.html out.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


configfile: Path(workflow.basedir) / "params.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/stages.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/records.smk"
include: "workflow/rules/tensors.smk"
include: "workflow/rules/checks.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/prediction.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/tracking.smk"
include: "workflow/rules/reporting.smk"
include: "workflow/rules/documents.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        report="results/published/report.html",
        documents=study.manifests("documents"),
        audits=study.manifests("audit"),
        submissions=study.manifests("submit"),
        tracking=study.manifests("track", "track_page"),
