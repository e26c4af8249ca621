"""An equation of the paper, or beyond it: its statement, why it is true, what it needs, and its value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, isinf
from typing import Any

from sympy import Eq, Expr, Rational, Sum, nan, zoo

from theory.derivation import Derivation, DerivationError
from theory.domain import Parameter, check_together, size_of
from theory.expectation import Axiom
from theory.printing import as_latex, as_mathml, as_text
from theory.sums import PairSum, concrete, vanishes

CONFIRMED_AT = (2, 3, 5, 8)


@dataclass(frozen=True)
class Equation:
    """One equation.

    Attributes:
        name: "eq10"; the key in EQUATIONS.
        title: what it says, in a few words.
        source: where in the paper it stands, or that it does not.
        statement: sympy's Eq; the right side is what `evaluate` computes.
        parameters: the arguments that the right side depends on.
        hypotheses: what must hold beside the domains of the arguments and the axioms.
        derivation: from the left side's definition to the right side, every step verified.
        meaning: of symbols on the left side, where that is more than one symbol; the derivation starts from it.
        defines: True where the statement is a definition, and the derivation shows what follows from it instead.
    """

    name: str
    title: str
    source: str
    statement: Eq
    parameters: tuple[Parameter, ...]
    derivation: Derivation
    hypotheses: tuple[str, ...] = ()
    meaning: Mapping[Expr, Expr] = field(default_factory=dict, hash=False)
    defines: bool = False

    def __post_init__(self) -> None:
        """Hold the statement against the derivation, and confirm it with all sums written out.

        Raises:
            DerivationError: where they do not agree.
        """
        if not self.defines and not vanishes(self.formula - self.derivation.equal_end):
            raise DerivationError(f"{self.name}: derived {self.derivation.equal_end}, but it states {self.formula}")
        left, start = self.statement.lhs, self.derivation.start
        about_more = bool(left.args or self.meaning) and not self.defines
        if about_more and not vanishes(left.subs(self.meaning).doit() - start):
            raise DerivationError(f"{self.name}: derived from {start}, but it is about {left}")
        for size in self.confirmed_at:
            if not self.derivation.confirmed_at(size):
                raise DerivationError(f"{self.name}: not an identity at {self.derivation.upper} = {size}")

    @property
    def formula(self) -> Expr:
        """The right side of the statement."""
        return self.statement.rhs

    @property
    def conditions(self) -> tuple[str, ...]:
        """All that must hold: the domains of the arguments, the axioms, and what else the equation supposes."""
        domains = (f"{parameter.name} {parameter.allowed}" for parameter in self.parameters)
        return (*domains, *(axiom.says for axiom in self.derivation.axioms), *self.hypotheses)

    @property
    def confirmed_at(self) -> tuple[int, ...]:
        """The numbers of terms at which the identity was confirmed with its sums written out; none without sums."""
        return CONFIRMED_AT if self.derivation.start.has(Sum, PairSum) else ()

    @cached_property
    def needs(self) -> Mapping[Axiom, Expr]:
        """Each axiom without which the equation breaks, and what then is left of start - result."""
        broken = ((axiom, self.derivation.broken_by_dropping(axiom)) for axiom in self.derivation.axioms)
        return {axiom: residual for axiom, residual in broken if residual is not None}

    def exact(self, **values: Any) -> Expr:
        """The right side at these values, as an exact number.

        Floats and strings mean the decimal that they print as: 0.1 is 1/10.

        Raises:
            ValueError: for an unknown, missing or out-of-domain value, in one line that names it.
        """
        read = check_together(self._read(values))
        size = size_of(read)
        formula = self.formula if size is None else concrete(self.formula, int(size), self.derivation.upper)
        pairs = (parameter.replacements(read[parameter.name]) for parameter in self.parameters)
        # All at once: one after the other, 0/0 could turn into the limit that the order of replacement suggests.
        value = formula.xreplace({symbol: number for pair in pairs for symbol, number in pair.items()})
        if value.has(nan, zoo):
            raise ValueError(f"{self.name} divides by zero at {', '.join(f'{name} = {read[name]}' for name in read)}")
        if not value.is_number:
            raise ValueError(f"{self.name} relates random quantities: it has no value")
        return value

    def evaluate(self, **values: Any) -> float:
        """The right side at these values, rounded once, to the nearest double.

        Raises:
            ValueError: for an unknown, missing or out-of-domain value, in one line that names it.
        """
        exact = self.exact(**values)
        try:
            rounded = exact.p / exact.q if isinstance(exact, Rational) else float(exact.evalf(40))
        except OverflowError:  # also for erfc of a number beyond the doubles, whatever its value
            rounded = inf
        if isinf(rounded):
            raise ValueError(f"{self.name}: the value at these arguments leaves the range of doubles")
        return rounded

    def _read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        names = [parameter.name for parameter in self.parameters]
        takes = f"it takes {', '.join(names)}" if names else "it takes no values"
        for name in values:
            if name not in names:
                raise ValueError(" ".join(f"{self.name} does not take {name}: {takes}".split()))
        for name in names:
            if name not in values:
                raise ValueError(f"{self.name} needs {name}: {takes}")
        return {parameter.name: parameter.read(values[parameter.name]) for parameter in self.parameters}

    def text(self) -> str:
        """The statement in one line of Unicode."""
        return as_text(self.statement)

    __str__ = text

    def latex(self) -> str:
        """The statement in LaTeX, without delimiters."""
        return as_latex(self.statement)

    def mathml(self) -> str:
        """The statement as MathML."""
        return as_mathml(self.latex())

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"
