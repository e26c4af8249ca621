"""The pytest plugin that reads the paper: every check bound to its claim, the table at the end, the page beside it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from paper_checks.bookkeeping import Book, Check
from paper_checks.claims import CLAIMS
from paper_checks.error_rates import BUDGET
from paper_checks.report import write_report
from paper_checks.summary import claim_table, counts

NARROWEST = 100


class Reader:
    """Collects the claims of the checks, and says at the end what they have established.

    Args:
        room: the folder of the checks.
        page: where a complete run writes its report.
        seed: of all simulations of the run.
    """

    def __init__(self, room: Path, page: Path, seed: int) -> None:
        self.room, self.page, self.seed = room, page, seed
        self.book = Book(CLAIMS)
        self.complete = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        """Refuse a check without a claim, and, where all checks were asked for, a claim without a check."""
        checks = [item for item in items if self.room in item.path.parents]
        problems = [f"{item.nodeid} checks no claim" for item in checks if not item.get_closest_marker("claim")]
        for item in checks:
            for mark in item.iter_markers("claim"):
                self.book.enter(Check(item.nodeid, *mark.args))
        problems += self.book.strangers()
        whole_files = {item.path for item in checks} == set(self.room.glob("test_*.py"))
        self.complete = whole_files and not any("::" in argument for argument in config.args)
        if self.complete:
            problems += self.book.gaps()
        if problems:
            raise pytest.UsageError("the ledger and the checks do not fit:\n" + "\n".join(problems))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how each check ended."""
        if report.when == "call" or not report.passed:
            self.book.finish(report.nodeid, report.outcome)

    @property
    def unsettled(self) -> bool:
        """Whether a claim was left without one of its checks."""
        return any(map(self.book.unsettled, self.book.claims))

    def pytest_deselected(self) -> None:
        """A run that leaves checks out does not read the whole paper."""
        self.complete = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Where the whole paper was asked for, a skipped check leaves a claim unchecked: that fails the run."""
        if self.complete and self.unsettled and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the claim table; after a complete run, write the page."""
        terminal = terminalreporter
        terminal.section("the paper, claim by claim")
        console = Console(width=max(terminal._tw.fullwidth, NARROWEST), highlight=False)
        with console.capture() as captured:
            console.print(claim_table(self.book, only_checked=not self.complete))
        terminal.write(captured.get())
        terminal.write_line(counts(self.book))
        terminal.write_line(str(BUDGET))
        terminal.write_line(f"again: --hypothesis-seed={self.seed}")
        if self.complete and not self.unsettled:
            write_report(self.page, self.book, str(BUDGET))
            terminal.write_line(f"the page: {self.page}")
