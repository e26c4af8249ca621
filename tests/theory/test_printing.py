import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sympy import Add, Derivative, Expr, Integer, Mul, Pow, Rational, exp, pi, sqrt

from theory import EQUATIONS
from theory.expectation import BITS, Cov, E, Var
from theory.printing import as_latex, as_mathml, as_text
from theory.rendering import document
from theory.sums import PairSum, total, vanishes
from theory.symbols import (
    W,
    a,
    batch_var,
    beta,
    c,
    cos2,
    d,
    depth,
    hidden,
    i,
    j,
    k,
    p,
    rho,
    rho_ax,
    s2,
    shift,
    u,
    v,
    w,
    x,
)

SUM, SQUARES, PAIRS = total(w[i], d), total(w[i] ** 2, d), PairSum(w[i] * w[j], d)
PRINTED: list[tuple[Expr, str]] = [
    (SUM**2, "(Σᵢ wᵢ)²"),
    (SQUARES, "Σᵢ wᵢ²"),
    (SUM + c, "c + Σᵢ wᵢ"),
    (total(c + w[i], d), "Σᵢ (c + wᵢ)"),
    (SUM / p, "Σᵢ wᵢ/p"),
    (p / SUM, "p/(Σᵢ wᵢ)"),
    (1 / SUM, "1/(Σᵢ wᵢ)"),
    (c * exp(-v) / p, "c exp(-v)/p"),
    (PAIRS, "Σᵢ Σⱼ≠ᵢ wᵢ wⱼ"),
    (PAIRS**2, "(Σᵢ Σⱼ≠ᵢ wᵢ wⱼ)²"),
    (PairSum((w[i] - w[j]) ** 2, d), "Σᵢ Σⱼ≠ᵢ (wᵢ - wⱼ)²"),
    (total(u[k] * total(W[k, i] * x[i], d), hidden, k), "Σₖ uₖ Σᵢ Wₖᵢ xᵢ"),
    (total(total(W[k, i], d), hidden, k), "Σₖ Σᵢ Wₖᵢ"),
    (E(a[k] ** 2 * x[k]), "E[aₖ² xₖ]"),
    (E(x[i]) ** 2, "(E[xᵢ])²"),
    (Var(a[k] * x[k] / p), "Var[aₖ xₖ/p]"),
    (Cov(x[i], x[j]), "Cov[xᵢ, xⱼ]"),
    (w[12] ** 2, "w₁₂²"),
    ((c**2 + v) / p - c**2, "(c² + v)/p - c²"),
    ((c + v) ** 2, "(c + v)²"),
    (c * (1 - p), "c (1 - p)"),
    (-(c**2), "-c²"),
    (1 / p**2, "1/p²"),
    (c / (p * v), "c/(p v)"),
    (sqrt(v + c**2), "√(c² + v)"),
    (sqrt(v) / p, "√v/p"),
    (1 / sqrt(2 * pi), "√2/(2 √π)"),
    (shift ** (depth - 1), "Δ^(L - 1)"),
    (p ** (c * v), "p^(c v)"),
    (d * cos2 - 1, "d cos²θ - 1"),
    (Derivative(shift, p), "dΔ/dp"),
]
STATEMENTS = {
    "eq5": "Var_Train(X) = (c² + v)/p - c²",
    "eq6": "Δ = v/((c² + v)/p - c²)",
    "eq8": "Var_Test(X) = v (ρ Σᵢ Σⱼ≠ᵢ wᵢ wⱼ + Σᵢ wᵢ²)",
    "eq9": "ρᵃˣ = v ρ/((c² + v)/p - c²)",
    "eq10": "Δ = (v + v ρ (d cos²θ - 1))/(v ρ (d cos²θ - 1) + (c² + v)/p - c²)",
    "eq11": "cos²θ = (Σᵢ wᵢ)²/(d Σᵢ wᵢ²)",
    "eq13": "Δ = 3/(3 + β²)",
    "law": "Var_Train(X) = Var_Test(X) + s² Σᵢ wᵢ² E[xᵢ²]",
    "noise-dropout": "s² = (1 - p)/p",
}
READABLE = {"cos²θ": cos2, "c": c, "d": d, "v": v, "p": p, "ρ": rho}
TOKEN = re.compile(
    r"√(?!\()(?:" + "|".join(READABLE) + r"|\d+)|" + "|".join(READABLE) + r"|\d+|[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+|√|\^|[()]| [+-] |-|/| "
)
POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def understood(text: str) -> Expr:
    """What a reader takes printed text to mean: a blank multiplies, as strongly as a stroke divides."""
    assert TOKEN.sub("", text) == ""
    names = {f"q{number}": symbol for number, symbol in enumerate(READABLE.values())}
    read = dict(zip(READABLE, names, strict=True)) | {"√": "sqrt", "^": "**", " ": "*"}

    def translated(token: str) -> str:
        if token[0] == "√" and len(token) > 1:  # a root without brackets reaches over one name or number
            return f"sqrt({translated(token[1:])})"
        if token.isdigit() and token.isascii():
            return f"Integer({token})"
        if token[0] in "⁰¹²³⁴⁵⁶⁷⁸⁹⁻":
            return f"**({token.translate(POWERS)})"
        return read.get(token, token)

    python = "".join(translated(token) for token in TOKEN.findall(text))
    return eval(python, {"__builtins__": {}}, {**names, "sqrt": sqrt, "Integer": Integer})  # noqa: S307 - from our own tokens


def grown(smaller: st.SearchStrategy[Expr]) -> st.SearchStrategy[Any]:
    several = st.lists(smaller, min_size=2, max_size=3)
    return st.one_of(
        several.map(lambda parts: Add(*parts)),
        several.map(lambda parts: Mul(*parts)),
        st.tuples(smaller, st.sampled_from([-2, -1, 2, 3])).map(lambda pair: Pow(pair[0] + 3 * v, pair[1])),
        smaller.map(lambda part: sqrt(part**2 + v)),
        smaller.map(lambda part: -part),
    )


leaves = st.sampled_from([c, v, p, rho, cos2, Integer(1), Integer(2), Rational(2, 3), Integer(-1)])
expressions = st.recursive(leaves, grown, max_leaves=5)


@pytest.mark.parametrize(("expression", "text"), PRINTED, ids=[text for _, text in PRINTED])
def test_text_reads_as_the_paper_writes(expression: Expr, text: str):
    assert as_text(expression) == text


@pytest.mark.parametrize(("name", "text"), STATEMENTS.items())
def test_statements_read_as_the_paper_writes_them(name: str, text: str):
    assert EQUATIONS[name].text() == text


@settings(deadline=None, max_examples=80)
@given(expressions)
@example(-(c + v) * p)
@example(c / (v * p) - (c - v) / 2)
@example((c / v) ** 2 / (1 + p) ** 3)
@example(1 / sqrt(c**2 + v))
def test_printed_text_means_what_was_printed(expression: Expr):
    text = as_text(expression)
    assert vanishes(understood(text) - expression)
    assert not vanishes(understood(text) - expression - Rational(1, 100))


@pytest.mark.parametrize("name", ["eq5", "eq6", "eq10", "eq12", "case-a-best", "a-against-b", "monotone-retain"])
def test_the_printed_right_side_means_the_right_side(name: str):
    formula = EQUATIONS[name].formula
    assert vanishes(understood(as_text(formula)) - formula)
    assert not vanishes(understood(as_text(formula)) - formula * Rational(101, 100))


def test_the_reader_of_these_tests_minds_brackets():
    assert understood("c + v/p") == c + v / p != understood("(c + v)/p")
    assert understood("c/(v p)") != understood("c/v p")
    assert understood("cos²θ²") == cos2**2
    assert understood("√v c") == understood("√(v) c") != understood("√(v c)")


@pytest.mark.parametrize("symbol", [s2, batch_var], ids=str)
def test_the_square_of_a_name_that_ends_in_a_square_keeps_them_apart(symbol: Expr):
    assert not as_text(symbol**2).endswith("²²")
    assert as_text(beta**2) == "β²"


@pytest.mark.parametrize("name", EQUATIONS)
def test_every_statement_is_one_line_of_text(name: str):
    text = EQUATIONS[name].text()
    assert text == text.strip()
    assert len(text.splitlines()) == 1
    assert " = " in text
    assert "Sum(" not in text
    assert "**" not in text
    assert "*" not in text


@pytest.mark.parametrize("name", EQUATIONS)
def test_every_statement_renders_as_latex_with_all_its_sums(name: str):
    equation = EQUATIONS[name]
    latex = equation.latex()
    assert " = " in latex
    assert latex.count("{") == latex.count("}")
    assert latex.count("$") == 0
    assert latex.count(r"\sum") == as_text(equation.statement).count("Σ")
    assert latex == as_latex(equation.statement)
    shown = equation._repr_latex_()
    assert shown.startswith("$")
    assert shown.endswith("$")
    assert latex in shown


@pytest.mark.parametrize("name", EQUATIONS)
def test_every_statement_is_well_formed_mathml_with_all_its_sums(name: str):
    equation = EQUATIONS[name]
    root = ElementTree.fromstring(equation.mathml())  # noqa: S314 - our own output
    assert root.tag.endswith("math")
    assert root.attrib["display"] == "block"
    operators = [element.text for element in root.iter() if element.tag.endswith("}mo")]
    assert operators.count("=") >= 1
    assert operators.count("∑") == as_text(equation.statement).count("Σ")
    assert equation.mathml() == as_mathml(equation.latex())


def test_eq7_shows_both_of_its_nested_sums_with_their_bounds():
    latex = EQUATIONS["eq7"].latex()
    assert r"\sum_{i=1}^{d}\sum_{j \neq i}" in latex
    root = ElementTree.fromstring(EQUATIONS["eq7"].mathml())  # noqa: S314 - our own output
    under = [
        "".join(list(element)[1].itertext())
        for element in root.iter()
        if len(element) > 1 and next(iter(element)).text == "∑"
    ]
    assert under == ["i=1", "j≠i", "i=1"]


def test_a_document_shows_the_statement_each_step_and_what_each_axiom_is_for():
    page = document(EQUATIONS["eq10"])
    equation = EQUATIONS["eq10"]
    assert equation.text() in page
    assert equation.title in page
    for parameter in equation.parameters:
        assert f"{parameter.name}: {parameter.allowed}" in page
    for step in equation.derivation.steps:
        assert as_text(step.expression) in page
    needs = " ".join(page.split("Needs")[1].split())
    assert all(axiom.name in needs for axiom in equation.needs)
    assert "uniform" not in needs
    assert all(len(line) == len(line.rstrip()) for line in page.splitlines())


def test_what_eq5_would_be_without_an_axiom_is_spelled_out():
    needs = document(EQUATIONS["eq5"]).split("Needs")[1]
    left = EQUATIONS["eq5"].needs[BITS]
    assert vanishes(left - (c**2 + v) * (E(a[k] ** 2) - p) / p**2)
    assert f"without it start - result would be {as_text(left)}" in " ".join(needs.split())


def test_latex_names_symbols_as_the_paper_does():
    assert as_latex(rho_ax) == r"\rho^{ax}"
    assert r"\cos^2\theta" in as_latex(d * cos2)
    assert as_latex(E(x[k] ** 2)) == r"\mathrm{E}\left[{x}_{k}^{2}\right]"
    assert as_latex(E(x[k]) ** 2) == r"\mathrm{E}\left[{x}_{k}\right]^{2}"
    assert as_latex(Cov(x[i], x[j])) == r"\mathrm{Cov}\left[{x}_{i}, {x}_{j}\right]"
    assert as_latex(PAIRS) == r"\sum_{i=1}^{d}\sum_{j \neq i} {w}_{i} {w}_{j}"
