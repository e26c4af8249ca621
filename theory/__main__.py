"""The command line of theory: `python -m theory list | show eq10 | eval eq10 retain=0.5 ... | axioms`."""

import contextlib
import io
import os
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from typing import Literal

import tyro
from tyro.conf import Positional

from theory import EQUATIONS
from theory.equation import Equation
from theory.expectation import AXIOMS
from theory.rendering import document

BAD_INPUT, INTERRUPTED = 2, 130
GAP = 2  # between columns


@dataclass(frozen=True)
class List:
    """Every equation, of the paper and beyond it, in one line each."""

    def __call__(self) -> None:
        """Print the list."""
        name_width = GAP + max(map(len, EQUATIONS))
        title_width = GAP + max(len(equation.title) for equation in EQUATIONS.values())
        for name, equation in EQUATIONS.items():
            print(f"{name:{name_width}}{equation.title:{title_width}}{equation.text()}")


@dataclass(frozen=True)
class Show:
    """One equation: its statement, domain, derivation step by step, and which axioms it needs."""

    name: Positional[str]
    """eq1 ... eq13, law, or another name that `list` prints"""
    format: Literal["text", "latex", "mathml"] = "text"
    """text shows everything; latex and mathml give the statement alone, to paste"""

    def __call__(self) -> None:
        """Print the equation."""
        equation = _find(self.name)
        renderings = {"text": document, "latex": Equation.latex, "mathml": Equation.mathml}
        print(renderings[self.format](equation))


@dataclass(frozen=True)
class Eval:
    """The value of an equation's right side: `eval eq10 retain=0.5 c=0 v=1 rho=0.2 d=576 cos2=0.02`."""

    name: Positional[str]
    """eq1 ... eq13, law, or another name that `list` prints"""
    values: Positional[tuple[str, ...]] = ()
    """name=value for every argument that `show` lists; a list of numbers is separated by commas"""

    def __call__(self) -> None:
        """Print the statement, and its value on the last line."""
        equation = _find(self.name)
        value = equation.evaluate(**_assignments(self.values))
        print(equation.text())
        print(value)


@dataclass(frozen=True)
class Axioms:
    """Which equation needs which axiom: without it, the equation breaks."""

    def __call__(self) -> None:
        """Print each axiom with what it carries."""
        needs = {name: equation.needs for name, equation in EQUATIONS.items()}
        for axiom in AXIOMS:
            broken = [name for name, needed in needs.items() if axiom in needed]
            print(f"{axiom.name}: {axiom.says}\n    breaks without it: {', '.join(broken)}")


Command = List | Show | Eval | Axioms


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    if sys.stdout is None:
        return _complain("stdout is closed: there is nowhere to print to")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # where Greek letters cannot be printed
    try:
        _parse(arguments)()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except ValueError as error:
        return _complain(str(error))
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        silence_stdout()
    except OSError as error:
        silence_stdout()
        return _complain(f"stdout cannot be written: {error.strerror}")
    return 0


def _complain(message: str, code: int = BAD_INPUT) -> int:
    if sys.stderr is not None:  # where it is closed, print would take stdout
        print("theory:", *message.split(), file=sys.stderr)
    return code


def silence_stdout() -> None:
    """Let the interpreter flush what it still holds to nowhere, instead of failing again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _find(name: str) -> Equation:
    if name not in EQUATIONS:
        near = get_close_matches(name.lower(), EQUATIONS)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"name = {name}: must be one of {', '.join(EQUATIONS)}{meant}")
    return EQUATIONS[name]


def _assignments(pairs: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise ValueError(f"values = {pair}: must read name=value")
        if name in values:
            raise ValueError(f"{name} is given twice: {values[name]} and {value}")
        values[name] = value
    return values


def _parse(arguments: list[str] | None) -> Command:
    """Read the command line; tyro's box of complaints becomes a one-line ValueError."""
    captured = io.StringIO()
    commands = {"list": List, "show": Show, "eval": Eval, "axioms": Axioms}
    try:
        with contextlib.redirect_stderr(captured):
            return tyro.extras.subcommand_cli_from_dict(commands, prog="python -m theory", args=arguments)
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        raise ValueError(one_line(captured.getvalue())) from None
    except (AssertionError, ImportError) as error:  # a shell that tyro has no completions for
        raise ValueError(str(error)) from None


def one_line(box: str) -> str:
    """Condense a box of tyro's to its title and what it tells, without the advice to ask for help."""
    title, *body = (line.strip("╭╮╰╯│─ ") for line in box.strip().splitlines())
    parts = (" ".join(lines) for is_text, lines in groupby(body, _is_text) if is_text)
    told = "; ".join(part for part in parts if not part.startswith("For full helptext"))
    return told if told.startswith(title) else f"{title}: {told}"


def _is_text(line: str) -> bool:
    return bool(line.strip("-"))  # without UTF-8 there is no box, and its rules are dashes


if __name__ == "__main__":
    sys.exit(main())
