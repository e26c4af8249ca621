"""What the tests of the ledger share: its command line, and two pages of it, made without running a check."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger import Ask, asked

ROOT = Path(__file__).parents[2]
BUILD = """
import sys
from pathlib import Path
from paper_checks.bookkeeping import Book, Check, by_id
from paper_checks.claims import CLAIMS
from paper_checks.ledger import Claim, Evidence, Verdict
from paper_checks.report import write_report

LONG = "test_paper.py::test_which_tells_by_its_name_what_it_is_that_it_checks_and_leaves_nothing_of_it_out"

def book(outcome):
    book = Book(by_id([
        Claim("P-1", "Section 3.1, Eq. 6", "1 < 2 & <script>alert('x')</script>", (Evidence.PROVED,), Verdict.HOLDS),
        Claim("R-1", "Table 2", "Two is large.", (Evidence.REPORTED,), Verdict.CONTRADICTED, "By three."),
        Claim("N-1", "Fig. 4", "It grows.", (Evidence.NOT_RUN,), Verdict.OPEN, "Train forty nets."),
        *CLAIMS.values(),
    ]))
    book.enter(Check("test_p.py::test_p[1]", "P-1", Evidence.PROVED, Verdict.HOLDS, "passed"))
    book.enter(Check("test_p.py::test_p[2]", "P-1", Evidence.PROVED, Verdict.HOLDS, outcome))
    book.enter(Check("test_p.py::test_fails", "P-1", None, None, "passed"))
    book.enter(Check("test_r.py::test_r", "R-1", Evidence.REPORTED, Verdict.CONTRADICTED, "passed"))
    for claim in CLAIMS.values():
        for kind in claim.evidence:
            book.enter(Check(LONG, claim.id, kind, claim.verdict, "passed"))
    return book

for outcome in ("passed", "failed"):
    write_report(Path(sys.argv[1]) / f"{outcome}.html", book(outcome), "seven < eight comparisons")
"""


@pytest.fixture(scope="session")
def pages_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `passed.html` and `failed.html` lie: made once, also for tests that run in several processes."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made = shared / "new" / "folder"
    with (shared / "pages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            command = [sys.executable, "-c", BUILD, str(made)]
            process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
            if process.returncode or process.stderr:
                pytest.fail(process.stderr)
    return made


@pytest.fixture(scope="session")
def ask() -> Iterator[Ask]:
    """The command line of paper_checks."""
    with asked() as ask:
        yield ask
