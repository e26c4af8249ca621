"""What the criteria come to: each of `paper_checks.criteria`, word for word, as a function of the records."""

from collections.abc import Callable, Mapping

from fullscale.experiments.results import Results
from paper_checks import deciding_errors, deciding_shifts
from paper_checks.deciding_records import Finding, MissingError
from paper_checks.ledger import Verdict

__all__ = ["DECIDED", "Finding", "MissingError", "decide", "examine"]


def examine(claim: str, results: Results) -> Finding | None:
    """Return what the records make of a claim, and the figures it rests on; None where some are missing.

    Raises:
        KeyError: if no reduced run decides the claim.
    """
    try:
        return DECIDED[claim](results)
    except MissingError:
        return None


def decide(claim: str, results: Results) -> Verdict | None:
    """Return what the records make of a claim: it holds, is contradicted, or stays open; None where some are missing.

    Raises:
        KeyError: if no reduced run decides the claim.
    """
    found = examine(claim, results)
    return found and found.verdict


DECIDED: Mapping[str, Callable[[Results], Finding]] = {
    "S2-INFERENCE": deciding_errors.inference_by_batch,
    "S3-MOMENTS": deciding_shifts.moments,
    "S4-STEPS": deciding_shifts.steps,
    "F1b-RUN": deciding_shifts.figure_1,
    "S1-DEPTH-RUN": deciding_shifts.depth,
    "S3-CONST": deciding_shifts.constancy,
    "S3-CHAIN-RUN": deciding_shifts.chain_reaction,
    "T1-RUN": deciding_shifts.angles,
    "F4-DROP-RUN": deciding_shifts.growth,
    "F4-CLOSE-RUN": deciding_shifts.closeness,
    "F4-AB-RUN": deciding_shifts.a_above_b,
    "F4-WRN-RUN": deciding_shifts.wrn_least,
    "X-WIDTH-RUN": deciding_shifts.wider_shifts_less,
    "F5-RUN": deciding_errors.flipped,
    "S4-CAUSE-RUN": deciding_errors.cause,
    "T3-RUN": deciding_errors.adjusting,
    "F6-SHIFT-RUN": deciding_errors.sampled_shift,
    "F6-RUN": deciding_errors.samples_that_match,
    "F6-BASE-RUN": deciding_errors.samples_against_baseline,
    "X-LOCAL-RUN": deciding_shifts.local_shift,
    "X-TOTAL-RUN": deciding_shifts.whole_shift,
}
"""by claim"""
