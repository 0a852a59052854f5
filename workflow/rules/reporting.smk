rule table:
    input:
        study.all_inputs("table"),
    output:
        manifest="results/published/tables/{name}/manifest.json",
        csv="results/published/tables/{name}/table.csv",
        html="results/published/tables/{name}/table.html",
    log:
        "logs/table/{name}.log",
    benchmark:
        "logs/benchmarks/table/{name}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("table"),
        code=study.code("table"),
        inputs=study.flags("table"),
    message:
        "Table {wildcards.name}"
    shell:
        "python -m codeii table --name {wildcards.name} {params.inputs}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/published/tables/{wildcards.name} &> {log}"


rule figure:
    input:
        study.all_inputs("figure"),
    output:
        manifest="results/published/figures/{name}/manifest.json",
        svg="results/published/figures/{name}/figure.svg",
        png="results/published/figures/{name}/figure.png",
        caption="results/published/figures/{name}/caption.html",
    log:
        "logs/figure/{name}.log",
    benchmark:
        "logs/benchmarks/figure/{name}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("figure"),
        code=study.code("figure"),
        inputs=study.flags("figure"),
    message:
        "Figure {wildcards.name}"
    shell:
        "python -m codeii figure --name {wildcards.name} {params.inputs}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/published/figures/{wildcards.name} &> {log}"


rule report:
    input:
        study.all_inputs("report"),
    output:
        manifest="results/published/manifest.json",
        page="results/published/report.html",
        metrics="results/published/metrics.json",
    log:
        "logs/report.log",
    benchmark:
        "logs/benchmarks/report/all.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("report"),
        code=study.code("report"),
        inputs=study.flags("report"),
    message:
        "Writing the report"
    shell:
        "python -m codeii report {params.inputs}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/published &> {log}"
