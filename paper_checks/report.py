"""The page: the ledger with its checks, the derivations and the figures, in one file that asks nothing of a network."""

import platform
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sympy import Basic

from fullscale import files
from paper_checks import rates
from paper_checks.backing import backing
from paper_checks.bookkeeping import Book, Check
from paper_checks.evidence import committed, outdated, runs, told
from paper_checks.figures import pictures
from paper_checks.ledger import Claim, Evidence
from paper_checks.summary import (
    BEYOND,
    MEANING,
    STANDINGS,
    by_section,
    contradicted,
    reason_of,
    standing,
    verdict_counts,
    waits,
)
from paper_checks.trained import NO_BREAK, SEEN_IN, shown
from theory import EQUATIONS, Equation
from theory.domain import Parameter
from theory.printing import as_latex, as_mathml, as_text
from theory.rendering import uses
from theory.symbols import k

TEST_COLUMNS = ("test", "ended", "brings", "establishes")
PACKAGES = ("numpy", "sympy", "torch", "matplotlib")
# What is left without an axiom is shown up to this many characters; beyond, nobody would read it.
LONGEST_RESIDUAL = 240
NAMESPACE = 'xmlns="http://www.w3.org/1998/Math/MathML"'
RELATIONS = {"<=": "≤", ">=": "≥"}
# What the ledger writes for terminals, and the page as the paper does.
SYMBOLS = RELATIONS | {"->": "→", "cos^2": "cos²θ", "^2": "²", "Delta": "Δ", "infinity": "∞"}
GREEK = {"rho": "ρ", "sigma": "σ", "beta": "β", "epsilon": "ε", "delta": "δ"}


def require_writable(path: Path) -> None:
    """Make sure, before hours of work, that a report can be written; nothing is created, or left behind.

    Raises:
        ValueError: where it cannot, in one line that says why.
    """
    try:
        target = path.resolve()
        if target.is_dir():
            raise _refusal(path, "is a folder; name a file")
        if target.exists() and not target.is_file():
            raise _refusal(path, "exists, and is not a file")
        if any(there.is_symlink() for there in (target, *target.parents)):  # what Python 3.13 leaves unresolved
            raise _refusal(path, "cannot be written: a link leads to itself")
        folder = next(folder for folder in target.parents if folder.exists())
        if not folder.is_dir():
            raise _refusal(path, f"cannot be written: {folder} is not a folder")
        for part in target.relative_to(folder).parts:
            with suppress(FileNotFoundError):  # but not: a name too long for the disk
                (folder / part).lstat()
        with tempfile.TemporaryFile(dir=folder):  # the one sure sign; permissions do not tell of read-only disks
            pass
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise _refusal(path, f"cannot be written: {getattr(error, 'strerror', None) or error}") from None


def _refusal(path: Path, why: str) -> ValueError:
    return ValueError(" ".join(f"report = {path}: {why}".split()))


def write_report(path: Path, book: Book, budget: str) -> None:
    """Write the page of a complete run.

    Args:
        path: the HTML file; its folder is created where it is missing.
        book: every claim and how its checks ended.
        budget: the error rates of the run, in a sentence.

    Raises:
        ValueError: where it cannot be written; an older page then stays.
    """
    path = path.resolve()
    files.folder(path.parent)
    files.replace(path, as_html(book, budget).encode())


def as_html(book: Book, budget: str) -> str:
    """The page as one HTML document."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"math": math, "symbol": symbol_of, "needs": needs, "slug": slug, "uses": uses}
    environment.filters |= {"standing": standing, "reason": reason_of, "waits": waits, "counts": verdict_counts}
    environment.filters |= {"backing": backing, "typeset": typeset, "breakable": breakable}
    return environment.get_template("template.html").render(
        {"equations": _equations(), "pictures": pictures(), "relations": RELATIONS}
        | _trained()
        | _ledger(book)
        | _method(budget)
    )


def _equations() -> dict[str, list[Equation]]:
    groups: dict[str, list[Equation]] = {"Of the paper": [], BEYOND: []}
    for equation in EQUATIONS.values():
        groups[BEYOND if "beyond" in equation.source else "Of the paper"].append(equation)
    return groups


def _trained() -> dict[str, Any]:
    trained = shown(committed())
    names = {each.name for each in trained}
    return {
        "trained": trained,
        "told": told(committed(), runs()),
        "outdated": outdated(committed()),
        "seen_in": {claim: name for claim, name in SEEN_IN.items() if name in names},
    }


def _ledger(book: Book) -> dict[str, Any]:
    claims = book.claims.values()
    every_test = {check.test: check for checks in book.checks.values() for check in checks}
    return {
        "meaning": MEANING,
        "claims": claims,
        "sections": by_section(claims),
        "standings": STANDINGS,
        "contradicted": contradicted(claims),
        "kinds": Evidence,
        "tests": {claim.id: tests_of(book, claim) for claim in claims},
        "test_columns": TEST_COLUMNS,
        "refuted": [claim.id for claim in claims if book.refuted(claim.id)],
        "outcomes": _outcomes(every_test.values()),
    }


def _method(budget: str) -> dict[str, Any]:
    return {
        "budget": budget,
        "rates": rates.told(rates.kept()).splitlines(),
        "versions": {"Python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "written": datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
    }


def tests_of(book: Book, claim: Claim) -> list[dict[str, str]]:
    """The tests of one claim: all cases of a parametrised test together, with how many ended in which way."""

    def row(check: Check) -> tuple[str, str, str]:
        name = check.test.partition("[")[0]
        if check.evidence is None:
            return name, "control", "that the checks can fail"
        return name, str(check.evidence), str(check.verdict)

    tests = groupby(sorted(book.of(claim.id), key=row), key=row)
    return [dict(zip(TEST_COLUMNS, (cells[0], _outcomes(checks), *cells[1:]), strict=True)) for cells, checks in tests]


def _outcomes(checks: Iterable[Check]) -> str:
    found = Counter(check.outcome for check in checks)
    return ", ".join(f"{number} {outcome}" for outcome, number in found.most_common()) or "none"


def needs(equation: Equation) -> Mapping[str, tuple[str, Basic | None]]:
    """Each axiom without which an equation breaks: what it says, and what is then left, where that can be read."""
    return {
        axiom.name: (axiom.says, residual if len(as_text(residual)) <= LONGEST_RESIDUAL else None)
        for axiom, residual in equation.needs.items()
    }


def math(expression: Basic) -> Markup:
    """A formula as MathML, with its text for those who have no MathML."""
    mathml, text = as_mathml(as_latex(expression)), as_text(expression)
    # HTML knows MathML without its namespace, and so the page holds no address at all.
    mathml = mathml.replace(NAMESPACE, f'alttext="{escape(text)}" style="--length: {len(text)}"', 1)
    return Markup(mathml)  # noqa: S704 - latex2mathml wrote it, and the text is escaped


def symbol_of(parameter: Parameter) -> Markup:
    """The symbol of an argument, or of its k-th entry, inside a line."""
    symbol = parameter.symbol if isinstance(parameter.symbol, Basic) else parameter.symbol(k)
    return Markup(math(symbol).replace('display="block"', 'display="inline"', 1))  # noqa: S704 - as above


def typeset(text: str) -> str:
    """The ledger's words with the paper's symbols, whose relations stay with what they relate."""
    for plain, symbol in SYMBOLS.items():
        text = text.replace(plain, symbol)
    text = re.sub(rf"\b({'|'.join(GREEK)})\b", lambda found: GREEK[found[0]], text)
    return re.sub(r" ([≤≥<>=]) ", rf"{NO_BREAK}\1{NO_BREAK}", text)


def breakable(name: str) -> Markup:
    """A test's name that may be broken between its words."""
    return Markup(re.sub(r"_|::", r"\g<0><wbr>", str(escape(name.removeprefix("paper_checks/")))))  # noqa: S704 - escaped


def slug(text: str) -> str:
    """Text as an id that a link can name."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
