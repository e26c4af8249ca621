"""A refusal tells what was wrong in one form, wherever it is raised and wherever it goes."""

import copy
import math
import pickle
from collections.abc import Callable
from typing import cast

import pytest

from simulator import BatchNorm, Dropout, Equicorrelated, Uout
from simulator.contracts import refusal


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301 - its own
def test_a_refusal_stays_whole_on_its_way_between_processes(again: Callable[[Exception], Exception]):
    there = refusal("retain", 1.2, "must lie in 0 < retain <= 1")
    assert str(again(there)) == str(there) == "retain = 1.2: must lie in 0 < retain <= 1"
    assert repr(again(there)) == repr(there) == "Refusal('retain', 1.2, 'must lie in 0 < retain <= 1')"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: Dropout(cast("float", "0.5")), "retain = 0.5: must be a finite number"),
        (lambda: BatchNorm(cast("int", 1.0)), "units = 1.0: must be a whole number >= 1"),
        (lambda: BatchNorm(1, momentum=math.nan), "momentum = nan: must be a finite number"),
        (lambda: BatchNorm(1, eps=math.inf), "eps = inf: must be a finite number"),
        (lambda: Uout(math.nan), "beta = nan: must be a finite number"),
        (lambda: Equicorrelated(2, 0.0, math.nan, 0.0), "variance v = nan: must be a finite number"),
        (
            lambda: Equicorrelated(1, 0.0, 1.0, -1.5),
            "correlation rho = -1.5: must lie in -1/(d-1) <= rho <= 1, which starts at -1 for d = 1",
        ),
    ],
)
def test_the_python_api_refuses_in_the_same_form(call: Callable[[], object], expected: str):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is compared below
        call()
    assert str(refused.value) == expected
