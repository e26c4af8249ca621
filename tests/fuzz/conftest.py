"""Folders that a program has made, to be copied and spoilt; and one thread, as in tests/fullscale."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from fullscale.__main__ import main
from fullscale.experiments.catalogue import chosen, runs_of
from fullscale.experiments.scale import SMOKE
from fullscale.sweep import throughput
from fullscale.sweep.local import Local
from fullscale.sweep.slurm import Slurm
from fullscale.sweep.throughput import Rates
from fullscale.sweep.worker import Worker
from tests.threads import one_thread

__all__ = ["one_thread"]

NETS = """
from torch import nn


def net(drop: float = 0.5) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(drop), nn.BatchNorm2d(4))
"""
TRAIN = "train wrn-10-1 --data synthetic --images 8 --batch 4 --epochs 1 --placement a --drop 0.5 --threads 1 --out"


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file, a folder and a link that leads to itself."""
    made = tmp_path_factory.mktemp("desk")
    (made / "a-file").write_text("mine")
    (made / "a-folder").mkdir()
    (made / "a-folder" / "inside").write_text("mine")
    (made / "a-loop").symlink_to("a-loop")
    return made


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, `run`."""
    made = tmp_path_factory.mktemp("trained")
    if main([*TRAIN.split(), str(made / "run")]):
        pytest.fail("could not be trained")
    return made


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished sweep of Fig. 1, `runs`."""
    made = tmp_path_factory.mktemp("swept")
    Worker(runs_of(chosen("fig1"), SMOKE), made / "runs", made, "made")()
    return made


@pytest.fixture(scope="session")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the doctor's `small_nets:net`, its weights, and batches for it."""
    made = tmp_path_factory.mktemp("modelled")
    (made / "small_nets.py").write_text(NETS)
    torch.save([torch.randn(4, 3, 8, 8) for _ in range(2)], made / "batches.pt")
    state = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5), nn.BatchNorm2d(4)).state_dict()
    torch.save(state, made / "weights.pt")
    (made / "weights.safetensors").write_bytes(safetensors.torch.save(state))
    return made


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the doctor imports from a copy is forgotten with it."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    sys.modules.pop("small_nets", None)


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep starts no process, and measures no throughput."""
    for engine in (Local, Slurm):
        monkeypatch.setattr(engine, "tend", lambda _, left: dict.fromkeys(left, "nobody works here"))
    monkeypatch.setattr(throughput, "measured", lambda *_: Rates(100.0, 300.0))
