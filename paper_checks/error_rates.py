"""Both error rates of every statistical check, stated and bounded.

A run spends at most `FALSE_ALARMS` in all; each of its comparisons is granted an equal share of it. A comparison that
would not notice an error of the size it promises with probability `POWER` fails for weakness, whatever it measured.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist

from mpmath import betainc, findroot, log

from simulator import CaseResult, Estimate

FALSE_ALARMS = 1e-6
COMPARISONS = 1000
POWER = 0.999
ROUNDING = 1e-12  # of doubles, where an estimate has no sampling error

SHARE = FALSE_ALARMS / COMPARISONS

Measure = Callable[[int], Estimate]


@cache
def rejects_at(replicas: int | None = None) -> float:
    """How many standard errors a comparison may be off at its share of false alarms.

    The normal quantile, or Student's t where the standard error itself rests on few replicas.
    """
    if replicas is None:
        return NormalDist().inv_cdf(1 - SHARE / 2)
    freedom = replicas - 1

    def excess(t: float) -> float:
        beyond = betainc(freedom / 2, 0.5, 0, freedom / (freedom + t * t), regularized=True)
        return float(log(beyond) - log(SHARE))

    return float(findroot(excess, (5, 9), solver="anderson"))


def surely_seen_at(replicas: int | None = None) -> float:
    """From how many standard errors on a difference is rejected with probability POWER."""
    return rejects_at(replicas) + NormalDist().inv_cdf(POWER)


@dataclass(frozen=True)
class Comparison:
    """An estimate that is held against a value.

    Attributes:
        estimate: what was measured.
        exact: what it should be.
        catches: the relative error that the comparison promises to notice with probability POWER.
        replicas: how many independent replicas the standard error rests on, where they are few.
    """

    estimate: Estimate
    exact: float
    catches: float
    replicas: int | None

    @property
    def smallest(self) -> float:
        """The smallest relative error that would be noticed with probability POWER."""
        return surely_seen_at(self.replicas) * self.estimate.stderr / abs(self.exact)

    @property
    def allowed(self) -> float:
        """By how much the estimate may be off."""
        return rejects_at(self.replicas) * self.estimate.stderr + ROUNDING * abs(self.exact)

    def rejects(self, value: float) -> bool:
        """Whether the estimate is too far from a value."""
        return not abs(self.estimate.value - value) <= self.allowed  # a NaN is far from everything


@dataclass
class Budget:
    """What a run has spent.

    Attributes:
        comparisons: with a value.
        ordered: how many comparisons only asked which of two estimates is larger.
    """

    comparisons: list[Comparison] = field(default_factory=list)
    ordered: int = 0

    @property
    def spent(self) -> int:
        """How many comparisons were made."""
        return len(self.comparisons) + self.ordered

    def spend(self, comparison: Comparison | None = None) -> None:
        """Enter a comparison with a value, or one of order.

        Raises:
            AssertionError: where the run makes more comparisons than the budget was divided by.
        """
        if comparison is None:
            self.ordered += 1
        else:
            self.comparisons.append(comparison)
        assert self.spent <= COMPARISONS, f"more than {COMPARISONS} comparisons: raise COMPARISONS"

    def __str__(self) -> str:
        if not self.spent:
            return "no statistical comparison was made"
        smallest = [comparison.smallest for comparison in self.comparisons]
        weakest = f"{max(smallest):.2%} (the weakest check)" if smallest else "no promised size"
        return (
            f"{self.spent} statistical comparisons, {self.ordered} of them of order alone, each rejecting at "
            f"{rejects_at():.2f} standard errors or more: false alarms below {FALSE_ALARMS:g} a run; errors of "
            f"{weakest} would be caught with probability {POWER}"
        )


BUDGET = Budget()


def agree(estimate: Estimate, exact: float, catches: float = 0.01, replicas: int | None = None) -> None:
    """Assert that an estimate is compatible with a value.

    Args:
        estimate: what was measured.
        exact: what it should be.
        catches: the relative error that the comparison promises to notice with probability POWER.
        replicas: how many independent replicas the standard error rests on, where they are few.

    Raises:
        AssertionError: where they differ by more than the standard error allows, or the estimate is too rough to keep
            the promise.
    """
    comparison = Comparison(estimate, float(exact), catches, replicas)
    BUDGET.spend(comparison)
    assert comparison.smallest <= catches, f"too rough: would only catch {comparison.smallest:.2%}, not {catches:.2%}"
    assert not comparison.rejects(exact), f"{estimate} is more than {comparison.allowed:.2g} from {exact:.6g}"


def disagree(estimate: Estimate, wrong: float, replicas: int | None = None) -> None:
    """A negative control: assert that an estimate rejects a value, which therefore must be far from the truth.

    It asks for twice the distance at which `agree` surely sees a difference, and spends nothing of the budget: were the
    value right, it would pass by chance with a probability far below SHARE. Where the value is wrong by three times
    `surely_seen_at`, it fails by chance with a probability of at most 1 - POWER; nearer by, oftener.

    Raises:
        AssertionError: where the control is not decisive: the estimate is too rough, or the value too nearly right to
            be told apart, so that a comparison with it might have passed as well. It is no evidence against the claim.
    """
    distance = abs(estimate.value - wrong) / estimate.stderr
    assert distance > 2 * surely_seen_at(replicas), f"the control is not decisive: {estimate} against {wrong:.6g}"


def difference(one: Estimate, other: Estimate) -> Estimate:
    """One less the other; its error is at most the sum of theirs, whatever they share."""
    return Estimate(one.value - other.value, one.stderr + other.stderr, min(one.n, other.n))


def quotient(one: Estimate, other: Estimate) -> Estimate:
    """One over the other; to first order its relative error is at most the sum of theirs, whatever they share."""
    value = one.value / other.value
    stderr = (one.stderr + abs(value) * other.stderr) / abs(other.value)
    return Estimate(value, stderr, min(one.n, other.n))


def root(one: Estimate) -> Estimate:
    """The square root of a positive estimate, with its error to first order."""
    return Estimate(one.value**0.5, one.stderr / (2 * one.value**0.5), one.n)


def times(factor: float, one: Estimate) -> Estimate:
    """An estimate scaled by a number that is known."""
    return Estimate(factor * one.value, abs(factor) * one.stderr, one.n)


def surely_above(one: Estimate, other: Estimate | float, replicas: int | None = None) -> bool:
    """Whether one is larger beyond the sum of what each may be off at its share of false alarms; it spends one.

    Where it is not larger in truth, this says that it is with a probability of at most SHARE. Where it is larger by
    `surely_seen_at` times the sum of the standard errors, this says so with a probability of at least POWER; where it
    is larger by less, a no means nothing.

    Args:
        one: what was measured; `replicas` is as in `agree`.
        other: what was measured too, on the same replicas or on others, or a number that is known.
        replicas: how many independent replicas each standard error rests on, where they are few.
    """
    BUDGET.spend()
    gap = difference(one, other if isinstance(other, Estimate) else Estimate(other, 0.0, one.n))
    return gap.value > rejects_at(replicas) * gap.stderr


def powered(measure: Measure, exact: float, catches: float = 0.01, pilot: int = 100_000) -> Estimate:
    """Measure with as many samples as the promise needs: a pilot tells how many, and a fresh run decides.

    Args:
        measure: takes a number of samples to an estimate of them; every call draws afresh.
        exact: the expected value, by which the error is relative.
        catches: the promised relative error.
        pilot: how many samples the first run takes, and the second at least.
    """
    return measure(_samples(measure(pilot), exact, catches))


def all_agree(
    measure: Callable[[int], CaseResult], exact: Mapping[str, float], catches: float = 0.01, pilot: int = 100_000
) -> None:
    """Assert that quantities of one run are compatible with their values; it takes the samples that all promises need.

    Args:
        measure: takes a number of samples to what they show; every call draws afresh.
        exact: the expected value of each quantity, by its name in the result.
        catches: the promised relative error, of each.
        pilot: how many samples the first run takes, and the second at least.

    Raises:
        AssertionError: as `agree` does.
    """
    first = measure(pilot)
    result = measure(max(_samples(getattr(first, name), value, catches) for name, value in exact.items()))
    for name, value in exact.items():
        agree(getattr(result, name), value, catches)


def _samples(pilot: Estimate, exact: float, catches: float) -> int:
    """How many samples keep a promise, by the standard error of fewer; no fewer than those."""
    wanted = 0.8 * catches * abs(exact) / surely_seen_at()
    return int(pilot.n * max(1.0, (pilot.stderr / wanted) ** 2))
