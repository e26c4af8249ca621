"""Sums over a symbolic number of terms, and the normal form in which two of them can be compared."""

from functools import reduce
from operator import mul
from typing import Any

from sympy import Add, Expr, Integer, Mul, Pow, Sum, Symbol, expand, powsimp

from theory.rational import is_zero
from theory.symbols import i, j


class PairSum(Expr):
    """Sum over all ordered pairs of distinct indices, sum_i sum_{j != i} f(i, j), as in Eqs. 7 and 8.

    Arguments: the summand (it may use the indices i and j of `theory.symbols`) and the upper limit.
    """

    is_commutative = True
    is_real = True

    @property
    def summand(self) -> Expr:
        """The term f(i, j)."""
        return self.args[0]

    @property
    def upper(self) -> Expr:
        """The number of values that each index takes."""
        return self.args[1]

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.summand.is_nonnegative else None

    @property
    def free_symbols(self) -> set[Any]:
        """The indices are bound: what is left is free."""
        return (self.summand.free_symbols | self.upper.free_symbols) - {i, j}

    def _latex(self, printer: Any) -> str:
        return rf"\sum_{{i=1}}^{{{printer._print(self.upper)}}}\sum_{{j \neq i}} {printer._print(self.summand)}"


def total(summand: Any, upper: Expr, index: Expr = i) -> Expr:
    """sum_{index=1}^{upper} summand, unevaluated."""
    return Sum(summand, (index, 1, upper))


def product_of_sums(left: Sum, right: Sum, factor: Expr) -> Expr:
    """Split factor * sum_i f_i * sum_i g_i into its diagonal and its pairs: the first step of Eqs. 7 and 8.

    Raises:
        ValueError: where the sums run over different ranges, or use an index that is not their own.
    """
    upper = left.limits[0][2]
    # Of the summands also the bound symbols: an index renamed to i or j inside a sum over i or j would be captured.
    inner = (node.function.atoms(Symbol) - {node.limits[0][0]} for node in (left, right))
    if right.limits[0][2] != upper or {i, j} & factor.free_symbols.union(upper.free_symbols, *inner):
        raise ValueError(f"the product of {left} and {right} cannot be split into diagonal and pairs")
    f, g = (node.function.xreplace({node.limits[0][0]: i}) for node in (left, right))
    return total(factor * f * g, upper) + PairSum(factor * f * g.xreplace({i: j}), upper)


def concrete(expression: Expr, size: int, upper: Expr) -> Expr:
    """The expression with every sum up to `upper` written out, and `upper` replaced by the number `size`."""

    def written_sum(node: Sum) -> Expr:
        inner, kept = node.function, [limit for limit in node.limits if limit[2] != upper]
        for index, low, high in node.limits:
            if high == upper:
                inner = Add(*(inner.xreplace({index: Integer(number)}) for number in range(int(low), size + 1)))
        return Sum(inner, *kept) if kept else inner

    def written_pairs(node: PairSum) -> Expr:
        if node.upper != upper:
            return node
        pairs = ((one, two) for one in range(1, size + 1) for two in range(1, size + 1) if one != two)
        return Add(*(node.summand.xreplace({i: Integer(one), j: Integer(two)}) for one, two in pairs))

    expression = expression.replace(lambda node: isinstance(node, PairSum), written_pairs)
    return expression.replace(lambda node: isinstance(node, Sum), written_sum).xreplace({upper: Integer(size)})


def normal(expression: Expr) -> Expr:
    """A form in which equal sums look equal: expanded inside, constants outside, pairs as products of sums."""
    if expression.has(Sum):
        expression = expression.replace(Sum, lambda *args: _normal_sum(Sum(*args)))
    if expression.has(PairSum):
        expression = expression.replace(PairSum, _normal_pairs)
    return expression


def vanishes(expression: Expr) -> bool:
    """Whether the expression is zero as a rational function of its symbols, sums, moments and square roots.

    Raises:
        ZeroDivisionError: where a denominator is zero, so that the expression has no value at all.
    """
    expression = normal(expression)
    if any(not power.exp.is_number for power in expression.atoms(Pow)):
        expression = powsimp(expression)
    return is_zero(expression)


def _normal_sum(node: Sum) -> Expr:
    if any(low != 1 for _, low, _ in node.limits):
        raise ValueError(f"{node}: sums start at 1")
    index, _, upper = node.limits[-1]
    inner = node.function if len(node.limits) == 1 else Sum(node.function, *node.limits[:-1])
    return Add(*(_pulled_out(term, index, upper) for term in Add.make_args(expand(inner))))


def _pulled_out(term: Expr, index: Expr, upper: Expr) -> Expr:
    constant, rest = term.as_independent(index)
    if rest == 1:
        return constant * upper
    nested = [factor for factor in Mul.make_args(rest) if isinstance(factor, Sum)]
    if len(nested) == 1:
        return constant * _merged(rest / nested[0], nested[0], (index, Integer(1), upper))
    canonical = i if index == j and not rest.has(i) else index
    return constant * Sum(rest.xreplace({index: canonical}), (canonical, 1, upper))


def _merged(factor: Expr, inner: Sum, outer: tuple[Expr, Expr, Expr]) -> Expr:
    """Nested finite sums commute: put their limits into one alphabetical list."""
    if any(upper.has(outer[0]) for *_, upper in inner.limits):
        raise ValueError(f"{inner} ends at an index of another sum: the two cannot be exchanged")
    limits = sorted([*inner.limits, outer], key=lambda limit: str(limit[0]))
    return Sum(expand(factor * inner.function), *limits)


def _normal_pairs(summand: Expr, upper: Expr) -> Expr:
    return Add(*(_separated(term, upper) for term in Add.make_args(expand(summand))))


def _separated(term: Expr, upper: Expr) -> Expr:
    """sum_{j != i} g_i h_j = sum_i g_i sum_j h_j - sum_i g_i h_i; a term that does not factor stays a pair sum."""
    constant, rest = term.as_independent(i, j)
    both = [f for f in Mul.make_args(rest) if f.has(i) and f.has(j)]
    if both:
        return constant * PairSum(rest, upper)
    g = reduce(mul, (f for f in Mul.make_args(rest) if f.has(i)), Integer(1))
    h = reduce(mul, (f for f in Mul.make_args(rest) if f.has(j)), Integer(1)).xreplace({j: i})
    parts = normal(total(g, upper)) * normal(total(h, upper)) - normal(total(g * h, upper))
    return constant * parts


def sum_factors(expression: Expr) -> tuple[list[Sum], Expr]:
    """The sums among the factors of a product (a square counts twice), and the product of the other factors."""
    sums: list[Sum] = []
    others: list[Expr] = []
    for factor in Mul.make_args(expression):
        base, exponent = factor.as_base_exp()
        if isinstance(base, Sum) and isinstance(factor, Pow | Sum) and exponent in (1, 2):
            sums += [base] * int(exponent)
        else:
            others.append(factor)
    return sums, Mul(*others)
