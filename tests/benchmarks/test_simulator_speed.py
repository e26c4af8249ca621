"""The programs that race in the benchmark compute the same thing, and it runs."""

import runpy
from pathlib import Path

import pytest

from theory import EQUATIONS

BENCHMARK = runpy.run_path(str(Path(__file__).parent / "simulator_speed.py"))


@pytest.mark.parametrize("program", ["obvious_numpy", "obvious_torch", "threaded_torch", "simulator"])
def test_every_program_measures_the_shift_of_the_setting(program: str):
    names = {"retain": "RETAIN", "c": "C", "v": "V", "rho": "RHO", "d": "D", "cos2": "COS2"}
    derived = EQUATIONS["eq10"].evaluate(**{argument: BENCHMARK[name] for argument, name in names.items()})
    shift = BENCHMARK[program](60, 1)
    assert abs(shift.value - derived) < 6 * shift.stderr
    assert shift.stderr < 0.03 * derived


def test_the_seconds_needed_fall_with_the_rate_and_grow_with_the_variance():
    run, needed = BENCHMARK["Run"], BENCHMARK["seconds_needed"]
    (slow, fast), (noisy, _) = needed([run(1e6, 2.0), run(2e6, 2.0)]), needed([run(1e6, 8.0), run(2e6, 8.0)])
    assert (slow / fast, noisy / slow) == pytest.approx((2, 4))


def test_a_timed_run_tells_its_rate():
    run = BENCHMARK["timed"](BENCHMARK["simulator"], 0.05, 0)
    assert run.rate > 1e5
    assert run.variance > 0
