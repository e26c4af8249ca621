"""The command: its plan follows from the throughput, it explains itself, and ends with the paper beside our numbers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from fullscale.__main__ import main
from fullscale.experiments import table5
from fullscale.experiments.catalogue import EXPERIMENTS
from fullscale.experiments.scale import PAPER, SCALES, SMOKE
from fullscale.sweep.run import merged

RATES = {"preresnet-110": 4000, "resnext-29": 1000, "wrn-28-10": 2000, "densenet-bc-100-12": 5000}


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["sweep", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def hours(clock: str) -> float:
    parts = [int(part) for part in clock.split(":")]
    return parts[0] + parts[1] / 60 + parts[2] / 3600


def test_the_plan_of_table_2_names_every_run_and_its_cost_follows_from_the_throughput(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"{net}={rate}" for net, rate in RATES.items()]
    flags = ["table2", "--scale", "paper", "--plan", "--out", str(tmp_path), "--throughput", *given]
    code, out, err = ran(capsys, *flags)
    assert (code, err) == (0, "")
    runs = merged(EXPERIMENTS["table2"].runs(PAPER))
    rows = {
        cells[0]: cells for cells in (re.findall(r"[^│\s](?:[^│]*[^│\s])?", line) for line in out.splitlines()) if cells
    }
    assert {run.name for run in runs} <= rows.keys()
    # WRN: 200 epochs of 50,000, a test of 10,000 after each; then both sides of the measurement, 50,000 each.
    wrn = (200 * 50_000 / 2000 + (200 * 10_000 + 2 * 50_000) / 6000) / 3600
    names = [run.name for run in runs if run.recipe.net == "wrn-28-10"]
    assert len(names) == 25
    for name in names:
        assert rows[name][1:3] == ["to train", "0 of 200"]
        assert hours(rows[name][3]) == pytest.approx(wrn, abs=1 / 3600)
    total = sum(hours(rows[run.name][3]) for run in runs)
    (told,) = re.findall(r"0 of 100 runs are done; left: ([\d.,]+) GPU-hours", out)
    assert float(told) == pytest.approx(total, abs=0.02)
    assert not list(tmp_path.iterdir())
    for others in (["--device", "cpu", "--threads", "3"], ["--engine", "slurm", "--gpus", "0", "--threads", "3"]):
        assert re.search(r"runs are done; left: [\d.,]+ CPU-hours of 3 threads", ran(capsys, *flags, *others)[1])
    assert re.search(r"left: [\d.,]+ GPU-hours, .* with 8 at once", ran(capsys, *flags, "--jobs", "8")[1])
    assert re.search(r"left: [\d.,]+ GPU-hours, .* with 100 at once", ran(capsys, *flags, "--engine", "slurm")[1])


def test_a_plan_measures_the_throughput_where_none_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, "table5", "--plan", "--out", str(tmp_path), "--device", "cpu")
    nets = ["preresnet-8", "resnext-11-2x4-16"]
    assert err.splitlines() == [f"fullscale: measuring the throughput of {net}" for net in nets]
    assert code == 0
    assert re.search(
        r"0 of 8 runs are done; left: [\d.]+ CPU-hours of \d+ threads, .* preresnet-8 [\d,]+, resnext", out
    )
    again = ran(capsys, "table5", "--plan", "--out", str(tmp_path), "--device", "cpu")
    assert again == (0, out, "")  # what was measured is kept


def test_why_says_so_for_every_run_that_is_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "table5", "--why", "preresnet-8-last", "--out", str(tmp_path))
    meant = [run.name for run in merged(table5.runs(SMOKE)) if run.name.startswith("preresnet-8-last")]
    assert out.splitlines() == [f"{name} is trained: there is no record of it" for name in meant]
    assert (code, len(meant)) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["table9"], "name = table9: must be one of fig1, table1, "),
        (["table2", "--scale", "large"], "invalid choice"),
        (["table5", "--why", "wrn-99"], "why = wrn-99: must be a part of the name of a run, such as preresnet-8-none"),
        (["table5", "--jobs", "0"], "jobs = 0: must be a whole number >= 1"),
        (["table5", "--jobs", "1000000"], "jobs = 1000000: must be <= "),
        (["table5", "--threads", "0"], "threads = 0: must be a whole number >= 1"),
        (["table5", "--retries", "-1"], "retries = -1: must be a whole number >= 0"),
        (["table5", "--save-every", "-1"], "save_every = -1.0: must be finite and >= 0"),
        (["table5", "--device", "gpu"], "device = gpu: "),
        (["table5", "--plan", "--throughput", "fast"], "throughput = fast: must be NET=RATE"),
        (["table5", "--plan", "--throughput", "wrn-10-1=9"], "throughput = wrn-10-1: no run has this net; they have "),
        (
            ["table5", "--plan", "--throughput", "preresnet-8=9"],
            "must be given for all nets that are left, or for none; resnext-11-2x4-16 are missing",
        ),
        (["table5", "--throughput", "preresnet-8=9"], "throughput = preresnet-8=9: is only used with --plan"),
        (["table5", "--plan", "--why", "wrn"], "why = wrn: cannot be asked together with --plan"),
        (["table5", "--slurm", "partition=a"], "slurm = partition=a: is only used with --engine slurm"),
        (["table5", "--engine", "slurm", "--plan"], "throughput = nothing: must be given for Slurm: this machine"),
        (["table5", "--gpus", "1"], "gpus = 1: is only used with --engine slurm"),
        (["table5", "--plan", "--minutes", "5"], "minutes = 5: is only used with --engine slurm"),
        (["table5", "--engine", "slurm", "--gpus", "2"], "gpus = 2: must be 0 or 1, since a run has one"),
        (["table5", "--engine", "slurm", "--gpus", "0", "--device", "cuda"], "gpus = 0: must be 1 with --device cuda"),
        (["table5", "--engine", "slurm", "--device", "cuda:1"], "device = cuda:1: must be cpu or cuda on Slurm"),
        (["table5", "--engine", "slurm", "--minutes", "0"], "minutes = 0: must be a whole number >= 1"),
        (["table5", "--engine", "slurm", "--slurm", "gpu"], "slurm = gpu: must be OPTION=VALUE of sbatch"),
        (["table3", "--scale", "reduced"], "has no cifar-10-batches-bin and no cifar-10-batches-py in it"),
        (
            ["table5", "--engine", "slurm"],
            "engine = slurm: needs Slurm's commands, and sbatch, squeue, scontrol, srun cannot",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_told_in_one_line_before_anything_is_done(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    code, out, err = ran(capsys, *arguments, "--out", str(tmp_path / "runs"), "--root", str(tmp_path))
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert told in line
    assert not list(tmp_path.glob("runs/*"))


def test_a_rate_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran(capsys, "table5", "--plan", "--out", str(tmp_path), "--device", "cpu")
    kept = tmp_path / "throughput.json"
    kept.write_text(re.sub(r'"train": [\d.]+', '"train": 0', kept.read_text(), count=1))
    code, out, err = ran(capsys, "table5", "--plan", "--out", str(tmp_path), "--device", "cpu")
    assert (code, out) == (2, "")
    assert err.startswith(f"fullscale: file = {kept}: is no list of rates: Expected `float` > 0.0")


def test_a_record_that_cannot_be_used_is_told_once_and_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCALES, "smoke", replace(SMOKE, seeds=(0,)))
    bad, *others = merged(table5.runs(SCALES["smoke"]))
    (tmp_path / bad.name).mkdir()
    (tmp_path / bad.name / "record.json").write_text("{}")
    told = f"fullscale: schema = None: {tmp_path / bad.name / 'record.json'} is of another version; 1 is read"
    alone = "is not run again, nor used: its record cannot be; remove it to have the run repeated"
    code, out, err = ran(capsys, "table5", "--out", str(tmp_path), "--device", "cpu", "--threads", "1")
    assert code == 2
    assert err.splitlines()[0] == f"fullscale: {bad.name} {alone}"
    assert err.splitlines()[-1] == told
    assert len(err.splitlines()) == 2 + len(others)
    assert f"table5 at scale smoke: {len(others)} of {len(others) + 1} runs" in out
    code, out, err = ran(capsys, "table5", "--why", "", "--out", str(tmp_path))
    assert (code, err.splitlines()) == (2, [told])
    assert out.splitlines()[0] == f"{bad.name} {alone}"
    assert len(out.splitlines()) == 1 + len(others)


def test_a_slurm_that_does_not_answer_is_told_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("sbatch", "squeue", "scontrol", "srun"):
        (tmp_path / command).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    code, out, err = ran(capsys, "table5", "--engine", "slurm", "--out", str(tmp_path / "runs"))
    assert (code, out) == (2, "")
    assert err == "fullscale: engine = slurm: squeue gets no answer from Slurm; is its controller running?\n"


def test_a_sweep_with_failures_does_the_rest_reports_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = {**SMOKE.nets, "ResNet-200": "wrn-10-1", "ResNeXt-101": "wrn-10-1"}
    few = replace(SMOKE, nets=nets, seeds=(0,), settings={**SMOKE.settings, "lr": 1e30})
    monkeypatch.setitem(SCALES, "smoke", few)
    code, out, err = ran(capsys, "table5", "--out", str(tmp_path / "runs"), "--device", "cpu")
    assert code == 1
    runs = merged(table5.runs(few))
    for run in runs:
        assert f"fullscale: {run.name} has failed: Diverged: loss = " in err
    assert f"{len(runs)} of {len(runs)} runs have failed; the same command tries them again" in err
    assert "table5 at scale smoke: 0 of 2 runs" in out
    assert "NOT RUN [21.70]" in out


@pytest.mark.timeout(1200)  # some 45 seconds on a machine that does not stand still
def test_all_experiments_from_nothing_to_their_tables_and_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ran(capsys, "all", "--out", str(tmp_path), "--device", "cpu", "--threads", "1", "--jobs", "2")
    assert code == 0, err
    everything = merged(run for experiment in EXPERIMENTS.values() for run in experiment.runs(SMOKE))
    assert len(err.splitlines()) == len(everything) == 72
    assert "NOT RUN" not in out
    for name, experiment in EXPERIMENTS.items():
        count = len(merged(experiment.runs(SMOKE)))
        assert f"{name} at scale smoke: {count} of {count} runs; SMOKE: " in out
        stem = tmp_path / "results" / f"{name}-smoke"
        assert "NOT RUN" not in stem.with_suffix(".md").read_text()
        assert "NOT RUN" not in stem.with_suffix(".svg").read_text()
        assert stem.with_suffix(".svg").read_text().startswith("<?xml")
        assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/record.json")}
    assert len(before) == len(everything)
    assert main(["show", "table3", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out in out
    assert ran(capsys, "table2", "--out", str(tmp_path), "--device", "cpu")[::2] == (0, "")  # nothing is done again
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/record.json")} == before
