rule record_shard:
    input:
        raw=study.inputs("record_shard", "raw"),
    output:
        manifest="results/records/{source}/shards/{shard}/manifest.json",
        signals="results/records/{source}/shards/{shard}/signals.npy",
        records="results/records/{source}/shards/{shard}/records.parquet",
        excluded="results/records/{source}/shards/{shard}/excluded.csv",
    log:
        "logs/record_shard/{source}/{shard}.log",
    benchmark:
        "logs/benchmarks/record_shard/{source}/{shard}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("record_shard"),
        code=study.code("record_shard"),
    message:
        "Reading the records of {wildcards.source}, shard {wildcards.shard}"
    shell:
        "python -m codeii record_shard --source {wildcards.source} --raw {input.raw}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/records/{wildcards.source}/shards/{wildcards.shard} &> {log}"


rule records:
    input:
        shards=study.inputs("records", "shards"),
    output:
        manifest="results/records/{source}/manifest.json",
        records="results/records/{source}/records.parquet",
        excluded="results/records/{source}/excluded.csv",
    log:
        "logs/records/{source}.log",
    benchmark:
        "logs/benchmarks/records/{source}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("records"),
        code=study.code("records"),
    message:
        "Gathering the records of {wildcards.source}"
    shell:
        "python -m codeii records --source {wildcards.source} --shards {input.shards}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/records/{wildcards.source} &> {log}"


rule audit:
    input:
        records=study.inputs("audit", "records"),
        raw=study.inputs("audit", "raw"),
    output:
        manifest="results/audit/{source}/manifest.json",
        audit="results/audit/{source}/audit.json",
        findings="results/audit/{source}/findings.csv",
    log:
        "logs/audit/{source}.log",
    benchmark:
        "logs/benchmarks/audit/{source}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("audit"),
        code=study.code("audit"),
    message:
        "Auditing {wildcards.source}"
    shell:
        "python -m codeii audit --records {input.records} --raw {input.raw}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/audit/{wildcards.source} &> {log}"
