# The database beside `ready.json` is no output: Snakemake would delete it with everything logged before.
rule tracking_store:
    output:
        ready="results/tracking/ready.json",
    log:
        "logs/tracking_store.log",
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.tracking_settings,
    message:
        "Preparing the MLflow store"
    shell:
        "python -m codeii tracking_store --settings {params.settings:q} --out results/tracking &> {log}"


rule track:
    input:
        ready=ancient("results/tracking/ready.json"),
        runs=study.inputs("track", "runs"),
        scores=study.inputs("track", "scores"),
    output:
        manifest="results/tracking/{experiment}/manifest.json",
        tracked="results/tracking/{experiment}/tracked.json",
    log:
        "logs/track/{experiment}.log",
    benchmark:
        "logs/benchmarks/track/{experiment}.tsv"
    # Trainings go first: a store that is slow or gone takes no core from them.
    priority: -1
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("track"),
        code=study.code("track"),
    message:
        "Logging {wildcards.experiment} to MLflow"
    shell:
        "python -m codeii track --runs {input.runs} --scores {input.scores}"
        " --settings {params.settings:q} --code {params.code}"
        " --scratch scratch/{wildcards.experiment}"
        " --out results/tracking/{wildcards.experiment} &> {log}"


rule track_page:
    input:
        ready=ancient("results/tracking/ready.json"),
        report=study.inputs("track_page", "report"),
        parts=study.inputs("track_page", "parts"),
    output:
        manifest="results/tracking/the-page/manifest.json",
        tracked="results/tracking/the-page/tracked.json",
    log:
        "logs/track_page.log",
    benchmark:
        "logs/benchmarks/track_page/all.tsv"
    priority: -1
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("track_page"),
        code=study.code("track_page"),
    message:
        "Logging the page to MLflow"
    shell:
        "python -m codeii track_page --report {input.report} --parts {input.parts}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/tracking/the-page &> {log}"
