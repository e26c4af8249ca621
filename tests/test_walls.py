"""The walls between the rooms, by reading what each file imports."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("theory", "simulator", "fullscale", "paper_checks", "tests")
COMMAND_LINE, DRAWING = {"tyro", "rich"}, {"matplotlib"}
# What single files may import beyond what their room may.
ALLOWED_IN = {
    "__main__.py": COMMAND_LINE,
    "terminal.py": COMMAND_LINE,
    "simulator/pictures.py": DRAWING,
    "simulator/parallel.py": {"threadpoolctl"},
    "fullscale/pictures.py": DRAWING,
    "fullscale/experiments/drawing.py": DRAWING,
    "fullscale/experiments/pictures_beyond.py": DRAWING,
    "tests/test_pictures.py": DRAWING,
    "tests/simulator/drawn.py": DRAWING,
    "tests/simulator/test_pictures_curves.py": DRAWING,
    "tests/simulator/test_terminal.py": {"rich"},
    "tests/simulator/test_parallel.py": {"threadpoolctl"},
    "tests/simulator/test_pytorch.py": {"threadpoolctl"},
    "tests/mutants/choosing.py": {"mutmut"},
    "fullscale/files.py": {"safetensors"},
    "fullscale/record.py": {"msgspec"},
    "fullscale/sweep/slurm.py": {"submitit"},
    "fullscale/doctor/page.py": {"jinja2"},
    "paper_checks/explore.py": {"marimo"},
}
ALLOWED = {
    "theory": {"sympy", "latex2mathml"},
    "simulator": {"numpy"},
    "fullscale": {"numpy", "torch", "torchvision"},
    "paper_checks": {
        "numpy",
        "sympy",
        "torch",
        "pytest",
        "hypothesis",
        "rich",
        "tyro",
        "jinja2",
        "markupsafe",
        "mpmath",
        "matplotlib",
    }
    | {"theory", "simulator", "fullscale"},
    "tests": {"numpy", "sympy", "torch", "torchvision", "safetensors", "pytest", "hypothesis"}
    | {"theory", "simulator", "fullscale"},
}
TOP_LEVEL = {*ROOMS, "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml"}


def imported(source: str) -> Iterator[str]:
    """The top-level packages that a source text imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def strangers(room: str, name: str, source: str) -> set[str]:
    """What a file of a room imports beyond what its room may."""
    base = Path(name).name
    may = {room}.union(ALLOWED[room], *(ALLOWED_IN.get(key, ()) for key in (base, f"{room}/{base}", f"{room}/{name}")))
    return set(imported(source)) - may - sys.stdlib_module_names


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_reaches_through_a_wall(room: str) -> None:
    files = list((ROOT / room).rglob("*.py"))
    assert files
    found = {file: strangers(room, file.relative_to(ROOT / room).as_posix(), file.read_text()) for file in files}
    assert not {str(file): names for file, names in found.items() if names}


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("simulator", "import theory"),
        ("simulator", "from theory.case_b import SHIFT"),
        ("simulator", "def f():\n    import sympy"),
        ("theory", "import simulator.noise"),
        ("theory", "import random, torch"),
        ("fullscale", "from simulator import Dropout"),
        ("tests", "from paper_checks import claims"),
        ("simulator", "import rich"),
        ("simulator", "import tyro"),
        ("simulator", "import matplotlib.figure"),
    ],
)
def test_an_import_through_a_wall_is_noticed(room: str, source: str) -> None:
    assert strangers(room, "module.py", source)


@pytest.mark.parametrize(
    ("room", "name", "package"),
    [
        ("simulator", "terminal.py", "rich"),
        ("simulator", "terminal.py", "tyro"),
        ("theory", "__main__.py", "tyro"),
        ("simulator", "pictures.py", "matplotlib"),
        ("fullscale", "pictures.py", "matplotlib"),
        ("fullscale", "doctor/page.py", "jinja2"),
        ("fullscale", "sweep/slurm.py", "submitit"),
        ("fullscale", "record.py", "msgspec"),
        ("paper_checks", "explore.py", "marimo"),
    ],
)
def test_what_only_draws_is_imported_only_where_it_draws(room: str, name: str, package: str) -> None:
    assert not strangers(room, name, f"import {package}")
    assert strangers(room, "module.py", f"import {package}") == {package}
    assert strangers(room, name, "import jax") == {"jax"}


def test_matplotlib_is_for_pictures_alone() -> None:
    assert strangers("theory", "pictures.py", "import matplotlib") == {"matplotlib"}
    assert strangers("simulator", "terminal.py", "import matplotlib") == {"matplotlib"}
    assert strangers("fullscale", "terminal.py", "import matplotlib") == {"matplotlib"}


def test_nothing_else_stands_at_the_top_level() -> None:
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert visible - {"uv.lock", "dist", "data", "runs", "mutants"} == TOP_LEVEL


def test_no_source_file_is_longer_than_350_lines() -> None:
    lengths = {file: len(file.read_text().splitlines()) for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    assert not {str(file): length for file, length in lengths.items() if length > 350}
