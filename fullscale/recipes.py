"""What a run is: one frozen dataclass, complete, and the paper's settings for each family of networks."""

import dataclasses
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NamedTuple, TypeAlias

from fullscale import nets
from fullscale.contracts import Refusal, finite, refusal, seeding, whole
from fullscale.data import Crop, DataName
from fullscale.placement import NOISES, Where

Precision: TypeAlias = Literal["float32", "bf16"]
Compile: TypeAlias = Literal["off", "default", "reduce-overhead", "max-autotune"]


class Schedule(NamedTuple):
    """SGD as the authors' code runs it: the rate falls by `gamma` at each milestone, an epoch of `epochs`."""

    epochs: int
    batch: int
    milestones: tuple[int, ...]
    gamma: float
    weight_decay: float
    lr: float = 0.1


_IMAGENET = Schedule(90, 256, (30, 60), 0.1, 1e-4)
SCHEDULES: dict[nets.Family, Schedule] = {
    "preresnet": Schedule(164, 128, (81, 122), 0.1, 1e-4),
    "resnext": Schedule(300, 128, (150, 225), 0.1, 5e-4),
    "wrn": Schedule(200, 128, (60, 120, 160), 0.2, 5e-4),
    "densenet": Schedule(300, 64, (150, 225), 0.1, 1e-4),
    "imagenet-resnet": _IMAGENET,
    "imagenet-resnext": _IMAGENET,
}
"""By family. Those of CIFAR are the authors'; the paper cites trained ImageNet models, and names no schedule."""

MOMENTUM, EPOCHS_AT_MOST = 0.9, 1_000_000
FROM_THE_FIRST = {"drop", "uout", "sigma", "images"}
"""Fields that may be None. One that comes later is None in every older recipe, whose hash must stay what it was."""


@dataclass(frozen=True)
class Recipe:
    """Everything that a run's numbers depend on, but for the machine.

    Attributes:
        images: the first so many training images only; all where None.
        milestones: as fractions of the run, so that a shorter one keeps the shape.
        crop: whether images are padded with black pixels before normalising (the authors' code) or with zeros after.
        channels_last: the memory format in which most machines convolve fastest; a matter of rounding only.
        precision: of the forward and backward pass; weights and BN's buffers are always float32.

    Raises:
        ValueError: if seed, epochs, batch, lr or weight_decay is outside of its domain. The net, the noise and the data
            are checked where they are made.
    """

    net: str
    data: DataName
    placement: Where
    seed: int
    epochs: int
    batch: int
    lr: float
    milestones: tuple[float, ...]
    gamma: float
    weight_decay: float
    drop: float | None = None
    uout: float | None = None
    sigma: float | None = None
    images: int | None = None
    crop: Crop = "pixels"
    precision: Precision = "float32"
    channels_last: bool = True
    compile: Compile = "off"

    def __post_init__(self) -> None:
        seeding("seed", self.seed)
        if whole("epochs", self.epochs, at_least=1) > EPOCHS_AT_MOST:
            raise refusal("epochs", self.epochs, f"must be <= {EPOCHS_AT_MOST:,}")
        whole("batch", self.batch, at_least=2)
        finite("lr", self.lr, above=0)
        if not 0 <= self.weight_decay < 1:
            raise refusal("weight_decay", self.weight_decay, "must lie in 0 <= weight_decay < 1")

    @property
    def hash(self) -> str:
        """The first 16 hex digits of the SHA-256 of all fields; of those that came later, where they are set."""
        fields = dataclasses.asdict(self).items()
        hashed = {name: value for name, value in fields if value is not None or name in FROM_THE_FIRST}
        return sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def noise(self) -> tuple[str, float] | None:
        """The name and the strength of its noise, if it has one."""
        strengths = ((name, getattr(self, name)) for name in NOISES)
        return next(((name, value) for name, value in strengths if value is not None), None)

    def __str__(self) -> str:
        """Say in a line what is trained; a reduced run says so."""
        noise = "without noise" if self.noise is None else "({}) {} {:g}".format(self.placement, *self.noise)
        reduced = f", {self.images:,} images" if self.images else ""
        return f"{self.net} {noise}, {self.data}, {self.epochs} epochs{reduced}"

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of step `step` of `steps`, counted from 0."""
        passed = sum(step >= round(fraction * steps) for fraction in self.milestones)
        return self.lr * self.gamma**passed


def recipe(net: str, data: DataName, placement: Where, seed: int, **settings: Any) -> Recipe:
    """Complete a recipe by the paper's schedule for the net's family; what is set to None is not set.

    Raises:
        ValueError: if the net is unknown, or a value is outside of its domain.
    """
    schedule = SCHEDULES[_family(net)]
    fractions = tuple(milestone / schedule.epochs for milestone in schedule.milestones)
    own: dict[str, Any] = schedule._asdict() | {"milestones": fractions}
    given = {name: value for name, value in settings.items() if value is not None}
    return Recipe(net, data, placement, seed, **(own | given))


def _family(net: str) -> nets.Family:
    try:
        return nets.family(net)
    except Refusal as error:
        raise refusal("net", net, error.rule) from None


def read(fields: dict[str, Any]) -> Recipe:
    """Build a recipe from its JSON object.

    Raises:
        ValueError: if a field is missing or unknown, or a value outside of its domain.
    """
    known = dataclasses.fields(Recipe)
    needed = {field.name for field in known if field.default is not None or field.name in FROM_THE_FIRST}
    if wrong := (fields.keys() - {field.name for field in known}) | (needed - fields.keys()):
        raise refusal("recipe", ", ".join(sorted(wrong)), "missing, or not a field of a recipe")
    typed: dict[str, Any] = fields | {"milestones": tuple(fields["milestones"])}
    return Recipe(**typed)
