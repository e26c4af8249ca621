"""Claims that were examined at reduced scale: the records come to what the ledger says, by criteria stated before."""

import pytest

from paper_checks import criteria
from paper_checks.chance import LEVEL
from paper_checks.claims import CLAIMS
from paper_checks.claims_trained import EXAMINED
from paper_checks.criteria import PAPER_ONLY, REDUCED
from paper_checks.deciding import decide
from paper_checks.evidence import committed
from paper_checks.ledger import Claim, Evidence, Verdict, check, control
from paper_checks.reported import digest

SEAL = "148e847a020a3f4f5e5b7e896544be907d6d867d270f7be5c699c24f8708aa0c"


def examined(claim_id: str) -> object:
    """A claim as a case that, passing, establishes its verdict."""
    claim = CLAIMS[claim_id]
    return pytest.param(claim, marks=pytest.mark.claim(claim_id, Evidence.TRAINED, claim.verdict), id=claim_id)


@pytest.mark.parametrize("claim", [*map(examined, EXAMINED)])
def test_the_records_come_to_the_verdict_of_the_ledger_by_the_criterion(claim: Claim) -> None:
    # A condition is that the nets are siblings: no criterion can see that.
    said = Verdict.HOLDS if claim.verdict is Verdict.HOLDS_IF else claim.verdict
    assert decide(claim.id, committed()) is said


@check("CRITERIA", Evidence.ENUMERATED)
def test_no_criterion_has_changed_since_the_runs_were_made() -> None:
    assert digest(stated()) == SEAL


@control("CRITERIA")
def test_one_changed_word_would_be_seen() -> None:
    holds, contradicted = stated()["S3-MOMENTS"]
    assert "a tenth" in holds
    assert digest(stated() | {"S3-MOMENTS": (holds.replace("a tenth", "half"), contradicted)}) != SEAL


def stated() -> dict[str, tuple[str, str]]:
    """All that was stated: what words mean, the criteria, what no reduced run decides, and the level of chance."""
    words = {"words": (str(criteria.__doc__), ""), "level": (str(LEVEL), "")}
    return (
        words
        | {each: (own.holds, own.contradicted) for each, own in REDUCED.items()}
        | {each: (why, "") for each, why in PAPER_ONLY.items()}
    )


@control("CRITERIA")
def test_no_claim_is_left_not_run_that_the_records_decide() -> None:
    left = [claim_id for claim_id in REDUCED if claim_id not in EXAMINED]
    assert [claim_id for claim_id in left if decide(claim_id, committed()) is not None] == []
