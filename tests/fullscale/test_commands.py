"""measure, adjust, ensemble and responses on one small run: their files say what the library says, and are resumed."""

import dataclasses
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from fullscale.__main__ import main
from fullscale.adjust import READINGS, adjust
from fullscale.angles import angles
from fullscale.commands import of_run
from fullscale.commands.ensemble import Ensemble, Group
from fullscale.data import Batch, Source, synthetic
from fullscale.ensemble import ensemble
from fullscale.evaluate import evaluate
from fullscale.files import read_tensors
from fullscale.measure import measure
from fullscale.responses import MODES, respond
from fullscale.runs import open_run

BATCH, EPOCHS = 50, 2
TRAIN = ["train", "densenet-bc-10-4", "--data", "synthetic", "--images", "200", "--batch", str(BATCH)]
TWO = ["--batches", "2"]
FEW = [*TWO, "--samples", "3", "--groups", "2"]
COMMANDS = {"measure": TWO, "adjust": TWO, "ensemble": FEW, "responses": TWO}
SETTINGS = {"ensemble": {"samples": 3}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    noise = ["--placement", "a", "--drop", "0.5"]
    assert main([*TRAIN, *noise, "--epochs", str(EPOCHS), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def source() -> Source:
    return synthetic(torch.device("cpu"), train=200, test=50)


@pytest.fixture(scope="module")
def done(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("done") / "run"
    shutil.copytree(trained, out)
    for command, flags in COMMANDS.items():
        assert main([command, str(out), *flags]) == 0
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / ("longer than a line of a pipe is wide, " * 4) / "run")


def two(batches: Iterator[Batch]) -> list[Batch]:
    return list(itertools.islice(batches, 2))


def augmented(source: Source, seed: int = 0) -> list[Batch]:
    return two(source.train_batches(BATCH, seed, EPOCHS))


def read(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / name).read_text())


def state(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def timeless(value: Any) -> Any:
    """The same without the seconds that it took, and the sources, which may be edited while tests run."""
    if isinstance(value, dict):
        return {name: timeless(inner) for name, inner in value.items() if name not in {"seconds", "code"}}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


class TestFiles:
    @pytest.mark.parametrize(
        ("command", "written"),
        [
            ("measure", {"measure.json", "channels.safetensors", "shift.svg", "angles.svg"}),
            ("adjust", {"adjust.json", "adjusted.safetensors"}),
            ("ensemble", {"ensemble.json", "ensemble.svg"}),
            ("responses", {"responses.json", "responses.svg"}),
        ],
    )
    def test_a_command_writes_its_files_and_what_they_depend_on(
        self, command: str, written: set[str], run: Path, done: Path, capsys
    ) -> None:
        before = {path.name for path in run.iterdir()}
        assert main([command, str(run), *COMMANDS[command]]) == 0
        shown = capsys.readouterr()
        assert {path.name for path in run.iterdir()} - before == written
        told = [line.split(":")[1] for line in shown.err.splitlines()]
        assert told == ([" group 1/2", " group 2/2"] if command == "ensemble" else [])
        assert shown.out.startswith("densenet-bc-10-4 (a) drop 0.5, synthetic, 2 epochs, 200 images; 2 batches only")
        assert f"{run}" in shown.out  # whole, however long
        made, digest = read(run, f"{command}.json"), open_run(run).record["weights_sha256"]
        assert made["settings"] == {"weights_sha256": digest, "batches": 2, "seed": 0} | SETTINGS.get(command, {})
        stamped = {"adjust": lambda: made["readings"]["batch"], "ensemble": lambda: made["groups"][0]}
        stamped = stamped.get(command, lambda: made)()
        assert set(stamped["code"]) == {"version", "commit", "sources", "behind"}
        assert stamped["software"]["torch"] == torch.__version__
        assert stamped["hardware"]["threads"] == torch.get_num_threads()
        assert stamped["seconds"] > 0
        assert timeless(made) == timeless(read(done, f"{command}.json"))  # the same command, the same numbers

    def test_the_run_itself_is_left_alone(self, trained: Path, done: Path) -> None:
        own = {path.relative_to(trained): content for path, (_, content) in state(trained).items()}
        after = {path.relative_to(done): content for path, (_, content) in state(done).items()}
        assert own.items() <= after.items()


class TestMeasure:
    def test_the_numbers_are_those_of_the_library(self, done: Path, source: Source) -> None:
        made, net = read(done, "measure.json"), open_run(done).net
        measured, of_filters = measure(net, augmented(source), seed=0), angles(net)
        assert made["bns"] == [dataclasses.asdict(row) for row in measured.rows]
        assert made["convolutions"] == [dataclasses.asdict(row) for row in of_filters.rows]
        assert (made["images"], made["cos2"], made["d_cos2"]) == (100, of_filters.cos2, of_filters.d_cos2)
        for name in ("shift_ratio", "floor"):
            assert made[name] == pytest.approx(sum(row[name] for row in made["bns"]) / len(made["bns"]), rel=1e-12)

    def test_every_channel_is_kept_and_the_rows_are_their_means(self, done: Path) -> None:
        made = read(done, "measure.json")
        kept = read_tensors(done / "channels.safetensors", made["channels_sha256"])
        of_row = {
            "moving_var": "moving_var",
            "real_var": "test.moving_var",
            "real_var_pooled": "test.pooled_var",
            "train_var": "train.moving_var",
            "train_var_pooled": "train.pooled_var",
        }
        for row in made["bns"]:
            for name, of_channels in of_row.items():
                channels = kept[f"{row['name']}.{of_channels}"]
                assert channels.shape == (row["channels"],)
                assert channels.mean().item() == row[name]
        for row in made["convolutions"]:
            assert kept[f"{row['name']}.cos2"].mean().item() == row["cos2"]
        assert len(kept) == 12 * len(made["bns"]) + len(made["convolutions"])

    def test_another_seed_measures_other_images(self, run: Path, done: Path) -> None:
        assert main(["measure", str(run), *TWO, "--seed", "1"]) == 0
        made, before = read(run, "measure.json"), read(done, "measure.json")
        assert made["bns"] != before["bns"]
        assert made["convolutions"] == before["convolutions"]


class TestAdjust:
    def test_every_reading_scores_what_the_library_says(self, done: Path, source: Source) -> None:
        made, net = read(done, "adjust.json"), open_run(done).net
        assert set(made["readings"]) == set(READINGS)
        scores = {"before": made["before"]} | made["readings"]
        nets = {reading: adjust(net, lambda: augmented(source), reading=reading) for reading in READINGS}
        for name, own in ({"before": net} | nets).items():
            score = evaluate(own, two(source.test_batches(BATCH)))
            assert (scores[name]["error"], scores[name]["loss"]) == (score.error, score.loss)
        assert len({score["loss"] for score in scores.values()}) > 1

    def test_the_adjusted_weights_are_kept_and_err_as_told(self, done: Path, source: Source) -> None:
        told, net = read(done, "adjust.json")["readings"]["batch"], open_run(done).net
        net.load_state_dict(read_tensors(done / "adjusted.safetensors", told["weights_sha256"]))
        score = evaluate(net, two(source.test_batches(BATCH)))
        assert (score.error, score.loss) == (told["error"], told["loss"])

    def test_a_reading_that_stands_there_is_not_computed_again(self, run: Path, done: Path) -> None:
        assert main(["adjust", str(run), *TWO, "--reading", "at-once"]) == 0
        made = read(run, "adjust.json")
        assert set(made["readings"]) == {"at-once"}
        assert not (run / "adjusted.safetensors").exists()
        made["readings"]["at-once"]["error"] = 12.5
        (run / "adjust.json").write_text(json.dumps(made))
        assert main(["adjust", str(run), *TWO]) == 0
        after, fresh = read(run, "adjust.json")["readings"], read(done, "adjust.json")["readings"]
        assert after["at-once"] == made["readings"]["at-once"]
        assert [timeless(after[name]) == timeless(fresh[name]) for name in ("batch", "layerwise")] == [True, True]


class TestEnsemble:
    def test_the_numbers_are_those_of_the_library(self, done: Path, source: Source) -> None:
        made, net = read(done, "ensemble.json"), open_run(done).net
        own = ensemble(net, lambda: two(source.test_batches(BATCH)), samples=3, seeds=(0, 1))
        assert [group["errors"] for group in made["groups"]] == own.errors.tolist()
        assert made["groups"][0]["errors"] != made["groups"][1]["errors"]
        assert made["weight_scaling"]["error"] == own.weight_scaling

    def test_more_groups_keep_the_first_ones(self, run: Path, done: Path, capsys) -> None:
        assert main(["ensemble", str(run), *TWO, "--samples", "3", "--groups", "1"]) == 0
        assert " - " in capsys.readouterr().out  # one group has no spread
        made, fresh = read(run, "ensemble.json"), read(done, "ensemble.json")
        assert timeless(made["groups"]) == timeless(fresh["groups"][:1])
        made["groups"][0]["errors"][0] = 12.5
        (run / "ensemble.json").write_text(json.dumps(made))
        assert main(["ensemble", str(run), *FEW]) == 0
        again, told = read(run, "ensemble.json")["groups"], capsys.readouterr().err
        assert told == f"fullscale: group 2/2: an average of 3: {again[1]['errors'][2]:.2f}%, 0:00:00 left\n"
        assert again[0] == made["groups"][0]
        assert timeless(again[1]) == timeless(fresh["groups"][1])

    def test_how_long_the_other_groups_take_is_told_at_the_pace_of_the_last(self) -> None:
        done = [{"errors": [30.0, 20.0], "seconds": seconds} for seconds in (5.0, 60.0)]
        told = Ensemble(Path("run"), samples=2, groups=5).so_far(cast(list[Group], done))
        assert told == "group 2/5: an average of 2: 20.00%, 0:03:00 left"

    def test_a_net_without_noise_is_refused(self, tmp_path: Path, capsys) -> None:
        plain = tmp_path / "plain"
        assert main([*TRAIN, "--epochs", "1", "--out", str(plain)]) == 0
        before = state(plain)
        capsys.readouterr()
        assert main(["ensemble", str(plain), *FEW]) == 2
        told = f"fullscale: dir = {plain}: was trained without noise: there are no nets to sample\n"
        assert capsys.readouterr() == ("", told)
        assert state(plain) == before


class TestResponses:
    def test_the_numbers_are_those_of_the_library(self, run: Path, source: Source) -> None:
        assert main(["responses", str(run), *TWO]) == 0
        made, net = read(run, "responses.json"), open_run(run).net
        order = torch.randperm(source.train_count, generator=torch.Generator().manual_seed(0))
        own = respond(net, two(source.plain_batches(BATCH, order)), seed=0)
        assert made["errors"] == [{**mode._asdict(), "error": own.errors[mode]} for mode in MODES]
        counted = {"images": own.n, "flipped": own.flipped, "recovered": own.recovered}
        assert {name: made[name] for name in counted} == counted
        assert own.flipped > 1
        for example, flip in zip(made["examples"], own.examples, strict=True):
            assert (example["index"], example["label"]) == (order[flip.index], flip.label)
            assert example["drop"] == flip.drop
            assert example["train_logits"] == flip.train_logits.tolist()
            assert example["test_logits"] == flip.test_logits.tolist()

    def test_the_flips_are_counted_on_the_screen(self, run: Path, capsys) -> None:
        assert main(["responses", str(run), *TWO]) == 0
        made, shown = read(run, "responses.json"), capsys.readouterr().out
        told = f"of 100 images {made['flipped']} are right in train and wrong in test mode"
        assert f"{told}, {made['recovered']} inversely" in shown
        assert all(f"{mode['error']:.2f}" in shown for mode in made["errors"])


@pytest.mark.parametrize(
    ("command", "flags", "told"),
    [
        *((command, ["--batches", "1"], "batches = 1: must be a whole number >= 2") for command in COMMANDS),
        *((command, ["--seed", str(2**62)], f"seed = {2**62}: must be < 2^62") for command in COMMANDS),
        *((command, ["--seed", "-1"], "seed = -1: must be a whole number >= 0") for command in COMMANDS),
        *((command, ["--device", "cuda:9"], "device = cuda:9: is not on this machine") for command in COMMANDS),
        ("adjust", ["--reading", "twice"], "'twice' for argument '--reading'"),
        ("adjust", ["--seed", "1"], "file = {}/adjust.json: has results of other settings"),
        ("ensemble", ["--samples", "4"], "file = {}/ensemble.json: has results of other settings"),
        ("ensemble", ["--samples", "0"], "samples = 0: must be a whole number >= 1"),
        ("ensemble", ["--groups", "0"], "groups = 0: must be a whole number >= 1"),
        ("responses", ["--keep", "-1"], "keep = -1: must be a whole number >= 0"),
    ],
)
def test_bad_input_is_told_in_one_line_and_changes_nothing(
    command: str, flags: list[str], told: str, done: Path, capsys
) -> None:
    before = state(done)
    assert main([command, str(done), *COMMANDS[command], *flags]) == 2
    one_line(capsys.readouterr(), told.format(done))
    assert state(done) == before


def one_line(shown: tuple[str, str], told: str) -> None:
    out, err = shown
    assert (out, err.count("\n"), err[-1]) == ("", 1, "\n")
    assert err.startswith("fullscale: ")
    assert told in err


@pytest.mark.parametrize("command", COMMANDS)
def test_damaged_weights_are_told_in_one_line(command: str, run: Path, capsys) -> None:
    weights = run / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    before = state(run)
    assert main([command, str(run), *COMMANDS[command]]) == 2
    one_line(capsys.readouterr(), f"file = {weights}: is damaged: it is not what its record vouches for")
    assert state(run) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_without_a_finished_run_is_told_in_one_line(command: str, tmp_path: Path, capsys) -> None:
    assert main([command, str(tmp_path), *COMMANDS[command]]) == 2
    one_line(capsys.readouterr(), f"dir = {tmp_path}: holds no finished run: there is no record.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_other_data_than_it_was_trained_on_are_told_in_one_line(command: str, done: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(of_run, "load", lambda *_, **__: synthetic(torch.device("cpu"), train=199))
    before = state(done)
    assert main([command, str(done), *COMMANDS[command]]) == 2
    one_line(capsys.readouterr(), f"data = synthetic: is not what {done} was trained on: the checksums differ")
    assert state(done) == before
