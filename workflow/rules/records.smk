rule records:
    input:
        raw=study.inputs("records", "raw"),
    output:
        manifest="results/records/{source}/manifest.json",
        signals="results/records/{source}/signals.npy",
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
        "Reading the records of {wildcards.source}"
    shell:
        "python -m codeii records --source {wildcards.source} --raw {input.raw}"
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
