"""What `run` and `measure` tell: a page, a JSON object, or what there was when the user interrupted."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import CaseResult, Dropout, Equicorrelated, Estimate, measure_case, weights_with_cos2
from simulator.__main__ import main
from simulator.description import Experiment

pytestmark = pytest.mark.usefixtures("pipe")

CASE_A = ["run", "--case", "a", "--c", "0", "--v", "1", "--retain", "0.5"]
CASE_B = ["run", "--case", "b", "--c", "1", "--v", "2", "--retain", "0.5", "--rho", "0.2", "--d", "5", "--cos2", "0.5"]
SAMPLES = ["--samples", "1e4"]
STACK = """
inputs = {kind = "units", d = 8, mean = 0.5, variance = 1}
layers = [{kind = "dropout", retain = 0.5}, {kind = "batch-norm"}, {kind = "relu"}, {kind = "batch-norm"}]
measure = {replicas = 3, batches = 2, batch = 16}
"""
ESTIMATE = r"-?[0-9.]+ ± [0-9.]+"


def cells(page: str) -> list[list[str]]:
    """The cells of a page's table."""
    return [[cell.strip() for cell in line.strip("│┃").split(line[0])] for line in page.splitlines() if line[0] in "│┃"]


def of_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_case_is_shown_with_its_settings_and_both_variances(capsys: pytest.CaptureFixture[str]) -> None:
    found = of_json([*CASE_B, *SAMPLES], capsys)
    assert main([*CASE_B, *SAMPLES]) == 0
    page, err = capsys.readouterr()
    above, title, *table, caption = page.splitlines()
    assert (above, err) == ("retain 0.5, c 1.0, v 2.0, rho 0.2, d 5, cos2 0.5, draw gaussian, seed 0", "")
    assert title.strip() == "Case (b)"
    assert re.fullmatch(r"n = 10,000 samples in [0-9.]+ s", caption.strip())
    head, train, test, shift = cells(page)
    assert head == ["variance of X", "estimate ± standard error"]
    assert shift == ["shift = Var_Test / Var_Train", str(Estimate(found["shift"], found["stderr"], 10_000))]
    for (name, shown), key in ((train, "var_train"), (test, "var_test")):
        assert name == {"var_train": "Var_Train", "var_test": "Var_Test"}[key]
        assert re.fullmatch(ESTIMATE, shown)
        assert float(shown.split()[0]) == pytest.approx(found[key], abs=0.05)
    assert [line[0] for line in table] == list("┏┃┡││├│└")


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_the_shift_stands_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CASE_A, *SAMPLES]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert ["\x1b[1m" in row for row in rows] == [False, False, True]


@pytest.mark.parametrize(
    ("c", "draw", "freedom", "dtype"), [(0.0, "gaussian", None, "float32"), (1e4, "student-t", 5.0, "float64")]
)
def test_case_a_is_what_the_function_measures(
    c: float, draw: Any, freedom: float | None, dtype: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = Equicorrelated(1, c, 2.0, 0.0, draw, freedom, dtype)
    expected = measure_case("a", inputs, Dropout(0.5), None, 10_000, np.random.default_rng(7))
    given = ["--c", str(c), "--v", "2", "--draw", draw, *(["--freedom", str(freedom)] if freedom else [])]
    assert of_json([*CASE_A, *given, *SAMPLES, "--seed", "7"], capsys) == as_json(expected)


@pytest.mark.parametrize(
    ("rho", "draw", "freedom", "dtype"), [(0.2, "uniform", None, "float32"), (-1 / 4, "student-t", 5.0, "float64")]
)
def test_case_b_is_what_the_function_measures(
    rho: float, draw: Any, freedom: float | None, dtype: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(7)
    weights = weights_with_cos2(5, 0.5, rng)
    inputs = Equicorrelated(5, 1.0, 2.0, rho, draw, freedom, dtype)
    expected = measure_case("b", inputs, Dropout(0.5), weights, 10_000, rng)
    given = ["--rho", str(rho), "--draw", draw, *(["--freedom", str(freedom)] if freedom else [])]
    assert of_json([*CASE_B, *given, *SAMPLES, "--seed", "7"], capsys) == as_json(expected)


def as_json(result: CaseResult) -> dict[str, float]:
    variances = {"var_train": result.var_train.value, "var_test": result.var_test.value}
    return {"shift": result.shift.value, "stderr": result.shift.stderr, "n": result.n} | variances


def test_one_sample_is_two_batches(capsys: pytest.CaptureFixture[str]) -> None:
    assert of_json([*CASE_A, "--samples", "1"], capsys)["n"] == 200


def test_as_many_inputs_as_are_allowed_can_be_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("simulator.__main__.LARGEST_D", 5)
    assert main([*CASE_B, *SAMPLES]) == 0
    assert main([*CASE_B, "--d", "6"]) == 2
    assert "d = 6: must be <= 5, which memory is bounded by" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([*CASE_A, "--cos2", "0.5"], "cos2 = 0.5: means nothing in case a, which has one input; leave it out"),
        (
            ["run", "--case", "b", *CASE_A[3:], "--cos2", "1"],
            "case = b: needs --rho, --d and --cos2, missing --rho, --d",
        ),
    ],
)
def test_what_a_case_does_not_take_or_lacks_is_told_in_full(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", f"simulator: {told}\n")


def interrupted(result: Any) -> Callable[..., Any]:
    """A measurement that the user interrupts after its first result."""

    def measure(*_: Any, progress: Callable[[Any], None], threads: int, **__: Any) -> None:
        assert threads == 3
        progress(result)
        raise KeyboardInterrupt

    return measure


def test_an_interrupted_case_says_so_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bar: list[Any]
) -> None:
    result = CaseResult(Estimate(2.0, 0.1, 400), Estimate(1.0, 0.1, 400), Estimate(0.5, 0.01, 400), 400)
    monkeypatch.setattr("simulator.__main__.measure_case", interrupted(result))
    assert main([*CASE_A, *SAMPLES, "--threads", "3", "--out", str(tmp_path / "result.json")]) == 130
    page, err = capsys.readouterr()
    assert page.splitlines()[1].strip() == "Case (a), INTERRUPTED"
    assert cells(page)[1:] == [
        ["Var_Train", "2.00 ± 0.10"],
        ["Var_Test", "1.00 ± 0.10"],
        ["shift = Var_Test / Var_Train", "0.500 ± 0.010"],
    ]
    assert err == "simulator: interrupted at n = 400 of 10000 samples\n"
    assert bar == [10_000, (400, "")]
    assert not [*tmp_path.iterdir()]


@pytest.fixture
def stack(tmp_path: Path) -> str:
    """A file that describes a stack with two BNs."""
    file = tmp_path / "stack.toml"
    file.write_text(STACK)
    return str(file)


def test_each_bn_of_a_stack_is_shown_in_a_row(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = of_json(["measure", stack], capsys)
    assert main(["measure", stack]) == 0
    page, err = capsys.readouterr()
    above, title, *_, caption = page.splitlines()
    assert (above, title.strip(), err) == (stack, "Each BN, estimate ± standard error", "")
    assert re.fullmatch(r"n = 96 samples in [0-9.]+ s", caption.strip())
    names = ("moving_var", "real_var", "shift", "shift_ratio")
    shown = [[str(Estimate(own[name], own[f"{name}_stderr"], 96)) for name in names] for own in found]
    assert cells(page) == [["BN", *names], ["1", *shown[0]], ["2", *shown[1]]]


def test_an_interrupted_stack_says_so_and_writes_nothing(
    stack: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bar: list[Any]
) -> None:
    measure = Experiment.measure
    monkeypatch.setattr(Experiment, "measure", lambda self, **given: interrupted(measure(self))(**given))
    out = Path(stack).with_name("readings.json")
    assert main(["measure", stack, "--threads", "3", "--out", str(out)]) == 130
    page, err = capsys.readouterr()
    assert page.splitlines()[1].strip() == "Each BN, estimate ± standard error, INTERRUPTED"
    assert err == "simulator: interrupted at n = 96 of 96 samples\n"
    assert bar == [96, (96, "")]
    assert not out.exists()


@pytest.mark.parametrize(("command", "parts"), [("run", "batches"), ("measure", "replicas")])
def test_without_any_result_an_interruption_tells_what_it_would_have_taken(
    command: str, parts: str, stack: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simulator.__main__.measure_case", interrupt)
    monkeypatch.setattr("simulator.description.Experiment.measure", interrupt)
    assert main(CASE_A if command == "run" else ["measure", stack]) == 130
    assert capsys.readouterr() == ("", f"simulator: interrupted before there were 2 {parts} to estimate from\n")
