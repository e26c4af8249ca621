"""What the checks themselves rest on: transcript, rounding, error rates, criteria and records."""

from paper_checks.ledger import Claim, Evidence, holds

CHECK_CLAIMS: tuple[Claim, ...] = (
    holds(
        "TRANSCRIPTION",
        "beyond Tables 1-5",
        "The printed numbers stand in reported.py as they were proof-read, digit by digit.",
        Evidence.REPORTED,
    ),
    holds(
        "ROUNDING",
        "beyond Tables 1-5",
        "A printed number stands for every value that rounds to it, and each verdict on the tables allows for all of "
        "them.",
        Evidence.ENUMERATED,
    ),
    holds(
        "ERROR-RATES",
        "beyond Section 3",
        "Simulated checks reject as rarely as they say where they are right, and miss an error of the size that they "
        "name as rarely as they say.",
        Evidence.SIMULATED,
    ),
    holds(
        "CRITERIA",
        "beyond Section 4",
        "What a reduced run must show was stated before it was made; as code, each criterion can come out either way.",
        Evidence.ENUMERATED,
    ),
    holds(
        "RECORDS",
        "beyond Section 4",
        "The records behind trained claims are as they were sealed, and each is of a run that an experiment has.",
        Evidence.ENUMERATED,
    ),
)
