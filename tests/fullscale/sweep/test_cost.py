"""Estimates before a sweep: images, seconds, memory, and how many processes fit."""

import json
import math
from pathlib import Path

import pytest
import torch

from fullscale.launch import Team
from fullscale.measurements.adjust import Adjust
from fullscale.measurements.angles import Angles
from fullscale.measurements.ensemble import Ensemble
from fullscale.measurements.errors import Errors
from fullscale.measurements.kinds import Sizes
from fullscale.measurements.responses import Responses
from fullscale.measurements.shift import Shift
from fullscale.recipes import recipe
from fullscale.sweep import machine
from fullscale.sweep.cost import Work, memory, work
from fullscale.sweep.machine import devices
from fullscale.sweep.plan import elapsed
from fullscale.sweep.run import Run
from fullscale.sweep.state import State
from fullscale.sweep.throughput import Rates, given, rates

TEAM = Team(torch.device("cpu"))


def test_what_is_left_counts_epochs_tests_and_measurements() -> None:
    run = Run(recipe("wrn-28-10", "cifar100", "b", 0, drop=0.5), (Shift(),))
    anew, half = State("to train", run.measurements, 0), State("to finish", run.measurements, 100)
    assert work(run, anew) == Work(200 * 50_000, 200 * 10_000 + 2 * 50_000)
    assert work(run, half) == Work(100 * 50_000, 100 * 10_000 + 2 * 50_000)
    assert work(run, State("done", (), 200)) == Work(0, 0)


@pytest.mark.parametrize(
    ("measurement", "images"),
    [
        (Shift(), 2 * 1000),
        (Angles(), 0),
        (Adjust(), 1000 + 10 * 1000 + 1000 + 4 * 100),
        (Adjust(readings=("batch",)), 1000 + 2 * 100),
        (Ensemble(samples=80, groups=5), 401 * 100),
        (Errors(), 100),
        (Responses(), 4 * 1000),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else str(value),
)
def test_each_measurement_knows_its_passes(measurement, images: int) -> None:
    assert measurement.images(Sizes(train=1000, test=100, bns=20)) == images


def test_seconds_follow_from_the_rates() -> None:
    assert Work(1000, 500).seconds(Rates(train=10, test=50)) == 110


def test_a_rate_may_be_given_and_a_pass_in_test_is_then_a_third_of_it() -> None:
    assert given(["wrn-28-10=2500", "resnext-29=1e3"]) == {
        "wrn-28-10": Rates(2500, 7500),
        "resnext-29": Rates(1000, 3000),
    }


@pytest.mark.parametrize(
    "setting", ["wrn-28-10", "wrn-28-10=", "wrn-28-10=fast", "wrn-28-10=0", "wrn-28-10=inf", "x=1", ""]
)
def test_another_form_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"^throughput = .*: must be NET=RATE"):
        given([setting])


def test_a_rate_is_measured_once_on_a_machine_and_kept(tmp_path: Path) -> None:
    said = list[str]()
    recipes = [recipe("wrn-10-1", "synthetic", "none", 0)]
    (first,) = rates(recipes, TEAM, tmp_path, said.append).values()
    assert first.train > 0
    assert first.test > first.train
    assert rates(recipes, TEAM, tmp_path, said.append) == {"wrn-10-1": first}
    assert said == ["measuring the throughput of wrn-10-1"]
    kept = json.loads((tmp_path / "throughput.json").read_text())
    (key,) = kept
    (tmp_path / "throughput.json").write_text(json.dumps({key: {"train": "fast", "test": 1}}))
    with pytest.raises(ValueError, match=r"throughput\.json"):
        rates(recipes, TEAM, tmp_path, said.append)


def test_workers_take_the_runs_in_order() -> None:
    assert elapsed([3, 1, 1, 1], 2) == 3
    assert elapsed([1, 1, 3], 2) == 4
    assert elapsed([2.0, 2.0], 5) == 2
    assert elapsed([], 1) == 0


def test_memory_counts_what_the_backward_pass_needs() -> None:
    small, twice, wide = (
        memory(recipe(net, "imagenet", "none", 0, batch=batch))
        for net, batch in (("wrn-10-1", 32), ("wrn-10-1", 64), ("wrn-10-4", 32))
    )
    fixed = 2 * small - twice  # what does not grow with the batch
    assert small < twice < wide
    # The first convolution's output alone, 16 maps of 32 x 32 in float32, is kept for the backward pass.
    assert small - fixed > 32 * 16 * 32 * 32 * 4


def test_one_process_on_a_cpu_unless_more_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    runs = [recipe("wrn-10-1", "cifar10", "none", 0)]
    assert devices(None, None, runs) == ("cpu",)
    assert devices(2, "cpu", runs) == ("cpu", "cpu")


def test_more_than_memory_allows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [recipe("wrn-28-10", "cifar10", "none", 0)]
    monkeypatch.setattr(machine, "_free", lambda _: math.ceil(2.5 * memory(runs[0])))
    assert devices(2, "cpu", runs) == ("cpu", "cpu")
    with pytest.raises(
        ValueError, match=r"^jobs = 3: must be <= 2: each needs some .* GiB for the largest of its nets"
    ):
        devices(3, "cpu", runs)


def test_gpus_have_a_process_each_and_more_are_dealt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "device_named", lambda name: torch.device(name or "cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(machine, "_free", lambda _: 2**40)
    runs = [recipe("wrn-10-1", "cifar10", "none", 0)]
    assert devices(None, None, runs) == ("cuda:0", "cuda:1")
    assert devices(3, None, runs) == ("cuda:0", "cuda:1", "cuda:0")
    assert devices(None, "cuda:1", runs) == ("cuda:1",)


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_processes_are_refused(jobs: int) -> None:
    with pytest.raises(ValueError, match="jobs = "):
        devices(jobs, "cpu", [])
