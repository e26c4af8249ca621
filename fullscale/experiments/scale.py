"""How large an experiment is run: with which networks, on which data, how long and how often."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from fullscale.data import DataName
from fullscale.measurements.kinds import Ensemble, Measurement
from fullscale.placement import Where
from fullscale.recipes import Compile, Precision, recipe
from fullscale.sweep.run import Run

ScaleName: TypeAlias = Literal["smoke", "reduced", "paper"]
NetName: TypeAlias = Literal["PreResNet", "ResNeXt", "WRN", "DenseNet", "ResNet-200", "ResNeXt-101"]
SetName: TypeAlias = Literal["C10", "C100", "ImageNet"]

CIFAR_NETS: tuple[NetName, ...] = ("PreResNet", "ResNeXt", "WRN", "DenseNet")
IMAGENET_NETS: tuple[NetName, ...] = ("ResNet-200", "ResNeXt-101")
OFFICIAL: Mapping[SetName, DataName] = {"C10": "cifar10", "C100": "cifar100", "ImageNet": "imagenet"}
DROPS = (0.0, 0.1, 0.3, 0.5, 0.7)
BETAS = (0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Scale:
    """What stands for what the paper says.

    Attributes:
        told: how reduced it is; empty at the paper's own scale.
        nets: by the paper's names.
        sets: the data that are used, by the paper's names; where one is missing, the first stands for it.
        widths: nets that differ by their width alone, the narrowest first.
        seeds: of every run.
        ensemble: Fig. 6's samples and groups.
        settings: of all recipes, beyond the paper's own.
    """

    name: ScaleName
    told: str
    nets: Mapping[NetName, str]
    sets: Mapping[SetName, DataName]
    widths: tuple[str, ...]
    seeds: tuple[int, ...]
    ensemble: Ensemble
    drops: tuple[float, ...] = DROPS
    betas: tuple[float, ...] = BETAS
    settings: Mapping[str, Any] = field(default_factory=dict)

    def there(self, *names: SetName) -> tuple[SetName, ...]:
        """Return those of the paper's data sets that are used; the one that stands for them if none is."""
        return tuple(name for name in names if name in self.sets) or (next(iter(self.sets)),)

    def called(self, name: SetName) -> str:
        """Name the data that are used where the paper uses a set."""
        used = self.sets[self.there(name)[0]]
        return name if used == OFFICIAL[name] else f"{used} in place of {name}"

    def runs(
        self,
        net: str,
        data: SetName,
        placement: Where,
        *measurements: Measurement,
        drop: float | None = None,
        uout: float | None = None,
    ) -> tuple[Run, ...]:
        """Return one cell's runs, one a seed, of one of the paper's nets, or any, on a set or what stands for it.

        A strength of 0 is no noise, so that all experiments share a baseline.
        """
        used = self.sets[self.there(data)[0]]
        built = next((own for name, own in self.nets.items() if name == net), net)
        given = {"drop": drop or None, "uout": uout or None}
        where = placement if any(given.values()) else "none"
        recipes = (recipe(built, used, where, seed, **given, **self.settings) for seed in self.seeds)
        return tuple(Run(own, measurements) for own in recipes)


SMOKE = Scale(
    name="smoke",
    told="SMOKE: 2 epochs of 64 synthetic images, tiny siblings, 2 seeds: this shows that the program works, no more",
    nets={
        "PreResNet": "preresnet-8",
        "ResNeXt": "resnext-11-2x4-16",
        "WRN": "wrn-10-1",
        "DenseNet": "densenet-bc-10-4",
        "ResNet-200": "preresnet-8",
        "ResNeXt-101": "resnext-11-2x4-16",
    },
    sets={"C10": "synthetic"},
    widths=("wrn-10-1", "wrn-10-2"),
    seeds=(0, 1),
    ensemble=Ensemble(samples=4, groups=2),
    drops=(0.0, 0.1, 0.5),
    settings={"epochs": 2, "images": 64, "batch": 16},
)
REDUCED = Scale(
    name="reduced",
    told="REDUCED: 4 epochs of 8,000 images of CIFAR-10, small siblings, 3 seeds",
    nets={
        "PreResNet": "preresnet-8",
        "ResNeXt": "resnext-11-4x4-32",
        "WRN": "wrn-10-2",
        "DenseNet": "densenet-bc-16-12",
        "ResNet-200": "preresnet-8",
        "ResNeXt-101": "resnext-11-4x4-32",
    },
    sets={"C10": "cifar10"},
    widths=("wrn-10-1", "wrn-10-2", "wrn-10-4"),
    seeds=(0, 1, 2),
    ensemble=Ensemble(samples=30, groups=2),
    settings={"epochs": 4, "images": 8_000},
)
PAPER = Scale(
    name="paper",
    told="",
    nets={
        "PreResNet": "preresnet-110",
        "ResNeXt": "resnext-29",
        "WRN": "wrn-28-10",
        "DenseNet": "densenet-bc-100-12",
        "ResNet-200": "resnet-200",
        "ResNeXt-101": "resnext-101",
    },
    sets={"C10": "cifar10", "C100": "cifar100", "ImageNet": "imagenet"},
    widths=("wrn-28-1", "wrn-28-2", "wrn-28-4", "wrn-28-10"),
    seeds=(0, 1, 2, 3, 4),
    ensemble=Ensemble(samples=80, groups=5),
)
SCALES: Mapping[ScaleName, Scale] = {scale.name: scale for scale in (SMOKE, REDUCED, PAPER)}


def in_precision(scale: Scale, precision: Precision, compile: Compile) -> Scale:  # noqa: A002 (a recipe's own name)
    """Return the scale with other arithmetic in all of its recipes."""
    return replace(scale, settings={**scale.settings, "precision": precision, "compile": compile})
