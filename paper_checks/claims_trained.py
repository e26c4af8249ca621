"""Where claims stand that runs at reduced scale have examined, by the criteria that were stated before them."""

from collections.abc import Mapping
from dataclasses import replace

from paper_checks.ledger import Claim, Evidence, Verdict

HOLDS, OPEN, CONTRADICTED = Verdict.HOLDS, Verdict.OPEN, Verdict.CONTRADICTED

EXAMINED: Mapping[str, tuple[Verdict, str]] = {
    "S3-MOMENTS": (
        CONTRADICTED,
        "Their averages, put into Eq. 10, overstate 1 - Delta at every convolution, and behind 3 x 3 kernels by more "
        "than behind any 1 x 1. The law is right there: filters align with whatever is correlated in their inputs, and "
        "cos^2 sees only how they align with the mean. That heals more than the width does.",
    ),
    "F1b-RUN": (HOLDS, ""),
    "S1-DEPTH-RUN": (
        OPEN,
        "It does in PreResNet and ResNeXt. In WRN it has no order, in DenseNet hardly any: BNs right behind Dropout "
        "shift most, wherever they stand.",
    ),
    "S3-CONST": (
        OPEN,
        "No moving variance has drifted by 3%, but the shift of a few of DenseNet's BNs is so small that even less is "
        "more than a tenth of it.",
    ),
    "F5-RUN": (
        OPEN,
        "The flip is there: in each seed test mode errs more. What noise costs by itself is not: with Dropout off and "
        "BN by its batch, not each seed errs less than in train mode.",
    ),
    "S4-CAUSE-RUN": (
        OPEN,
        "Most of these nets win back less than half: trained for so short, they pay for noise as such.",
    ),
    "T3-RUN": (HOLDS, ""),
    "X-LOCAL-RUN": (HOLDS, ""),
    "X-TOTAL-RUN": (HOLDS, ""),
}
"""by claim, the verdict, and why, where it is not that the claim holds"""


def examined(claim: Claim) -> Claim:
    """Return a claim as the records leave it: what would decide it in full is kept."""
    if claim.id not in EXAMINED:
        return claim
    verdict, because = EXAMINED[claim.id]
    return replace(claim, evidence=(Evidence.TRAINED,), verdict=verdict, because=because, in_full=claim.because)
