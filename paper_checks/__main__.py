"""Command line of the ledger.

python -m paper_checks readme [--check]    keeps the README's claims up to date
python -m paper_checks seal RUNS           takes the records of a reduced sweep as evidence
python -m paper_checks rates NOTES         measures the error rates of the simulated checks
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from fullscale.files import replace
from paper_checks import evidence
from paper_checks.claims import CLAIMS
from paper_checks.measuring_rates import MeasureRates
from paper_checks.summary import readme_block
from simulator.terminal import BAD_INPUT, INTERRUPTED, run, silence_stdout

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- claims:begin -->", "<!-- claims:end -->"
STALE = 1  # an exit code


@dataclass(frozen=True)
class Readme:
    """Write the ledger, as Markdown, between the two claims markers of the README."""

    check: tyro.conf.FlagCreatePairsOff[bool] = False
    """change nothing; exit with 1 if the README does not say what the ledger says"""
    file: Path = README
    """the README"""

    def __call__(self) -> int:
        """Return the exit code."""
        old = read(self.file)
        new = with_claims(old, self.file)
        if new == old:
            return 0
        if self.check:
            return complain(f"{self.file} is stale: run `python -m paper_checks readme`", STALE)
        replace(self.file.resolve(), new.encode())
        return 0


@dataclass(frozen=True)
class Seal:
    """Take the records of trained runs as evidence, with what was measured so far, and seal whatever stands there.

    Afterwards the ledger must say what they come to, and the README what the ledger says.
    """

    runs: tyro.conf.Positional[Path]
    """the folder of `python -m fullscale sweep NAME --scale reduced --out RUNS`"""
    out: Path = evidence.PLACE
    """where the evidence stands"""

    def __call__(self) -> int:
        """Return the exit code."""
        if not self.runs.is_dir():
            raise ValueError(f"runs = {self.runs}: must be a folder")
        taken = len(evidence.seal(self.runs, self.out))
        print(f"{taken} of {len(evidence.runs())} runs are trained, and sealed")
        return 0


def read(file: Path) -> str:
    """The text of a file, its line ends as they are, which text mode would translate.

    Raises:
        ValueError: where it is no UTF-8.
    """
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"file = {file}: must be UTF-8 text, and is not at byte {error.start}") from None


def with_claims(readme: str, file: Path) -> str:
    """The README with the ledger between its markers.

    Raises:
        ValueError: unless each marker is there once, the beginning before the end.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise ValueError(f"file = {file}: must hold {BEGIN} and, behind it, {END}, each once")
    return f"{before}{BEGIN}\n{readme_block(CLAIMS.values())}\n{END}{after}"


COMMANDS = {"readme": Readme, "seal": Seal, "rates": MeasureRates}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    if sys.stdout is None:
        return complain("stdout is closed: there is nowhere to print to", BAD_INPUT)
    try:
        return run(COMMANDS, "paper_checks", arguments)
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        silence_stdout()
        return 0
    except OSError as error:
        if error.filename is None:  # else it is not about stdout
            silence_stdout()
        about = "stdout" if error.filename is None else f"file = {error.filename}"
        return complain(f"{about}: {error.strerror}", BAD_INPUT)
    except ValueError as error:
        return complain(str(error), BAD_INPUT)


def complain(message: str, code: int) -> int:
    """Print one line on stderr."""
    if sys.stderr is not None:  # where it is closed, print would take stdout
        print("paper_checks:", " ".join(message.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
