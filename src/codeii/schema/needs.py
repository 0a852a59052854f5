"""What tables and figures are made from: each kind of artefact under the name by which a file `NEEDS` it."""

# need -> the rule that makes it, and what its manifest calls it
MADE_BY = {
    "records": ("records", "records"),
    "audits": ("audit", "audit"),
    "targets": ("targets", "targets"),
    "runs": ("train", "checkpoint"),
    "predictions": ("predict", "prediction_set"),
    "scores": ("evaluate", "scores"),
    "comparisons": ("compare", "comparisons"),
    "analyses": ("analyse", "analyses"),
    "explanations": ("explain", "explanations"),
    "verdicts": ("reproduce", "verdicts"),
    "submissions": ("submit", "submission"),
    "leakage": ("leakage", "leakage"),
}
NEEDS = tuple(MADE_BY)
# what results.json holds: the scores of predictions stand for these
OF_RESULTS = tuple(need for need in MADE_BY if need != "predictions")
# what the report says of its own, beside finished tables and figures
OF_REPORT = ("records", "audits", "runs", "scores", "comparisons", "analyses", "explanations", "verdicts", "leakage")
