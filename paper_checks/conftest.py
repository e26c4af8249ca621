"""pytest as the paper's reader: binds checks to claims, and ends with the claim table and a page."""

from pathlib import Path

import numpy as np
import pytest

from paper_checks.live import Live, Net
from paper_checks.reader import Reader
from paper_checks.report import require_writable

PAGE = Path(__file__).parent / "report" / "index.html"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--report", type=Path, default=PAGE, metavar="FILE", help="where a complete run writes its page")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "claim(id, evidence, verdict): the claim that the test checks, or, without evidence, controls"
    )
    page, chosen = Path(str(config.getoption("--report"))), str(config.getoption("hypothesis_seed"))
    try:
        require_writable(page)
        if not chosen.isdecimal():
            raise ValueError(f"hypothesis-seed = {chosen}: must be a whole number >= 0")
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(Reader(Path(__file__).parent, page, int(chosen)))
    config.pluginmanager.register(Live(), "live-tier")


@pytest.fixture(scope="session")
def live(pytestconfig: pytest.Config) -> dict[str, Net]:
    """The nets that were trained meanwhile."""
    plugin: Live = pytestconfig.pluginmanager.get_plugin("live-tier")  # pyright: ignore[reportAssignmentType]
    return plugin.nets()


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """The seed of all simulations of a run, which `--hypothesis-seed` sets."""
    return int(str(pytestconfig.getoption("hypothesis_seed")))


@pytest.fixture
def rng(seed: int, request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator for one check, that no other check shares."""
    return np.random.default_rng([seed, *request.node.name.encode()])
