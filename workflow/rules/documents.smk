rule results:
    input:
        study.all_inputs("results"),
    output:
        manifest="results/published/results/manifest.json",
        results="results/published/results/results.json",
    log:
        "logs/results.log",
    benchmark:
        "logs/benchmarks/results/all.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("results"),
        code=study.code("results"),
        inputs=study.flags("results"),
    message:
        "Bringing everything the study found into one file"
    shell:
        "python -m codeii results {params.inputs}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/published/results &> {log}"


rule documents:
    input:
        results=study.inputs("documents", "results"),
    output:
        manifest="results/published/documents/manifest.json",
        contents="results/published/documents/index.md",
        crate="results/published/documents/ro-crate-metadata.json",
    log:
        "logs/documents.log",
    benchmark:
        "logs/benchmarks/documents/all.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("documents"),
        code=study.code("documents"),
    message:
        "Writing cards, checklists, an artifact appendix and a crate"
    shell:
        "python -m codeii documents --results {input.results}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/published/documents &> {log}"
