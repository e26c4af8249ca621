"""One equation as a page of text that a person enjoys reading."""

from textwrap import fill, indent

from theory.derivation import Derivation, Step
from theory.equation import Equation
from theory.printing import as_text

WIDTH, LONGEST_RESIDUAL = 100, 90


def document(equation: Equation) -> str:
    """Statement, arguments, conditions, derivation, and what each axiom is needed for."""
    parts = [
        f"{equation.name}: {equation.title}\n{equation.source}",
        indent(equation.text(), "    "),
        _section("Arguments", [f"{one.name}: {one.allowed}" for one in equation.parameters]),
        _section("Conditions", list(equation.hypotheses)),
        _derivation(equation),
        _section("Needs", _needs(equation)),
    ]
    return "\n\n".join(part for part in parts if part)


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(_filled(line, 4, 8) for line in lines)]) if lines else ""


def _filled(text: str, first: int, rest: int) -> str:
    return fill(text, WIDTH, initial_indent=" " * first, subsequent_indent=" " * rest)


def _derivation(equation: Equation) -> str:
    title = "What follows" if equation.defines else "Derivation"
    verified = "every step verified"
    if equation.confirmed_at:
        sizes = ", ".join(map(str, equation.confirmed_at))
        verified += f"; confirmed as a polynomial identity at {equation.derivation.upper} = {sizes}"
    return "\n".join([f"{title} ({verified})", *_steps(equation.derivation)])


def _steps(derivation: Derivation) -> list[str]:
    where = [f"    where {as_text(symbol)} = {as_text(meaning)}" for symbol, meaning in derivation.where.items()]
    return [f"      {as_text(derivation.start)}", *where, *(_step(step) for step in derivation.steps)]


def uses(step: Step) -> list[str]:
    """What a step goes by: axioms, and what it takes to be positive."""
    return [*(axiom.name for axiom in step.axioms), *(f"{as_text(fact)} > 0" for fact in step.positive)]


def _step(step: Step) -> str:
    relation = {"<=": "≤", ">=": "≥"}.get(step.relation, step.relation)
    cited = f"  [{', '.join(uses(step))}]" if uses(step) else ""
    return f"    {relation} {as_text(step.expression)}\n{_filled(step.reason + cited, 10, 10)}"


def _needs(equation: Equation) -> list[str]:
    short = {
        axiom: off for axiom, residual in equation.needs.items() if len(off := as_text(residual)) <= LONGEST_RESIDUAL
    }
    lines = [f"{axiom.name} ({axiom.says}); without it start - result would be {off}" for axiom, off in short.items()]
    others = [f"{axiom.name} ({axiom.says})" for axiom in equation.needs if axiom not in short]
    return [*lines, *([f"{'; '.join(others)}: without any of them start and result differ"] if others else [])]
