"""What the simulator measures, against what theory derives, over the whole feasible domain."""

from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simulator import (
    Array,
    BatchNorm,
    Dropout,
    Equicorrelated,
    Estimate,
    FeatureMaps,
    GaussianDropout,
    Linear,
    Stack,
    Uout,
    measure_case,
    weights_with_cos2,
)
from simulator.draws import Draw, DType
from simulator.noise import Per
from theory import EQUATIONS

NOISES = {
    "noise-dropout": (Dropout, "retain"),
    "noise-uout": (Uout, "beta"),
    "noise-gaussian": (GaussianDropout, "sigma"),
}
REPLICAS = 200


def value(name: str, **values: Any) -> float:
    return EQUATIONS[name].evaluate(**values)


@dataclass(frozen=True)
class Setting:
    """One feasible setting of case (b), of case (a) at d = 1, and a seed."""

    d: int
    c: float
    v: float
    rho: float
    cos2: float
    kind: str
    strength: float
    per: Per = "element"
    draw: Draw = "gaussian"
    dtype: DType = "float64"
    seed: int = 0

    @property
    def freedom(self) -> float | None:
        return 9.0 if self.draw == "student-t" else None

    @property
    def inputs(self) -> Equicorrelated:
        return Equicorrelated(self.d, self.c, self.v, self.rho, self.draw, self.freedom, self.dtype)

    @property
    def maps(self) -> FeatureMaps:
        return FeatureMaps(self.d, (3, 2), self.c, self.v, self.rho, 0.0, self.draw, self.freedom, self.dtype)

    @property
    def weights(self) -> Array:
        return weights_with_cos2(self.d, self.cos2, np.random.default_rng(self.seed))

    @property
    def noise(self) -> Any:
        return NOISES[self.kind][0](self.strength, self.per)

    @property
    def noise_var(self) -> float:
        return value(self.kind, **{NOISES[self.kind][1]: self.strength})

    def derived(self) -> tuple[float, float, float]:
        """Var_Train, Var_Test and their ratio."""
        w, moments = self.weights.tolist(), {"c": self.c, "v": self.v, "rho": self.rho, "d": self.d, "cos2": self.cos2}
        var_test = value("eq8", v=self.v, rho=self.rho, w=w)
        squares = [self.c**2 + self.v] * self.d
        var_train = value("law", var_test=max(0.0, var_test), noise_var=self.noise_var, w=w, second_moments=squares)
        shift = value("shift", noise_var=self.noise_var, **moments)
        if self.kind == "noise-dropout":
            assert value("eq10", retain=self.strength, **moments) == pytest.approx(shift, rel=1e-9)
        return var_train, var_test, shift

    def agrees(self, estimates: tuple[Estimate, Estimate, Estimate], derived: tuple[float, ...] | None = None) -> bool:
        """Say whether all three are within 6.5 standard errors of what is derived, and of x's rounding."""
        var_train, var_test, shift = derived or self.derived()
        power = self.c**2 + self.v
        # The weights are unit vectors: a sum of roundings of the order of eps |x| each, and x's own mean rounded.
        rounding = 10 * self.d * float(np.finfo(self.dtype).eps) * power
        scales = (rounding, rounding, rounding / var_train)
        return all(
            abs(estimate.value - truth) <= 6.5 * estimate.stderr + scale
            for estimate, truth, scale in zip(estimates, (var_train, var_test, shift), scales, strict=True)
        )


@st.composite
def feasible(draw: st.DrawFn) -> Setting:
    d = draw(st.integers(1, 9))
    lowest = -1 / (d - 1) if d > 1 else -1.0
    kind = draw(st.sampled_from(sorted(NOISES)))
    strongest, weakest = {"noise-dropout": (0.25, 1.0), "noise-uout": (1.0, 0.0), "noise-gaussian": (1.5, 0.0)}[kind]
    setting = Setting(
        d=d,
        c=draw(st.floats(-3, 3) | st.just(0.0)),
        v=draw(st.floats(0.05, 9)),
        rho=draw(st.floats(lowest, 1) | st.sampled_from([lowest, 0.0, 1.0])),
        cos2=draw(st.floats(0, 1) | st.sampled_from([0.0, 1.0])) if d > 1 else 1.0,
        kind=kind,
        strength=draw(st.floats(min(strongest, weakest), max(strongest, weakest)) | st.just(weakest)),
        per=draw(st.sampled_from(get_args(Per))),
        draw=draw(st.sampled_from(get_args(Draw))),
        dtype=draw(st.sampled_from(get_args(DType))),
        seed=draw(st.integers(0, 2**32)),
    )
    # Where neither x nor the noise moves the sum, there is no variance to be compared.
    assume(setting.noise_var > 1e-3 or setting.v * (1 + setting.rho * (d * setting.cos2 - 1)) > 1e-3)
    return setting


def of_case(setting: Setting, noise: Any = None, samples: int = 60_000) -> tuple[Estimate, Estimate, Estimate]:
    """Measure with `measure_case`."""
    case, w = ("a", None) if setting.d == 1 else ("b", setting.weights)
    rng = np.random.default_rng(setting.seed)
    result = measure_case(case, setting.inputs, noise or setting.noise, w, samples, rng, threads=1)  # pyright: ignore[reportArgumentType]
    return result.var_train, result.var_test, result.shift


def of_stack(setting: Setting, inputs: Any, noise: Any = None, batch: int = 64) -> tuple[Estimate, Estimate, Estimate]:
    """Measure with `Stack.measure`: two units of the same weights, but for a sign."""
    stack = Stack([noise or setting.noise, Linear([setting.weights, -setting.weights]), BatchNorm(2)])
    rng = np.random.default_rng(setting.seed)
    (reading,) = stack.measure(inputs, rng, replicas=REPLICAS, batches=2, batch=batch, threads=1)
    return reading.moving_var, reading.real_var, reading.shift


@settings(deadline=None, max_examples=60)
@given(feasible())
def test_what_a_case_measures_is_what_theory_derives(setting: Setting):
    assert setting.agrees(of_case(setting))


@settings(deadline=None, max_examples=30)
@given(feasible())
def test_what_a_stack_measures_is_what_theory_derives(setting: Setting):
    assert setting.agrees(of_stack(setting, setting.inputs))


@settings(deadline=None, max_examples=20)
@given(feasible())
def test_over_maps_of_independent_positions_it_is_the_same(setting: Setting):
    assume(setting.per == "element")
    assert setting.agrees(of_stack(setting, setting.maps, batch=32))


@dataclass(frozen=True)
class Forgetful(Dropout):
    """Sabotage: 1/p forgotten."""

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        return super().train(x, rng) * self.retain


@dataclass(frozen=True)
class Shared(Dropout):
    """Sabotage: one mask for all inputs of a sample."""

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        return x * super().train(np.ones((len(x), 1), x.dtype), rng)


HALF = Setting(d=6, c=0.7, v=1.5, rho=-0.1, cos2=0.3, kind="noise-dropout", strength=0.5, draw="uniform")
UNIT = replace(HALF, d=1, cos2=1.0, kind="noise-uout", strength=0.8, c=0.0)


@pytest.mark.parametrize("dtype", get_args(DType))
def test_a_wrong_noise_and_a_wrong_formula_would_be_noticed(dtype: DType):
    half = replace(HALF, dtype=dtype)
    assert half.agrees(of_case(half, samples=400_000))
    assert half.agrees(of_stack(half, half.inputs, batch=1024))
    for wrong in (Forgetful(0.5), Shared(0.5), Dropout(0.55), GaussianDropout(0.9)):
        assert not half.agrees(of_case(half, wrong, samples=400_000))
        assert not half.agrees(of_stack(half, half.inputs, wrong, batch=1024))
    for change in ({"rho": 0.1}, {"c": 0.6}, {"v": 1.6}, {"cos2": 0.4}, {"d": 5}, {"strength": 0.52}):
        assert not half.agrees(of_case(half, samples=400_000), replace(half, **change).derived())


def test_a_single_unit_is_case_a_of_eqs_6_and_13():
    for setting, name, values in (
        (UNIT, "eq13", {"beta": 0.8}),
        (replace(UNIT, kind="noise-dropout", c=0.7), "eq6", {"retain": 0.8, "c": 0.7, "v": 1.5}),
    ):
        assert setting.derived()[2] == pytest.approx(value(name, **values), rel=1e-12)
        assert setting.agrees(of_case(setting, samples=400_000))
        assert not setting.agrees(of_case(setting, samples=400_000), replace(setting, strength=0.7).derived())
