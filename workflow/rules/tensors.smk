rule tensors:
    input:
        records=study.inputs("tensors", "records"),
    output:
        manifest="results/tensors/{source}/{preprocessing}/manifest.json",
        signals="results/tensors/{source}/{preprocessing}/signals.npy",
        index="results/tensors/{source}/{preprocessing}/index.parquet",
    log:
        "logs/tensors/{source}/{preprocessing}.log",
    benchmark:
        "logs/benchmarks/tensors/{source}/{preprocessing}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("tensors"),
        code=study.code("tensors"),
    message:
        "Preprocessing {wildcards.source} as {wildcards.preprocessing}"
    shell:
        "python -m codeii tensors --records {input.records}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/tensors/{wildcards.source}/{wildcards.preprocessing} &> {log}"


rule targets:
    input:
        records=study.inputs("targets", "records"),
    output:
        manifest="results/targets/{task}/manifest.json",
        targets="results/targets/{task}/targets.parquet",
        dropped="results/targets/{task}/dropped.csv",
    log:
        "logs/targets/{task}.log",
    benchmark:
        "logs/benchmarks/targets/{task}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("targets"),
        code=study.code("targets"),
    message:
        "Splits and targets of {wildcards.task}"
    shell:
        "python -m codeii targets --records {input.records}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/targets/{wildcards.task} &> {log}"
