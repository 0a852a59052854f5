# One target for each stage of dvc.yaml: everything up to there.
localrules:
    all_raw,
    all_tensors,
    all_runs,
    all_scores,


rule all_raw:
    input:
        study.manifests("synthesise", "fetch"),


rule all_tensors:
    input:
        study.manifests("audit", "tensors", "targets", "leakage"),


rule all_runs:
    input:
        study.manifests("weights", "train", "predict", "submit"),


rule all_scores:
    input:
        study.manifests("evaluate", "compare", "analyse", "explain", "reproduce"),
