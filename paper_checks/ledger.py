"""What a claim is, what backs it, and what can be said of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., None])


class Evidence(Enum):
    """How a claim was examined."""

    PROVED = "derived symbolically, every step verified"
    ENUMERATED = "computed exactly over a finite set of cases"
    SIMULATED = "sampled, with error bars and stated error rates"
    REPORTED = "arithmetic on the paper's own printed numbers: not a reproduction"
    TRAINED = "measured on networks that were trained: whose records are committed, or, small ones, by the run itself"
    NOT_RUN = "needs a training run that has not been made"

    def __str__(self) -> str:
        return self.name.replace("_", " ")


class Verdict(IntEnum):
    """What can be said of a claim, the least comfortable last: a claim takes the last of its checks' verdicts."""

    HOLDS = 0
    HOLDS_IF = 1
    OPEN = 2
    UNDERSPECIFIED = 3
    CONTRADICTED = 4

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and where it stands.

    Attributes:
        id: short and stable; checks name it.
        where: section, equation, table or figure of the paper.
        says: the claim in our own words.
        evidence: every kind of evidence that its checks must bring.
        verdict: what the checks establish together.
        because: the condition, what contradicts it, or, where it is NOT RUN, the experiment that would decide it.
        in_full: the experiment at the paper's own scale, of a claim that was decided at a smaller one.
    """

    id: str
    where: str
    says: str
    evidence: tuple[Evidence, ...]
    verdict: Verdict
    because: str = ""
    in_full: str = ""


THREE_WAYS = (Evidence.PROVED, Evidence.ENUMERATED, Evidence.SIMULATED)


def holds(claim_id: str, where: str, says: str, *evidence: Evidence) -> Claim:
    """A claim that holds as it is said."""
    return Claim(claim_id, where, says, evidence, Verdict.HOLDS)


def holds_if(claim_id: str, where: str, says: str, condition: str, *evidence: Evidence) -> Claim:
    """A claim that holds under a condition."""
    return Claim(claim_id, where, says, evidence, Verdict.HOLDS_IF, condition)


def contradicted(claim_id: str, where: str, says: str, by: str, *evidence: Evidence) -> Claim:
    """A claim that something contradicts."""
    return Claim(claim_id, where, says, evidence, Verdict.CONTRADICTED, by)


def underspecified(claim_id: str, where: str, says: str, missing: str, *evidence: Evidence) -> Claim:
    """A claim that cannot be decided as it is said."""
    return Claim(claim_id, where, says, evidence, Verdict.UNDERSPECIFIED, missing)


def check(claim_id: str, evidence: Evidence, verdict: Verdict = Verdict.HOLDS) -> Callable[[Test], Test]:
    """Mark a test as a check of a claim: it brings `evidence` of one kind and, passing, establishes `verdict`."""

    def mark(test: Test) -> Test:
        return pytest.mark.claim(claim_id, evidence, verdict)(test)

    return mark


def control(claim_id: str) -> Callable[[Test], Test]:
    """Mark a test as a negative control of a claim's checks: it shows that they can fail, and establishes nothing."""

    def mark(test: Test) -> Test:
        return pytest.mark.claim(claim_id, None, None)(test)

    return mark
