rule predict:
    input:
        checkpoints=study.inputs("predict", "checkpoints"),
        tensors=study.inputs("predict", "tensors"),
        targets=study.inputs("predict", "targets"),
    output:
        manifest="results/predictions/{experiment}/{model}/manifest.json",
    log:
        "logs/predict/{experiment}/{model}.log",
    benchmark:
        "logs/benchmarks/predict/{experiment}/{model}.tsv"
    conda:
        "../../envs/study.yaml"
    threads: study.threads
    resources:
        gpu=1,
    params:
        settings=study.settings("predict"),
        code=study.code("predict"),
    message:
        "Predicting with every {wildcards.model} of {wildcards.experiment}"
    shell:
        "python -m codeii predict --checkpoints {input.checkpoints}"
        " --tensors {input.tensors} --targets {input.targets}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/predictions/{wildcards.experiment}/{wildcards.model} &> {log}"


rule submit:
    input:
        checkpoints=study.inputs("submit", "checkpoints"),
        tensors=study.inputs("submit", "tensors"),
    output:
        manifest="results/submissions/{source}/{experiment}/{model}/manifest.json",
        predictions="results/submissions/{source}/{experiment}/{model}/predictions.csv",
        card="results/submissions/{source}/{experiment}/{model}/submission.json",
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


rule explain:
    input:
        checkpoint=study.inputs("explain", "checkpoint"),
        tensors=study.inputs("explain", "tensors"),
        targets=study.inputs("explain", "targets"),
        scores=study.inputs("explain", "scores"),
    output:
        manifest="results/explanations/{experiment}/{model}/manifest.json",
        cases="results/explanations/{experiment}/{model}/cases.csv",
        attributions="results/explanations/{experiment}/{model}/attributions.npz",
    log:
        "logs/explain/{experiment}/{model}.log",
    benchmark:
        "logs/benchmarks/explain/{experiment}/{model}.tsv"
    conda:
        "../../envs/study.yaml"
    threads: study.threads
    params:
        settings=study.settings("explain"),
        code=study.code("explain"),
    message:
        "What {wildcards.model} gets wrong on {wildcards.experiment}, and on which samples it rests"
    shell:
        "python -m codeii explain --checkpoint {input.checkpoint} --tensors {input.tensors}"
        " --targets {input.targets} --scores {input.scores}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/explanations/{wildcards.experiment}/{wildcards.model} &> {log}"
