"""A pytest plugin that repeats the simulated checks, with other seeds or with equations made wrong by 1%.

It notes what they compare: `pytest paper_checks -p paper_checks.repeating --notes FILE --first SEED --seeds N
[--falsify CLEAN]`. Checks have draws of their own under it, which the same line repeats.
"""

import json
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hypothesis
import pytest
from hypothesis import Phase, is_hypothesis_test, settings
from sympy import Expr, Rational

from fullscale.files import write_json
from paper_checks.error_rates import Budget, Comparison
from paper_checks.ledger import Evidence
from simulator import Estimate
from theory import Equation

FACTOR = Rational(101, 100)
OF_RATES = "ERROR-RATES"  # whose checks are not held to the budget, and read what is measured here
SHARED = ("comparing", "conftest", "controls", "error_rates", "maps", "repeating")  # by the simulated checks
SEED, FALSIFIED = "seed", "falsified"
ROOT = Path(__file__).parents[1]
ROOMS = {"theory", "simulator"}
SOFTWARE = ("hypothesis", "mpmath", "numpy", "sympy")


@dataclass(frozen=True)
class Note:
    """What one check compared, with one seed.

    Attributes:
        test: its function, without parameters.
        seed: of the simulation, and of what hypothesis draws.
        falsified: the equation that was wrong meanwhile; None where all were as they are.
        evaluated: the equations whose values it asked for.
        comparisons: those with a value.
        passed: whether the check did.
    """

    test: str
    seed: int
    falsified: str | None
    evaluated: list[str]
    comparisons: list[Comparison]
    passed: bool


@contextmanager
def falsified(name: str | None) -> Iterator[set[str]]:
    """Make all values of an equation too large by a hundredth; collects the equations that are evaluated."""
    evaluated, exact = set[str](), Equation.exact

    def wrong(self: Equation, **values: Any) -> Expr:
        evaluated.add(self.name)
        return exact(self, **values) * (FACTOR if self.name == name else 1)

    with patch.object(Equation, "exact", wrong):
        yield evaluated


def code_of(files: Iterable[Path]) -> dict[str, str]:
    """16 hex digits of the SHA-256 of each file, by its path in the project."""
    return {path.relative_to(ROOT).as_posix(): sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(files)}


def software() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in SOFTWARE}


def changed(code: Mapping[str, str]) -> list[str]:
    """Name the files of such a `code_of` that are others now, or gone."""
    there = code_of(ROOT / name for name in code if (ROOT / name).is_file())
    return [name for name in code if there.get(name) != code[name]]


def upgraded(versions: Mapping[str, str]) -> list[str]:
    """Name what has another version now, or had none."""
    return [name for name, version in software().items() if versions.get(name) != version]


def evaluated(notes: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Each check, with each equation that it evaluated to compare."""
    return {(note["test"], name) for note in notes if note["comparisons"] for name in note["evaluated"]}


class Repeating:
    """Makes each simulated check with each seed: once, or once for each equation that it evaluated in a clean run.

    Args:
        notes: the file to write, once all have been made.
        seeds: which.
        clean: the notes of the clean run; None for a clean run.
    """

    def __init__(self, notes: Path, seeds: Sequence[int], clean: Path | None) -> None:
        self._file, self._seeds, self._clean = notes, seeds, clean
        self._evaluated = evaluated(json.loads(clean.read_bytes())["notes"]) if clean else set[tuple[str, str]]()
        self._code: dict[str, str] = {}
        self._notes: list[Note] = []

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Repeat a check; hypothesis refuses parameters that live for a function."""
        repeated: dict[str, Sequence[Any]] = {SEED: self._seeds}
        if self._clean:
            repeated[FALSIFIED] = sorted(name for test, name in self._evaluated if test == metafunc.definition.nodeid)
        for name, values in repeated.items():
            if name not in metafunc.fixturenames:
                metafunc.fixturenames.append(name)
            metafunc.parametrize(name, values, scope="session")

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is not simulated, and what evaluates nothing that could be falsified."""
        left_out = [item for item in items if not self._meant(item)]
        items[:] = [item for item in items if self._meant(item)]
        config.hook.pytest_deselected(items=left_out)
        self._code = code_of({*_shared(), *(item.path for item in items)})

    def _meant(self, item: pytest.Item) -> bool:
        return _simulated(item) and (not self._clean or _test(item) in {test for test, _ in self._evaluated})

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Function) -> Iterator[None]:
        """Note what is compared while the check runs, out of a budget of its own."""
        parameters = dict[str, Any](item.callspec.params)
        seed, name, budget, passed = parameters[SEED], parameters.get(FALSIFIED), Budget(), False
        if is_hypothesis_test(item.obj):
            hypothesis.seed(seed)(item.obj)
        with falsified(name) as asked_for, patch("paper_checks.error_rates.BUDGET", budget):
            try:
                yield
                passed = True
            finally:
                comparisons = [*map(_plain, budget.comparisons)]
                self._notes.append(Note(_test(item), seed, name, sorted(asked_for), comparisons, passed))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write what was noted, unless something came between."""
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if ended and len(self._notes) == len(session.items):
            notes = [asdict(note) for note in self._notes]
            write_json(self._file, {"code": self._code, "software": software(), "notes": notes})


def _shared() -> set[Path]:
    """The files on which all checks rest; what none of them loads, as pictures, is none."""
    loaded = [module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] in ROOMS]
    return {Path(file) for file in loaded if file} | {ROOT / "paper_checks" / f"{name}.py" for name in SHARED}


def _test(item: pytest.Item) -> str:
    """A check's name without its parameters."""
    return item.nodeid.partition("[")[0]


def _plain(made: Comparison) -> Comparison:
    """Without numpy's types, which JSON lacks."""
    estimate = made.estimate
    return replace(made, estimate=Estimate(float(estimate.value), float(estimate.stderr), int(estimate.n)))


def _simulated(item: pytest.Item) -> bool:
    claims = {mark.args[0] for mark in item.iter_markers("claim") if mark.args[1] is Evidence.SIMULATED}
    return bool(claims - {OF_RATES})


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the file and the seeds."""
    parser.addoption("--notes", type=Path, required=True, metavar="FILE", help="where to note what was compared")
    parser.addoption("--first", type=int, default=0, metavar="SEED", help="the first seed")
    parser.addoption("--seeds", type=int, default=1, metavar="N", help="how many")
    parser.addoption("--falsify", type=Path, metavar="CLEAN", help="the notes of a run in which nothing was falsified")


def pytest_configure(config: pytest.Config) -> None:
    """Take part; what fails on purpose is neither remembered nor made smaller."""
    settings.register_profile("repeating", database=None, phases=(Phase.explicit, Phase.generate))
    settings.load_profile("repeating")
    options = config.option
    seeds = range(options.first, options.first + options.seeds)
    config.pluginmanager.register(Repeating(options.notes, seeds, options.falsify))
