"""The notebook: it runs as a script, and wherever its sliders are, formula and simulation agree."""

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = "paper_checks/explore.py"
MOST, ROUNDING = 6.0, 1e-9
# All in one process, whose imports take longer than a run. What we define takes the place of a cell that defines it:
# here the sliders, each at a share of its way, and but for once the picture.
TELL = """
import json
import marimo as mo
from paper_checks.explore import app
from paper_checks.side_by_side import EXPLORED, LABELS, curve, knobs

MIDDLE = dict.fromkeys(LABELS, 0.3) | {"rho": 0.6}  # where neither mean nor correlation is 0, so that all matter

def told(found):
    estimate = found["estimate"]
    return {
        "name": found["name"],
        "setting": found["setting"],
        "number": found["number"],
        "estimate": estimate and [estimate.value, estimate.stderr],
        "refusal": found["refusal"],
    }

def at(name, shares, **defined):
    def slider(key, allowed):
        return mo.ui.slider(steps=allowed, value=allowed[round((MIDDLE | shares)[key] * (len(allowed) - 1))])

    equation, again = mo.ui.dropdown([name], value=name), mo.ui.button(value=0)
    return app.run(defs={"slider": slider, "equation": equation, "again": again, **defined})[1]

def moved(name, key, shares):
    return {"key": key, **told(at(name, shares, picture=mo.md("")))}

def curved(name, key, setting):
    drawn = curve(name, setting, key)
    dots = [[drawn.values[drawn.at.index(x)], dot.value, dot.stderr] for x, dot in drawn.points.items()]
    return {"name": name, "key": key, "dots": dots, "svg": drawn.svg({})}

first, runs, curves = told(app.run()[1]), [], []
for name in EXPLORED:
    middle = at(name, {})
    runs += [{"key": "", **told(middle)}]
    curves += [curved(name, key, middle["setting"]) for key in knobs(name)]
    for key in knobs(name):
        runs += [moved(name, key, {key: share}) for share in (0, 0.15, 0.6, 1)]
    runs += [moved(name, "all", dict.fromkeys(knobs(name), share)) for share in (0, 1)]
    if {"d", "rho"} <= {*knobs(name)}:
        runs += [moved(name, "lowest", {"d": share / 9, "rho": 0}) for share in range(10)]
print(json.dumps({"first": first, "runs": runs, "curves": curves}))
"""

pytestmark = pytest.mark.skipif(find_spec("marimo") is None, reason="the extra `notebook` is not installed")


@dataclass(frozen=True)
class Run:
    """What the notebook shows at one setting of its sliders; `key` is the slider that is not in the middle."""

    key: str
    name: str
    setting: dict[str, float]
    number: float | None
    estimate: tuple[float, float] | None
    refusal: str


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def told() -> Any:
    process = run("-c", TELL)
    if process.returncode or process.stderr:
        pytest.fail(process.stderr)
    return json.loads(process.stdout)


@pytest.fixture(scope="module")
def runs(told: Any) -> list[Run]:
    return [Run(**one) for one in told["runs"]]


def apart(number: float, value: float, stderr: float) -> float:
    """By how many standard errors."""
    return max(0.0, abs(number - value) - ROUNDING) / max(stderr, ROUNDING)


def test_it_runs_as_a_script_and_says_nothing() -> None:
    process = run(NOTEBOOK)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_it_starts_at_the_example_of_the_readme(told: Any) -> None:
    assert told["first"]["name"] == "eq10"
    assert f"\n{told['first']['number']}\n" in (ROOT / "README.md").read_text()


def test_wherever_a_slider_is_formula_and_simulation_agree(runs: list[Run]) -> None:
    known = [(one, apart(one.number, *one.estimate)) for one in runs if one.number is not None and one.estimate]
    assert len({one.name for one, _ in known}) == 7
    assert not {f"{one}": errors for one, errors in known if errors > MOST}


def test_there_is_no_number_only_where_the_formula_divides_by_zero(runs: list[Run]) -> None:
    refused = [one for one in runs if one.number is None or one.estimate is None or one.refusal]
    assert refused
    for one in refused:
        assert (one.name, one.setting["cos2"], one.number, one.estimate) == ("eq12", 0, None, None)
        assert one.refusal.startswith("eq12 divides by zero at ")


def test_the_number_of_another_place_of_any_slider_would_be_noticed(runs: list[Run]) -> None:
    for name, group in groupby(runs, lambda one: one.name):
        middle, *others = group
        assert middle.estimate is not None
        for key in middle.setting:
            numbers = [one.number for one in others if one.key == key and one.number is not None]
            assert max(apart(number, *middle.estimate) for number in numbers) > MOST, (name, key)


def test_sliders_reach_correlations_below_zero_at_every_width_and_none_that_is_too_low(runs: list[Run]) -> None:
    lowest = [one.setting for one in runs if one.key == "lowest"]
    assert len({setting["d"] for setting in lowest}) >= 10
    assert all(0.99 / (1 - setting["d"]) >= setting["rho"] >= 1 / (1 - setting["d"]) for setting in lowest)


def test_every_curve_goes_through_the_error_bars_of_its_dots(told: Any) -> None:
    keys = {(one.name, key) for one in (Run(**one) for one in told["runs"]) for key in one.setting}
    assert {(one["name"], one["key"]) for one in told["curves"]} == keys
    for one in told["curves"]:
        assert one["svg"].startswith("<svg ")
        assert len(one["dots"]) >= 3
        assert max(apart(*dot) for dot in one["dots"]) < MOST, (one["name"], one["key"])
