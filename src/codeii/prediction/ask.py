"""Asks one trained network about many records, with the arithmetic it was trained with."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from codeii.artifacts.checkpoint import Checkpoint
from codeii.prediction.aggregate import Sections, record_logits_of

if TYPE_CHECKING:
    import torch

    from codeii.networks.batches import Inputs


class Asking(BaseModel):
    """What the command line says about how a network is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    threads: int = Field(1, gt=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: Literal["none", "default", "max"] = "none"
    batch_size: int = Field(256, gt=0)
    sections: Sections = "mean"


def record_logits(trained: Checkpoint, inputs: "Inputs", how: Asking, device: "torch.device") -> np.ndarray:
    """(record, class) float32 logits, each the mean or the max over a record's sections.

    The inputs are standardised as they were in the network's training.
    The exact path asks the network as it is; the faster ones fold its batch norms into the convolutions first.
    Raises ValueError where the device does not suit the arithmetic.
    """
    from codeii.models import rebuild
    from codeii.networks.arithmetic import EXACT, Arithmetic, asked_with
    from codeii.networks.inference import answers, folded
    from codeii.networks.standardise import standard_of

    network, arithmetic = rebuild(trained).to(device), Arithmetic(how.precision, how.compile)
    if arithmetic != EXACT:
        network = folded(network)
    ask = asked_with(arithmetic, network, device)
    seen = inputs.standardised(standard_of(trained.card))
    return record_logits_of(seen.record, answers(network, ask, seen, how.batch_size, device), how.sections)
