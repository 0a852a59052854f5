# Fetching needs the network, which the machines of a cluster seldom have: it runs where Snakemake was started.
localrules:
    fetch,


rule synthesise:
    output:
        manifest="data/raw/{source}/{version}/manifest.json",
        sums="data/raw/{source}/{version}/SHA256SUMS",
    log:
        "logs/synthesise/{source}/{version}.log",
    benchmark:
        "logs/benchmarks/synthesise/{source}/{version}.tsv"
    wildcard_constraints:
        source=study.words("synthesise", "source"),
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("synthesise"),
        code=study.code("synthesise"),
    message:
        "Writing the synthetic twin of {wildcards.source}"
    shell:
        "python -m codeii synthesise --source {wildcards.source}"
        " --settings {params.settings:q} --code {params.code}"
        " --out data/raw/{wildcards.source}/{wildcards.version} &> {log}"


rule fetch:
    output:
        manifest="data/raw/{source}/{version}/manifest.json",
        sums="data/raw/{source}/{version}/SHA256SUMS",
    log:
        "logs/fetch/{source}/{version}.log",
    benchmark:
        "logs/benchmarks/fetch/{source}/{version}.tsv"
    wildcard_constraints:
        source=study.words("fetch", "source"),
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("fetch"),
        code=study.code("fetch"),
    message:
        "Fetching {wildcards.source} {wildcards.version}, or listing the local copy of it"
    shell:
        "python -m codeii fetch --source {wildcards.source}"
        " --settings {params.settings:q} --code {params.code}"
        " --out data/raw/{wildcards.source}/{wildcards.version} &> {log}"
