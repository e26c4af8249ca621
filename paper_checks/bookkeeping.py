"""Holding the checks against the ledger: which test backs which claim, and whether together they say what it says."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from paper_checks.ledger import Claim, Evidence, Verdict


@dataclass
class Check:
    """One test of one claim.

    Attributes:
        test: pytest's name of the test.
        evidence: the kind that it brings; None for a negative control.
        verdict: what it establishes by passing; None for a negative control.
        outcome: "passed", "failed", or "not run".
    """

    test: str
    claim: str
    evidence: Evidence | None
    verdict: Verdict | None
    outcome: str = "not run"


@dataclass
class Book:
    """Every check, by the test that makes it: a test may check several claims."""

    claims: Mapping[str, Claim]
    checks: dict[str, list[Check]] = field(default_factory=lambda: defaultdict(list))

    def enter(self, check: Check) -> None:
        """Note a check that will run."""
        self.checks[check.test].append(check)

    def of(self, claim_id: str) -> list[Check]:
        """The checks of one claim."""
        return [check for checks in self.checks.values() for check in checks if check.claim == claim_id]

    def finish(self, test: str, outcome: str) -> None:
        """Note how a test ended; once failed, it stays failed."""
        for check in self.checks.get(test, []):
            check.outcome = "failed" if "failed" in (outcome, check.outcome) else outcome

    def refuted(self, claim_id: str) -> bool:
        """Whether a check of the claim failed, so that the ledger is not true."""
        return any(check.outcome == "failed" for check in self.of(claim_id))

    def unsettled(self, claim_id: str) -> bool:
        """Whether a check of the claim was skipped, deselected or never reached, so that nothing is established."""
        return any(check.outcome not in ("passed", "failed") for check in self.of(claim_id))

    def strangers(self) -> Iterable[str]:
        """What is wrong with single checks: an unknown claim, evidence that the ledger does not list."""
        for check in (check for checks in self.checks.values() for check in checks):
            claim = self.claims.get(check.claim)
            if claim is None:
                yield f"{check.test} checks {check.claim}, which the ledger does not know"
            elif check.evidence not in (None, *claim.evidence):
                yield f"{check.test} brings {check.evidence} for {check.claim}, which the ledger does not list"

    def gaps(self) -> Iterable[str]:
        """What is wrong with the ledger as a whole: evidence that no check brings, a verdict that none gives."""
        for claim in self.claims.values():
            checks = self.of(claim.id)
            brought = {check.evidence for check in checks} | {Evidence.NOT_RUN}
            for evidence in claim.evidence:
                if evidence not in brought:
                    yield f"{claim.id} claims to be {evidence}, but no check brings that"
            given = max((check.verdict for check in checks if check.verdict is not None), default=Verdict.OPEN)
            if given != claim.verdict:
                yield f"{claim.id} is said to be '{claim.verdict}', but its checks establish '{given}'"
            if claim.verdict is not Verdict.HOLDS and not claim.because:
                yield f"{claim.id} is '{claim.verdict}' but does not say why"


def by_id(claims: Iterable[Claim]) -> dict[str, Claim]:
    """The claims by their ids.

    Raises:
        ValueError: where two share an id.
    """
    ledger: dict[str, Claim] = {}
    for claim in claims:
        if claim.id in ledger:
            raise ValueError(f"two claims are called {claim.id}")
        ledger[claim.id] = claim
    return ledger
