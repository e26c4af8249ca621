"""A pytest plugin that notes what the simulated checks compare, and can make the equations they evaluate wrong by 1%.

pytest paper_checks -p paper_checks.falsifying --notes FILE --first SEED --seeds N [--falsify CLEAN]
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hypothesis
import pytest
from hypothesis import Phase, is_hypothesis_test, settings
from sympy import Expr, Rational

from fullscale.files import write_json
from paper_checks.error_rates import BUDGET, Comparison
from paper_checks.ledger import Evidence
from theory import Equation

FACTOR = Rational(101, 100)
FALSIFIED, SEED = "falsified", "seed"


@dataclass(frozen=True)
class Note:
    """What one check compared, with one seed.

    Attributes:
        test: its function, without parameters.
        seed: of the simulation, and of what hypothesis draws.
        falsified: the equation that was wrong meanwhile; None where all were as they are.
        evaluated: the equations whose values it asked for.
        comparisons: those with a value, up to the first that failed.
        passed: whether the check did.
    """

    test: str
    seed: int
    falsified: str | None
    evaluated: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    passed: bool

    @property
    def rejected(self) -> bool:
        """Whether a comparison has found its estimate too far off; where one has, no other follows."""
        return any(made.rejects(made.exact) for made in self.comparisons)

    def as_json(self) -> dict[str, Any]:
        """All of it, each comparison as its estimate, standard error, value, promise and replicas."""
        made = [_numbers(comparison) for comparison in self.comparisons]
        return vars(self) | {"comparisons": made, "rejected": self.rejected}


@contextmanager
def falsified(name: str | None) -> Iterator[set[str]]:
    """Make all values of an equation too large by a hundredth; collects the equations that are evaluated."""
    evaluated, exact = set[str](), Equation.exact

    def wrong(self: Equation, **values: Any) -> Expr:
        evaluated.add(self.name)
        return exact(self, **values) * (FACTOR if self.name == name else 1)

    with patch.object(Equation, "exact", wrong):
        yield evaluated


class Falsifying:
    """Leaves the simulated checks: with each seed, once, or once for each equation that they evaluated in a clean run.

    Args:
        notes: the file to write.
        seeds: which.
        clean: the notes of the clean run; None for a clean run.
    """

    def __init__(self, notes: Path, seeds: Sequence[int], clean: Path | None) -> None:
        self._file, self._seeds, self._clean = notes, seeds, clean
        self._evaluated = _evaluated(clean) if clean else {}
        self._notes: list[Note] = []

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Repeat a check with each seed, and with each of its equations falsified."""
        repeated: dict[str, Sequence[Any]] = {SEED: self._seeds}
        if self._clean:
            repeated[FALSIFIED] = sorted(self._evaluated.get(metafunc.definition.nodeid, ()))
        for name, values in repeated.items():
            if name not in metafunc.fixturenames:
                metafunc.fixturenames.append(name)
            metafunc.parametrize(name, values)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is not simulated."""
        left_out = [item for item in items if not _simulated(item)]
        items[:] = [item for item in items if _simulated(item)]
        config.hook.pytest_deselected(items=left_out)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Function) -> Iterator[None]:
        """Note what is compared while the check runs."""
        settled = dict[str, Any](item.callspec.params)
        seed, name, before, passed = settled[SEED], settled.get(FALSIFIED), len(BUDGET.comparisons), False
        if is_hypothesis_test(item.obj):
            hypothesis.seed(seed)(item.obj)
        with falsified(name) as evaluated:
            try:
                yield
                passed = True
            finally:
                made, test = tuple(BUDGET.comparisons[before:]), item.nodeid.partition("[")[0]
                self._notes.append(Note(test, seed, name, tuple(sorted(evaluated)), made, passed))
                del BUDGET.comparisons[before:]  # so many runs may spend more than one

    def pytest_sessionfinish(self) -> None:
        """Write what was noted."""
        write_json(self._file, [note.as_json() for note in self._notes])


def _evaluated(clean: Path) -> dict[str, set[str]]:
    """The equations that each check evaluated to compare."""
    found = defaultdict[str, set[str]](set)
    for note in json.loads(clean.read_bytes()):
        if note["comparisons"]:
            found[note["test"]] |= set(note["evaluated"])
    return found


def _numbers(made: Comparison) -> list[float | None]:
    numbers = made.estimate.value, made.estimate.stderr, made.exact, made.catches
    return [*map(float, numbers), made.replicas]


def _simulated(item: pytest.Item) -> bool:
    return any(mark.args[1] is Evidence.SIMULATED for mark in item.iter_markers("claim"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the files."""
    parser.addoption("--notes", type=Path, required=True, metavar="FILE", help="where to note what was compared")
    parser.addoption("--first", type=int, default=0, metavar="SEED", help="the first seed")
    parser.addoption("--seeds", type=int, default=1, metavar="N", help="how many")
    parser.addoption("--falsify", type=Path, metavar="CLEAN", help="the notes of a run in which nothing was falsified")


def pytest_configure(config: pytest.Config) -> None:
    """Take part; what fails on purpose is neither remembered nor made smaller."""
    settings.register_profile("falsifying", database=None, phases=(Phase.explicit, Phase.generate))
    settings.load_profile("falsifying")
    options = config.option
    seeds = range(options.first, options.first + options.seeds)
    config.pluginmanager.register(Falsifying(options.notes, seeds, options.falsify))
