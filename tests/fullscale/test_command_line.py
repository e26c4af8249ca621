"""`train` from its flags to its record; and whatever is wrong, with any command, is one line and leaves nothing."""

import json
import re
import resource
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from fullscale.__main__ import main
from fullscale.commands.train import Narrator
from fullscale.data import cifar
from fullscale.runs import open_run
from fullscale.training import Training
from tests.folders import names
from tests.interruptible import start

SMALL = ["train", "wrn-10-1", "--data", "synthetic", "--images", "100", "--batch", "50", "--epochs", "1"]
FILES = {".lock", "checkpoints", "log.jsonl", "recipe.json", "record.json", "weights.safetensors"}
EPOCH = re.compile(
    r"fullscale: epoch \d/\d: test error [\d.]+%, train loss [\d.]+, train error [\d.]+%"
    r", [\d,]+ images/s, \d:\d\d:\d\d left"
)
A = ["--placement", "a"]


def state(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Every file, when it was written, and its bytes."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_what_takes_long_to_import_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, fullscale.__main__; print({'torchvision', 'matplotlib', 'submitit'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    assert main([*SMALL, "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(
    ("net", "noise"),
    [
        ("wrn-10-1", {"placement": "a", "drop": 0.5}),
        ("densenet-bc-10-4", {"placement": "last", "uout": 0.3}),
        ("densenet-bc-10-4", {"placement": "b", "sigma": 0.4}),
    ],
)
def test_train_goes_from_flags_to_a_record(net: str, noise: dict[str, object], tmp_path: Path, capsys) -> None:
    flags = [word for name, value in noise.items() for word in (f"--{name}", str(value))]
    out = tmp_path / "made" / "on the way"
    arguments = ["train", net, "--data", "synthetic", "--images", "200", "--epochs", "2", *flags]
    assert main([*arguments, "--out", str(out), "--batch", "100", "--seed", "3"]) == 0
    shown, record = capsys.readouterr(), json.loads((out / "record.json").read_text())
    assert names(out) == FILES
    final = "test error {test_error:.2f}%, train error {train_error:.2f}%".format(**record["final"])
    assert shown.out == f"{out}: {net} after 2 epochs of 200 images: {final}\n"
    lines = shown.err.splitlines()
    assert [bool(EPOCH.fullmatch(line)) for line in lines] == [True, True]
    for line, epoch in zip(lines, record["epochs"], strict=True):
        assert f"epoch {epoch['epoch']}/2: test error {epoch['test_error']:.2f}%" in line
        assert f"train loss {epoch['train_loss']:.3f}, train error {epoch['train_error']:.2f}%" in line
    told = noise | {"net": net, "data": "synthetic", "seed": 3, "epochs": 2, "batch": 100, "images": 200}
    assert told.items() <= record["recipe"].items()
    assert [record["recipe"][name] for name in ("drop", "uout", "sigma")].count(None) == 2


def test_the_same_flags_lead_to_the_same_weights_and_another_seed_to_others(whole: Path, tmp_path: Path) -> None:
    for seed in "01":
        assert main([*SMALL, "--seed", seed, "--out", str(tmp_path / seed)]) == 0
    digests = [open_run(folder).record["weights_sha256"] for folder in (whole, tmp_path / "0", tmp_path / "1")]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("more", [[], ["--tensorboard"]], ids=" ".join)
def test_a_finished_run_is_told_again_and_left_alone(more: list[str], whole: Path, capsys, monkeypatch) -> None:
    curves_into(monkeypatch, [])
    before = state(whole)
    assert main([*SMALL, "--out", str(whole), "--resume", *more]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"{whole}: wrn-10-1 after 1 epochs of 100 images: test error ")
    assert (shown.out.count("\n"), shown.err) == (1, "")
    assert state(whole) == before


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "out = {}: holds a run already; --resume goes on with it"),
        (["--resume", "--lr", "0.2"], "lr = 0.2: the run in {} has 0.1; it goes on as it began"),
    ],
)
def test_another_run_is_not_written_over(flags: list[str], told: str, whole: Path, capsys) -> None:
    before = state(whole)
    assert main([*SMALL, "--out", str(whole), *flags]) == 2
    assert capsys.readouterr() == ("", f"fullscale: {told.format(whole)}\n")
    assert state(whole) == before


def curves_into(monkeypatch: pytest.MonkeyPatch, points: list[tuple[str, float, int]]) -> None:
    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            Path(folder).mkdir()
            points.append(("purged", 0, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            points.append((name, value, step))

        def close(self) -> None:
            points.append(("closed", 0, 0))

    module = types.ModuleType("torch.utils.tensorboard")
    vars(module)["SummaryWriter"] = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)


def test_tensorboard_gets_what_the_record_has(tmp_path: Path, monkeypatch) -> None:
    points: list[tuple[str, float, int]] = []
    curves_into(monkeypatch, points)
    assert main([*SMALL, "--out", str(tmp_path / "run"), "--tensorboard"]) == 0
    (epoch,) = open_run(tmp_path / "run").record["epochs"]
    kept = ("lr", "train_loss", "train_error", "test_loss", "test_error")
    assert points[1:-1] == [("epoch", 1, 1), *((name, epoch[name], 1) for name in kept)]
    assert (points[0], points[-1]) == (("purged", 0, 1), ("closed", 0, 0))
    assert names(tmp_path / "run") == FILES | {"tensorboard"}


def test_tensorboard_without_the_package_is_told_in_one_line(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # importing it fails, installed or not
    assert main([*SMALL, "--out", str(tmp_path / "run"), "--tensorboard"]) == 2
    assert capsys.readouterr().err == "fullscale: tensorboard = True: needs the extra: uv sync --extra tensorboard\n"
    assert names(tmp_path) == set()


def test_help_works(capsys) -> None:
    for command in ([], ["train"], ["measure"], ["adjust"], ["ensemble"], ["responses"]):
        with pytest.raises(SystemExit) as stop:
            main([*command, "--help"])
        assert stop.value.code == 0
        assert "python -m fullscale" in capsys.readouterr().out


BAD = {
    "no command": ([], "Missing subcommand"),
    "unknown command": (["walk"], "walk"),
    "unknown net": ([*SMALL, "wrn-10"], "wrn-10"),
    "unknown flag": ([*SMALL, "--foo", "3"], "--foo"),
    "no value": ([*SMALL, "--lr"], "--lr"),
    "no number": ([*SMALL, "--lr", "abc"], "abc"),
    "two lines": ([*SMALL, "--lr", "a\nb"], "--lr"),
    "None": ([*SMALL, "--drop", "None"], "None"),
    "unknown data": ([*SMALL, "--data", "mnist"], "'mnist' for argument '--data'"),
    "unknown placement": ([*SMALL, "--placement", "c"], "'c' for argument '--placement'"),
    "no such net": (["train", "lenet-5", *SMALL[2:]], "net = lenet-5: must be preresnet-DEPTH, "),
    "no such depth": (["train", "wrn-11-1", *SMALL[2:]], "net = wrn-11-1: DEPTH must be one of 10, 16, 22"),
    "epochs 0": ([*SMALL, "--epochs", "0"], "epochs = 0: must be a whole number >= 1"),
    "batch 1": ([*SMALL, "--batch", "1"], "batch = 1: must be a whole number >= 2"),
    "lr 0": ([*SMALL, "--lr", "0"], "lr = 0.0: must be a finite number > 0"),
    "lr nan": ([*SMALL, "--lr", "nan"], "lr = nan: must be a finite number > 0"),
    "weight decay nan": ([*SMALL, "--weight-decay", "nan"], "weight_decay = nan: must lie in 0 <= weight_decay < 1"),
    "seed -1": ([*SMALL, "--seed", "-1"], "seed = -1: must be a whole number >= 0"),
    "seed 2^62": ([*SMALL, "--seed", str(2**62)], f"seed = {2**62}: must be < 2^62"),
    "images 0": ([*SMALL, "--images", "0"], "images = 0: must be a whole number >= 1"),
    "images 2049": ([*SMALL, "--images", "2049"], "images = 2049: must be <= 2048"),
    "device": ([*SMALL, "--device", "cuda:9"], "device = cuda:9: is not on this machine"),
    "threads 0": ([*SMALL, "--threads", "0"], "threads = 0: must be a whole number >= 1"),
    "threads 9999": ([*SMALL, "--threads", "9999"], "threads = 9999: must be <= 1024"),
    "save-every -2": ([*SMALL, "--save-every", "-2"], "save_every = -2.0: must be finite and >= 0"),
    "save-every nan": ([*SMALL, "--save-every", "nan"], "save_every = nan: must be finite and >= 0"),
    "no data": ([*SMALL, "--data", "cifar10", "--root", "nowhere"], "root = nowhere: has no cifar-10-batches-bin"),
    "no run": (["measure", "nowhere"], "dir = nowhere: holds no finished run: there is no record.json"),
}
UNFIT = {
    "drop 1": (["--drop", "1", *A], "drop = 1.0: must lie in 0 <= drop < 1"),
    "drop nan": (["--drop", "nan", *A], "drop = nan: must lie in 0 <= drop < 1"),
    "drop -0.1": (["--drop", "-0.1", *A], "drop = -0.1: must lie in 0 <= drop < 1"),
    "uout 2": (["--uout", "2", *A], "uout = 2.0: must lie in 0 <= uout <= 1"),
    "sigma -1": (["--sigma", "-1", *A], "sigma = -1.0: must be finite and >= 0"),
    "no noise": (A, "drop, uout, sigma = (None, None, None): exactly one must be given for where = a"),
    "two noises": (["--drop", "0.5", "--uout", "0.1", *A], "drop, uout, sigma = (0.5, 0.1, None): exactly one must"),
    "no placement": (["--drop", "0.5"], "drop, uout, sigma = (0.5, None, None): none must be given for where = none"),
    "batch 101": (["--batch", "101"], "batch = 101: must be <= 100, the training images there are"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_told_in_one_line_and_leaves_nothing(
    arguments: list[str], told: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, *(["--out", "run"] if "train" in arguments else [])]) == 2
    one_line(capsys.readouterr(), told)
    assert names(tmp_path) == set()


@pytest.mark.parametrize(("flags", "told"), UNFIT.values(), ids=UNFIT.keys())
def test_what_does_not_fit_together_is_told_in_one_line(flags: list[str], told: str, tmp_path: Path, capsys) -> None:
    assert main([*SMALL, "--out", str(tmp_path / "run"), *flags]) == 2
    one_line(capsys.readouterr(), told)
    assert names(tmp_path) == set()


def one_line(shown: tuple[str, str], told: str) -> None:
    out, err = shown
    assert out == ""
    assert err.startswith("fullscale: ")
    assert (err.count("\n"), err[-1]) == (1, "\n")
    assert told in err
    assert not set(err) & set("│╭─")


@pytest.mark.parametrize(("below", "reason"), [("", "File exists"), ("/run", "Not a directory")])
def test_out_must_be_a_folder_or_become_one(below: str, reason: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("mine")
    out = f"{tmp_path}/file{below}"
    assert main([*SMALL, "--out", out]) == 2
    one_line(capsys.readouterr(), f"out = {out}: cannot be made a folder: {reason}")
    assert (tmp_path / "file").read_text() == "mine"


def test_an_altered_cifar_file_is_told_in_one_line(tmp_path: Path, capsys) -> None:
    first, length = cifar.CIFAR10.train[0], 1 + cifar.PIXELS
    path = tmp_path / "data" / cifar.CIFAR10.folder / first.name
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(first.records * length))
    arguments = [*SMALL, "--data", "cifar10", "--root", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    assert main(arguments) == 2
    one_line(capsys.readouterr(), f"file = {path}: is altered: its SHA-256 is not the official file's")
    assert names(tmp_path) == {"data"}


def test_a_loss_that_is_no_number_ends_with_1_and_the_last_checkpoint_stays(tmp_path: Path, capsys) -> None:
    assert main([*SMALL, "--out", str(tmp_path), "--lr", "1e20", "--save-every", "0"]) == 1
    one_line(capsys.readouterr(), "training has diverged by step 2 of 2, learning rate 4e+18; a smaller --lr may help")
    assert names(tmp_path) == {".lock", "checkpoints", "recipe.json"}
    (kept,) = names(tmp_path / "checkpoints")
    assert kept.startswith("step-000000001-")


def test_a_full_disk_is_told_in_one_line_and_the_run_goes_on_later(whole: Path, tmp_path: Path, capsys) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))  # no file of more bytes
    try:
        assert main([*SMALL, "--out", str(tmp_path), "--save-every", "0"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    shown = capsys.readouterr()
    one_line(shown, "cannot be written: File too large")
    assert shown.err.startswith(f"fullscale: out = {tmp_path}/checkpoints/step-000000001")
    assert names(tmp_path / "checkpoints") == set()
    assert main([*SMALL, "--out", str(tmp_path), "--resume"]) == 0
    assert (tmp_path / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()


def test_ctrl_c_ends_with_130_and_resume_leads_to_the_same_bits(tmp_path: Path, capsys) -> None:
    arguments, out = [*SMALL, "--epochs", "4", "--threads", "1"], tmp_path / "run"
    with start("fullscale", *arguments, "--out", str(out), "--save-every", "0") as process:
        try:
            deadline = time.monotonic() + 120
            while not list(out.glob("checkpoints/step-*.pt")):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            shown, err = process.communicate(timeout=60)
        finally:
            process.kill()
    *epochs, last = err.splitlines()
    assert (process.returncode, shown) == (130, "")
    assert re.fullmatch(r"fullscale: stopped at step [1-7] of 8; --resume goes on from there", last)
    assert all(EPOCH.fullmatch(line) for line in epochs)
    assert not (out / "record.json").exists()
    assert main([*arguments, "--out", str(out), "--resume"]) == 0
    assert main([*arguments, "--out", str(tmp_path / "whole")]) == 0
    assert f"epoch {len(epochs) + 1}/4" in capsys.readouterr().err.splitlines()[0]
    assert (out / "weights.safetensors").read_bytes() == (tmp_path / "whole" / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_before_the_test_of_an_epoch_a_run_goes_on_with_it(
    number: int, whole: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    def stop(_: Narrator, training: Training) -> None:
        if training.step == training.steps:
            signal.raise_signal(number)

    with monkeypatch.context() as patched:
        patched.setattr(Narrator, "step", stop)
        assert main([*SMALL, "--out", str(tmp_path)]) == 128 + number
    assert capsys.readouterr() == ("", "fullscale: stopped at step 2 of 2; --resume goes on from there\n")
    assert main([*SMALL, "--out", str(tmp_path), "--resume"]) == 0
    # No image was learnt in this session: there is no pace to tell.
    assert re.fullmatch(
        r"fullscale: epoch 1/1: test error \S+%, train loss \S+, train error \S+%\n", capsys.readouterr().err
    )
    assert (tmp_path / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()


def test_a_reader_that_has_seen_enough_is_no_error(whole: Path) -> None:
    with start("fullscale", "measure", str(whole), "--batches", "2") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=120)) == ("", 0)
    assert json.loads((whole / "measure.json").read_text())["images"] == 100


def test_a_stdout_that_takes_nothing_is_told_in_one_line_and_the_numbers_are_there(whole: Path) -> None:
    with (
        Path("/dev/full").open("w") as full,
        start("fullscale", "responses", str(whole), stdout=full.fileno()) as process,
    ):
        assert process.communicate(timeout=120)[1] == "fullscale: stdout: No space left on device\n"
    assert process.returncode == 2
    assert json.loads((whole / "responses.json").read_text())["images"] == 100


def test_without_stdout_nothing_begins(tmp_path: Path, capsys, monkeypatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", None)
        assert main([*SMALL, "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == "fullscale: stdout is closed: there is nowhere to print to\n"
    assert names(tmp_path) == set()
