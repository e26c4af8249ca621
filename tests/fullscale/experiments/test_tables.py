"""The paper's tables from records: ours and their spread, the paper's beside, and what was not run said so."""

import ast
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fullscale import recipes
from fullscale.commands.show import Show
from fullscale.experiments import printed as printing
from fullscale.experiments import table2, table3, table4, table5, text
from fullscale.experiments.catalogue import EXPERIMENTS, chosen
from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results, Spread, gather, spread
from fullscale.experiments.scale import CIFAR_NETS, PAPER, REDUCED, SCALES, SMOKE, Scale, in_precision
from fullscale.experiments.table import Cell
from fullscale.measurements.kinds import Measurement
from fullscale.measurements.shift import Shift
from fullscale.recipes import SCHEDULES, Compile, Precision
from fullscale.sweep.run import merged

BF16: tuple[Precision, Compile] = ("bf16", "default")
FLOAT32: tuple[Precision, Compile] = ("float32", "off")
REPORTED = Path(__file__).parents[3] / "paper_checks" / "reported.py"
Written = Callable[..., Path]
Numbers = Callable[[Measurement], dict[str, Any]]


def shift_of(ratio: float, floor: float = 1.0) -> Numbers:
    names = ("moving_var", "real_var", "shift", "real_var_pooled", "train_var", "train_var_pooled", "drift_free_shift")
    own: dict[str, Any] = {"index": 1, "name": "bn", "channels": 1, "shift_ratio": ratio, "floor": floor}
    row = dict.fromkeys(names, 1.0) | own
    return lambda _: {"rows": [row], "shift_ratio": ratio, "floor": floor, "images": 1, "batches": 1}


def percent(_: Measurement) -> dict[str, Any]:
    return {"top1": 10.0, "top5": 5.0}


def gathered(scale: Scale, name: str, out: Path) -> Results:
    return gather(scale, merged(EXPERIMENTS[name].runs(scale)), out)


def test_a_number_is_the_mean_over_seeds_and_its_spread_their_unbiased_deviation(
    tmp_path: Path, written: Written
) -> None:
    for ratio, run in zip((1.1, 1.3), table2.cell(SMOKE, "WRN", 0.5), strict=True):
        written(run, 10.0, shift_of(ratio))
    for run in table2.cell(SMOKE, "WRN", 0.0):
        written(run, 10.0, shift_of(1.02, 1.01))
    (table,) = table2.tables(gathered(SMOKE, "table2", tmp_path))
    row = dict(zip(table.columns, table.rows["WRN"], strict=True))
    assert row["drop 0.5"].paper == "1.013873"
    found = row["drop 0.5"].ours
    assert found is not None
    assert (found.mean, found.std, found.n) == (pytest.approx(1.2), pytest.approx(0.02**0.5), 2)
    assert row["no Dropout"] == Cell(Spread(1.02, 0.0, 2))
    assert row["its floor"] == Cell(Spread(1.01, 0.0, 2))


def test_what_was_not_run_has_no_number_of_ours_though_the_paper_has_one(tmp_path: Path) -> None:
    for name, experiment in EXPERIMENTS.items():
        results = gathered(PAPER, name, tmp_path)
        cells = [cell for table in experiment.tables(results) for row in table.rows.values() for cell in row]
        assert cells
        assert all(cell.ours is None for cell in cells)
        shown = text.markdown(experiment, results)
        assert shown.count(text.NOT_RUN) == len(cells)
        assert f"{name} at scale paper: 0 of {len(merged(experiment.runs(PAPER)))} runs" in shown


@pytest.mark.parametrize("name", ["fig1", "table1", "table2", "table3", "table4", "table5"])
def test_at_the_papers_scale_every_printed_number_stands_beside_ours(name: str, tmp_path: Path) -> None:
    cells = [
        cell
        for table in EXPERIMENTS[name].tables(gathered(PAPER, name, tmp_path))
        for row in table.rows.values()
        for cell in row
    ]
    reported = ast.parse(REPORTED.read_text())
    home = {"fig1": "FIGURE1"}.get(name, name.upper())
    (value,) = [
        node.value
        for node in reported.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == home
    ]
    assert value is not None
    expected = sorted(_leaves(ast.literal_eval(value)))
    found = [word.strip("()") for cell in cells if cell.paper for word in cell.paper.split()]
    assert sorted(found) == expected


def _leaves(value: Any) -> list[str]:
    return [leaf for each in value.values() for leaf in _leaves(each)] if isinstance(value, dict) else [value]


def test_without_the_papers_numbers_there_are_only_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printing._literals.cache_clear()
    monkeypatch.setattr(printing, "HOME", tmp_path / "reported.py")
    try:
        assert printed("TABLE3", "C10", "WRN", "a") is None
    finally:
        printing._literals.cache_clear()


@pytest.mark.parametrize(
    "names", [("TABLE3",), ("TABLE3", "C10", "WRN", "c"), ("TABLE9", "C10"), ("FIGURE1", "a", "b"), ()]
)
def test_what_is_not_printed_is_none(names: Sequence[str]) -> None:
    assert printed(*names) is None


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (Cell(Spread(48.188, 0.3151, 3), "5.02"), "48.19 ± 0.32 [5.02]"),
        (Cell(Spread(48.188, 0.3151, 3)), "48.19 ± 0.32"),
        (Cell(Spread(48.188, 0.3151, 2), "5.02"), "48.19 ± 0.32 (n = 2) [5.02]"),
        (Cell(Spread(48.188, None, 1), "5.02"), "48.19 (n = 1) [5.02]"),
        (Cell(Spread(48.188, 0.3151, 3), "4.85 (0.2)", "(0.5)"), "48.19 ± 0.32 (0.5) [4.85 (0.2)]"),
        (Cell(None, "5.02"), "NOT RUN [5.02]"),
        (Cell(None), "NOT RUN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cell_tells_ours_from_the_papers(cell: Cell, shown: str) -> None:
    assert text.text(cell, digits=2, seeds=3) == shown


def test_no_spread_without_values() -> None:
    assert spread([]) is None
    assert spread([2.0]) == Spread(2.0, None, 1)


def test_the_best_beta_is_that_of_the_lowest_mean_and_is_named(tmp_path: Path, written: Written) -> None:
    for beta, error in ((0.2, 12.0), (0.3, 11.0), (0.5, 13.0)):
        for run in table4.cell(SMOKE, "ResNeXt", "C10", beta):
            written(run, error)
    (table,) = table4.tables(gathered(SMOKE, "table4", tmp_path))
    *_, best = table.rows["ResNeXt"]
    assert best == Cell(Spread(11.0, 0.0, 2), "3.75 (0.3)", "(0.3)")


def test_table_3_shows_each_reading_and_takes_batch_for_its_own(tmp_path: Path, written: Written) -> None:
    def numbers(_: Measurement) -> dict[str, Any]:
        errors = {"batch": 6.0, "layerwise": 6.5, "at-once": 60.0}
        return {
            "before": {"error": 8.0, "loss": None},
            "readings": {name: {"error": error, "loss": 1.0} for name, error in errors.items()},
        }

    for run in table3.cell(SMOKE, "WRN", "C10", "a"):
        written(run, 8.1, numbers)
    block, readings = table3.tables(gathered(SMOKE, "table3", tmp_path))
    assert [cell.ours and cell.ours.mean for cell in block.rows["WRN"]] == [8.0, 6.0, None, None, None]
    shown = dict(zip(readings.columns, readings.rows["WRN"], strict=True))
    assert {name: cell.ours.mean for name, cell in shown.items() if cell.ours} == {
        "(a) batch": 6.0,
        "(a) layerwise": 6.5,
        "(a) at-once": 60.0,
    }


def test_stand_ins_are_named() -> None:
    assert REDUCED.called("C10") == "C10"
    assert REDUCED.called("C100") == "cifar10 in place of C100"
    assert SMOKE.called("ImageNet") == "synthetic in place of ImageNet"
    assert PAPER.called("C100") == "C100"


def put(*names: Any) -> Callable[[Any], None]:
    def change(there: Any) -> None:
        *way, last, value = names
        for name in way:
            there = there[name]
        there[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (put("schema", 2), "schema = 2"),
        (put("final", {}), "missing required field"),
        (put("final", "test_error", float("nan")), "NaN is no finite number"),
        (put("measured", "shift", "numbers", "shift_ratio", "large"), "Expected `float`, got `str`"),
        (put("measured", "shift", "numbers", {"rows": []}), "missing required field `shift_ratio`"),
        (put("recipe", "drop", 0.4), "is altered"),
    ],
    ids=["schema", "missing", "nan", "word", "numbers", "recipe"],
)
def test_a_record_that_cannot_be_used_is_told_in_a_line_and_not_averaged_in(
    tmp_path: Path, written: Written, capsys: pytest.CaptureFixture[str], change: Callable[[Any], None], told: str
) -> None:
    bad, good = (written(run, 10.0, shift_of(1.5)) for run in table2.cell(SMOKE, "WRN", 0.5))
    spoilt = json.loads(bad.read_text())
    change(spoilt)
    bad.write_text(json.dumps(spoilt))
    assert Show("table2", out=tmp_path)() == 2
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert told in line
    assert str(bad) in line
    assert good.exists()
    assert "1.5000 (n = 1) [1.013873]" in shown.out


def test_records_of_other_data_than_the_first_are_not_averaged_in(tmp_path: Path, written: Written) -> None:
    first, other = table5.runs(SMOKE)[:2]
    written(first, 10.0, percent, checksum="ab")
    path = written(other, 30.0, percent, checksum="cd")
    results = gather(SMOKE, [first, other], tmp_path)
    assert results.refused == (
        f"file = {path}: is of other data than the records before it: synthetic with checksum cd",
    )
    assert results.test_error([first, other]) == (10.0, None, 1)


def test_results_in_another_precision_have_files_of_their_own() -> None:
    names = [text.stem(EXPERIMENTS["table5"], in_precision(SMOKE, *own)) for own in (FLOAT32, BF16)]
    assert names == ["table5-smoke", "table5-smoke-bf16-default"]
    told = text.status(EXPERIMENTS["table5"], gather(in_precision(SMOKE, *BF16), [], Path()))
    assert told.startswith("table5 at scale smoke: 0 of 8 runs; precision bf16; compile default; SMOKE: ")


def test_show_says_at_which_scale_there_are_records(tmp_path: Path, written: Written) -> None:
    with pytest.raises(ValueError, match=r"^scale = smoke: there is no record of table2 at this scale in [^,]*$"):
        Show("table2", out=tmp_path)()
    written(table2.cell(REDUCED, "WRN", 0.5)[0], 10.0, shift_of(1.5))
    with pytest.raises(ValueError, match=r"^scale = smoke: there is no record of table2 .*, but at reduced$"):
        Show("table2", out=tmp_path)()
    assert not (tmp_path / "results").exists()


def test_show_finds_what_was_swept_in_another_precision(tmp_path: Path, written: Written) -> None:
    written(table2.cell(in_precision(SMOKE, "bf16", "off"), "WRN", 0.5)[0], 10.0, shift_of(1.5))
    with pytest.raises(ValueError, match=r"there is no record of table2"):
        Show("table2", out=tmp_path)()
    assert Show("table2", out=tmp_path, precision="bf16")() == 0


def test_show_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match=r"^name = tabel3: must be one of fig1, .*, all; the nearest is table3$"):
        chosen("tabel3")
    assert chosen("fig3") == (EXPERIMENTS["table1"],)
    assert chosen("all") == tuple(EXPERIMENTS.values())


def test_experiments_share_the_runs_that_they_have_in_common() -> None:
    for scale in SCALES.values():
        everything = [run for experiment in EXPERIMENTS.values() for run in experiment.runs(scale)]
        assert len({run.recipe for run in everything}) == len(merged(everything)) < len(everything)
        names = [run.name for run in merged(everything)]
        assert len(set(names)) == len(names)


def test_the_papers_grid_counts_484_runs_and_width_alone_30_more() -> None:
    nets, sets, seeds, drops, betas = 4, 2, 5, 4, 3
    baselines, dropouts, uouts = nets * sets * seeds, nets * sets * seeds * 2 * drops, nets * sets * seeds * betas
    imagenet = 2 * 2  # two nets with and without Dropout, once
    widths = 3 * 2 * seeds  # beside WRN-28-10 itself
    everything = merged(run for experiment in EXPERIMENTS.values() for run in experiment.runs(PAPER))
    assert len(everything) - widths == baselines + dropouts + uouts + imagenet == 484


def test_at_the_papers_scale_recipes_are_as_printed() -> None:
    for run in merged(run for experiment in EXPERIMENTS.values() for run in experiment.runs(PAPER)):
        own, schedule = run.recipe, SCHEDULES[recipes._family(run.recipe.net)]
        assert (own.epochs, own.batch, own.lr, own.gamma) == (schedule.epochs, schedule.batch, 0.1, schedule.gamma)
        assert own.weight_decay == schedule.weight_decay
        assert (own.images, own.precision, own.compile, own.crop) == (None, "float32", "off", "pixels")
        assert own.net in {
            "preresnet-110",
            "resnext-29",
            "wrn-28-10",
            "densenet-bc-100-12",
            "resnet-200",
            "resnext-101",
            *PAPER.widths,
        }
        assert (own.seed in range(5)) if own.data != "imagenet" else (own.seed == 0)


def test_reduced_scales_say_so_on_every_output(tmp_path: Path) -> None:
    for scale, word in ((SMOKE, "SMOKE"), (REDUCED, "REDUCED")):
        for name, experiment in EXPERIMENTS.items():
            assert word in text.markdown(experiment, gathered(scale, name, tmp_path)).splitlines()[0]
    assert set(CIFAR_NETS) <= SMOKE.nets.keys() == REDUCED.nets.keys() == PAPER.nets.keys()
    assert Shift() == table2.SHIFT
