"""`python -m fullscale`, whatever is typed: nothing but a line about it, and nothing left of what it had begun."""

import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from fullscale.__main__ import main
from fullscale.contracts import refusal
from fullscale.data import cifar

from .contract import copy_of, examples, obedient
from .mutations import Group, affordable, mistyped

SMALL: tuple[Group, ...] = (("--data", "synthetic"), ("--images", "8"), ("--batch", "4"), ("--epochs", "1"))
FILES: tuple[Group, ...] = (("--json", "new.json"), ("--svg", "new.svg"), ("--html", "new.html"))
LINES: dict[str, tuple[Group, ...]] = {
    "train": (("train",), ("wrn-10-1",), *SMALL, ("--out", "new"), ("--placement", "a"), ("--drop", "0.5")),
    "measure": (("measure",), ("run",), ("--batches", "2"), ("--seed", "1")),
    "adjust": (("adjust",), ("run",), ("--batches", "2"), ("--reading", "batch")),
    "ensemble": (("ensemble",), ("run",), ("--batches", "2"), ("--samples", "2"), ("--groups", "1")),
    "responses": (("responses",), ("run",), ("--batches", "2"), ("--keep", "2")),
    "show": (("show",), ("fig1",), ("--out", "runs"), ("--scale", "smoke")),
    "sweep": (("sweep",), ("fig1",), ("--out", "runs"), ("--threads", "1")),
    "sweep nothing": (("sweep",), ("fig1",), ("--out", "new"), ("--scale", "reduced"), ("--root", "nowhere")),
    "plan": (("sweep",), ("fig1",), ("--out", "new"), ("--plan",), ("--throughput", "densenet-bc-10-4=100")),
    "why": (("sweep",), ("fig1",), ("--out", "runs"), ("--why", "densenet")),
    "doctor": (("doctor",), ("small_nets:net",), ("--batches", "batches.pt"), ("--probes", "2"), *FILES),
}
OTHERS: dict[str, tuple[Group, ...]] = {
    "train": (
        *(("--resume",), ("--uout", "0.3"), ("--sigma", "0.3"), ("--lr", "0.1"), ("--weight-decay", "1e-4")),
        *(("--crop", "normalised"), ("--precision", "bf16"), ("--no-channels-last",), ("--save-every", "0")),
        *(("--tensorboard",), ("--root", "."), ("--data", "cifar10"), ("--data", "imagenet"), ("--download",)),
    ),
    "sweep": (
        *(("--scale", "reduced"), ("--engine", "slurm"), ("--slurm", "partition=gpu"), ("--jobs", "2")),
        *(("--retries", "0"), ("--minutes", "10"), ("--gpus", "1"), ("--save-every", "0"), ("--plan",), ("--why", "")),
    ),
    "doctor": (
        *(("--input", "3x8x8"), ("--batch", "4"), ("--count", "2"), ("--top", "3"), ("--fail-above", "1.2")),
        *(("--repair", "new.safetensors"), ("--weights", "weights.pt"), ("--data", "a-folder"), ("--uout", "0.3")),
    ),
}
COMMON: tuple[Group, ...] = (("--help",), ("--device", "cpu"), ("--device", "cuda:9"), ("--threads", "2"))
MOST = {"images": 40, "epochs": 3, "threads": 4, "samples": 5, "groups": 3, "probes": 9, "count": 9, "batch": 99}
NEEDED = {"train": ("--images", "--epochs"), "ensemble": ("--samples", "--groups")}
"""what is left out is the paper's, and takes hours"""


@pytest.fixture(scope="module")
def files(desk: Path, trained: Path, swept: Path, modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with a finished run, a finished sweep, and a model with its weights and batches."""
    made = tmp_path_factory.mktemp("fullscale") / "files"
    for source in (desk, trained, swept, modelled):
        shutil.copytree(source, made, symlinks=True, dirs_exist_ok=True)
    return made


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(kind: type, root: Path) -> None:
        raise refusal("download", kind.__name__, f"failed: there is no network for {root}")

    monkeypatch.setattr(cifar, "_download", no_network)


def harmless(arguments: list[str], command: str) -> bool:
    """Whether a line asks neither for hours of work nor for what is not ours: a model may be any code."""
    models = [word for word in arguments if ":" in word and not word.startswith(("small_nets:", "cuda:"))]
    needed = all(any(word.startswith(flag) for word in arguments) for flag in NEEDED.get(command, ()))
    return affordable(arguments, **MOST) and needed and not models


@pytest.mark.usefixtures("idle", "forgotten", "offline")
@pytest.mark.parametrize("command", LINES)
@examples(6)
@given(st.data())
def test_a_mistyped_line_is_refused_in_one_line(command: str, files: Path, data: DataObject) -> None:
    line = LINES[command]
    arguments = data.draw(mistyped(line, *OTHERS.get(line[0][0], ()), *COMMON))
    assume(harmless(arguments, command))
    with copy_of(files) as place:
        told = obedient(main, "fullscale", arguments, place)
    torch.set_num_threads(1)
    assert told.code in {0, 1, 2}
    assert all(text.startswith("fullscale: ") for text in told.err.splitlines())
    if told.code == 1:  # training has diverged, a run has failed, or a BN is above --fail-above
        assert told.err
