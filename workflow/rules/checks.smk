rule descriptors:
    input:
        records=study.inputs("descriptors", "records"),
    output:
        manifest="results/leakage/descriptors/{source}/manifest.json",
        records="results/leakage/descriptors/{source}/records.parquet",
        vectors="results/leakage/descriptors/{source}/vectors.npy",
        seconds="results/leakage/descriptors/{source}/seconds.npy",
    log:
        "logs/descriptors/{source}.log",
    benchmark:
        "logs/benchmarks/descriptors/{source}.tsv"
    priority: 2
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("descriptors"),
        code=study.code("descriptors"),
    message:
        "Describing the recordings of {wildcards.source}"
    shell:
        "python -m codeii descriptors --records {input.records}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/leakage/descriptors/{wildcards.source} &> {log}"


rule duplicates:
    input:
        records=study.inputs("duplicates", "records"),
        descriptors=study.inputs("duplicates", "descriptors"),
    output:
        manifest="results/leakage/duplicates/manifest.json",
        pairs="results/leakage/duplicates/pairs.csv",
        unsearched="results/leakage/duplicates/unsearched.csv",
    log:
        "logs/duplicates.log",
    benchmark:
        "logs/benchmarks/duplicates/all.tsv"
    priority: 2
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("duplicates"),
        code=study.code("duplicates"),
    message:
        "Looking for recordings that occur twice"
    shell:
        "python -m codeii duplicates --records {input.records} --descriptors {input.descriptors}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/leakage/duplicates &> {log}"


rule leakage:
    input:
        duplicates=study.inputs("leakage", "duplicates"),
        targets=study.inputs("leakage", "targets"),
    output:
        manifest="results/leakage/findings/manifest.json",
        findings="results/leakage/findings/findings.csv",
        overlaps="results/leakage/findings/overlaps.csv",
    log:
        "logs/leakage.log",
    benchmark:
        "logs/benchmarks/leakage/all.tsv"
    priority: 2
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("leakage"),
        code=study.code("leakage"),
    message:
        "Checking that nothing reaches from training into a test"
    shell:
        "python -m codeii leakage --duplicates {input.duplicates} --targets {input.targets}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/leakage/findings &> {log}"
