"""Both error rates of every statistical check, stated and bounded.

A run spends at most `FALSE_ALARMS` in all; each of its comparisons is granted an equal share of it. A comparison that
would not notice an error of the size it promises with probability `POWER` fails for weakness, whatever it measured.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist

from mpmath import betainc, findroot, log

from simulator import Estimate

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


@dataclass
class Budget:
    """What a run has spent: one entry for each comparison, the relative error that it would have caught."""

    caught: list[float] = field(default_factory=list)

    def spend(self, smallest: float) -> None:
        """Enter a comparison.

        Raises:
            AssertionError: where the run makes more comparisons than the budget was divided by.
        """
        self.caught.append(smallest)
        assert len(self.caught) <= COMPARISONS, f"more than {COMPARISONS} comparisons: raise COMPARISONS"

    def __str__(self) -> str:
        if not self.caught:
            return "no statistical comparison was made"
        return (
            f"{len(self.caught)} statistical comparisons, each rejecting at {rejects_at():.2f} standard errors or "
            f"more: false alarms below {FALSE_ALARMS:g} a run; errors of {max(self.caught):.2%} (the weakest "
            f"check) would be caught with probability {POWER}"
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
    smallest = surely_seen_at(replicas) * estimate.stderr / abs(exact)
    BUDGET.spend(smallest)
    assert smallest <= catches, f"too rough: would only catch {smallest:.2%}, not {catches:.2%}"
    allowed = rejects_at(replicas) * estimate.stderr + ROUNDING * abs(exact)
    assert abs(estimate.value - exact) <= allowed, f"{estimate} is more than {allowed:.2g} from {exact:.6g}"


def disagree(estimate: Estimate, wrong: float, replicas: int | None = None) -> None:
    """A negative control: assert that an estimate rejects a value, which therefore must be far from the truth."""
    distance = abs(estimate.value - wrong) / estimate.stderr
    assert distance > 2 * surely_seen_at(replicas), f"the control is not decisive: {estimate} against {wrong:.6g}"


def powered(measure: Measure, exact: float, catches: float = 0.01, pilot: int = 100_000) -> Estimate:
    """Measure with as many samples as the promise needs: a pilot tells how many, and a fresh run decides.

    Args:
        measure: takes a number of samples to an estimate of them; every call draws afresh.
        exact: the expected value, by which the error is relative.
        catches: the promised relative error.
        pilot: how many samples the first run takes, and the second at least.
    """
    first = measure(pilot)
    wanted = 0.8 * catches * abs(exact) / surely_seen_at()
    return measure(int(first.n * max(1.0, (first.stderr / wanted) ** 2)))
