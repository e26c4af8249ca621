"""What stands behind a claim about trained nets: the criterion that came first, what was seen, and in which runs."""

from collections.abc import Mapping

from fullscale.experiments.catalogue import EXPERIMENTS
from paper_checks.criteria import PAPER_ONLY, REDUCED
from paper_checks.deciding import examine
from paper_checks.evidence import committed, told
from paper_checks.ledger import Claim, Evidence
from paper_checks.live import TOLD
from paper_checks.trained import SEEN_IN


def backing(claim: Claim) -> Mapping[str, str]:
    """Return what there is to tell, by what it is; nothing of claims that no training run was asked for."""
    return _criterion(claim) | _runs(claim)


def in_short(claim: Claim) -> str:
    """Tell what was seen and in which runs, in a line; nothing where none decided the claim."""
    return " ".join(f"{name.capitalize()}: {text}" for name, text in _runs(claim).items())


def _criterion(claim: Claim) -> dict[str, str]:
    if claim.id in PAPER_ONLY:
        return {"not at reduced scale": PAPER_ONLY[claim.id]}
    if claim.id not in REDUCED:
        return {}
    own = REDUCED[claim.id]
    never = "Never: nets so small can only show the like."
    return {"said before: holds if": own.holds, "contradicted if": own.contradicted or never}


def _runs(claim: Claim) -> dict[str, str]:
    if Evidence.TRAINED not in claim.evidence:
        return {}
    if claim.id not in REDUCED:
        return {"runs": TOLD}
    found = examine(claim.id, committed())
    runs = EXPERIMENTS[SEEN_IN[claim.id]].runs(committed().scale)
    return {"seen": found.seen, "runs": told(committed(), runs)} if found else {}
