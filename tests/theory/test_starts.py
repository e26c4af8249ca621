"""What each equation is about, and what its derivation starts from.

A proof is worth no more than the definition that it starts from. Where the left side is more than a symbol, the code
itself holds it against the start; then what its symbols mean is held against the other equations.
"""

import pytest
from sympy import Sum

from theory import EQUATIONS
from theory.printing import as_text
from theory.symbols import cos2, d, rho_ax, shift, var_test, width

STARTS = {
    "eq1": ("P(a)", "E[aₖ xₖ/p]"),
    "eq2": ("xhatₖ", "Σᵢ (xᵢ - μ)²/(ε + σ²)/m"),
    "eq3": ("Var_Moving", "E[m (Σᵢ xᵢ²/m - (Σᵢ xᵢ)²/m²)/(m - 1)]"),
    "eq4": ("xhatₖ", "Var[(xₖ - E_Moving)/√(Var_Moving + ε)]"),
    "eq5": ("Var_Train(X)", "Var[aₖ xₖ/p]"),
    "eq6": ("Δ", "Var[xₖ]/Var[aₖ xₖ/p]"),
    "eq7": ("Var_Train(X)", "Var[Σᵢ aᵢ wᵢ xᵢ/p]"),
    "eq8": ("Var_Test(X)", "Var[Σᵢ wᵢ xᵢ]"),
    "eq9": ("ρᵃˣ", "Cov[aᵢ xᵢ, aⱼ xⱼ]/(√(Var[aᵢ xᵢ]) √(Var[aⱼ xⱼ]))"),
    "eq10": ("Δ", "Var[Σᵢ wᵢ xᵢ]/Var[Σᵢ aᵢ wᵢ xᵢ/p]"),
    "eq11": ("cos²θ", "(Σᵢ wᵢ)²/(Σᵢ 1 Σᵢ wᵢ²)"),
    "eq12": ("Δ", "(v + v ρ (d cos²θ - 1))/(v ρ (d cos²θ - 1) + (c² + v)/p - c²)"),
    "eq13": ("Δ", "Var[xₖ]/Var[rₖ xₖ + xₖ]"),
    "law": ("Var_Train(X)", "Var[Σᵢ nᵢ wᵢ xᵢ]"),
    "law-shared": ("Var_Train(X)", "Var[Σᵢ nᵢ yᵢ]"),
    "law-residual": ("Var_Train(X)", "Var[z + Σᵢ nᵢ wᵢ xᵢ]"),
    "shift": ("Δ", "Var[Σᵢ wᵢ xᵢ]/Var[Σᵢ nᵢ wᵢ xᵢ]"),
    "two-convolutions": ("X", "Σₖ uₖ Σᵢ Wₖᵢ nᵢ xᵢ"),
    "noise-dropout": ("s²", "Var[aₖ/p]"),
    "noise-uout": ("s²", "Var[1 + rₖ]"),
    "noise-gaussian": ("s²", "Var[1 + rₖ]"),
    "equal-noise": ("p", "1/(1 + s²)"),
    "scaled-in-test": ("Δ", "Var[p xₖ]/Var[aₖ xₖ]"),
    "affine": ("Δ", "Var[b + g xₖ]/Var[b + g aₖ xₖ/p]"),
    "moving-correlated": ("Var_Moving", "E[m (Σᵢ xᵢ²/m - (Σᵢ xᵢ)²/m²)/(m - 1)]"),
    "rho-bound": ("Var_Test(X)", "Var[Σᵢ xᵢ]"),
    "limit-uncorrelated": ("Δ", "(v + v ρ (d cos²θ - 1))/(v ρ (d cos²θ - 1) + (c² + v)/p - c²)"),
    "chain": ("Var_L", "(1 + s²)^(1 - L) Var[xₖ]/Var[nₖ xₖ]"),
    "drift": ("m²_out", "δ² (Σᵢ wᵢ)²/Var[Σᵢ nᵢ wᵢ xᵢ]"),
    "relu-mean": ("E[relu]", "E[yₖ]"),
    "relu-power": ("E[relu²]", "E[yₖ²]"),
    "relu-variance": ("Var_out", "Var[Σᵢ wᵢ yᵢ]/Var[Σᵢ nᵢ wᵢ xᵢ]"),
    "relu-drift": ("m²_out", "(E[Σᵢ wᵢ yᵢ] - E[Σᵢ nᵢ wᵢ xᵢ])²/Var[Σᵢ nᵢ wᵢ xᵢ]"),
}


def test_each_equation_says_what_it_starts_from():
    assert STARTS.keys() == {name for name, equation in EQUATIONS.items() if not equation.meaning}


@pytest.mark.parametrize("name", STARTS)
def test_a_derivation_starts_from_the_definition_of_what_the_equation_is_about(name: str):
    equation = EQUATIONS[name]
    assert (as_text(equation.statement.lhs), as_text(equation.derivation.start)) == STARTS[name]


BY_WIDTH = {d * cos2: width}
MEANINGS = {
    shift: {EQUATIONS[name].formula for name in ("eq6", "eq10")} | {EQUATIONS["eq10"].formula.subs(BY_WIDTH)},
    rho_ax: {EQUATIONS["eq9"].formula},
    cos2: {EQUATIONS["eq11"].formula},
    var_test: {EQUATIONS["eq8"].derivation.start},
}


@pytest.mark.parametrize("name", sorted(EQUATIONS.keys() - STARTS.keys()))
def test_what_symbols_on_the_left_mean_is_what_other_equations_say_of_them(name: str):
    for symbol, meaning in EQUATIONS[name].meaning.items():
        assert meaning in MEANINGS[symbol]


SUPPOSE_MORE = {
    *("eq3", "eq12", "eq13", "equal-noise", "law", "two-convolutions"),
    *("width-needed", "a-against-b", "monotone-retain", "monotone-width", "constant-in-retain"),
    *("limit-retain", "limit-width", "limit-uncorrelated", "chain", "drift", "relu-variance", "relu-drift"),
}


def test_equations_that_suppose_more_than_domains_and_axioms_are_these():
    assert {name for name, equation in EQUATIONS.items() if equation.hypotheses} == SUPPOSE_MORE


@pytest.mark.parametrize("name", EQUATIONS)
def test_what_sums_run_to_is_what_they_are_confirmed_at(name: str):
    derivation = EQUATIONS[name].derivation
    ends = {limit[2] for one in derivation.start.atoms(Sum) for limit in one.limits}
    assert derivation.upper in ends or not ends


def test_bn_in_test_is_the_map_whose_variance_is_derived():
    assert as_text(EQUATIONS["eq4"].formula) == "(xₖ - E_Moving)/√(Var_Moving + ε)"
    assert as_text(EQUATIONS["eq2"].formula) == "(xₖ - μ)/√(ε + σ²)"
