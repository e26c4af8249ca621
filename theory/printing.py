"""Formulas as text that reads in one line, as LaTeX, and as MathML."""

from typing import Any

from latex2mathml.converter import convert
from sympy import Add, Basic, Expr, Function, Mul, Pow, Rational, Sum, fraction, preorder_traversal
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter

from theory.sums import PairSum
from theory.symbols import LATEX_NAMES, TEXT_NAMES

SUBSCRIPTS = str.maketrans("0123456789ijk", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖ")
SUPERSCRIPT_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
SUPERSCRIPTS = str.maketrans("0123456789-", SUPERSCRIPT_DIGITS)


def _as_the_paper_orders(terms: list[Any]) -> list[Any]:
    """Numbers, then simple terms, then brackets; what is subtracted comes last."""
    return sorted(terms, key=lambda term: (term.could_extract_minus_sign(), not term.is_number, _has_brackets(term)))


class _TextPrinter(StrPrinter):
    """One-line Unicode: Σᵢ wᵢ², (c² + v)/p - c²."""

    printmethod = "_one_line"

    def _as_ordered_terms(self, expr: Expr, order: Any = None) -> list[Any]:  # noqa: ARG002 - sympy's signature
        return _as_the_paper_orders(super()._as_ordered_terms(expr))

    def _print_Symbol(self, expr: Any) -> str:
        return str(TEXT_NAMES.get(expr, expr.name))

    def _print_Pi(self, expr: Any) -> str:  # noqa: ARG002 - sympy's signature
        return "π"

    def _print_Derivative(self, expr: Any) -> str:
        return f"d{self._print(expr.expr)}/d{self._print(expr.variables[0])}"

    def _print_Mul(self, expr: Mul) -> str:
        if expr.could_extract_minus_sign():
            return f"-{self._factor(-expr)}"
        numerator, denominator = fraction(expr, exact=True)
        if denominator != 1:
            return f"{self._factor(numerator)}/{self._factor(denominator, PRECEDENCE['Pow'])}"
        factors = sorted(numerator.as_ordered_factors(), key=_has_brackets)
        return " ".join(self._factor(factor) for factor in factors)

    def _factor(self, expr: Basic, level: int = PRECEDENCE["Mul"]) -> str:
        own = PRECEDENCE["Mul"] if isinstance(expr, Sum | PairSum) else precedence(expr)
        return f"({self._print(expr)})" if own < level else self._print(expr)

    def _print_Pow(self, expr: Pow, rational: bool = False) -> str:  # noqa: FBT001, FBT002, ARG002 - sympy's signature
        base, exponent = expr.args
        if exponent == Rational(1, 2):
            return f"√{self._factor(base, PRECEDENCE['Atom'])}"
        if exponent.as_coeff_Mul()[0].is_negative:
            return f"1/{self._factor(Pow(base, -exponent), PRECEDENCE['Pow'])}"
        inner = self._factor(base, PRECEDENCE["Atom"])
        if inner[-1] in SUPERSCRIPT_DIGITS:
            inner = f"({inner})"
        if exponent.is_Integer:
            return inner + self._print(exponent).translate(SUPERSCRIPTS)
        return f"{inner}^{self._factor(exponent, PRECEDENCE['Atom'])}"

    def _print_Indexed(self, expr: Any) -> str:
        return str(expr.base.label) + "".join(str(index).translate(SUBSCRIPTS) for index in expr.indices)

    def _print_Sum(self, expr: Any) -> str:
        heads = "".join("Σ" + str(limit[0]).translate(SUBSCRIPTS) + " " for limit in reversed(expr.limits))
        return heads + self._factor(expr.function)

    def _print_PairSum(self, expr: Any) -> str:
        return "Σᵢ Σⱼ≠ᵢ " + self._factor(expr.summand)

    def _bracketed(self, expr: Any) -> str:
        return f"{expr.symbol}[{', '.join(self._print(argument) for argument in expr.args)}]"

    _print_E = _print_Var = _print_Cov = _bracketed


class _PaperLatexPrinter(LatexPrinter):
    def _as_ordered_terms(self, expr: Expr, order: Any = None) -> list[Any]:  # noqa: ARG002 - sympy's signature
        return _as_the_paper_orders(super()._as_ordered_terms(expr))


def _has_brackets(term: Basic) -> bool:
    return any(isinstance(factor, Add | Sum | PairSum | Function) for factor in preorder_traversal(term))


def as_text(expression: Basic) -> str:
    """The formula in one line of Unicode."""
    if expression.is_Equality:
        return f"{as_text(expression.args[0])} = {as_text(expression.args[1])}"
    return _TextPrinter().doprint(expression)


def as_latex(expression: Basic) -> str:
    """The formula in LaTeX, without delimiters."""
    return _PaperLatexPrinter({"symbol_names": LATEX_NAMES}).doprint(expression)


def as_mathml(latex: str) -> str:
    """LaTeX as a MathML element that needs no script and no font."""
    return convert(latex, display="block")
