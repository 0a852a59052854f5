rule weights:
    input:
        file=study.inputs("weights", "file"),
    output:
        manifest="results/weights/{name}/manifest.json",
        checkpoint="results/weights/{name}/checkpoint.json",
        weights="results/weights/{name}/weights.safetensors",
        history="results/weights/{name}/history.csv",
    log:
        "logs/weights/{name}.log",
    benchmark:
        "logs/benchmarks/weights/{name}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("weights"),
        code=study.code("weights"),
    message:
        "Reading the published weights {wildcards.name}"
    shell:
        "python -m codeii weights --file {input.file:q}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/weights/{wildcards.name} &> {log}"
