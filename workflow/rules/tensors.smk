rule tensor_shard:
    input:
        records=study.inputs("tensor_shard", "records"),
    output:
        manifest="results/tensors/{source}/{preprocessing}/shards/{shard}/manifest.json",
        signals="results/tensors/{source}/{preprocessing}/shards/{shard}/signals.npy",
        index="results/tensors/{source}/{preprocessing}/shards/{shard}/index.parquet",
    log:
        "logs/tensor_shard/{source}/{preprocessing}/{shard}.log",
    benchmark:
        "logs/benchmarks/tensor_shard/{source}/{preprocessing}/{shard}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("tensor_shard"),
        code=study.code("tensor_shard"),
    message:
        "Preprocessing {wildcards.source} as {wildcards.preprocessing}, shard {wildcards.shard}"
    shell:
        "python -m codeii tensor_shard --records {input.records}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/tensors/{wildcards.source}/{wildcards.preprocessing}/shards/{wildcards.shard} &> {log}"


rule tensors:
    input:
        shards=study.inputs("tensors", "shards"),
    output:
        manifest="results/tensors/{source}/{preprocessing}/manifest.json",
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
        "Gathering the tensors of {wildcards.source} as {wildcards.preprocessing}"
    shell:
        "python -m codeii tensors --shards {input.shards}"
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
