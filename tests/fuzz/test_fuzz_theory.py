"""`python -m theory`, whatever is typed: a line about it, or the exact value."""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from theory import EQUATIONS
from theory.__main__ import main

from .contract import copy_of, examples, obedient, require_one_line, told_by
from .mutations import Group, mistyped, numbers

LINES: tuple[tuple[Group, ...], ...] = (
    (("eval",), ("eq10",), ("retain=0.5",), ("c=0",), ("v=1",), ("rho=0.2",), ("d=576",), ("cos2=0.02",)),
    (("eval",), ("law",), ("var_test=1",), ("noise_var=1",), ("w=1,2",), ("second_moments=3,4",)),
    (("show",), ("eq6",), ("--format", "latex")),
    (("list",),),
    (("axioms",),),
)
OTHERS: tuple[Group, ...] = (("--help",), ("rho=-1/5",), ("--tyro-print-completion", "bash"))


def eq5(retain: Fraction, c: Fraction, v: Fraction) -> Fraction:
    return (c**2 + v) / retain - c**2


OWN: dict[str, Callable[..., Fraction]] = {
    "eq5": eq5,
    "eq6": lambda retain, c, v: v / eq5(retain, c, v),
    "eq13": lambda beta: 3 / (3 + beta**2),
    "chain": lambda noise_var, depth: (1 + noise_var) ** -depth,
    "shift": lambda noise_var, c, v, rho, d, cos2: (
        (var_test := v * (1 + rho * (d * cos2 - 1))) / (var_test + noise_var * (c**2 + v))
    ),
}
"""written down here once more, to hold the program against"""


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(word for group in line[:2] for word in group))
@examples(12)
@given(st.data())
def test_a_mistyped_line_is_refused_in_one_line(line: tuple[Group, ...], desk: Path, data: DataObject) -> None:
    arguments = data.draw(mistyped(line, *OTHERS))
    with copy_of(desk) as place:
        told = obedient(main, "theory", arguments, place)
    assert told.code in {0, 2}
    assert told.code or (told.out and not told.err)


@examples(120)
@given(st.data())
def test_what_is_evaluated_is_a_number_and_what_cannot_be_is_a_line(data: DataObject) -> None:
    equation = EQUATIONS[data.draw(st.sampled_from(sorted(EQUATIONS)))]
    vectors = st.lists(numbers, min_size=1, max_size=3).map(",".join)
    drawn = {each.name: data.draw(vectors if each.is_vector else numbers) for each in equation.parameters}
    told = told_by(main, ["eval", equation.name, *(f"{name}={value}" for name, value in drawn.items())])
    if told.code:
        require_one_line(told, "theory")
        return
    value = float(told.out.splitlines()[-1])
    assert math.isfinite(value)
    if equation.name in OWN:
        exact = OWN[equation.name](**{name: Fraction(text) for name, text in drawn.items()})
        # Not to the last bit: a correlation that as a double equals its bound is taken to be the bound.
        assert value == pytest.approx(float(exact), rel=1e-12, abs=1e-12)
