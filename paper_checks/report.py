"""The page: the ledger with its checks, the derivations and the figures, in one file that asks nothing of a network."""

import os
import platform
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sympy import Basic

from paper_checks.bookkeeping import Book, Check
from paper_checks.figures import pictures
from paper_checks.ledger import Claim, Evidence, Verdict
from paper_checks.summary import (
    MEANING,
    STANDINGS,
    by_section,
    evidence_of,
    reason_of,
    standing,
    verdict_counts,
    waits,
)
from theory import EQUATIONS, Equation
from theory.printing import as_latex, as_mathml, as_text

PACKAGES = ("numpy", "sympy", "torch", "matplotlib")
# What is left without an axiom is shown up to this many characters; beyond, nobody would read it.
LONGEST_RESIDUAL = 120
RELATIONS = {"<=": "≤", ">=": "≥"}


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
        folder = next(folder for folder in target.parents if folder.exists())
        if not folder.is_dir():
            raise _refusal(path, f"cannot be written: {folder} is not a folder")
        with tempfile.TemporaryFile(dir=folder):  # the one sure sign; permissions do not tell of read-only disks
            pass
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise _refusal(path, f"cannot be written: {getattr(error, 'strerror', None) or error}") from None


def _refusal(path: Path, why: str) -> ValueError:
    return ValueError(" ".join(f"report = {path}: {why}".split()))


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: whatever fails, what was there before stays as it was.

    Raises:
        OSError: where it cannot be written.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{os.getpid()}")
    try:
        unfinished.write_bytes(text.encode())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_report(path: Path, book: Book, budget: str) -> None:
    """Write the page of a complete run.

    Args:
        path: the HTML file; its folder is created where it is missing.
        book: every claim and how its checks ended.
        budget: the error rates of the run, in a sentence.

    Raises:
        OSError: where it cannot be written; an older page then stays.
    """
    write_whole(path, as_html(book, budget))


def as_html(book: Book, budget: str) -> str:
    """The page as one HTML document."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"math": math, "standing": standing, "reason": reason_of, "slug": slug, "waits": waits}
    template = environment.get_template("template.html")
    return template.render(_ledger(book) | _method(budget) | {"equations": EQUATIONS, "pictures": _pictures()})


def _ledger(book: Book) -> dict[str, Any]:
    claims = book.claims.values()
    sections = by_section(claims)
    return {
        "meaning": MEANING,
        "sections": sections,
        "standings": STANDINGS,
        "counts": {heading: verdict_counts(held) for heading, held in sections.items()},
        "total": verdict_counts(claims),
        "claims": claims,
        "contradicted": [claim for claim in claims if claim.verdict is Verdict.CONTRADICTED],
        "evidence_kinds": Evidence,
        "evidence_of": evidence_of,
        "tests": {claim.id: tests_of(book, claim) for claim in claims},
        "refuted": [claim.id for claim in claims if book.refuted(claim.id)],
        "outcomes": _outcomes({check.test: check for checks in book.checks.values() for check in checks}.values()),
    }


def _method(budget: str) -> dict[str, Any]:
    return {
        "budget": budget,
        "versions": {"Python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "written": datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        "relations": RELATIONS,
        "needs": needs,
    }


def _pictures() -> list[dict[str, Any]]:
    return [vars(picture) | {"svg": Markup(picture.svg)} for picture in pictures()]  # noqa: S704 - our own SVG


def tests_of(book: Book, claim: Claim) -> list[dict[str, Any]]:
    """The tests of one claim: all cases of a parametrised test together, with how many ended in which way."""

    def test(check: Check) -> tuple[str, Evidence, Verdict]:
        return check.test.partition("[")[0], check.evidence, check.verdict

    checks = sorted(book.of(claim.id), key=lambda check: (test(check)[0], check.evidence.name, check.verdict))
    return [
        {"name": name, "evidence": evidence, "verdict": verdict, "outcomes": _outcomes(cases)}
        for (name, evidence, verdict), cases in groupby(checks, key=test)
    ]


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
    # HTML knows MathML without its namespace, so that the page holds no address at all.
    mathml = as_mathml(as_latex(expression)).partition(' xmlns="http://www.w3.org/1998/Math/MathML"')
    opening = Markup('{}<math alttext="{}"').format(Markup(), as_text(expression))
    return opening + Markup(mathml[2])  # noqa: S704 - what latex2mathml wrote


def slug(text: str) -> str:
    """Text as an id that a link can name."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
