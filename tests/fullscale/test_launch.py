"""Two processes under torchrun train one net: averaged gradients, shared statistics, one record."""

import copy
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from fullscale.data import Share, load
from fullscale.evaluate import evaluate
from fullscale.launch import Team, team
from fullscale.recipes import recipe
from fullscale.runs import open_run
from fullscale.training import Training
from tests.interruptible import children

IMAGES, BATCH = 56, 16  # three whole batches and one of 8
SETTINGS = {"epochs": 1, "batch": BATCH, "images": IMAGES, "lr": 0.05}
TORCHRUN = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
# What each of two processes runs; one write a process, so that their lines stay apart.
PARTING = """
import sys
from contextlib import suppress
from pathlib import Path

import torch
from fullscale.launch import team

def group():
    names = []
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):
            names.append((thread / "comm").read_text())
    return sum("gloo" in name for name in names)

with team("cpu") as processes:
    processes.parallel(torch.nn.Linear(1, 1))(torch.ones(2, 1)).sum().backward()
    together = group()
sys.stdout.write(f"{together > 0, group()}\\n")
"""


def started(command: list[str], stdout: int | None = None, stderr: int | None = None) -> subprocess.Popen[str]:
    # As on a terminal, where the first process draws a bar.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "FORCE_COLOR": "1"}
    return subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr, text=True)


def torchrun(out: Path, *arguments: str, stderr: int | None = None) -> subprocess.Popen[str]:
    command = [*TORCHRUN, "-m", "fullscale", "train", "wrn-10-1"]
    command += ["--data", "synthetic", "--device", "cpu", "--out", str(out)]
    return started([*command, *arguments], stderr=stderr)


def flags(settings: dict) -> list[str]:
    return [text for name, value in settings.items() for text in (f"--{name}", str(value))]


def test_two_processes_average_the_gradients_of_their_shares(tmp_path: Path) -> None:
    assert torchrun(tmp_path / "run", *flags(SETTINGS)).wait(240) == 0
    run = open_run(tmp_path / "run")
    assert run.record["hardware"]["processes"] == 2
    expected, loss = by_hand()
    for name, tensor in run.net.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-5)
    (epoch,) = run.record["epochs"]
    assert epoch["train_loss"] == pytest.approx(loss, rel=1e-5)
    score = evaluate(run.net, load("synthetic", "", "cpu", images=run.recipe.images).test_batches(BATCH))
    assert (epoch["test_error"], epoch["test_loss"]) == (score.error, pytest.approx(score.loss, rel=1e-5))


def by_hand() -> tuple[dict[str, torch.Tensor], float]:
    """One epoch in one process, each half of a batch through a net of its own; the weights, and the mean loss."""
    source = load("synthetic", "", "cpu", images=IMAGES)
    first = Training(recipe("wrn-10-1", "synthetic", "none", 0, **SETTINGS), source, Team(torch.device("cpu"))).net
    nets = [first, copy.deepcopy(first)]
    optimizer, total = torch.optim.SGD(first.parameters(), 0.05, momentum=0.9, weight_decay=5e-4), 0.0
    halves = [source.train_batches(BATCH, 0, 0, share=Share(rank, 2)) for rank in range(2)]
    for step, parts in enumerate(zip(*halves, strict=True)):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * 0.2 ** sum(step >= round(part * 4) for part in (0.3, 0.6, 0.8))
        losses = [functional.cross_entropy(net.train()(x), y) for net, (x, y) in zip(nets, parts, strict=True)]
        gradients = [torch.autograd.grad(loss, list(net.parameters())) for loss, net in zip(losses, nets, strict=True)]
        for own, one, other in zip(first.parameters(), *gradients, strict=True):
            own.grad = (one + other) / 2
        optimizer.step()
        nets[1].load_state_dict(first.state_dict())
        total += sum(loss.item() * len(y) for loss, (_, y) in zip(losses, parts, strict=True))
    return first.state_dict(), total / IMAGES


def test_killed_and_resumed_two_processes_end_in_the_same_bits(tmp_path: Path) -> None:
    arguments = [*flags(SETTINGS), "--placement", "a", "--drop", "0.5", "--save-every", "0", "--resume"]
    assert torchrun(tmp_path / "whole", *arguments).wait(240) == 0
    killed, deadline = torchrun(tmp_path / "killed", *arguments), time.monotonic() + 240
    while not list(tmp_path.glob("killed/checkpoints/*.pt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = children(killed.pid)
    assert len(workers) == 2
    for process in (killed.pid, *workers):  # torchrun makes each of them a group of its own
        os.kill(process, signal.SIGKILL)
    assert killed.wait(60) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "record.json").exists()
    assert torchrun(tmp_path / "killed", *arguments).wait(240) == 0
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_what_is_refused_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    with torchrun(tmp_path / "run", *flags(SETTINGS), stderr=subprocess.PIPE) as process:
        _, told = process.communicate(timeout=240)
    assert re.findall("fullscale: .*", told) == [
        f"fullscale: out = {tmp_path / 'run'}: cannot be made a folder: File exists"
    ]
    assert process.returncode != 0


def test_processes_that_part_leave_no_thread_of_their_group_behind(tmp_path: Path) -> None:
    (tmp_path / "parting.py").write_text(PARTING)
    with started([*TORCHRUN, str(tmp_path / "parting.py")], stdout=subprocess.PIPE) as process:
        told, _ = process.communicate(timeout=240)
    assert told.splitlines() == ["(True, 0)"] * 2


def test_alone_a_process_is_the_whole_team() -> None:
    with team("cpu") as alone:
        assert (alone.first, alone.world, alone.share) == (True, 1, Share(0, 1))
        assert (alone.largest(3), alone.gathered("x")) == (3, ["x"])


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "mps", ""])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    rule = "(must be cpu, cuda or cuda:N|is not on this machine, which has [0-9]+ GPUs)"
    with pytest.raises(ValueError, match=rf"^device = {device}: {rule}$"), team(device):
        pass
