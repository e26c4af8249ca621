import io
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from theory import EQUATIONS, Equation
from theory.__main__ import main
from theory.expectation import AXIOMS

EQ10 = {"retain": "0.5", "c": "0", "v": "1", "rho": "0.2", "d": "576", "cos2": "0.02"}
Run = Callable[..., tuple[int, str, str]]


def arguments(**changed: str) -> list[str]:
    return ["eval", "eq10", *(f"{name}={value}" for name, value in (EQ10 | changed).items())]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line inside this process: its exit code, stdout and stderr."""

    def command(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return command


def process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "theory", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_eval_prints_the_statement_and_then_the_value_alone():
    done = process(*arguments())
    assert (done.returncode, done.stderr) == (0, "")
    statement, value = done.stdout.splitlines()
    assert statement == EQUATIONS["eq10"].text()
    assert float(value) == float(Fraction(3104, 4104))


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["eq6", "retain=0.5", "c=0", "v=1"], 0.5),
        (["eq6", "v=1", "c=1", "retain=1/2"], 1 / 3),
        (["eq8", "v=1", "rho=-0.5", "w=1,-1,0"], 3.0),
        (["eq13", "beta=0.1"], 300 / 301),
        (["law", "var_test=1", "noise_var=1", "w=1,2", "second_moments=3,4"], 20.0),
        (["relu-power", "drift=0", "spread=1"], 0.5),
    ],
)
def test_the_last_line_of_eval_is_the_value(words: list[str], value: float, run: Run):
    code, out, err = run("eval", *words)
    assert (code, err) == (0, "")
    statement, last = out.splitlines()
    assert statement == EQUATIONS[words[0]].text()
    assert float(last) == value


def test_list_names_every_equation_in_one_line_each(run: Run):
    code, out, err = run("list")
    assert (code, err) == (0, "")
    columns = [[part.strip() for part in line.split("  ") if part] for line in out.splitlines()]
    assert columns == [[name, equation.title, equation.text()] for name, equation in EQUATIONS.items()]
    starts = {line.index(equation.text()) for line, equation in zip(out.splitlines(), EQUATIONS.values(), strict=True)}
    assert len(starts) == 1


def test_list_to_a_reader_that_leaves_early_makes_no_noise():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "theory", "list"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.stderr == ""


def test_where_greek_letters_cannot_be_printed_they_are_escaped(monkeypatch: pytest.MonkeyPatch):
    page = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(page, encoding="ascii"))
    assert main(["show", "eq10", "--format", "text"]) == 0
    assert b"\\u0394" in page.getvalue()


def test_a_closed_stdout_is_told(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdout", None)
    assert run("list") == (2, "", "theory: stdout is closed: there is nowhere to print to\n")


def test_a_full_disk_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        code = main(["list"])
    assert (code, capsys.readouterr().err) == (2, "theory: stdout cannot be written: No space left on device\n")


def test_ctrl_c_ends_with_130_and_one_line(run: Run, monkeypatch: pytest.MonkeyPatch):
    def interrupted(_: Equation) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Equation, "text", interrupted)
    assert run("list") == (130, "", "theory: interrupted\n")


def test_show_explains_an_equation(run: Run):
    code, out, err = run("show", "eq10")
    assert (code, err) == (0, "")
    assert all(word in out for word in ("eq10: ", EQUATIONS["eq10"].text(), "Arguments", "Derivation", "Needs"))
    assert run("show", "eq10", "--format", "text")[1] == out


def test_show_gives_the_statement_alone_as_latex_or_mathml(run: Run):
    assert run("show", "eq7", "--format", "latex") == (0, EQUATIONS["eq7"].latex() + "\n", "")
    assert run("show", "eq7", "--format", "mathml") == (0, EQUATIONS["eq7"].mathml() + "\n", "")


@pytest.mark.parametrize("name", EQUATIONS)
def test_every_equation_can_be_shown(name: str, run: Run):
    code, out, err = run("show", name)
    assert (code, err) == (0, "")
    assert out.startswith(f"{name}: ")


def test_axioms_lists_what_breaks_without_each(run: Run):
    code, out, err = run("axioms")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    broken = dict(zip(lines[::2], (line.split(": ")[1].split(", ") for line in lines[1::2]), strict=True))
    assert list(broken) == [f"{axiom.name}: {axiom.says}" for axiom in AXIOMS]
    for axiom, names in zip(AXIOMS, broken.values(), strict=True):
        assert names == [name for name, equation in EQUATIONS.items() if axiom in equation.needs]


@pytest.mark.parametrize("words", [["--help"], ["eval", "--help"], ["show", "--help"]], ids=" ".join)
def test_help_is_given_with_exit_code_0(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    shown = capsys.readouterr()
    assert "python -m theory" in shown.out
    assert shown.err == ""


BAD: dict[str, tuple[list[str], list[str]]] = {
    "retain 0": (arguments(retain="0"), ["retain = 0", "0 < retain <= 1"]),
    "retain 1.2": (arguments(retain="1.2"), ["retain = 1.2", "0 < retain <= 1"]),
    "retain nan": (arguments(retain="nan"), ["retain = nan", "finite number"]),
    "retain inf": (arguments(retain="inf"), ["retain = inf", "finite number"]),
    "retain abc": (arguments(retain="abc"), ["retain = abc", "finite number"]),
    "v 0": (arguments(v="0"), ["v = 0", "> 0"]),
    "rho below its bound": (arguments(rho="-0.5", d="5", cos2="0.5"), ["rho = -0.5", "-0.25", "d = 5"]),
    "d 2.5": (arguments(d="2.5"), ["d = 2.5", "whole number >= 1"]),
    "cos2 1.1": (arguments(cos2="1.1"), ["cos2 = 1.1", "0 <= cos2 <= 1"]),
    "two lines in a value": (arguments(v="1\n2"), ["v = 1"]),
    "two lines in a name": (["eval", "eq6", "a\nb"], ["a"]),
    "two lines in an equation": (["show", "eq\n6"], ["eq"]),
    "unknown equation to eval": (["eval", "eq99", "v=1"], ["eq99", "eq13"]),
    "unknown equation to show": (["show", "eq99"], ["eq99", "eq13"]),
    "unknown argument": (["eval", "eq6", "p=0.5", "c=0", "v=1"], ["does not take p", "retain"]),
    "missing argument": (["eval", "eq6", "retain=0.5", "c=0"], ["eq6 needs v"]),
    "no values": (["eval", "eq6"], ["eq6 needs retain"]),
    "missing =": (["eval", "eq6", "retain"], ["retain", "name=value"]),
    "no value": (["eval", "eq6", "retain="], ["retain=", "name=value"]),
    "no name": (["eval", "eq6", "=0.5"], ["=0.5", "name=value"]),
    "a name twice": (["eval", "eq6", "retain=0.5", "retain=0.4", "c=0", "v=1"], ["retain is given twice"]),
    "a value that there is not": (["eval", "two-convolutions"], ["two-convolutions"]),
    "division by zero": (arguments(retain="1", rho="-1/4", d="5", cos2="1"), ["eq10", "zero", "rho = -1/4"]),
    "unknown flag": (["show", "eq6", "--fast"], ["--fast"]),
    "unknown flag of list": (["list", "--fast"], ["--fast"]),
    "unknown subcommand": (["prove"], ["prove", "show"]),
    "missing subcommand": ([], ["subcommand", "show"]),
    "unknown format": (["show", "eq6", "--format", "pdf"], ["pdf", "latex"]),
    "missing format": (["show", "eq6", "--format"], ["--format"]),
    "nothing to show": (["show"], ["show"]),
    "nothing to eval": (["eval"], ["eval"]),
    "one too many": (["show", "eq6", "eq7"], ["eq7"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(case: str, run: Run):
    words, expected = BAD[case]
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.strip()
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    assert all(part in err for part in expected)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["eval", "eq6", "retain=0.5=1", "c=0", "v=1"], "retain = 0.5=1: must be a finite number"),
        (["eval", "eq6", "retain=", "c=0"], "values = retain=: must read name=value"),
        (["eval", "eq6", "c=0", "c=1"], "c is given twice: 0 and 1"),
        (["eval", "eq6", "retain=0.5"], "eq6 needs c: it takes retain, c, v"),
        (["eval", "eq6", "p=1"], "eq6 does not take p: it takes retain, c, v"),
        (["eval", "two-convolutions", "c=1"], "two-convolutions does not take c: it takes no values"),
        (["show", "proofs"], f"name = proofs: must be one of {', '.join(EQUATIONS)}"),
        (
            ["show"],
            "Required options: Missing from python -m theory show: STR eq1 ... eq13, law, or another name "
            "that `list` prints (required)",
        ),
        (["--tyro-print-completion", "csh"], "Shell should be one `bash`, `zsh`, `tcsh`, or `fish`, but got csh"),
        (["show", "EQ10"], f"name = EQ10: must be one of {', '.join(EQUATIONS)}; did you mean eq10?"),
    ],
)
def test_what_is_wrong_is_told_in_full(words: list[str], line: str, run: Run):
    assert run(*words) == (2, "", f"theory: {line}\n")


@pytest.mark.parametrize("case", ["rho below its bound", "unknown format"])
def test_bad_input_is_refused_in_one_line_from_a_shell_too(case: str):
    words, expected = BAD[case]
    done = process(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip()
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert all(part in done.stderr for part in expected)
