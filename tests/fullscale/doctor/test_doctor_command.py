"""`doctor` from its flags to its files: what the library says, in words, and a line about whatever is wrong."""

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fullscale.__main__ import main
from fullscale.commands import doctor
from fullscale.doctor import examine, repaired
from fullscale.doctor.advice import advise
from fullscale.doctor.data import file_batches, folder_batches, random_batches
from fullscale.doctor.examination import PROBES
from fullscale.doctor.factory import model
from fullscale.doctor.report import Report
from fullscale.doctor.wording import NUMBERS
from fullscale.files import read_tensors

NETS = '''
import torch
from torch import nn


class Net(nn.Module):
    """Dropout right before a BN, and after the last."""

    def __init__(self, drop: float = 0.5, last: float = 0.2) -> None:
        super().__init__()
        self.conv, self.drop, self.bn = nn.Conv2d(3, 4, 3), nn.Dropout(drop), nn.BatchNorm2d(4)
        self.deep, self.last_bn, self.last = nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.Dropout(last)

    def forward(self, x):
        x = self.bn(self.drop(self.conv(x))).relu()
        return self.last(self.last_bn(self.deep(x)))


def net(drop: float = 0.5, last: float = 0.2) -> nn.Module:
    """With moving statistics of some training on grey noise."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Net(drop, last)
        for _ in range(60):
            made(torch.randn(8, 3, 8, 8))
    return made


def plain(bn: bool = True) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4) if bn else nn.Dropout(0.3))


class Blind(nn.Module):
    """Noise that multiplies nothing, so that nobody can follow what it does to a BN."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.conv(x)
        return self.bn(x + torch.rand_like(x) if self.training else x)


class Bare(nn.Dropout):
    """Noise before a BN that is no module."""

    def forward(self, x):
        x = super().forward(x)
        return nn.functional.batch_norm(x, torch.zeros(3), torch.ones(3), training=self.training)


def safe() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.3))
'''
RANDOM = ["--input", "3x8x8", "--batch", "8", "--count", "3"]
OWN = ["--batches", "batches.pt"]
FILES = {"report.json", "report.html", "shift.svg"}
WRITTEN = ["--json", "report.json", "--html", "report.html", "--svg", "shift.svg"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd_nets.py").write_text(NETS)
    draw = torch.Generator().manual_seed(1)
    torch.save([(torch.randn(8, 3, 8, 8, generator=draw), torch.zeros(8)) for _ in range(3)], "batches.pt")
    yield tmp_path
    sys.modules.pop("odd_nets", None)


def made() -> set[str]:
    """What lies in the folder beside what the tests put there."""
    return {path.name for path in Path().iterdir()} - {"odd_nets.py", "batches.pt", "__pycache__"}


def found(spec: str = "odd_nets:net", **others: Any) -> Report:
    return examine(model(spec), file_batches(Path("batches.pt")), **others)


def examined(capsys: pytest.CaptureFixture[str], *flags: str, code: int = 0) -> str:
    """Run the command, and return what it printed in single spaces, lines kept."""
    assert main(["doctor", *flags]) == code
    shown = capsys.readouterr()
    assert bool(shown.err) == bool(code)
    return "\n".join(" ".join(line.replace("│", " ").split()) for line in shown.out.splitlines())


def test_the_table_says_what_the_library_says(capsys) -> None:
    shown, report = examined(capsys, "odd_nets:net", *OWN), found()
    lines = shown.splitlines()
    assert lines[0] == "odd_nets:net, shown batches.pt: 2 BNs, 2 sources of noise; 24 samples in batches of 8."
    assert lines[1] == f"2 of 2 BNs are above 1.05; the most harmed, last_bn, has {report.rows[1].harm:.3f}."
    assert lines[2] == "Safe, since no BN comes after it (Section 5): last (drop 0.2)."
    first = report.rows[0]
    assert (first.bn, first.exact) == ("bn", True)
    (way,) = first.ways
    assert way.linear is not None
    moments = f"{way.linear.c:.3g} {way.linear.v:.3g}"
    local = (
        f"{first.predicted:.3f} {first.shift:.3f} {first.inherited:.3f} {first.worst_channel}: {first.worst_shift:.3f}"
    )
    assert f"1 bn {local} 1 1 {moments} 0" in shown
    assert "\nafter drop (drop 0.5)" in shown
    told = [f"{row.bn}: {remedy}" for row in report.rows[::-1] for remedy in advise(row, report)]
    assert lines[-len(told) :] == told


def test_the_files_hold_the_report(capsys) -> None:
    examined(capsys, "odd_nets:net", *OWN, *WRITTEN)
    assert made() == FILES
    read, report = json.loads(Path("report.json").read_text()), found()
    assert json.dumps(read["rows"][0]["ways"]) == json.dumps([dataclasses.asdict(way) for way in report.rows[0].ways])
    for row, told in zip(report.rows, read["rows"], strict=True):
        assert told["advice"] == list(advise(row, report))
        assert told["sources"] == list(row.sources)
        names = ("bn", "predicted", "shift", "measured", "inherited", "harm", "shift_ratio", "real_var", "moving_var")
        assert {name: told[name] for name in names} == {name: getattr(row, name) for name in names}
    assert (read["images"], read["batch"], read["threshold"], read["nothing_to_find"]) == (24, 8, 1.05, None)
    assert read["sources"][0]["strength"] == ["drop", pytest.approx(0.5)]
    assert read["settings"]["batches"] == "batches.pt"
    assert (read["schema"], read["software"]["torch"]) == (1, torch.__version__)
    assert set(read["code"]) == {"version", "commit", "sources", "behind"}
    assert "odd_nets:net" in Path("report.html").read_text()
    assert Path("shift.svg").read_text().count("<svg") == 1


def test_what_is_not_finite_is_null_in_json() -> None:
    value = {"a": (1.5, float("nan"), [float("-inf")]), "b": "nan"}
    assert doctor.finite_only(value) == {"a": [1.5, None, [None]], "b": "nan"}


def test_the_model_is_shown_what_was_asked_for(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def watched(net: nn.Module, batches: Any, **given: Any) -> Report:
        seen.append((list(batches), given["probes"], given["seed"]))
        return examine(net, batches, **given)

    monkeypatch.setattr(doctor, "examine", watched)
    for k in range(6):
        Path(f"{k}.ppm").write_bytes(b"P6 9 9 255\n" + np.full((9, 9, 3), 40 * k, np.uint8).tobytes())
    sizes, few = (3, 8, 8), ["--input", "3x8x8", "--batch", "3", "--count", "2", "--seed", "5", "--probes", "7"]
    examined(capsys, "odd_nets:net", *few)
    examined(capsys, "odd_nets:net", *few, "--data", ".")
    examined(capsys, "odd_nets:net", *OWN)
    expected: list[Any] = [
        (random_batches(sizes, 3, 2, 5), 7, 5),
        (folder_batches(Path(), sizes, 3, 2, torch.device("cpu"), seed=5), 7, 5),
        (file_batches(Path("batches.pt")), PROBES, 0),
    ]
    assert str(seen) == str([(list(batches), *others) for batches, *others in expected])


def test_random_images_are_said_loudly_to_measure_nothing(capsys) -> None:
    shown = examined(capsys, "odd_nets:net", *RANDOM, *WRITTEN)
    assert shown.splitlines()[1].startswith("RANDOM INPUTS: ")
    rows = json.loads(Path("report.json").read_text())["rows"]
    assert all(row["predicted"] < 1 for row in rows[:1])
    for row in rows:
        assert [row[name] for name in ("real_var", "shift_ratio", "shift", "measured", "inherited")] == [None] * 5
        assert row["moving_var"] is not None
    assert "measured: real against" not in Path("shift.svg").read_text()
    assert "RANDOM" not in examined(capsys, "odd_nets:net", *OWN)


@pytest.mark.parametrize(("threshold", "code"), [("1.01", 1), ("90", 0)])
def test_fail_above_ends_with_1_if_a_bn_is(threshold: str, code: int, capsys) -> None:
    assert main(["doctor", "odd_nets:net", *OWN, *WRITTEN, "--fail-above", threshold]) == code
    shown = capsys.readouterr()
    assert made() == FILES  # whatever the code
    assert ("fullscale: 2 of 2 BNs are above 1.01; the most harmed, last_bn, has " in shown.err) == bool(code)
    assert shown.err.count("\n") == code
    assert json.loads(Path("report.json").read_text())["threshold"] == float(threshold)


def test_fail_above_says_of_what_could_not_be_examined_that_it_is_not_known(capsys) -> None:
    assert main(["doctor", "odd_nets:Blind", *RANDOM]) == 0
    assert capsys.readouterr().err == ""
    assert main(["doctor", "odd_nets:Blind", *RANDOM, "--fail-above", "1.2"]) == 0
    out, err = capsys.readouterr()
    told = "1 of 1 BN could not be examined: bn"
    assert err == f"fullscale: {told}; whether they are above 1.2 is not known\n"
    assert f"{told}." in out.splitlines()


def test_where_no_bn_could_be_examined_there_is_no_table(capsys) -> None:
    lines = examined(capsys, "odd_nets:Bare", *OWN, *WRITTEN).splitlines()
    assert lines[1].startswith("1 of 1 BN could not be examined: ")
    assert not any("predicted" in line for line in lines if not line.startswith("Note"))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            "odd_nets:plain",
            "Nothing to find: no noise is drawn in training, so training and test have the same variance.",
        ),
        ("odd_nets:plain(bn=False)", "Nothing to find: no BN module is called, so no moving variance can shift."),
        ("odd_nets:safe", "Nothing to find: all noise comes after the last BN it could disturb, as Section 5 advises."),
    ],
)
def test_where_there_is_nothing_to_find_it_says_so_kindly(spec: str, told: str, capsys) -> None:
    shown = examined(capsys, spec, *OWN, *WRITTEN, "--fail-above", "1.0001")
    assert told in shown.splitlines()
    assert "predicted" not in shown
    assert ("Safe, since no BN comes after it (Section 5): 2 (drop 0.3)." in shown) == spec.endswith("safe")
    assert made() == FILES


def test_at_most_so_many_rows_are_shown_the_most_harmed_first(capsys) -> None:
    shown = examined(capsys, "odd_nets:net", *OWN, "--top", "1")
    assert re.search(r"^2 last_bn ", shown, re.MULTILINE)
    assert not re.search(r"^1 bn ", shown, re.MULTILINE)
    assert "and 1 more, less harmed: --top, --html and --json show them" in shown
    assert "more, less harmed" not in examined(capsys, "odd_nets:net", *OWN, "--top", "2")


def test_a_path_is_shown_whole_and_brackets_are_no_markup(capsys) -> None:
    long = "a_name_that_is_so_long_that_it_does_not_fit_" * 3
    Path("odd_nets.py").write_text(
        f"{NETS}\n\ndef bracketed():\n    made = nn.Sequential()\n    made.add_module('{long}', nn.Dropout(0.5))\n"
        "    made.add_module('[bold]', nn.BatchNorm2d(3))\n    return made\n"
    )
    shown = examined(capsys, "odd_nets:bracketed", *OWN)
    assert f"after {long} (drop 0.5)" in shown
    assert "1 [bold] " in shown


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_a_narrow_terminal_shows_whole_what_it_shows(width: int, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": str(width), "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "odd_nets:net", *OWN]) == 0
    plain = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    (heading,) = (line for line in plain.splitlines() if line.startswith("┃"))
    assert len(heading) <= width
    assert "…" not in plain
    left_out = [name for names in re.findall("wider terminal shows: (.*)", plain) for name in names.split(", ")]
    assert [cell.strip() for cell in heading.strip("┃").split("┃")] + left_out == ["BN", *NUMBERS]
    assert bool(left_out) == (width < 140)


def test_the_seed_fixes_every_number(capsys) -> None:
    rows = []
    for seed in "001":
        examined(capsys, "odd_nets:Net", *RANDOM, "--seed", seed, "--json", "report.json")
        rows.append(json.loads(Path("report.json").read_text())["rows"])
    assert rows[0] == rows[1] != rows[2]


def test_weights_are_loaded_first(capsys) -> None:
    state = model("odd_nets:net").state_dict()
    state["bn.running_var"].mul_(100)
    torch.save(state, "weights.pt")
    examined(capsys, "odd_nets:net", *OWN, "--weights", "weights.pt", "--json", "report.json")
    heavy, light = json.loads(Path("report.json").read_text())["rows"][0], found().rows[0]
    assert light.moving_var is not None
    assert heavy["moving_var"] == pytest.approx(100 * light.moving_var)
    assert heavy["predicted"] == light.predicted


def test_a_finished_run_can_be_named(capsys) -> None:
    train = ["train", "wrn-10-1", "--data", "synthetic", "--images", "100", "--batch", "50", "--epochs", "1"]
    assert main([*train, "--placement", "a", "--drop", "0.5", "--out", "run"]) == 0
    capsys.readouterr()
    shown = examined(capsys, "fullscale.runs:trained('run')", "--input", "3x32x32", "--count", "2", "--batch", "4")
    assert ": 7 BNs, 3 sources of noise; 8 samples in batches of 4." in shown


def test_repaired_statistics_are_written_and_shown_to_be_better(capsys) -> None:
    shown = examined(capsys, "odd_nets:net", *OWN, "--repair", "repaired.safetensors")
    before, state = found(), read_tensors(Path("repaired.safetensors"))
    healed = model("odd_nets:net")
    healed.load_state_dict(state)
    after = examine(healed, file_batches(Path("batches.pt")))
    assert "State dict written to repaired.safetensors: BN's statistics, estimated without noise" in shown.splitlines()
    for old, new in zip(before.rows, after.rows, strict=True):
        assert f"{old.index} {old.bn} {old.shift_ratio:.3f} {new.shift_ratio:.3f}" in shown
    assert (after.rows[0].shift_ratio or 9) - 1 < ((before.rows[0].shift_ratio or 0) - 1) / 10
    weights = {name: tensor for name, tensor in model("odd_nets:net").state_dict().items() if "running" not in name}
    assert all(torch.equal(state[name], tensor) for name, tensor in weights.items() if "tracked" not in name)


@pytest.mark.parametrize(("batch", "few"), [(249, True), (250, False)])
def test_few_samples_are_said_loudly_to_be_few(batch: int, capsys, *, few: bool) -> None:
    torch.save([torch.randn(batch, 3, 8, 8)] * 4, "batches.pt")
    shown = examined(capsys, "odd_nets:net", *OWN, "--repair", "repaired.safetensors")
    told = [line for line in shown.splitlines() if line.startswith("FEW SAMPLES")]
    assert len(told) == few
    for line in told:
        assert "estimated from 996 only; let --batch times --count, or what --batches holds, be 1,000 or more" in line
    assert "FEW" not in examined(capsys, "odd_nets:net", *RANDOM)


def test_uout_in_place_of_the_noise_is_shown_beside_it(capsys) -> None:
    shown, before = examined(capsys, "odd_nets:net", *OWN, "--uout", "0.3"), found()
    assert "odd_nets:net with Uout, beta = 0.3, in place of Dropout" in shown
    assert before.rows[0].predicted is not None
    added = 1 / before.rows[0].predicted - 1  # at s2 = 1
    after = 1 / (1 + 0.3**2 / 3 * added)
    assert f"1 bn {before.rows[0].predicted:.3f} {after:.3f}" in shown


def test_repaired_for_uout_the_statistics_are_those_with_uout(capsys) -> None:
    shown = examined(capsys, "odd_nets:net", *OWN, "--uout", "0.3", "--repair", "repaired.safetensors")
    assert "State dict written to repaired.safetensors: BN's statistics, estimated with Uout" in shown.splitlines()
    state = repaired(model("odd_nets:net"), file_batches(Path("batches.pt")), uout=0.3)
    written = read_tensors(Path("repaired.safetensors"))
    assert written.keys() == state.keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in state.items())
    without = repaired(model("odd_nets:net"), file_batches(Path("batches.pt")))
    assert not torch.equal(without["bn.running_var"], state["bn.running_var"])


def test_help_works(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["doctor", "--help"])
    assert stop.value.code == 0
    assert "python -m fullscale doctor" in capsys.readouterr().out
