"""Whether a measurement's numbers are all there, and possible: what a list lacks, no type tells."""

from collections.abc import Iterable
from math import isclose
from statistics import fmean
from typing import Any

from fullscale.measurements.kinds import Adjust, Angles, Ensemble, Errors, Measurement, Responses, Shift
from fullscale.responses import MODES


def complete(measurement: Measurement, numbers: Any) -> bool:
    """Say whether numbers, of the measurement's own type, are as many as it takes, and errors are percent."""
    match measurement:
        case Shift():
            right = _are_means(numbers, "shift_ratio", "floor")
        case Angles():
            right = _are_means(numbers, "cos2", "d_cos2")
        case Adjust(readings=readings):
            tested = (numbers.before, *numbers.readings.values())
            right = set(numbers.readings) == set(readings) and _are_percent(each.error for each in tested)
        case Ensemble(samples=samples, groups=groups):
            errors = (numbers.weight_scaling, *(error for group in numbers.errors for error in group))
            right = [len(group) for group in numbers.errors] == [samples] * groups and _are_percent(errors)
        case Responses():
            modes, changed = (
                [(each.noise, each.by_batch) for each in numbers.errors],
                numbers.flipped + numbers.recovered,
            )
            right = (
                modes == [*MODES] and changed <= numbers.images and _are_percent(each.error for each in numbers.errors)
            )
        case Errors():
            right = _are_percent((numbers.top1, numbers.top5))
        case _:
            right = True
    return right


def _are_means(numbers: Any, *names: str) -> bool:
    """Whether what is said of a net is the mean of its rows, so that none of them is missing."""
    rows = numbers.rows
    return bool(rows) and all(
        isclose(getattr(numbers, name), fmean(getattr(row, name) for row in rows)) for name in names
    )


def _are_percent(values: Iterable[float]) -> bool:
    return all(0 <= value <= 100 for value in values)
