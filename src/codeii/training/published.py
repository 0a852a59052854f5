"""Brings weights published by others into the study: from their file to a checkpoint that a run may start from."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from safetensors.numpy import load
from torch import nn

from codeii.artifacts.checkpoint import PUBLISHED, CheckpointCard, probe_input, write_checkpoint
from codeii.artifacts.manifest import IntegrityError
from codeii.models import build
from codeii.networks.match import refuse_difference
from codeii.schema.leads import LEAD_SETS
from codeii.training import alone
from codeii.training.initialise import HEAD

SEED = 0  # of the head, which no run keeps
UNUSED = ["none"]  # the classes of that head
SECONDS = 2 * alone.SECONDS  # of wall time


class ImportSettings(BaseModel):
    """One file of weights: whose network, which file, what it asks of tensors, what is said of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    model: str
    model_settings: dict[str, Any]
    needs: dict[str, list[Any]]  # key of a preprocessing -> accepted values; leads, rate_hz and samples among them
    sha256: str | None
    published: dict[str, Any]  # page, licence, encoder, seen: carried on to every score


def import_weights(file: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Write the checkpoint of published weights to `folder`, under a head that no run keeps.

    file : as published; settings : fields of `ImportSettings`

    Raises IntegrityError where the file is not the pinned one, ValueError where it holds other than this network's
    weights; nothing is written then.
    """
    wanted = ImportSettings.model_validate(dict(settings))
    state, digest = read_published(file, wanted.sha256)
    if wanted.sha256 is None:
        print(f"weights.{wanted.name}.sha256 is null; pin this file: {digest}")
    leads = list(LEAD_SETS[wanted.needs["leads"][0]])
    torch.manual_seed(SEED)
    network = build(wanted.model, len(leads), len(UNUSED), wanted.model_settings)
    weights = weights_of(wanted.model, state, network, file)
    write_checkpoint(
        folder,
        _card(wanted, leads, network, weights),
        weights,
        "",
        settings=settings,
        code=code,
        inputs=[file],
        facts={
            "tensors": len(state),
            PUBLISHED: {"name": wanted.name, "sha256": digest, "bytes": file.stat().st_size, **wanted.published},
        },
        synthetic=False,
    )


def read_published(file: Path, sha256: str | None) -> tuple[dict[str, np.ndarray], str]:
    """Tensors of a file by their published names, floating ones as float32, and the file's sha256.

    Raises IntegrityError on another hash than the pinned one, before anything is read from the file; ValueError where
    the file cannot be read as tensors, or one of them is not finite.
    """
    with file.open("rb", buffering=0) as opened:  # one opening: what is hashed is what is read
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        if sha256 not in (None, digest):
            advice = "get the pinned file, or pin this one if you know why it differs"
            raise IntegrityError(f"{file}: sha256 is {digest}, params.yaml pins {sha256}; {advice}")
        opened.seek(0)
        state = _tensors_of(opened, file)
    for name, value in state.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{file}: tensor {name} is not finite; a broken file, or not these weights")
    return state, digest


def _tensors_of(opened: BinaryIO, file: Path) -> dict[str, np.ndarray]:
    """Read a file in the process of `codeii.training.alone`."""
    with TemporaryFile() as answer:
        command = [sys.executable, "-I", "-W", "ignore", alone.__file__]
        try:
            done = subprocess.run(
                command, stdin=opened, stdout=answer, stderr=subprocess.PIPE, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"{file}: not read after {SECONDS} s; stopped") from None
        if done.returncode:
            raise ValueError(f"{file}: {_why(done.returncode, done.stderr.decode(errors='replace'))}")
        answer.seek(0)
        return dict(load(answer.read()))


def _why(code: int, said: str) -> str:
    """What went wrong in the other process, as a sentence."""
    lines = said.strip().splitlines()
    last = lines[-1] if lines else ""
    if code == alone.TOO_LARGE or code < 0:
        return f"reading it took more memory or time than its size allows (exit {code}); stopped"
    named = re.search(r"GLOBAL (\S+)", last)
    if "UnpicklingError" in last and named:
        reason = f"this pickle holds more than tensors: it asks for {named[1]}"
        return f"{reason}. Nothing of it was run; ask its publisher for safetensors, or for the tensors alone"
    return f"not a file of tensors that can be read ({last[:300]}); get it again, or another form of it"


def weights_of(model: str, state: Mapping[str, np.ndarray], network: nn.Module, file: Path) -> dict[str, np.ndarray]:
    """Every weight of the network: the published ones under its own names, the head as it is.

    Raises ValueError, naming the file, where published and own names do not match one to one in name and shape.
    """
    own = {name: value.numpy() for name, value in network.state_dict().items()}
    head = {name: value for name, value in own.items() if name.startswith(HEAD)}
    expected = {name: value.shape for name, value in own.items() if name not in head}
    try:
        found = import_module(f"codeii.models.{model}").load_published(state, network)
        refuse_difference("load_published", {n: np.shape(v) for n, v in found.items()}, "the network has", expected)
    except ValueError as error:
        raise ValueError(f"{file}: not the published weights of {model}: {error}") from None
    return {**{name: np.asarray(value, own[name].dtype) for name, value in found.items()}, **head}


def _card(
    wanted: ImportSettings, leads: list[str], network: nn.Module, weights: Mapping[str, np.ndarray]
) -> CheckpointCard:
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=True)
    samples = wanted.needs["samples"][0]
    with torch.inference_mode():
        probe_logits = network.eval()(torch.from_numpy(probe_input(len(leads), samples))).tolist()
    return CheckpointCard(
        model=wanted.model,
        model_settings=wanted.model_settings,
        classes=UNUSED,
        leads=leads,
        rate_hz=wanted.needs["rate_hz"][0],
        samples=samples,
        unit="of the tensors",
        preprocessing=wanted.needs,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        trained_on=[wanted.name],
        best_epoch=0,
        probe_logits=probe_logits,
    )
