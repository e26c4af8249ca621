"""Both error rates of the simulated checks: by Student's density, by what is told apart, and by simulation."""

from contextlib import suppress
from math import gamma, nan, pi, sqrt
from typing import Any, cast

import numpy as np
import pytest
from mpmath import inf, quad

from paper_checks.comparing import value
from paper_checks.error_rates import (
    POWER,
    SHARE,
    Budget,
    Comparison,
    agree,
    difference,
    disagree,
    quotient,
    rejects_at,
    root,
    surely_above,
    surely_seen_at,
    times,
)
from paper_checks.ledger import Evidence, check, control
from paper_checks.rates import Rates, kept
from simulator import Dropout, Equicorrelated, Estimate, measure_case
from theory import EQUATIONS

RUNS = 800
TRIES, REPLICAS = 20_000, 50
MISSED = TRIES * (1 - POWER)


@pytest.fixture(autouse=True)
def budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is spent here is not the paper's."""
    monkeypatch.setattr("paper_checks.error_rates.BUDGET", Budget())
    monkeypatch.setattr("paper_checks.error_rates.COMPARISONS", 10 * TRIES)


def beyond(t: float, freedom: int) -> float:
    """The probability of Student's t above a value, by its density."""
    scale = gamma((freedom + 1) / 2) / (sqrt(freedom * pi) * gamma(freedom / 2))
    return float(quad(lambda x: scale * (1 + x * x / freedom) ** (-(freedom + 1) / 2), [t, 2 * t, inf]))


def about(mean: float, standard_errors: float, error: float = 0.001) -> Estimate:
    """An estimate that is off by so many of its standard errors."""
    return Estimate(mean + standard_errors * error, error, 1000)


@check("ERROR-RATES", Evidence.SIMULATED)
@pytest.mark.parametrize("replicas", [12, 50, 200])
def test_few_replicas_reject_where_students_tails_hold_a_share_of_the_budget(replicas: int) -> None:
    assert 2 * beyond(rejects_at(replicas), replicas - 1) == pytest.approx(SHARE, rel=1e-6)
    assert rejects_at(12) > rejects_at(50) > rejects_at(200) > rejects_at()


@control("ERROR-RATES")
def test_an_estimate_agrees_up_to_where_it_rejects() -> None:
    agree(about(1, 0.999 * rejects_at()), 1)
    agree(about(1, 1.001 * rejects_at()), 1, catches=0.02, replicas=50)
    for off in (1.001, -1.001):
        with pytest.raises(AssertionError, match="is more than"):
            agree(about(1, off * rejects_at()), 1)


@control("ERROR-RATES")
def test_what_is_no_number_agrees_with_nothing() -> None:
    with pytest.raises(AssertionError, match="is more than"):
        agree(Estimate(nan, 0.001, 1000), 1)


@control("ERROR-RATES")
def test_an_estimate_too_rough_for_its_promise_fails_though_it_is_right() -> None:
    agree(about(1, 0), 1, catches=0.001 * surely_seen_at())
    with pytest.raises(AssertionError, match="too rough"):
        agree(about(1, 0), 1, catches=0.00099 * surely_seen_at())


@control("ERROR-RATES")
def test_a_control_that_might_have_passed_is_not_decisive() -> None:
    disagree(about(1, 2.01 * surely_seen_at()), 1)
    with pytest.raises(AssertionError, match="not decisive"):
        disagree(about(1, 1.99 * surely_seen_at()), 1)


@control("ERROR-RATES")
def test_one_is_surely_above_another_beyond_what_both_may_be_off() -> None:
    assert surely_above(about(1, 2.001 * rejects_at()), about(1, 0))
    assert not surely_above(about(1, 1.999 * rejects_at()), about(1, 0))
    assert not surely_above(about(1, -10 * rejects_at()), about(1, 0))


@control("ERROR-RATES")
def test_the_errors_of_what_is_made_of_two_estimates_add_up() -> None:
    one, other = Estimate(6.0, 0.3, 10), Estimate(4.0, 0.2, 20)
    assert difference(one, other) == Estimate(2.0, 0.5, 10)
    assert (quotient(one, other).value, quotient(one, other).stderr) == (1.5, pytest.approx(1.5 * (0.05 + 0.05)))
    assert (root(other).value, root(other).stderr) == (2.0, pytest.approx(0.05))
    assert times(-2, one) == Estimate(-12.0, 0.6, 10)


@control("ERROR-RATES")
def test_a_budget_that_is_overspent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paper_checks.error_rates.COMPARISONS", 2)
    budget = Budget()
    budget.spend(Comparison(about(1, 0), 1.0, catches=0.01, replicas=None))
    budget.spend()
    with pytest.raises(AssertionError, match="raise COMPARISONS"):
        budget.spend()


def agreeing(estimates: list[Estimate]) -> int:
    """How many of them pass for 1, by a promise to catch an error of a hundredth."""
    passed = 0
    for estimate in estimates:
        with suppress(AssertionError):
            agree(estimate, 1.0, catches=0.01, replicas=REPLICAS)
            passed += 1
    return passed


def replicated(mean: float, error: float, rng: np.random.Generator) -> list[Estimate]:
    """Estimates from a few normal replicas each, whose mean has such a standard error in truth."""
    values = rng.normal(mean, error * sqrt(REPLICAS), (TRIES, REPLICAS))
    errors = values.std(axis=1, ddof=1) / sqrt(REPLICAS)
    return [Estimate(value, stderr, REPLICAS) for value, stderr in zip(values.mean(axis=1), errors, strict=True)]


@check("ERROR-RATES", Evidence.SIMULATED)
@pytest.mark.parametrize("precision", [0.8, 1.0, 1.25])
def test_an_error_of_the_size_that_is_named_is_missed_as_rarely_as_promised(
    rng: np.random.Generator, precision: float
) -> None:
    """However precise the estimates are in truth: too rough ones fail for that."""
    error = 0.01 / (precision * surely_seen_at(REPLICAS))
    assert agreeing(replicated(1.01, error, rng)) <= MISSED + 5 * sqrt(MISSED)


@control("ERROR-RATES")
def test_an_error_of_half_that_size_is_missed_oftener(rng: np.random.Generator) -> None:
    error = 0.01 / (1.25 * surely_seen_at(REPLICAS))
    assert agreeing(replicated(1.005, error, rng)) > 10 * MISSED


@check("ERROR-RATES", Evidence.SIMULATED)
def test_precise_estimates_of_the_truth_all_pass(rng: np.random.Generator) -> None:
    error = 0.01 / (2 * surely_seen_at(REPLICAS))
    assert agreeing(replicated(1.0, error, rng)) == TRIES


@check("ERROR-RATES", Evidence.SIMULATED)
def test_standard_errors_are_as_large_as_what_they_tell_of(rng: np.random.Generator) -> None:
    """It allows a count five standard deviations, and would see errors that are too small by a quarter."""
    shift = value("eq6", retain=0.5, c=0.5, v=1)
    unit, noise = Equicorrelated(1, 0.5, 1.0, 0.0), Dropout(0.5)
    found = [measure_case("a", unit, noise, None, 20_000, rng).shift for _ in range(RUNS)]
    off = np.array([(each.value - shift) / each.stderr for each in found])
    expected = RUNS * 0.3173  # beyond one standard error
    assert np.sum(abs(off) > 1) == pytest.approx(expected, abs=5 * sqrt(expected * (1 - 0.3173)))
    assert np.sum(abs(off) > 0.75) > expected + 5 * sqrt(expected * (1 - 0.3173))  # the control


def faults(found: Rates) -> list[str]:
    """What a record tells against the checks.

    Standard errors may be too large, as those of differences are, but not too small by a twentieth. Each check has
    twice as many tries as seeds, which cannot tell POWER from 0.99: by design it is beyond both.
    """
    told = {
        "alarms": bool(found["alarms"]),
        "deviations": found["deviations"]["rms"] > 1.05 or found["deviations"]["beyond"]["3"] > 0.005,
        "power": min(found["noticed"].values()) < 0.99 or found["promised"] != POWER,
        "missed": any(own["seeds"] < found["falsified"] for own in found["caught"].values()),
    }
    return [name for name, wrong in told.items() if wrong]


@check("ERROR-RATES", Evidence.SIMULATED)
def test_over_many_seeds_no_check_has_failed_and_each_equation_too_large_by_one_percent_was_caught() -> None:
    """By the record of `python -m paper_checks rates`."""
    found = kept()
    assert faults(found) == []
    assert found["seeds"] >= 300
    assert found["falsified"] >= 20
    assert {f"eq{number}" for number in range(5, 14)} | {"law", "shift", "chain"} <= found["caught"].keys()
    assert sorted([*found["caught"], *found["not_simulated"]]) == sorted(EQUATIONS)


@control("ERROR-RATES")
@pytest.mark.parametrize(
    ("field", "spoilt", "fault"),
    [
        ("alarms", ["test_a, seed 1"], "alarms"),
        ("deviations", {"rms": 1.1, "beyond": {"3": 0.003}}, "deviations"),
        ("deviations", {"rms": 1.0, "beyond": {"3": 0.01}}, "deviations"),
        ("noticed", {"test_a": 1.0, "test_b": 0.98}, "power"),
        ("promised", 0.9, "power"),
        ("caught", {"eq6": {"checks": 1, "seeds": 1}}, "missed"),
    ],
)
def test_a_record_of_rates_that_are_not_kept_is_told(field: str, spoilt: Any, fault: str) -> None:
    assert faults(cast(Rates, {**kept(), field: spoilt})) == [fault]
