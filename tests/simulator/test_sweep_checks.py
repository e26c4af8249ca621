from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.description import Experiment, described
from simulator.grid import read_grid
from simulator.results import read_results
from simulator.sweep import Done, Sweep
from tests.simulator.descriptions import BN, MAPS, RELU, UNITS, dropout, experiment, linear, nested, residual

LITTLE: dict[str, Any] = {"replicas": 2, "batches": 1, "batch": 16}


def sweep_of(*layers: object, d: object = 4, batch: object = 16, **varied: object) -> dict[str, Any]:
    return experiment(*layers, BN, inputs=UNITS | {"d": d}, **LITTLE | {"batch": batch}) | varied


def test_a_draw_that_is_not_feasible_beside_another_is_told_with_the_remedy():
    def drawn(low: float) -> dict[str, Any]:
        description = sweep_of(d="$d", draws={"points": 20, "d": {"choices": [2, 300]}, "rho": {"low": low, "high": 1}})
        description["inputs"]["correlation"] = "$rho"
        return description

    told = r"inputs.correlation = -.*\(at d = .*, rho = -.*; all that may be drawn together must be feasible\)"
    with pytest.raises(ValueError, match=told):
        Sweep(drawn(-1))
    assert len(Sweep(drawn(-1 / 299)).grid.settings) == 20


def test_a_point_too_large_for_the_memory_is_told_before_the_first_is_measured(tmp_path: Path):
    large = sweep_of(RELU, batch="$batch", grid={"batch": [16, 10**9]})
    seen: list[Done] = []
    with pytest.raises(ValueError, match=r"batch = 1000000000: .*\(at batch = 1000000000\)"):
        Sweep(large).run(tmp_path / "a.csv", progress=seen.append)
    assert not seen
    assert not list(tmp_path.iterdir())


def test_what_nested_residuals_hold_counts_as_it_does_when_they_are_measured(tmp_path: Path):
    wide_or_deep = sweep_of(
        nested(8),
        linear("$units"),
        d="$d",
        batch=5000,
        draws={"points": 2, "d": {"choices": [10, 400]}, "units": {"choices": [1000, 10]}},
    )
    wide_or_deep["measure"]["seed"] = 7
    wide, deep = read_grid(wide_or_deep).settings
    assert (wide, deep) == ((10, 1000), (400, 10))  # the first has the widest layer, the second holds the most
    described(read_grid(wide_or_deep).description(wide)).require_memory(1)
    seen: list[Done] = []
    with pytest.raises(ValueError, match=r"batch = 5000: .*\(at d = 400, units = 10;"):
        Sweep(wide_or_deep).run(tmp_path / "a.csv", threads=1, progress=seen.append)
    assert not seen


def test_each_footprint_is_checked_once_and_only_for_points_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    checked: list[int] = []
    monkeypatch.setattr(Experiment, "require_memory", lambda self, _: checked.append(self.plan.shape[0]))
    little = sweep_of(dropout("$retain"), linear("$units"), grid={"units": [2], "retain": [0.5, 0.6, 0.7]})
    Sweep(little).run(tmp_path / "a.csv")
    assert checked == [2]
    more = little | {"grid": {"units": [2, 3], "retain": [0.5, 0.6, 0.7]}}
    for _ in range(2):
        Sweep(more).run(tmp_path / "a.csv")
        assert checked == [2, 3]
    Sweep(more).run(tmp_path / "b.csv")
    assert checked == [2, 3, 2, 3]


def test_points_that_cannot_be_measured_keep_no_others_from_it_and_are_tried_again(tmp_path: Path):
    file = tmp_path / "a.csv"
    # So rare that none of the 32 is kept.
    rare = sweep_of(dropout("$retain"), d=1, grid={"retain": [1e-6, 0.5, 2e-6, 0.6]})
    seen: list[Done] = []
    for _ in range(2):
        told = r"^2 of 4 points could not be measured; the first: bn 1: moving_var = 0: .* \(at retain = 1e-06\)$"
        with pytest.raises(ValueError, match=told):
            Sweep(rare).run(file, progress=seen.append)
        assert [row["retain"] for row in read_results(file).rows] == ["0.5", "0.6"]
        assert seen[-1] == Done(2, Sweep(rare).samples)
    before = file.read_bytes()
    assert Sweep(rare | {"grid": {"retain": [0.5, 0.6]}}).run(file) == 0  # the points that are kept are whole
    assert file.read_bytes() == before


blocks = st.recursive(
    st.sampled_from([RELU, linear(4), dropout(0.5)]),  # each makes 4 units of 4
    lambda inner: st.builds(
        lambda branch, shortcut: residual(*branch, shortcut=shortcut),
        st.lists(inner, min_size=1, max_size=2),
        st.lists(inner, max_size=2),
    ),
    max_leaves=5,
)
experiments = st.builds(
    lambda layers, batch: described(sweep_of(*layers, batch=batch)),
    st.lists(blocks, max_size=2),
    st.sampled_from([10**9, 10**9 + 1]),
)


def refused(experiment: Experiment) -> str:
    with pytest.raises(ValueError, match="batch = ") as told:
        experiment.require_memory(1)
    return str(told.value)


@settings(deadline=None, max_examples=200)
@given(experiments, experiments)
def test_experiments_of_one_footprint_take_the_same_memory(one: Experiment, other: Experiment):
    assert one.footprint != other.footprint or refused(one) == refused(other)


@pytest.mark.parametrize("changed", [{"mean": 1}, {"correlation": 0.5}, {"draw": "uniform"}])
def test_what_does_not_change_the_memory_does_not_change_the_footprint(changed: dict[str, object]):
    plain = sweep_of(RELU)
    assert described(plain | {"inputs": UNITS | changed}).footprint == described(plain).footprint
    double = plain | {"inputs": UNITS | {"mean": 1e6}}
    assert described(double).footprint != described(plain).footprint


def test_inputs_of_another_size_are_another_footprint_even_where_the_first_layer_makes_them_one():
    def pooled(size: int) -> Experiment:
        maps = MAPS | {"channels": 1, "size": size}
        return described(sweep_of({"kind": "average-pool", "kernel": size}, batch=10**9) | {"inputs": maps})

    assert refused(pooled(8)) != refused(pooled(16))
    assert pooled(8).footprint != pooled(16).footprint
    assert pooled(8).footprint == pooled(8).footprint
