"""The ledger: every claim of the paper, and what has been established about it."""

from collections.abc import Mapping

from paper_checks.bookkeeping import by_id
from paper_checks.claims_checks import CHECK_CLAIMS
from paper_checks.claims_equations import EQUATION_CLAIMS
from paper_checks.claims_errors import ERROR_CLAIMS
from paper_checks.claims_experiments import SHIFT_CLAIMS
from paper_checks.claims_law import LAW_CLAIMS
from paper_checks.claims_training import TRAINING_CLAIMS
from paper_checks.ledger import Claim

CLAIMS: Mapping[str, Claim] = by_id(
    (*EQUATION_CLAIMS, *LAW_CLAIMS, *SHIFT_CLAIMS, *ERROR_CLAIMS, *TRAINING_CLAIMS, *CHECK_CLAIMS)
)
