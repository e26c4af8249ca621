"""An ImageNet network goes its whole way on a small folder of the same layout."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from fullscale.__main__ import main


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root, seeded = tmp_path_factory.mktemp("imagenet"), torch.Generator().manual_seed(0)
    for side, images in (("train", 4), ("val", 2)):
        for name in ("cat", "dog"):
            (root / side / name).mkdir(parents=True)
            for i in range(images):
                pixels = torch.randint(256, (3, 40 + i, 48), generator=seeded, dtype=torch.uint8)
                header = f"P6 48 {40 + i} 255\n".encode()
                (root / side / name / f"{i}.ppm").write_bytes(header + pixels.permute(1, 2, 0).numpy().tobytes())
    return root


@pytest.mark.parametrize("net", ["resnet-14", "resnext-14"])
def test_an_imagenet_net_is_trained_and_measured_on_folders(tmp_path: Path, root: Path, net: str) -> None:
    out = tmp_path / "run"
    shared = ["--root", str(root), "--device", "cpu"]
    noise = ["--placement", "last", "--drop", "0.2"]
    schedule = ["--epochs", "1", "--batch", "4", "--lr", "0.001"]
    assert main(["train", net, "--data", "imagenet", "--out", str(out), *noise, *schedule, *shared]) == 0
    record = json.loads((out / "record.json").read_text())
    assert (record["data"]["train"], record["data"]["test"], record["data"]["classes"]) == (8, 4, 2)
    assert record["recipe"]["milestones"] == [30 / 90, 60 / 90]
    assert main(["measure", str(out), *shared]) == 0
    rows = json.loads((out / "measure.json").read_text())["bns"]
    assert len(rows) == {"resnet-14": 13, "resnext-14": 17}[net]
    (first, *_) = rows
    assert first["drift_free_shift"] == pytest.approx(1, rel=1e-5)  # no noise and no BN stands before it


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="on one processor there are no workers")
def test_a_signal_to_all_of_its_processes_stops_a_run_with_a_checkpoint(tmp_path: Path, root: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "fullscale", "train", "resnet-14", "--data", "imagenet", "--root", str(root)]
    command += ["--device", "cpu", "--epochs", "1000", "--batch", "4", "--save-every", "0", "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
        deadline = time.monotonic() + 120
        while not list(out.glob("checkpoints/step-*.pt")) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGTERM)
        shown, told = process.communicate(timeout=120)
    *epochs, last = told.splitlines()
    assert (process.returncode, shown) == (128 + signal.SIGTERM, "")
    assert all(line.startswith("fullscale: epoch ") for line in epochs)
    step = last.removeprefix("fullscale: stopped at step ").partition(" ")[0]
    assert list(out.glob(f"checkpoints/step-{int(step):09}-*.pt"))
