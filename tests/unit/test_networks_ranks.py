"""Who a process is among several, and which batch norms they share."""

import os

import pytest
import torch
from torch import nn

from codeii.networks.ranks import ALONE, Ranks, ranks_of
from codeii.networks.shared_norm import share_norms


def test_the_environment_says_who_a_process_is() -> None:
    told = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "node0", "MASTER_PORT": "29500"}
    assert ranks_of(told) == Ranks(5, 8, 1, os.getppid())
    assert not ranks_of(told).orphaned
    assert Ranks(5, 8, 1, parent=0).orphaned
    assert ranks_of({}) is ranks_of({**told, "WORLD_SIZE": "1", "RANK": "0"}) is ALONE
    with pytest.raises(ValueError, match="WORLD_SIZE is set but not RANK, MASTER_PORT; start several processes"):
        ranks_of({name: value for name, value in told.items() if name not in ("RANK", "MASTER_PORT")})


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="process 3 on this machine has no GPU, there are 2"):
        Ranks(2, 4, 2).device(torch.device("cuda"))


def test_norms_of_one_process_stay_and_those_without_statistics_are_refused() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3))
    norm = network[0]
    share_norms(network, ALONE)
    assert network[0] is norm
    keys = list(network.state_dict())
    share_norms(network, Ranks(0, 2))
    assert network[0] is not norm and network[0].weight is norm.weight and list(network.state_dict()) == keys
    with pytest.raises(ValueError, match="without weights or running statistics"):
        share_norms(nn.Sequential(nn.BatchNorm1d(3, affine=False)), Ranks(0, 2))
