"""How many images a second a net trains on, and passes in test: given, or measured on the spot and kept."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from fullscale import nets, record
from fullscale.contracts import finite, refusal
from fullscale.data import InMemory
from fullscale.data.in_memory import Images
from fullscale.data.normalise import Normalise
from fullscale.files import folder, read_json, write_json
from fullscale.launch import Team
from fullscale.recipes import EPOCHS_AT_MOST, Recipe
from fullscale.training import Training

KEPT = "throughput.json"
SECONDS = 2.0
"""of timing, at least, after a first step that does not count"""
ON_CPU = 16
"""images of a batch at most: the paper's nets take a processor seconds an image"""
FORWARD = 3.0
"""passes in test in the time of one in training, where that alone is given: a backward pass is two forward ones"""


@dataclass(frozen=True)
class Rates:
    """Images a second.

    Attributes:
        train: forward, backward and step.
        test: forward, in test mode.
    """

    train: record.Positive
    test: record.Positive


def given(settings: Sequence[str]) -> dict[str, Rates]:
    """Read NET=IMAGES-A-SECOND, in training.

    Raises:
        ValueError: if one has another form, or names no net, or no number > 0.
    """
    found: dict[str, Rates] = {}
    for setting in settings:
        net, equals, rate = setting.partition("=")
        try:
            nets.family(net)
            found[net] = Rates(finite("rate", float(rate), above=0), FORWARD * float(rate))
        except ValueError:
            rule = "must be NET=RATE, images a second in training, such as wrn-28-10=2500"
            raise refusal("throughput", setting if equals else setting or "nothing", rule) from None
    return found


def rates(recipes: Sequence[Recipe], team: Team, out: Path, told: Callable[[str], object]) -> dict[str, Rates]:
    """Return the rates of the nets in recipes, on this machine; those not kept in a sweep's folder are measured.

    Args:
        recipes: one of a net.
        team: the device.
        out: keeps what is measured.
        told: is told what is being measured.

    Raises:
        ValueError: if what is kept cannot be read.
    """
    path = out / KEPT
    kept = record.typed(read_json(path), dict[str, Rates], path, "list of rates") if path.exists() else {}
    found: dict[str, Rates] = {}
    for recipe in recipes:
        key = _key(recipe, team)
        if key not in kept:
            told(f"measuring the throughput of {recipe.net}")
            kept[key] = measured(recipe, team)
            write_json(folder(out) / KEPT, {name: record.plain(own) for name, own in kept.items()})
        found[recipe.net] = kept[key]
    return found


def _key(recipe: Recipe, team: Team) -> str:
    """Name all that a rate depends on."""
    own = record.hardware(team)
    place = own["gpu"] or f"{own['processor']}, {own['threads']} threads"
    layout = "channels_last" if recipe.channels_last else "channels_first"
    return f"{recipe.net}, batch {recipe.batch}, {recipe.precision}, {layout}, compile {recipe.compile}, {place}"


def measured(recipe: Recipe, team: Team) -> Rates:
    """Train for a moment on random images, and test."""
    batch = recipe.batch if team.device.type == "cuda" else min(recipe.batch, ON_CPU)
    training = Training(replace(recipe, batch=batch, epochs=EPOCHS_AT_MOST), _noise(recipe, batch, team.device), team)
    steps = (batch for epoch in training if epoch is None)
    train = _rate(steps, team.device)
    return Rates(train, _rate(_tests(training), team.device))


def _tests(training: Training) -> Iterator[int]:
    while True:
        yield training.score().n


def _rate(steps: Iterator[int], device: torch.device) -> float:
    """Time steps, each of which says how many images it took."""
    next(steps)
    _wait(device)
    started, images = time.perf_counter(), 0
    while not images or time.perf_counter() - started < SECONDS:
        images += next(steps)
        _wait(device)
    return images / (time.perf_counter() - started)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _noise(recipe: Recipe, batch: int, device: torch.device) -> InMemory:
    """Make images up, of the size that the net was made for; a batch is the test set."""
    size, classes = nets.image_size(recipe.net), 10
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (4 * batch, 3, size, size), dtype=torch.uint8, generator=draw)
    images = Images(pixels, torch.arange(4 * batch) % classes)
    normalise = Normalise((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), device)
    return InMemory("noise", classes, images, images.first(batch), normalise=normalise, device=device, crop="pixels")
