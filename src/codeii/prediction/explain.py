"""Which samples an answer rests on: integrated gradients, and whether they depend on what the network has learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from codeii.artifacts.checkpoint import Checkpoint, read_checkpoint
from codeii.artifacts.explanations import COLUMNS, write_explanations
from codeii.artifacts.scores import read_scores
from codeii.artifacts.targets import Targets, read_targets
from codeii.artifacts.tensor_store import read_tensor_store
from codeii.prediction.aggregate import record_logits_of
from codeii.prediction.cases import Case, choose_cases
from codeii.prediction.run import check_classes
from codeii.schema.params import Explanation

if TYPE_CHECKING:
    import torch

SEED = 0  # of the random weights that attributions are held against


def explain(
    checkpoint: Path, tensors: Path, targets: Path, scores: Path, settings: Mapping[str, Any], code: str, folder: Path
) -> None:
    """Explain the surest mistakes of one run on the test records, and some right answers.

    Parameters
    ----------
    checkpoint, tensors, targets : manifests of the run, of its inputs and of its task
    scores : manifest of its scores, for the thresholds
    settings : `explanation` (the block of params.yaml) and `threads`
    code : fingerprint of the code
    folder : where the explanations go

    Raises
    ------
    ValueError
        Classes or inputs of checkpoint, tensors and targets differ, or the scores have no threshold of the run.
    """
    from codeii.networks.batches import inputs_of
    from codeii.networks.device import prepare
    from codeii.networks.match import check_card
    from codeii.networks.standardise import standard_of

    wanted = Explanation.model_validate(settings["explanation"])
    prepare(int(settings["threads"]))
    trained, store, truth = read_checkpoint(checkpoint), read_tensor_store(tensors), read_targets(targets)
    check_card(trained.card, store)
    check_classes(trained, truth)
    rows = truth.of("test").reset_index(drop=True)
    inputs = inputs_of(store, rows["record_id"].tolist()).standardised(standard_of(trained.card))
    first = np.flatnonzero(np.diff(inputs.record, prepend=-1))  # a record that is cut is explained by its first section
    signal = inputs.values[inputs.rows] * np.float32(inputs.scale)
    seen = ((signal - inputs.standard.mean) / inputs.standard.deviation).astype(np.float32)
    thresholds = thresholds_of(scores, trained.manifest.settings, trained.card.classes)
    cases, table, attribution = _explained(trained, truth, seen, inputs.record, first, thresholds, wanted)
    picked = [int(first[case.record]) for case in cases]
    agreement = table["after_randomisation"].abs().dropna()
    write_explanations(
        folder,
        table,
        signal[picked].astype(np.float32),
        attribution,
        settings=settings,
        code=code,
        inputs=[checkpoint, tensors, targets, scores],
        facts={
            **{name: trained.manifest.settings[name] for name in ("experiment", "model", "start", "seed")},
            "source": str(truth.manifest.facts.get("source", "")),
            "leads": trained.card.leads,
            "rate_hz": trained.card.rate_hz,
            "unit": trained.card.unit,
            "bound": wanted.bound,
            "agreement": float(agreement.mean()) if len(agreement) else None,
            "passed": bool(len(agreement) and agreement.mean() < wanted.bound),
        },
        synthetic=any(made.synthetic for made in (store.manifest, truth.manifest, trained.manifest)),
    )


def _explained(
    trained: Checkpoint,
    truth: Targets,
    seen: np.ndarray,
    record: np.ndarray,
    first: np.ndarray,
    thresholds: np.ndarray,
    wanted: Explanation,
) -> tuple[list[Case], pd.DataFrame, np.ndarray]:
    import torch

    from codeii.models import build, rebuild

    network = rebuild(trained)
    with torch.inference_mode():
        parts = [network(torch.from_numpy(seen[at : at + 256])).numpy() for at in range(0, len(seen), 256)]
    logit = np.concatenate(parts) if parts else np.zeros((0, len(thresholds)), np.float32)
    logit = record_logits_of(record, logit, "mean") if len(logit) else logit
    probability = 1 / (1 + np.exp(-logit.astype(np.float64)))
    rows, target = truth.of("test"), truth.matrix("test") != 0
    cases = choose_cases(probability, target, thresholds, wanted.cases)
    torch.manual_seed(SEED)
    card = trained.card
    untrained = build(card.model, len(card.leads), len(card.classes), card.model_settings).eval()
    found, lines = [np.zeros((0, *seen.shape[1:]), np.float32)], []
    names = np.array(card.classes)
    for case in cases:
        given = torch.from_numpy(seen[first[case.record]][None])
        ours, gap = integrated_gradients(network, given, case.number, wanted.steps)
        theirs, _ = integrated_gradients(untrained, given, case.number, wanted.steps)
        found.append(ours[None])
        called = probability[case.record] >= thresholds
        lines.append(
            (
                *(case.kind, rows["record_id"].iat[case.record], names[case.number]),
                *(probability[case.record, case.number], thresholds[case.number]),
                *(" ".join(names[target[case.record]]), " ".join(names[called]), gap, agreement_of(ours, theirs)),
            )
        )
    return cases, pd.DataFrame(lines, columns=list(COLUMNS)), np.concatenate(found)


def integrated_gradients(
    network: "torch.nn.Module", given: "torch.Tensor", number: int, steps: int
) -> tuple[np.ndarray, float]:
    """Attribution of one class's logit to each sample, from a signal of zeros to the one given (Sundararajan 2017).

    given : (1, lead, sample)  ->  (lead, sample) float32 and the gap: what the sum of the attribution lacks of the
    difference of both logits, as a share of it.
    """
    import torch
    from captum.attr import IntegratedGradients

    nothing = torch.zeros_like(given)
    found = IntegratedGradients(network).attribute(given, nothing, target=number, n_steps=steps, internal_batch_size=64)
    with torch.inference_mode():
        wanted = float(network(given)[0, number] - network(nothing)[0, number])
    whole = found[0].detach().numpy().astype(np.float32)
    return whole, float((whole.sum() - wanted) / wanted) if wanted else 0.0


def agreement_of(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of the sizes of two attributions (Adebayo et al. 2018): near 1, they show the input alone."""
    ranks = [rankdata(np.abs(each).ravel()) for each in (one, other)]
    if any(np.ptp(each) == 0 for each in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def thresholds_of(scores: Path, run: Mapping[str, Any], classes: Sequence[str]) -> np.ndarray:
    """(class,) thresholds of a run. Raises ValueError where the scores have none."""
    table = read_scores(scores).scores
    mine = (
        (table["start"] == run["start"]) & (table["fraction"] == run["fraction"]) & (table["seed"] == str(run["seed"]))
    )
    found = table[mine & (table["per_class"] == run["per_class"]) & (table["metric"] == "threshold")]
    by_class = found.set_index("class")["value"]
    if missing := [name for name in classes if name not in by_class.index]:
        raise ValueError(f"{scores}: no threshold of {run['start']} for {', '.join(missing[:3])}; evaluate it again")
    return np.asarray(by_class.loc[list(classes)], np.float64)
