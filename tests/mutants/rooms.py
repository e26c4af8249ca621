"""What is mutated, and which tests may notice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.kept import ROOT

PACKAGES = ("theory", "simulator", "fullscale", "paper_checks")
PRELOADED = "tests/mutants/preloaded.txt"


@dataclass(frozen=True)
class Room:
    """What mutmut is asked.

    Attributes:
        package: a folder of the project.
        modules: of it, by name or pattern.
        tests: files, or folders of them.
        imported: whether each mutant's process imports the package anew, as it must where most of the package is made
            when it is imported; otherwise tests are collected once, which is faster.
    """

    package: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    imported: bool = False

    def files(self) -> Iterator[Path]:
        """Yield those with a function in them."""
        for pattern in self.modules:
            yield from (path for path in (ROOT / self.package).glob(pattern) if "def " in path.read_text())

    def settings(self) -> Mapping[str, object]:
        """Say so in mutmut's words."""
        others = [name for name in PACKAGES if name != self.package]
        once = {"forkserver_warmup": "collect"}
        anew = {"forkserver_warmup": "import", "preload_modules_file": PRELOADED}
        return {
            "source_paths": [self.package],
            "only_mutate": [f"{self.package}/{pattern}" for pattern in self.modules],
            "also_copy": [*others, "README.md"],
            "pytest_add_cli_args_test_selection": self.tests,
            "pytest_add_cli_args": OPTIONS,
            "process_isolation": "forkserver",  # torch's threads do not survive a fork
            **(anew if self.imported else once),
        }


OPTIONS = (
    *("-p", "tests.mutants.choosing", "-p", "no:cacheprovider", "-p", "no:anyio", "-p", "no:xdist"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of what is imported once, before the mutant's part
    # What is collected there has its names escaped, and escaped again in each child, which would not find it.
    *("-o", "disable_test_id_escaping_and_forfeit_all_rights_to_community_support=true"),
)
MEASURING = ("adjust", "ensemble", "measure", "noise", "placement")
OF_MEASURING = (*MEASURING, "measuring_nets", "nets", "reordered", "sampled", "specimen")
ROOMS = {
    "theory": Room("theory", ("*.py",), ("tests/theory", "tests/test_terminals.py"), imported=True),
    "simulator": Room("simulator", ("*.py",), ("tests/simulator", "tests/test_terminals.py")),
    "fullscale": Room(
        "fullscale",
        tuple(f"{name}.py" for name in MEASURING),
        tuple(f"tests/fullscale/test_{name}.py" for name in OF_MEASURING),
    ),
}
