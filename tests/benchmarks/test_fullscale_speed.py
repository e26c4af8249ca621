"""The programs that race in the benchmark do the same work, turns are timed as they say, and it runs."""

import copy
import dataclasses
import itertools
import runpy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fullscale.data import cifar
from fullscale.data.in_memory import Images
from fullscale.launch import Team
from fullscale.training import Training
from tests.threads import one_thread

__all__ = ["one_thread"]

BENCHMARK = runpy.run_path(str(Path(__file__).parent / "fullscale_speed.py"))
CPU = torch.device("cpu")
NET = "densenet-bc-10-2"


def data(count: int) -> Any:
    pixels = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return BENCHMARK["Data"]("", Images(pixels, torch.arange(count) % 10), CPU, 0)


def flat(net: nn.Module) -> Tensor:
    return torch.cat([tensor.flatten().double() for tensor in net.state_dict().values()])


@pytest.mark.parametrize("settings", [{"drop": 0.5}, {"drop": 0.0, "channels_last": True}])
def test_both_programs_learn_the_same_from_the_same_batches(settings: dict[str, Any]) -> None:
    source = data(64).ours
    run = dataclasses.replace(BENCHMARK["run_of"]("preresnet-8", batch=16, weight_decay=0.05), **settings)
    plain = BENCHMARK["drawn"](run)
    start = flat(plain)
    program = BENCHMARK["plain"](plain, run, list(source.train_batches(run.batch, run.seed, 0)), CPU)
    assert [next(program) for _ in range(3)] == [16] * 3
    training = Training(run, source, Team(CPU))  # seeds as above, and so draws the same masks
    program = BENCHMARK["ours"](training)
    assert [next(program) for _ in range(3)] == [16] * 3
    apart, way = flat(training.net) - flat(plain), flat(plain) - start
    assert apart.norm() < 1e-3 * way.norm()


def test_an_epochs_end_is_no_step() -> None:
    training = Training(BENCHMARK["run_of"](NET, batch=16), data(32).ours, Team(CPU))
    program = BENCHMARK["ours"](training)
    assert sum(next(program) for _ in range(5)) == 5 * 16
    assert (training.step, len(training.epochs)) == (5, 2)


def crops(image: Tensor) -> dict[bytes, tuple[int, int, bool]]:
    """Every crop of a padded image as a network may see it: its corner, and whether it is flipped."""
    mean, std = (torch.tensor(of).view(3, 1, 1) for of in (cifar.MEAN, cifar.STD))
    padded = (pad(image, (4,) * 4).float() / 255 - mean) / std
    seen = {}
    for y, x in itertools.product(range(9), repeat=2):
        crop = padded[:, y : y + 32, x : x + 32]
        seen |= {crop.numpy().tobytes(): (y, x, False), crop.flip(2).numpy().tobytes(): (y, x, True)}
    return seen


def test_both_programs_see_random_crops_of_the_same_images() -> None:
    of_one, possible = data(1), crops(data(1).images.pixels[0])
    loader = of_one.loader(1)
    torch.manual_seed(0)
    epochs = range(200)
    theirs = [images for _ in epochs for images, _ in loader]
    ours = [images for epoch in epochs for images, _ in of_one.ours.train_batches(1, 0, epoch)]
    for seen in (theirs, ours):
        rows, columns, flips = zip(
            *(possible[images[0].contiguous().numpy().tobytes()] for images in seen), strict=True
        )
        assert set(rows) == set(columns) == set(range(9))
        assert set(flips) == {True, False}


def test_a_measuring_pass_is_an_evaluation_pass_and_measure_is_two() -> None:
    logits = list[Tensor]()
    run = BENCHMARK["run_of"](NET, batch=16)
    net = BENCHMARK["drawn"](run)
    net.register_forward_hook(lambda _, __, out: logits.append(out.clone()))  # copies of the net have it too
    batches = list(data(64).ours.train_batches(run.batch, 0, 0))
    passes = {}
    for name in ("evaluation", "test_side", "both_sides"):
        logits.clear()
        assert next(BENCHMARK[name](copy.deepcopy(net), batches)) == 64
        passes[name] = torch.stack(logits)
    torch.testing.assert_close(passes["test_side"], passes["evaluation"])
    torch.testing.assert_close(passes["both_sides"][::2], passes["evaluation"])
    assert len(passes["both_sides"]) == 2 * len(passes["evaluation"])


def test_the_settings_add_up_and_end_with_every_way_to_compile() -> None:
    ladder = BENCHMARK["ladder"]("cuda", ["off", "default", "max-autotune"])
    *steps, one, other = ladder.values()
    assert [len(step) for step in steps] == [1, 1, 2]
    assert all(before.items() <= after.items() for before, after in itertools.pairwise(steps[1:]))
    assert (one, other) == (steps[-1] | {"compile": "default"}, steps[-1] | {"compile": "max-autotune"})
    assert list(BENCHMARK["ladder"]("cpu", [])) == list(ladder)[:2]
    for settings in ladder.values():
        BENCHMARK["run_of"](NET, **settings)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_the_rate_is_of_whole_steps(clock: list[float]) -> None:
    def program() -> Iterator[int]:
        while True:
            clock[0] += 0.5
            yield 10

    race = BENCHMARK["Race"](CPU, 1, 1.0)
    assert race.rate(program(), 1.75) == 20
    assert clock == [2.0]
    assert race.rate(program(), 0.0) == 20


def test_programs_take_turns_whose_first_quarter_does_not_count(clock: list[float]) -> None:
    did = list[str]()

    def program(name: str, seconds: float) -> Iterator[int]:
        while True:
            awakes = did[-1:] != [name]
            did.append(name)
            clock[0] += 1.0 if awakes else seconds
            yield 1

    rates = BENCHMARK["Race"](CPU, 2, 4.0).run({"a": program("a", 1.0), "b": program("b", 2.0)})
    assert rates == {"a": [1.0, 1.0], "b": [0.5, 0.5]}
    turns = [(name, len(list(steps))) for name, steps in itertools.groupby(did)]
    assert turns == [("a", 3), ("b", 3)] + 2 * [("a", 1 + 4), ("b", 1 + 2)]


def test_it_prints_every_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(BENCHMARK["main"].__globals__, "IMAGES", 128)
    BENCHMARK["main"](f"--device cpu --root {tmp_path} --nets {NET} --rounds 1 --seconds 0.01 --workers 0".split())
    printed = capsys.readouterr().out
    assert "random bytes" in printed
    rows = [line.strip() for line in printed.splitlines() if line.startswith("      ")]
    assert all(float(line.split()[0].replace(",", "")) > 0 for line in rows)
    names = ["plain PyTorch", "ours, float32", "+ channels_last", "evaluation", "test side of measure", "measure"]
    assert [line.endswith(name) for line, name in zip(rows, names, strict=True)] == [True] * 6
    assert ["(" in line for line in rows] == [False, True, True, False, True, True]
