rule evaluate:
    input:
        predictions=study.inputs("evaluate", "predictions"),
        targets=study.inputs("evaluate", "targets"),
        leakage=study.inputs("evaluate", "leakage"),
    output:
        manifest="results/scores/{experiment}/{model}/manifest.json",
        scores="results/scores/{experiment}/{model}/scores.csv",
        comparisons="results/scores/{experiment}/{model}/comparisons.csv",
    log:
        "logs/evaluate/{experiment}/{model}.log",
    benchmark:
        "logs/benchmarks/evaluate/{experiment}/{model}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("evaluate"),
        code=study.code("evaluate"),
    message:
        "Scoring {wildcards.model} on {wildcards.experiment}"
    shell:
        "python -m codeii evaluate --predictions {input.predictions} --targets {input.targets} --leakage {input.leakage}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/scores/{wildcards.experiment}/{wildcards.model} &> {log}"
