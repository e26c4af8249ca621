"""A run of a sweep: what is trained, and what is then measured."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from fullscale.measurements.kinds import KINDS, Measurement
from fullscale.recipes import Recipe
from fullscale.sources import behind, digest
from fullscale.train import TRAINED_BY


def code(read: Callable[[str], Mapping[str, str]] = behind) -> dict[str, str]:
    """Return the files that runs depend on, of training and of all measurements, as `read` gives those of a module."""
    modules = (TRAINED_BY, *(kind.__module__ for kind in KINDS.values()))
    return {name: digest for module in modules for name, digest in read(module).items()}


@dataclass(frozen=True)
class Run:
    """One net to be trained and measured.

    Attributes:
        measurements: one of a kind.
    """

    recipe: Recipe
    measurements: tuple[Measurement, ...] = ()

    @cached_property
    def stem(self) -> str:
        """Legible, and different for every recipe."""
        recipe = self.recipe
        noise = "none" if recipe.noise is None else "{}-{}{:g}".format(recipe.placement, *recipe.noise)
        return f"{recipe.net}-{noise}-{recipe.data}-s{recipe.seed}-{recipe.hash[:8]}"

    @cached_property
    def name(self) -> str:
        """The name of its folder: another one after every change of the code that trains, so that nothing is lost."""
        return f"{self.stem}-{digest(behind(TRAINED_BY))[:6]}"


def merged(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Make one run of those of the same recipe, with the measurements of all, in order of appearance."""
    wanted: dict[Recipe, dict[Measurement, None]] = {}
    for run in runs:
        wanted.setdefault(run.recipe, {}).update(dict.fromkeys(run.measurements))
    return tuple(Run(recipe, tuple(measurements)) for recipe, measurements in wanted.items())
