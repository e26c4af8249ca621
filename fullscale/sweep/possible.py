"""Whether a measurement's numbers are all there, and possible: what a list lacks, or means, no type tells.

Apart from the measurements themselves: a stricter check is no other code behind their numbers.
"""

from collections.abc import Callable, Iterable, Mapping
from math import isclose
from statistics import fmean
from typing import Any

from fullscale.measurements.kinds import (
    Adjust,
    Angles,
    Chain,
    Ensemble,
    Errors,
    Inference,
    Law,
    Measurement,
    Reordered,
    Responses,
    Sampled,
    Shift,
)
from fullscale.responses import MODES


def possible(measurement: Measurement, numbers: Any) -> bool:
    """Say whether numbers, of the measurement's own type, are as many as it takes, and in their domains."""
    return POSSIBLE[type(measurement)](measurement, numbers)


def _shift(_: Shift, numbers: Any) -> bool:
    ratios = all(row.shift_ratio >= 1 and row.floor >= 1 for row in numbers.rows)
    return (
        ratios
        and _are_positive(numbers.rows, "moving_var", "real_var", "train_var")
        and _are_means(numbers, "shift_ratio", "floor")
    )


def _angles(_: Angles, numbers: Any) -> bool:
    return all(0 <= row.cos2 <= 1 for row in numbers.rows) and _are_means(numbers, "cos2", "d_cos2")


def _adjust(measurement: Adjust, numbers: Any) -> bool:
    tested = (numbers.before, *numbers.readings.values())
    return set(numbers.readings) == set(measurement.readings) and _are_percent(*(each.error for each in tested))


def _ensemble(measurement: Ensemble, numbers: Any) -> bool:
    errors = (numbers.weight_scaling, *(error for group in numbers.errors for error in group))
    sizes = [len(group) for group in numbers.errors]
    return sizes == [measurement.samples] * measurement.groups and _are_percent(*errors)


def _responses(measurement: Responses, numbers: Any) -> bool:
    modes = [(each.noise, each.by_batch) for each in numbers.errors] == [*MODES]
    counts = 0 <= numbers.flipped <= numbers.flipped + numbers.recovered <= numbers.images
    return modes and counts and _are_percent(*(each.error for each in numbers.errors)) and _shown(measurement, numbers)


def _shown(measurement: Responses, numbers: Any) -> bool:
    """Whether there are no more examples than were flipped and kept, each with a logit for every class."""
    examples = numbers.examples
    classes = {len(logits) for each in examples for logits in (each.train_logits, each.test_logits)}
    labels = all(0 <= each.label < len(each.train_logits) for each in examples)
    return len(examples) <= min(measurement.keep, numbers.flipped) and len(classes) <= 1 and labels


def _errors(_: Errors, numbers: Any) -> bool:
    return _are_percent(numbers.top1, numbers.top5) and numbers.top5 <= numbers.top1


def _chain(_: Chain, numbers: Any) -> bool:
    bns = len(numbers.names)
    many = len(numbers.deviations) == bns == len(numbers.errors) - 1 and bns > 1
    return many and min(numbers.deviations) >= 0 and _are_percent(*numbers.errors)


def _inference(measurement: Inference, numbers: Any) -> bool:
    return len(numbers.by_batch) == len(measurement.sizes) and _are_percent(numbers.moving, *numbers.by_batch)


def _law(_: Law, numbers: Any) -> bool:
    variances = _are_positive(numbers.rows, "clean_var", "own_var", "test_var", "train_var", "quiet_var")
    said = [shift for row in numbers.rows for shift in (row.predicted, row.eq10) if shift is not None]
    seen = [shift for each in numbers.seen for shift in (each.law, each.eq10)]
    noisy = all(row.own_var != row.clean_var for row in numbers.rows)
    return variances and noisy and all(0 < shift < 1 for shift in (*said, *seen))


def _reordered(_: Reordered, numbers: Any) -> bool:
    shifts = [shift for row in numbers.rows for shift in (row.eq10, row.own, row.taps, row.channels, row.weights)]
    return bool(shifts) and all(0 < shift < 1 for shift in shifts)


def _sampled(_: Sampled, numbers: Any) -> bool:
    return _are_positive(numbers.rows, "moving_var", "sampled_var")


POSSIBLE: Mapping[type[Measurement], Callable[[Any, Any], bool]] = {
    Shift: _shift,
    Angles: _angles,
    Adjust: _adjust,
    Ensemble: _ensemble,
    Responses: _responses,
    Errors: _errors,
    Sampled: _sampled,
    Chain: _chain,
    Inference: _inference,
    Law: _law,
    Reordered: _reordered,
}
"""by kind"""


def _are_means(numbers: Any, *names: str) -> bool:
    """Whether what is said of a net is the mean of its rows, so that none of them is missing."""
    rows = numbers.rows
    return bool(rows) and all(
        isclose(getattr(numbers, name), fmean(getattr(row, name) for row in rows)) for name in names
    )


def _are_percent(*values: float) -> bool:
    return all(0 <= value <= 100 for value in values)


def _are_positive(rows: Iterable[Any], *names: str) -> bool:
    """Whether there are rows, and all such fields of theirs are > 0."""
    rows = list(rows)
    return bool(rows) and all(getattr(row, name) > 0 for row in rows for name in names)
