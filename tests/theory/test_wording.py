"""Titles, reasons and conditions are spelt as the paper spells them."""

import re
from collections.abc import Iterator

import pytest

from theory import EQUATIONS, Equation
from theory.expectation import AXIOMS

# What is never written small.
NAMES = "|".join(
    (
        *(r"BN\b", "Dropout", "Uout", "Gaussian", "behind ReLU", "Section", r"Eqs?\.", "Lagrange"),
        *(r"E\[n", r"Var_Test(?: [/>]|,)", r"Var[\[(]", r"Cov\[", r"Delta\(", r"\b[ENU][\[(]", r"E_B"),
        *(r"\bK\b", r"\bL\b", r"to X\b", r"Σ[ᵢⱼₖ ]", r"1 - Δ"),
    )
)
SYMBOLS = set("BEKLNUWX")


def texts(equation: Equation) -> Iterator[str]:
    yield from (equation.title, equation.source, *equation.hypotheses)
    yield from (step.reason for step in equation.derivation.steps)


def misspelt(text: str) -> list[str]:
    """What is written large or small against the paper's use."""
    large = [word for word in re.findall(r"[A-Z]{2,}", text.replace("ReLU", "")) if word != "BN"]
    alone = [letter for letter in re.findall(r"(?<![A-Za-z])[A-Z](?![A-Za-z])", text) if letter not in SYMBOLS]
    small = [word for word in re.findall(NAMES, text, re.IGNORECASE) if not re.fullmatch(NAMES, word)]
    return large + alone + small


@pytest.mark.parametrize("name", EQUATIONS)
def test_equations_are_told_in_the_paper_s_spelling(name: str):
    told = list(texts(EQUATIONS[name]))
    assert all(told)
    assert {text: misspelt(text) for text in told if misspelt(text)} == {}


def test_axioms_are_told_in_the_paper_s_spelling():
    assert {axiom.says: misspelt(axiom.says) for axiom in AXIOMS if misspelt(axiom.says)} == {}


@pytest.mark.parametrize(
    "text", ["the variance that bn remembers", "section 3.2", "A² = A", "THE SHIFT", "e[a] = p", "divide by σᵢ wᵢ"]
)
def test_what_is_misspelt_is_seen(text: str):
    assert misspelt(text)
