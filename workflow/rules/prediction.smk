rule predict:
    input:
        checkpoint=study.inputs("predict", "checkpoint"),
        tensors=study.inputs("predict", "tensors"),
        targets=study.inputs("predict", "targets"),
    output:
        manifest="results/predictions/{experiment}/{model}/{variant}/seed{seed}/manifest.json",
        records="results/predictions/{experiment}/{model}/{variant}/seed{seed}/records.parquet",
        exams="results/predictions/{experiment}/{model}/{variant}/seed{seed}/exams.parquet",
    log:
        "logs/predict/{experiment}/{model}/{variant}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/predict/{experiment}/{model}/{variant}/{seed}.tsv"
    conda:
        "../../envs/study.yaml"
    threads: study.threads
    resources:
        gpu=1,
    params:
        settings=study.settings("predict"),
        code=study.code("predict"),
    message:
        "Predicting with {wildcards.model} on {wildcards.experiment} ({wildcards.variant}), seed {wildcards.seed}"
    shell:
        "python -m codeii predict --checkpoint {input.checkpoint}"
        " --tensors {input.tensors} --targets {input.targets}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/predictions/{wildcards.experiment}/{wildcards.model}/{wildcards.variant}/seed{wildcards.seed}"
        " &> {log}"


rule submit:
    input:
        checkpoints=study.inputs("submit", "checkpoints"),
        tensors=study.inputs("submit", "tensors"),
    output:
        manifest="results/submissions/{source}/{experiment}/{model}/manifest.json",
        predictions="results/submissions/{source}/{experiment}/{model}/predictions.csv",
    log:
        "logs/submit/{source}/{experiment}/{model}.log",
    benchmark:
        "logs/benchmarks/submit/{source}/{experiment}/{model}.tsv"
    conda:
        "../../envs/study.yaml"
    threads: study.threads
    resources:
        gpu=1,
    params:
        settings=study.settings("submit"),
        code=study.code("submit"),
    message:
        "Predictions of {wildcards.model} ({wildcards.experiment}) for {wildcards.source}, whose labels are withheld"
    shell:
        "python -m codeii submit --checkpoints {input.checkpoints} --tensors {input.tensors}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/submissions/{wildcards.source}/{wildcards.experiment}/{wildcards.model} &> {log}"
