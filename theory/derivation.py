"""Derivations: chains of expressions whose every link is verified at the moment it is added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from typing import Any, overload

from sympy import Dummy, Expr, factor, sympify

from theory.expectation import Axiom, reduce_moments
from theory.sums import concrete, vanishes
from theory.symbols import cos2, d, p, rho


class DerivationError(Exception):
    """A step does not follow from the one before it by what it cites."""


# What the feasible domain says: each of these is nonnegative there, and certificates of inequalities are built of them.
FEASIBLE: Mapping[Expr, str] = {
    1 - p: "0 < p <= 1",
    1 - cos2: "cos²θ <= 1, by Cauchy-Schwarz",
    1 - rho: "rho <= 1",
    1 + (d - 1) * rho: "-1/(d-1) <= rho: the variance of a sum is not negative",
    d - 2: "d >= 2: below that there is no pair to correlate",
}


@dataclass(frozen=True)
class Step:
    """One link: `relation` leads from the expression before to this one, for a reason.

    Attributes:
        axioms: what it uses of the random quantities.
        positive: what a bound or a sign takes to be positive, beyond the feasible domain.
    """

    relation: str
    expression: Expr
    reason: str
    axioms: tuple[Axiom, ...] = ()
    positive: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Derivation(Sequence[Step]):
    """A start, the sequence of verified steps from it, and what the symbols stand for.

    Attributes:
        start: the expression that the derivation begins with.
        steps: its links, in order.
        where: what is known of symbols, used in every verification: a symbol's definition, or a condition such as
            c = 0.
        upper: the symbol of the number of terms; the derivation is also confirmed at concrete values of it.
    """

    start: Expr
    steps: tuple[Step, ...] = ()
    where: Mapping[Expr, Expr] = field(default_factory=dict)
    upper: Expr = d

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> Step: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Step, ...]: ...

    def __getitem__(self, index: int | slice) -> Step | tuple[Step, ...]:
        return self.steps[index]

    @property
    def result(self) -> Expr:
        """The expression that the derivation ends with."""
        return self.steps[-1].expression if self.steps else self.start

    @cached_property
    def axioms(self) -> tuple[Axiom, ...]:
        """Every axiom that some step cites."""
        return tuple(dict.fromkeys(axiom for step in self.steps for axiom in step.axioms))

    def equals(self, expression: Any, reason: str, *axioms: Axiom) -> "Derivation":
        """Add a step that equals the one before it, by exactly these axioms: each of them is needed.

        Raises:
            DerivationError: where the two differ, or an axiom is cited that the step does not need.
        """
        expression = sympify(expression)
        if not self._same(self.result, expression, axioms):
            difference = self.residual(self.result, expression, axioms)
            raise DerivationError(f"{reason}: {self.result} does not equal {expression}; they differ by {difference}")
        for axiom in axioms:
            if self._same(self.result, expression, tuple(other for other in axioms if other is not axiom)):
                raise DerivationError(f"{reason}: the axiom '{axiom.name}' is cited but not needed")
        return self._with(Step("=", expression, reason, axioms))

    def at_least(self, bound: Any, reason: str, margin: Expr, positive: tuple[Expr, ...] = ()) -> "Derivation":
        """Add a lower bound, strict where the margin is positive.

        Args:
            bound: what the expression is not below.
            reason: in words.
            margin: how far above the bound it lies, in a form whose sign can be read off in the feasible domain.
            positive: what is taken to be positive beyond that: 1 - p where Dropout is on.

        Raises:
            DerivationError: where `margin` is not the difference, or its sign cannot be read off.
        """
        return self._bounded(bound, reason, margin, positive, sign=1)

    def at_most(self, bound: Any, reason: str, margin: Expr, positive: tuple[Expr, ...] = ()) -> "Derivation":
        """Add an upper bound; as `at_least`, with `margin` the distance below the bound."""
        return self._bounded(bound, reason, margin, positive, sign=-1)

    def with_sign_of(self, other: Expr, reason: str, quotient: Expr, positive: tuple[Expr, ...] = ()) -> "Derivation":
        """Add that the expression has the sign of another one, and is zero with it.

        Args:
            other: whose sign it has.
            reason: in words.
            quotient: the one over the other, in a form that can be seen to be positive in the feasible domain.
            positive: as in `at_least`.

        Raises:
            DerivationError: where `quotient` is not the quotient, or cannot be seen to be positive.
        """
        if not vanishes(self._meant(self.result - other * quotient)):
            raise DerivationError(f"{reason}: {self.result} is not {other} times {quotient}")
        if not _visible_sign(quotient, positive)[0]:
            raise DerivationError(f"{reason}: the sign of {quotient} cannot be read off")
        return self._with(Step("has the sign of", other, reason, positive=positive))

    def residual(self, left: Expr, right: Expr, axioms: tuple[Axiom, ...]) -> Expr:
        """What is left of left - right when only these axioms are granted."""
        return factor(self._reduced(left, axioms) - self._reduced(right, axioms))

    def broken_by_dropping(self, axiom: Axiom) -> Expr | None:
        """What start - result becomes without one axiom, or None where the derivation stands without it."""
        kept = tuple(other for other in self.axioms if other is not axiom)
        return None if self._same(self.start, self.equal_end, kept) else self.residual(self.start, self.equal_end, kept)

    def confirmed_at(self, size: int) -> bool:
        """Whether start = result as a polynomial identity with all sums written out for `size` terms."""
        start, end = (concrete(self._meant(side), size, self.upper) for side in (self.start, self.equal_end))
        where = {symbol: concrete(meaning, size, self.upper) for symbol, meaning in self.where.items()}
        return replace(self, where=where)._same(start, end, self.axioms)

    @property
    def equal_end(self) -> Expr:
        """The last expression that equals the start, before any bound."""
        equal = [step.expression for step in takewhile(lambda step: step.relation == "=", self.steps)]
        return equal[-1] if equal else self.start

    def _bounded(self, bound: Any, reason: str, margin: Expr, positive: tuple[Expr, ...], *, sign: int) -> "Derivation":
        bound = sympify(bound)
        if not vanishes(self._meant(sign * (self.result - bound) - margin)):
            raise DerivationError(f"{reason}: {margin} is not the distance of {self.result} from {bound}")
        strict, weak = _visible_sign(margin, positive)
        if not (strict or weak):
            raise DerivationError(f"{reason}: the sign of {margin} cannot be read off")
        relation = {1: ">", -1: "<"}[sign] + ("" if strict else "=")
        return self._with(Step(relation, bound, reason, positive=positive))

    def _same(self, left: Expr, right: Expr, axioms: tuple[Axiom, ...]) -> bool:
        difference = self._reduced(left, axioms) - self._reduced(right, axioms)
        try:
            return vanishes(difference)
        except ZeroDivisionError as error:
            raise DerivationError(str(error)) from None

    def _reduced(self, expression: Expr, axioms: tuple[Axiom, ...]) -> Expr:
        return self._meant(reduce_moments(self._meant(expression), axioms))

    def _meant(self, expression: Expr) -> Expr:
        return expression.xreplace(dict(self.where))

    def _with(self, step: Step) -> "Derivation":
        return Derivation(self.start, (*self.steps, step), self.where, self.upper)


def _visible_sign(margin: Expr, positive: tuple[Expr, ...]) -> tuple[bool, bool]:
    """Whether sympy reads (> 0, >= 0) off the margin, given the feasible domain and what is taken to be positive."""
    facts = {fact: Dummy(nonnegative=True) for fact in FEASIBLE} | {fact: Dummy(positive=True) for fact in positive}
    known = margin.subs(facts)
    return known.is_positive is True, known.is_nonnegative is True
