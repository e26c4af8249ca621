"""Sweeps that an earlier version began go on with this one: what changes their numbers must change `FORMAT` in grid.py.

Whoever does that puts the new hash and the new numbers here.
"""

from pathlib import Path
from typing import Any

import pytest

from simulator.grid import read_grid
from simulator.results import read_results
from simulator.sweep import Sweep

BEGUN: dict[str, Any] = {
    "inputs": {"kind": "units", "d": 8, "mean": 0.5, "variance": 1},
    "layers": [{"kind": "dropout", "retain": "$retain"}, {"kind": "linear", "units": 3}, {"kind": "batch-norm"}],
    "measure": {"replicas": 2, "batches": 2, "batch": 16, "seed": 1},
}
EXPERIMENT = "9a8bedd5e718"
MEASURED = {  # by retain; up to the rounding of singles, which machines do in different orders
    "0.5": {"moving_mean": -0.327328, "moving_var": 1.817499, "real_mean": -0.300270, "real_var": 0.878249},
    "0.75": {"moving_mean": -0.290960, "moving_var": 1.096485, "real_mean": -0.298263, "real_var": 0.842611},
}
DRAWN = [0.3116029375949277, 0.6005846055560918, 0.6030893113159415]


def test_a_point_reads_what_it_read_in_earlier_versions(tmp_path: Path):
    file = tmp_path / "a.csv"
    Sweep(BEGUN | {"grid": {"retain": [0.5, 0.75]}}).run(file)
    rows = read_results(file).rows
    assert [row["experiment"] for row in rows] == [EXPERIMENT] * 2
    for row in rows:
        expected = MEASURED[row["retain"]]
        assert {name: float(row[name]) for name in expected} == pytest.approx(expected, rel=1e-4)


def test_the_draws_are_those_of_earlier_versions():
    settings = read_grid(BEGUN | {"draws": {"points": 3, "retain": {"low": 0.2, "high": 0.8}}}).settings
    assert [retain for (retain,) in settings] == pytest.approx(DRAWN, rel=1e-12)
