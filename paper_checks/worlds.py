"""Worlds in which we know what is true, because we made them up: records as reduced runs would leave them, by rules.

No net is trained here. A world in which a claim is false is the negative control of the claim's criterion.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from fullscale import against_law, measure
from fullscale import reordered as orders
from fullscale.adjust import Reading
from fullscale.chain import Chain as Mended
from fullscale.experiments.results import Results
from fullscale.experiments.scale import REDUCED
from fullscale.measurements import (
    adjust,
    angles,
    chain,
    ensemble,
    errors,
    inference,
    law,
    reordered,
    responses,
    sampled,
    shift,
)
from fullscale.measurements.kinds import Measurement
from fullscale.recipes import Recipe
from fullscale.responses import MODES, TEST, TRAIN, Mode
from paper_checks.evidence import runs
from paper_checks.tracing import bns, reached

Rule: TypeAlias = Callable[[Recipe], float]
"""a number of a run"""

STRENGTH = {
    "preresnet-8": 0.4,
    "resnext-11-4x4-32": 0.5,
    "densenet-bc-16-12": 0.6,
    "wrn-10-1": 0.3,
    "wrn-10-2": 0.2,
    "wrn-10-4": 0.1,
}
"""by net: its excess with (b) 0.5"""
D_COS2 = {"wrn-10-1": 2.0, "wrn-10-2": 4.0, "wrn-10-4": 8.0}
"""by net; 1 in others"""
LOSS = {"a": 20.0, "b": 10.0, "last": 0.0}
"""by placement: points of test error lost to drop 0.5"""
GAPS = {4: 20.0, 16: 5.0, 64: 1.0, 256: 0.2}
"""by images of a batch: points of test error lost to its statistics"""
TRAINING: dict[Mode, float] = {TRAIN: 40.0, TEST: 60.0, Mode(noise=False, by_batch=True): 20.0}
"""by mode: training error in percent; 50 in the other"""


def excess(recipe: Recipe) -> float:
    """Shifts grow with the drop ratio; without Dropout there is a twentieth of those with (b) 0.1."""
    if recipe.drop is None:
        return 0.05 * excess(replace(recipe, placement="b", drop=0.1))
    odds = recipe.drop / (1 - recipe.drop)
    return STRENGTH[recipe.net] * odds * (4 if recipe.placement == "a" else 1)


def error(recipe: Recipe) -> float:
    """Dropout costs some points, in proportion to its drop ratio."""
    return 40.0 + LOSS[recipe.placement] * 2 * recipe.drop if recipe.drop else 40.0


@dataclass(frozen=True)
class World:
    """The rules. As they stand, all claims hold but F4-CLOSE-RUN, which cannot where S4-STEPS does.

    A place in a net lies between 0, at its first BN, and 1, at its last. Errors are in percent.

    Attributes:
        spread: of shifts, angles and errors over seeds, relative: the first has so much less, the last so much more.
        excess: mean shift ratio less 1.
        profile: what a BN's excess is proportional to, by its place.
        drift: how far a BN's moving variance has drifted from train mode's to test mode's, by the BN's name.
        cos2: mean over convolutions.
        d_cos2: likewise.
        error: final test error.
        gap: points lost to the statistics of batches of so many images.
        training: error by mode.
        won: share of the points lost to Dropout that adjusting wins back, by reading.
        averaged: points that k averaged samples lie above weight scaling.
        sampled: excess with Dropout on and BN by moving statistics.
        deviation: of a BN's mean, by its place.
        left: share of the points lost to Dropout that are left as BNs up to a place are mended.
        off: by how much the law's local shift is off, relative, by the BN's name; None where it says nothing.
        whole_off: by how much the whole shift is off local times inherited, relative, by the BN's name.
        eq10_off: by how much Eq. 10 is off the law behind a layer, as a share of the law's 1 - Delta, by its place;
            None where no such layer is seen.
        lacking: a run's name, and the measurement of it that is missing; None for its record.
    """

    spread: float = 0.01
    excess: Rule = excess
    profile: Callable[[Recipe, float], float] = lambda _, at: 1 + at
    drift: Callable[[Recipe, str], float] = lambda *_: 0.01
    cos2: Rule = lambda _: 0.05
    d_cos2: Rule = lambda recipe: D_COS2.get(recipe.net, 1.0)
    error: Rule = error
    gap: Callable[[Recipe, int], float] = lambda _, size: GAPS[size]
    training: Callable[[Recipe, Mode], float] = lambda _, mode: TRAINING.get(mode, 50.0)
    won: Callable[[Recipe, Reading], float] = lambda *_: 0.8
    averaged: Callable[[Recipe, int], float] = lambda _, k: 9.5 / k - 1
    sampled: Rule = lambda recipe: excess(replace(recipe, placement="none", drop=None))
    deviation: Callable[[Recipe, float], float] = lambda _, at: 0.1 + at
    left: Callable[[Recipe, float], float] = lambda _, at: 1 - at
    off: Callable[[Recipe, str], float | None] = lambda *_: 0.01
    whole_off: Callable[[Recipe, str], float] = lambda *_: 0.01
    eq10_off: Callable[[Recipe, float], float | None] = lambda *_: 0.05
    lacking: tuple[str, Measurement | None] | None = None

    def varied(self, value: float, recipe: Recipe) -> float:
        """Return what a number is in a run's seed."""
        first, last = REDUCED.seeds[0], REDUCED.seeds[-1]
        return value * (1 + self.spread * (2 * recipe.seed - first - last) / (last - first))

    def tested(self, recipe: Recipe) -> float:
        """Return a run's test error."""
        return self.varied(self.error(recipe), recipe)

    def lost(self, recipe: Recipe) -> float:
        """Return the points that Dropout has cost, against the mean without."""
        return self.tested(recipe) - self.error(replace(recipe, placement="none", drop=None))


TRUE = World()


def lie(rule: str, other: Any, *, told: World = TRUE, at: Any = None, **of: Any) -> World:
    """Return a world in which one rule is another one somewhere.

    Args:
        rule: its name.
        other: what takes its place: a rule, or a number.
        told: the world but for that.
        at: only at a BN, a place, a size, a reading or a mode; None for all.
        of: only in runs of a net, a placement, a drop ratio or a seed.
    """
    as_it_was = getattr(told, rule)
    instead = other if callable(other) else lambda *_: other

    def changed(recipe: Recipe, *where: Any) -> Any:
        own = {"net": recipe.net, "placement": recipe.placement, "drop": recipe.drop or 0.0, "seed": recipe.seed}
        meant = at in (None, *where) and all(own[name] == value for name, value in of.items())
        return (instead if meant else as_it_was)(recipe, *where)

    return replace(told, **{rule: changed})


RUNS = {run.name: run for run in runs()}
Key: TypeAlias = tuple[str, Measurement]
"""a run's name, and what is measured of it"""


@lru_cache(maxsize=4)
def results(world: World) -> Results:
    """Return what the runs of all experiments come to in a world."""
    records: dict[str, Any] = {
        name: {"final": {"test_error": world.tested(run.recipe)}}
        for name, run in RUNS.items()
        if (name, None) != world.lacking
    }
    return Results(REDUCED, Path(), records, Made(world))


class Made(Mapping[Key, Any]):
    """What all measurements of all runs come to in a world, each made up when it is first asked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: dict[Key, Any] = {}

    def __getitem__(self, key: Key) -> Any:
        name, measurement = key
        if measurement not in RUNS[name].measurements or key == self._world.lacking:
            raise KeyError(key)
        if key not in self._made:
            self._made[key] = MADE[type(measurement)](self._world, RUNS[name].recipe, measurement)
        return self._made[key]

    def __iter__(self) -> Iterator[Key]:
        keys = ((name, measurement) for name, run in RUNS.items() for measurement in run.measurements)
        return (key for key in keys if key != self._world.lacking)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _shift(world: World, recipe: Recipe, _: shift.Shift) -> shift.Numbers:
    names = bns(recipe.net)
    weights = [world.profile(recipe, at) for at in places(len(names))]
    mean = world.varied(world.excess(recipe), recipe) / fmean(weights)
    rows = tuple(
        _shifted(index, name, 1 + weight * mean, world.drift(recipe, name))
        for index, (name, weight) in enumerate(zip(names, weights, strict=True), start=1)
    )
    return shift.Numbers(rows, fmean(row.shift_ratio for row in rows), 1.0, images=8_000, batches=125)


def _shifted(index: int, name: str, ratio: float, drift: float) -> measure.Row:
    """Return a BN that keeps a variance of 1, by its ratio to that in test mode."""
    real = 1 / ratio
    train = (1 - drift * real) / (1 - drift)
    return measure.Row(
        index=index,
        name=name,
        channels=16,
        moving_var=1.0,
        real_var=real,
        shift=real,
        shift_ratio=ratio,
        floor=1.0,
        real_var_pooled=real,
        train_var=train,
        train_var_pooled=train,
        drift_free_shift=real / train,
    )


def _angles(world: World, recipe: Recipe, _: angles.Angles) -> angles.Numbers:
    cos2, d_cos2 = (world.varied(rule(recipe), recipe) for rule in (world.cos2, world.d_cos2))
    return angles.Numbers((angles.Row(1, "conv", 16, 0, 27, cos2, d_cos2),), cos2, d_cos2)


def _adjust(world: World, recipe: Recipe, measurement: adjust.Adjust) -> adjust.Numbers:
    before, lost = world.tested(recipe), world.lost(recipe)
    after: dict[Reading, adjust.Tested] = {
        reading: adjust.Tested(before - world.won(recipe, reading) * lost, None) for reading in measurement.readings
    }
    return adjust.Numbers(adjust.Tested(before, None), after)


def _ensemble(world: World, recipe: Recipe, measurement: ensemble.Ensemble) -> ensemble.Numbers:
    """Return groups that differ by a point, so that one alone would cross weight scaling elsewhere."""
    scaled = world.tested(recipe)
    curve = [scaled + world.averaged(recipe, k) for k in range(1, measurement.samples + 1)]
    groups = (tuple(error + apart for error in curve) for apart in (0.5, -0.5))
    return ensemble.Numbers(tuple(groups), scaled)


def _responses(world: World, recipe: Recipe, _: responses.Responses) -> responses.Numbers:
    found = ((mode, world.varied(world.training(recipe, mode), recipe)) for mode in MODES)
    return responses.Numbers(tuple(responses.Switched(*mode, error) for mode, error in found), 20, 10, 100, ())


def _errors(world: World, recipe: Recipe, _: errors.Errors) -> errors.Numbers:
    return errors.Numbers(world.tested(recipe), world.tested(recipe) / 4)


def _sampled(world: World, recipe: Recipe, _: sampled.Sampled) -> sampled.Numbers:
    ratio = 1 + world.varied(world.sampled(recipe), recipe)
    return sampled.Numbers(tuple(sampled.Row(name, 1.0, ratio) for name in bns(recipe.net)))


def _chain(world: World, recipe: Recipe, _: chain.Chain) -> Mended:
    names, before, lost = bns(recipe.net), world.tested(recipe), world.lost(recipe)
    deviations = (world.deviation(recipe, at) for at in places(len(names)))
    after = (before - (1 - world.left(recipe, at)) * lost for at in places(len(names) + 1))
    return Mended(names, tuple(deviations), tuple(after))


def _inference(world: World, recipe: Recipe, measurement: inference.Inference) -> inference.Numbers:
    moving = world.tested(recipe)
    return inference.Numbers(moving, tuple(moving + world.gap(recipe, size) for size in measurement.sizes))


def _law(world: World, recipe: Recipe, _: law.Law) -> against_law.Comparison:
    rows = tuple(
        _compared(name, world.off(recipe, name), world.whole_off(recipe, name))
        for name in reached(recipe.net, recipe.placement, past_bns=False)
    )
    layers = {"first": 0.0, "middle": 0.5, "last": 1.0} if recipe.placement == "b" else {}
    off = {name: world.eq10_off(recipe, at) for name, at in layers.items()}
    seen = tuple(_seen(name, value) for name, value in off.items() if value is not None)
    return against_law.Comparison(rows, seen, images=1024)


def _compared(name: str, off: float | None, whole_off: float) -> against_law.Row:
    """Return a BN whose local shift is 0.8, what it inherits 0.9, and its variance in train mode 1."""
    local, inherited = 0.8, 0.9
    predicted = None if off is None else local * (1 + off)
    total = (predicted or local) * inherited * (1 + whole_off)
    return against_law.Row(
        bn=name,
        sources=(),
        predicted=predicted,
        stderr=None,
        eq10=None,
        clean_var=1.0,
        own_var=1 / local,
        test_var=total,
        train_var=1.0,
        quiet_var=total / inherited,
    )


def _seen(name: str, off: float) -> against_law.Seen:
    by_law = 0.8
    eq10 = by_law + off * (1 - by_law)
    return against_law.Seen(name, d=144, d_cos2=1.0, c=0.5, v=0.5, rho=0.1, eq10=eq10, law=by_law)


def _reordered(*_: object) -> orders.Reordered:
    """Return what no criterion looks at."""
    row = orders.Row("first", d=144, d_cos2=1.0, eq10=0.5, own=0.5, taps=0.5, channels=0.5, weights=0.5)
    return orders.Reordered((row,), images=1024)


MADE: Mapping[type, Callable[[World, Recipe, Any], Any]] = {
    shift.Shift: _shift,
    angles.Angles: _angles,
    adjust.Adjust: _adjust,
    ensemble.Ensemble: _ensemble,
    responses.Responses: _responses,
    errors.Errors: _errors,
    sampled.Sampled: _sampled,
    chain.Chain: _chain,
    inference.Inference: _inference,
    law.Law: _law,
    reordered.Reordered: _reordered,
}
"""by kind"""


def places(n: int) -> list[float]:
    """Return n places in a net, from 0 to 1."""
    return [index / (n - 1) for index in range(n)]
