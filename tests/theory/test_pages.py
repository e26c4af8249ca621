"""Whole pages, as a reader sees them."""

import pytest

from theory import EQUATIONS, rendering
from theory.rendering import document

PAGES = {
    "eq1": """\
eq1: Dropout's mask
Section 2, Eq. 1

    P(a) = p^aₖ (1 - p)^(1 - aₖ)

Arguments
    retain: must be 0 < retain <= 1
    a: must be 0 or 1

What follows (every step verified)
      E[aₖ xₖ/p]
    = E[aₖ] E[xₖ]/p
          the mask does not look at the input  [noise apart from inputs]
    = E[xₖ]
          a unit is kept with probability p: training and test have the same mean  [retain]

Needs
    noise apart from inputs (the noise is independent of the inputs); without it start - result
        would be -(p E[xₖ] - E[aₖ xₖ])/p
    retain (E[aᵢ] = p); without it start - result would be -(p - E[aₖ]) E[xₖ]/p""",
    "eq9": """\
eq9: the correlation behind Dropout
Section 3.2, Eq. 9

    ρᵃˣ = v ρ/((c² + v)/p - c²)

Arguments
    retain: must be 0 < retain <= 1
    c: must be a finite number
    v: must be a finite number > 0
    rho: must be -1/(d-1) <= rho <= 1

Derivation (every step verified)
      Cov[aᵢ xᵢ, aⱼ xⱼ]/(√(Var[aᵢ xᵢ]) √(Var[aⱼ xⱼ]))
    = (E[xᵢ xⱼ] E[aᵢ] E[aⱼ] - E[aᵢ] E[aⱼ] E[xᵢ] E[xⱼ])/(√(Var[aᵢ xᵢ]) √(Var[aⱼ xⱼ]))
          masks look neither at the inputs nor at each other  [noise apart from inputs, noises
          apart]
    = p² v ρ/(√(Var[aᵢ xᵢ]) √(Var[aⱼ xⱼ]))
          E[a] = p, and the input's correlation  [retain, common mean, common correlation]
    = v ρ/((c² + v)/p - c²)
          Eq. 5: each deviation is p √((c² + v)/p - c²)  [noise apart from inputs, bits, retain,
          common mean, common variance]

Needs
    noises apart (the noises of different inputs are independent); without it start - result would
        be (c² + v ρ) (p² - E[aᵢ aⱼ])/(p (c² p - c² - v))
    common correlation (Cov(xᵢ, xⱼ) = ρ v for i ≠ j, so E[xᵢ xⱼ] = c² + ρ v); without it start -
        result would be p (c² + v ρ - E[xᵢ xⱼ])/(c² p - c² - v)
    noise apart from inputs (the noise is independent of the inputs); retain (E[aᵢ] = p); common
        mean (E[xᵢ] = c); bits (aᵢ is 0 or 1, so aᵢᵏ = aᵢ); common variance (Var(xᵢ) = v, so E[xᵢ²]
        = c² + v): without any of them start and result differ""",
    "cos2-bound": """\
cos2-bound: cos²θ <= 1, with equality where all weights agree
Section 3.2, Eq. 11

    d (1 - cos²θ) Σᵢ wᵢ² = Σᵢ Σⱼ≠ᵢ (wᵢ - wⱼ)²/2

Arguments
    w: must be finite numbers, not all of them 0, separated by commas

Derivation (every step verified; confirmed as a polynomial identity at d = 2, 3, 5, 8)
      d Σᵢ wᵢ² - (Σᵢ wᵢ)²
    = Σᵢ Σⱼ≠ᵢ (wᵢ - wⱼ)²/2
          Lagrange's identity
    ≥ 0
          a sum of squares; equality where all weights agree""",
}
CONDITIONS = """

Conditions
    batch_var is E_B[σ²], the expected biased batch variance
    unbiased if the m values of a batch are uncorrelated (see 'moving-correlated')

What follows (every step verified; confirmed as a polynomial identity at m = 2, 3, 5, 8)
"""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_statement_arguments_derivation_and_what_each_axiom_is_for(name: str):
    assert document(EQUATIONS[name]) == PAGES[name]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("limit-retain", "    ≤ (1 - p) (c² + v)/(p (v + v ρ (d cos²θ - 1)))"),
        ("deficit", "    > 0"),
    ],
)
def test_a_page_shows_bounds(name: str, line: str):
    assert line in document(EQUATIONS[name]).splitlines()


def test_what_is_left_without_an_axiom_is_shown_up_to_a_length(monkeypatch: pytest.MonkeyPatch):
    left = "(c² + v ρ) (p² - E[aᵢ aⱼ])/(p (c² p - c² - v))"
    monkeypatch.setattr(rendering, "LONGEST_RESIDUAL", len(left))
    assert left in " ".join(document(EQUATIONS["eq9"]).split())
    monkeypatch.setattr(rendering, "LONGEST_RESIDUAL", len(left) - 1)
    assert left not in " ".join(document(EQUATIONS["eq9"]).split())


def test_a_page_shows_conditions_between_arguments_and_derivation():
    assert CONDITIONS in document(EQUATIONS["eq3"])
