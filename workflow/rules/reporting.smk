rule table:
    input:
        study.all_inputs("table"),
    output:
        manifest="results/published/tables/{name}/manifest.json",
        csv="results/published/tables/{name}/table.csv",
        html=report(
            "results/published/tables/{name}/table.html",
            caption="../report/part.rst",
            category=study.section("table"),
            labels={"part": "{name}", "kind": "table"},
        ),
    log:
        "logs/table/{name}.log",
    benchmark:
        "logs/benchmarks/table/{name}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("table"),
        code=study.code("table"),
        caption=study.caption("table"),
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
        png=report(
            "results/published/figures/{name}/figure.png",
            caption="../report/part.rst",
            category=study.section("figure"),
            labels={"part": "{name}", "kind": "figure"},
        ),
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
        caption=study.caption("figure"),
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
        page=report(
            "results/published/report.html",
            caption="../report/page.rst",
            category="The page",
            labels={"part": "report", "kind": "page"},
        ),
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
