"""Records whose numbers are of the right types, but not all there, or not possible: refused, never averaged in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fullscale.experiments import (
    chain,
    figure5,
    figure6,
    inference,
    law,
    reordered,
    table1,
    table2,
    table3,
    table4,
    table5,
    text,
)
from fullscale.experiments.catalogue import EXPERIMENTS
from fullscale.experiments.results import gather
from fullscale.experiments.scale import SMOKE
from fullscale.measurements.kinds import KINDS, Measurement
from fullscale.responses import MODES
from fullscale.sweep.run import Run, merged

VARIANCES = ("moving_var", "real_var", "shift", "real_var_pooled", "train_var", "train_var_pooled", "drift_free_shift")
ORDERS = ("eq10", "own", "taps", "channels", "weights")
REGIMES = ("clean_var", "own_var", "test_var", "train_var", "quiet_var")


def bn(index: int, ratio: float) -> dict[str, Any]:
    own: dict[str, Any] = {"index": index, "name": "bn", "channels": 1, "shift_ratio": ratio, "floor": 1.01}
    return dict.fromkeys(VARIANCES, 1.0) | own


def convolution(index: int, cos2: float) -> dict[str, Any]:
    return {"index": index, "name": "", "filters": 1, "zero_filters": 0, "d": 27, "cos2": cos2, "d_cos2": 27 * cos2}


def reached(name: str, predicted: float | None) -> dict[str, Any]:
    own: dict[str, Any] = {"bn": name, "sources": ["noise"], "predicted": predicted, "stderr": predicted, "eq10": None}
    return dict.fromkeys(REGIMES, 1.0) | {"own_var": 2.0} | own


COMPLETE: dict[str, tuple[Run, dict[str, Any]]] = {
    "shift": (
        table2.cell(SMOKE, "WRN", 0.5)[0],
        {"rows": [bn(1, 1.0), bn(2, 2.0)], "shift_ratio": 1.5, "floor": 1.01, "images": 64, "batches": 4},
    ),
    "angles": (
        table1.cell(SMOKE, "WRN", "C10")[0],
        {"rows": [convolution(1, 0.25), convolution(2, 0.75)], "cos2": 0.5, "d_cos2": 13.5},
    ),
    "adjust": (
        table3.cell(SMOKE, "WRN", "C10", "a")[0],
        {
            "before": {"error": 8.0, "loss": None},
            "readings": {name: {"error": 6.0, "loss": 1.0} for name in ("batch", "layerwise", "at-once")},
        },
    ),
    "ensemble": (figure6.sampled(SMOKE)[0], {"errors": [[40.0, 30.0, 20.0, 10.0]] * 2, "weight_scaling": 15.0}),
    "responses": (
        figure5.runs(SMOKE)[0],
        {
            "errors": [{"noise": mode.noise, "by_batch": mode.by_batch, "error": 5.0} for mode in MODES],
            "flipped": 30,
            "recovered": 34,
            "images": 64,
            "examples": [],
        },
    ),
    "errors": (table5.cell(SMOKE, "ResNet-200", 0.2)[0], {"top1": 21.0, "top5": 5.0}),
    "law": (
        law.cell(SMOKE, "WRN", "a")[0],
        {
            "rows": [reached("one", 0.5), reached("other", None)],
            "seen": [{"name": "", "d": 27, "d_cos2": 1.0, "c": 1.0, "v": 1.0, "rho": 0.0, "eq10": 0.5, "law": 0.5}],
            "images": 64,
        },
    ),
    "reordered": (
        reordered.cell(SMOKE, "WRN")[0],
        {"rows": [{"name": "", "d": 27, "d_cos2": 1.0} | dict.fromkeys(ORDERS, 0.5)], "images": 64},
    ),
    "chain": (
        chain.cell(SMOKE, "WRN")[0],
        {"names": ["one", "other"], "deviations": [0.0, 1.5], "errors": [100.0, 50.0, 0.0]},
    ),
    "inference": (inference.cell(SMOKE, "WRN")[0], {"moving": 0.0, "by_batch": [100.0, 9.0, 8.0, 7.0]}),
    "sampled": (
        figure6.sampled(SMOKE)[0],
        {"rows": [{"name": name, "moving_var": 1.0, "sampled_var": 1.0} for name in ("one", "other")]},
    ),
}
FLAWS: list[tuple[str, Callable[[Any], Any]]] = [
    ("shift", lambda numbers: numbers["rows"].clear()),
    ("shift", lambda numbers: numbers["rows"].pop()),
    ("shift", lambda numbers: numbers.update(shift_ratio=1.4)),
    ("shift", lambda numbers: numbers.update(floor=1.2)),
    ("angles", lambda numbers: numbers["rows"].pop()),
    ("angles", lambda numbers: numbers.update(d_cos2=0.5)),
    ("adjust", lambda numbers: numbers["readings"].pop("at-once")),
    ("adjust", lambda numbers: numbers["readings"]["layerwise"].update(error=100.1)),
    ("adjust", lambda numbers: numbers["before"].update(error=-0.1)),
    ("ensemble", lambda numbers: numbers["errors"].pop()),
    ("ensemble", lambda numbers: numbers["errors"].__setitem__(1, [1.0, 2.0, 3.0])),
    ("ensemble", lambda numbers: numbers["errors"].__setitem__(1, [1.0, 2.0, 3.0, 400.0])),
    ("ensemble", lambda numbers: numbers.update(weight_scaling=101.0)),
    ("responses", lambda numbers: numbers["errors"].pop()),
    ("responses", lambda numbers: numbers["errors"].reverse()),
    ("responses", lambda numbers: numbers["errors"][0].update(error=101.0)),
    ("responses", lambda numbers: numbers.update(flipped=31)),
    ("errors", lambda numbers: numbers.update(top1=101.0)),
    ("errors", lambda numbers: numbers.update(top5=-1.0)),
    ("law", lambda numbers: numbers["rows"].clear()),
    ("law", lambda numbers: numbers["rows"][0].update(own_var=1.0)),
    ("law", lambda numbers: numbers["rows"][0].update(predicted=1.5)),
    ("law", lambda numbers: numbers["rows"][1].update(eq10=1.5)),
    ("law", lambda numbers: numbers["seen"][0].update(law=1.0)),
    ("law", lambda numbers: numbers["seen"][0].update(eq10=0.0)),
    ("shift", lambda numbers: numbers["rows"][0].update(shift_ratio=-1.0)),
    ("angles", lambda numbers: numbers["rows"][0].update(cos2=1.5)),
    ("errors", lambda numbers: numbers.update(top5=22.0)),
    *(("law", lambda numbers, name=name: numbers["rows"][1].update({name: 0.0})) for name in REGIMES),
    ("reordered", lambda numbers: numbers["rows"].clear()),
    *(("reordered", lambda numbers, name=name: numbers["rows"][0].update({name: 1.0})) for name in ORDERS),
    ("chain", lambda numbers: numbers["names"].pop()),
    ("chain", lambda numbers: numbers["deviations"].pop()),
    ("chain", lambda numbers: numbers["deviations"].__setitem__(0, -0.1)),
    ("chain", lambda numbers: numbers.update(names=["one"], deviations=[0.0], errors=[100.0, 0.0])),
    ("chain", lambda numbers: numbers["errors"].pop()),
    ("chain", lambda numbers: numbers["errors"].__setitem__(0, 100.1)),
    ("chain", lambda numbers: numbers["errors"].__setitem__(2, -0.1)),
    ("inference", lambda numbers: numbers["by_batch"].pop()),
    ("inference", lambda numbers: numbers["by_batch"].append(7.0)),
    ("inference", lambda numbers: numbers["by_batch"].__setitem__(3, -0.1)),
    ("inference", lambda numbers: numbers.update(moving=100.1)),
    ("sampled", lambda numbers: numbers["rows"].clear()),
    ("sampled", lambda numbers: numbers["rows"][1].update(moving_var=0.0)),
    ("sampled", lambda numbers: numbers["rows"][1].update(sampled_var=0.0)),
]


def numbers_of(measurement: Measurement) -> dict[str, Any]:
    """Of any measurement that shares a run."""
    return COMPLETE[measurement.kind][1]


def test_every_kind_of_measurement_is_here() -> None:
    assert COMPLETE.keys() == {kind for kind, _ in FLAWS} == KINDS.keys()


@pytest.mark.parametrize("kind", COMPLETE)
def test_complete_numbers_are_taken(kind: str, tmp_path: Path, written: Callable[..., Path]) -> None:
    run, _ = COMPLETE[kind]
    written(run, 10.0, numbers_of)
    results = gather(SMOKE, [run], tmp_path)
    assert (results.refused, results.done([run])) == ((), 1)


@pytest.mark.parametrize(("kind", "flaw"), FLAWS, ids=[f"{kind} {i}" for i, (kind, _) in enumerate(FLAWS)])
def test_numbers_that_are_not_all_there_or_cannot_be_leave_the_record_out(
    kind: str, flaw: Callable[[Any], Any], tmp_path: Path, written: Callable[..., Path]
) -> None:
    run, _ = COMPLETE[kind]
    path = written(run, 10.0, numbers_of)
    there = json.loads(path.read_text())
    flaw(there["measured"][kind]["numbers"])
    path.write_text(json.dumps(there))
    results = gather(SMOKE, [run], tmp_path)
    rule = f"is no record of a run: its {kind} lacks numbers, or has some that cannot be"
    assert results.refused == (f"file = {path}: {rule}",)
    assert results.test_error([run]) is None
    assert results.done([run]) == 0


def test_a_run_that_is_still_to_be_measured_does_not_count_as_there(
    tmp_path: Path, written: Callable[..., Path]
) -> None:
    run, _ = COMPLETE["shift"]
    path = written(run, 10.0, numbers_of)
    runs = merged(table2.runs(SMOKE))
    counts = []
    for there in (json.loads(path.read_text()), json.loads(path.read_text()) | {"measured": {}}):
        path.write_text(json.dumps(there))
        results = gather(SMOKE, runs, tmp_path)
        assert not results.refused
        counts.append(text.status(EXPERIMENTS["table2"], results).partition(";")[0])
    assert counts == [f"table2 at scale smoke: {n} of {len(runs)} runs" for n in (1, 0)]


def test_there_is_no_best_beta_before_all_were_tried(tmp_path: Path, written: Callable[..., Path]) -> None:
    for beta in SMOKE.betas[:-1]:
        for run in table4.cell(SMOKE, "WRN", "C10", beta):
            written(run, 10.0)
    (table,) = table4.tables(gather(SMOKE, table4.runs(SMOKE), tmp_path))
    *_, best = table.rows["WRN"]
    assert (best.ours, best.paper) == (None, "3.79 (0.5)")
    for run in table4.cell(SMOKE, "WRN", "C10", SMOKE.betas[-1]):
        written(run, 9.0)
    (table,) = table4.tables(gather(SMOKE, table4.runs(SMOKE), tmp_path))
    *_, best = table.rows["WRN"]
    assert best.ours is not None
    assert (best.ours.mean, best.note) == (9.0, "(0.5)")
