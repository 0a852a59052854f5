rule evaluate:
    input:
        predictions=study.inputs("evaluate", "predictions"),
        targets=study.inputs("evaluate", "targets"),
        leakage=study.inputs("evaluate", "leakage"),
    output:
        manifest="results/scores/{experiment}/{model}/manifest.json",
        scores="results/scores/{experiment}/{model}/scores.csv",
        replicates="results/scores/{experiment}/{model}/replicates.npz",
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


rule compare:
    input:
        scores=study.inputs("compare", "scores"),
        predictions=study.inputs("compare", "predictions"),
        targets=study.inputs("compare", "targets"),
    output:
        manifest="results/comparisons/{task}/manifest.json",
        comparisons="results/comparisons/{task}/comparisons.csv",
        delong="results/comparisons/{task}/delong.csv",
        curves="results/comparisons/{task}/curves.csv",
        fits="results/comparisons/{task}/fits.csv",
        efficiency="results/comparisons/{task}/efficiency.csv",
        resamples="results/comparisons/{task}/resamples.npz",
    log:
        "logs/compare/{task}.log",
    benchmark:
        "logs/benchmarks/compare/{task}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("compare"),
        code=study.code("compare"),
    message:
        "Comparing all that was trained for {wildcards.task}"
    shell:
        "python -m codeii compare --scores {input.scores} --predictions {input.predictions} --targets {input.targets}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/comparisons/{wildcards.task} &> {log}"


rule analyse:
    input:
        predictions=study.inputs("analyse", "predictions"),
        targets=study.inputs("analyse", "targets"),
    output:
        manifest="results/analyses/{experiment}/{model}/manifest.json",
        calibration="results/analyses/{experiment}/{model}/calibration.csv",
        recalibration="results/analyses/{experiment}/{model}/recalibration.csv",
        subgroups="results/analyses/{experiment}/{model}/subgroups.csv",
        confusion="results/analyses/{experiment}/{model}/confusion.csv",
    log:
        "logs/analyse/{experiment}/{model}.log",
    benchmark:
        "logs/benchmarks/analyse/{experiment}/{model}.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("analyse"),
        code=study.code("analyse"),
    message:
        "Calibration, subgroups and confusion of {wildcards.model} on {wildcards.experiment}"
    shell:
        "python -m codeii analyse --predictions {input.predictions} --targets {input.targets}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/analyses/{wildcards.experiment}/{wildcards.model} &> {log}"


rule reproduce:
    input:
        study.all_inputs("reproduce"),
    output:
        manifest="results/verdicts/manifest.json",
        cells="results/verdicts/cells.csv",
        claims="results/verdicts/claims.csv",
    log:
        "logs/reproduce.log",
    benchmark:
        "logs/benchmarks/reproduce/all.tsv"
    conda:
        "../../envs/study.yaml"
    params:
        settings=study.settings("reproduce"),
        code=study.code("reproduce"),
        inputs=study.flags("reproduce"),
    message:
        "Setting the study beside what was published"
    shell:
        "python -m codeii reproduce {params.inputs}"
        " --settings {params.settings:q} --code {params.code}"
        " --out results/verdicts &> {log}"
