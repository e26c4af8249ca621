"""Both error rates of every statistical check, stated and bounded.

A run spends at most `FALSE_ALARMS` in all; each of its comparisons is granted an equal share of it. A comparison that
would not notice an error of the size it promises with probability `POWER` fails for weakness, whatever it measured.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import NormalDist

from simulator import Estimate

FALSE_ALARMS = 1e-6
COMPARISONS = 1000
POWER = 0.999

REJECTS_AT = NormalDist().inv_cdf(1 - FALSE_ALARMS / COMPARISONS / 2)
SURELY_SEEN_AT = REJECTS_AT + NormalDist().inv_cdf(POWER)

Measure = Callable[[int], Estimate]


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
            f"{len(self.caught)} statistical comparisons, each rejecting at {REJECTS_AT:.2f} standard errors: false "
            f"alarms below {FALSE_ALARMS:g} a run; errors of {max(self.caught):.2%} (the weakest check) would be "
            f"caught with probability {POWER}"
        )


BUDGET = Budget()


def agree(estimate: Estimate, exact: float, catches: float = 0.01) -> None:
    """Assert that an estimate is compatible with a value.

    Args:
        estimate: what was measured.
        exact: what it should be.
        catches: the relative error that the comparison promises to notice with probability POWER.

    Raises:
        AssertionError: where they differ by more than the standard error allows, or the estimate is too rough to keep
            the promise.
    """
    smallest = SURELY_SEEN_AT * estimate.stderr / abs(exact)
    BUDGET.spend(smallest)
    assert smallest <= catches, f"too rough: would only catch {smallest:.2%}, not {catches:.2%}"
    distance = abs(estimate.value - exact) / estimate.stderr if estimate.stderr else abs(estimate.value - exact) * 1e12
    assert distance <= REJECTS_AT, f"{estimate} is {distance:.1f} standard errors from {exact:.6g}"


def disagree(estimate: Estimate, wrong: float) -> None:
    """A negative control: assert that an estimate rejects a value, which therefore must be far from the truth."""
    distance = abs(estimate.value - wrong) / estimate.stderr
    assert distance > 2 * SURELY_SEEN_AT, f"the control is not decisive: {estimate} against {wrong:.6g}"


def powered(measure: Measure, exact: float, catches: float = 0.01, pilot: int = 200_000) -> Estimate:
    """Measure with as many samples as the promise needs: a pilot tells the standard error, a fresh run decides.

    Args:
        measure: takes a number of samples to an estimate of them; every call draws afresh.
        exact: the expected value, by which the error is relative.
        catches: the promised relative error.
        pilot: how many samples the first run takes.
    """
    first = measure(pilot)
    wanted = 0.8 * catches * abs(exact) / SURELY_SEEN_AT
    return first if first.stderr <= wanted else measure(int(first.n * (first.stderr / wanted) ** 2))
