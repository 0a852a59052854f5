rule train:
    input:
        tensors=study.inputs("train", "tensors"),
        targets=study.inputs("train", "targets"),
        init=study.inputs("train", "init"),
        # No training before the check; but a new waiver retrains nothing.
        leakage=ancient("results/leakage/findings/manifest.json"),
    output:
        manifest="results/runs/{experiment}/{model}/{variant}/seed{seed}/manifest.json",
        checkpoint="results/runs/{experiment}/{model}/{variant}/seed{seed}/checkpoint.json",
        weights="results/runs/{experiment}/{model}/{variant}/seed{seed}/weights.safetensors",
        history="results/runs/{experiment}/{model}/{variant}/seed{seed}/history.csv",
    log:
        "logs/train/{experiment}/{model}/{variant}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/train/{experiment}/{model}/{variant}/{seed}.tsv"
    priority: study.priority
    conda:
        "../../envs/study.yaml"
    threads: study.training_threads
    resources:
        gpu=study.processes,
    params:
        settings=study.settings("train"),
        code=study.code("train"),
        init=study.initial_checkpoint,
        launcher=study.launcher,
    message:
        "Training {wildcards.model} on {wildcards.experiment} ({wildcards.variant}), seed {wildcards.seed}"
    shell:
        "{params.launcher} -m codeii train --tensors {input.tensors} --targets {input.targets} {params.init}"
        " --settings {params.settings:q} --code {params.code}"
        " --scratch scratch/{wildcards.experiment}/{wildcards.model}/{wildcards.variant}/seed{wildcards.seed}"
        " --out results/runs/{wildcards.experiment}/{wildcards.model}/{wildcards.variant}/seed{wildcards.seed}"
        " &> {log}"
