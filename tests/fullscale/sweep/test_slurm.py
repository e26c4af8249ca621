"""The engine on Slurm, against commands that only pretend: what is submitted, when, and when no more."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fullscale.files import sole_writer
from fullscale.sweep import attempts
from fullscale.sweep.run import Run, code
from fullscale.sweep.slurm import Job, Slurm, in_queue
from fullscale.sweep.worker import CLAIM, Worker
from fullscale.train import Stopped

SBATCH = """#!/bin/sh
here=$(dirname "$0")
[ -e "$here/refusing" ] && { echo "sbatch: error: invalid partition" >&2; exit 1; }
for script; do :; done
count=$(ls "$here" | grep -c submitted)
cp "$script" "$here/submitted-$count"
echo "Submitted batch job $((count + 1))"
"""


@dataclass
class Cluster:
    """Commands that write down what they are asked, and say what they are told."""

    place: Path

    def submitted(self) -> list[str]:
        """What was submitted, in order."""
        return [path.read_text() for path in sorted(self.place.glob("submitted-*"))]

    def queue(self, *jobs: str) -> None:
        """Have jobs wait or run."""
        (self.place / "queue").write_text("".join(f"{job}\n" for job in jobs))

    def refuse(self) -> None:
        """Refuse whatever is submitted."""
        (self.place / "refusing").touch()

    def fall_silent(self) -> None:
        """Give no answer about the queue any more."""
        (self.place / "queue").unlink()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    place = tmp_path / "bin"
    place.mkdir()
    for name, script in {
        "sbatch": SBATCH,
        "squeue": 'cat "$(dirname "$0")/queue"',
        "scontrol": "exit 0",
        "srun": "exit 0",
    }.items():
        (place / name).write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=":")
    made = Cluster(place)
    made.queue()
    return made


@pytest.fixture
def slurm(worker: Callable[..., Worker]) -> Callable[..., Slurm]:
    def made(*runs: Run, gpus: int = 0, **options: str) -> Slurm:
        return Slurm(worker(*runs, threads=3), at_once=2, minutes=60, gpus=gpus, options=options)

    return made


def test_all_runs_are_one_array_with_what_a_job_needs(
    cluster: Cluster, slurm: Callable[..., Slurm], three: tuple[Run, ...]
) -> None:
    assert slurm(*three, partition="long").tend(three) == {}
    (script,) = cluster.submitted()
    wanted = ["--array=0-2%2", "--time=60", "--cpus-per-task=3", "--partition=long", "--signal=USR2@90"]
    assert [option for option in wanted if f"#SBATCH {option}\n" not in script] == []
    assert "gpus" not in script


def test_a_gpu_is_asked_for_where_jobs_have_one(
    cluster: Cluster, slurm: Callable[..., Slurm], three: tuple[Run, ...]
) -> None:
    slurm(*three, gpus=1).tend(three)
    assert "#SBATCH --gpus-per-node=1\n" in cluster.submitted()[0]


def test_jobs_that_wait_are_left_alone_by_this_sweep_and_by_another(
    cluster: Cluster, slurm: Callable[..., Slurm], three: tuple[Run, ...]
) -> None:
    one, other = slurm(*three), slurm(*three)
    one.tend(three)
    cluster.queue("1_0", "1_1", "1_2", "77")
    for _ in range(3):
        assert one.tend(three) == other.tend(three) == {}
    assert len(cluster.submitted()) == 1


def test_a_job_that_is_gone_without_a_record_is_submitted_again_and_at_last_given_up(
    cluster: Cluster, slurm: Callable[..., Slurm], three: tuple[Run, ...]
) -> None:
    own, lost = slurm(*three), three[0]
    own.tend(three)
    cluster.queue("1_1", "1_2")
    assert own.tend(three) == {}
    assert len(cluster.submitted()) == 1  # it may have just left its record
    assert own.tend(three) == {}
    assert len(cluster.submitted()) == 2
    found: dict[Run, str] = {}
    for _ in range(6):
        found |= own.tend(three)
    assert list(found) == [lost]
    assert found[lost] == f"its jobs end without a record; their logs are in {own.place}"
    assert len(cluster.submitted()) == 1 + own.worker.attempts


def test_while_slurm_says_nothing_nothing_is_done(
    cluster: Cluster, slurm: Callable[..., Slurm], three: tuple[Run, ...]
) -> None:
    own = slurm(*three)
    cluster.fall_silent()
    assert in_queue() is None
    for _ in range(3):
        assert own.tend(three) == {}
    assert cluster.submitted() == []
    with pytest.raises(ValueError, match="squeue gets no answer"):
        slurm(*three)


def test_what_sbatch_refuses_is_told_in_a_line(
    cluster: Cluster, slurm: Callable[..., Slurm], three: tuple[Run, ...]
) -> None:
    cluster.refuse()
    with pytest.raises(ValueError, match=r"engine = slurm: sbatch refuses: .*invalid partition") as refused:
        slurm(*three).tend(three)
    assert "\n" not in str(refused.value)


def test_while_another_sweep_submits_this_one_waits(
    cluster: Cluster, slurm: Callable[..., Slurm], three: tuple[Run, ...]
) -> None:
    own = slurm(*three)
    own.place.mkdir(parents=True)
    with sole_writer(own.place):
        assert own.tend(three) == {}
    assert cluster.submitted() == []
    own.tend(three)
    assert len(cluster.submitted()) == 1


def test_a_run_that_somebody_has_at_hand_gets_no_job(
    cluster: Cluster, slurm: Callable[..., Slurm], three: tuple[Run, ...]
) -> None:
    own = slurm(*three)
    busy = own.worker.out / three[0].name
    busy.mkdir(parents=True)
    with sole_writer(busy, CLAIM):
        own.tend(three)
    assert "#SBATCH --array=0-1%2\n" in cluster.submitted()[0]


def test_nothing_is_submitted_by_other_code(
    cluster: Cluster, worker: Callable[..., Worker], three: tuple[Run, ...]
) -> None:
    own = Slurm(worker(*three, code=code() | {"noise.py": "0"}), at_once=2, minutes=60, gpus=0, options={})
    told = own.tend(three)
    assert [*told] == [*three]
    assert all(why.startswith("code = noise.py: has changed since this sweep began") for why in told.values())
    assert cluster.submitted() == []


def test_commands_that_are_not_there_are_named(
    slurm: Callable[..., Slurm], three: tuple[Run, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match="sbatch, squeue, scontrol, srun cannot be found"):
        slurm(*three)


class Interrupted(Worker):
    """Stops at once, as after the signal that its seed names."""

    def __call__(self) -> None:
        raise Stopped("stopped", self.threads)


def test_a_job_that_is_warned_is_queued_again_and_one_that_is_stopped_is_not(three: tuple[Run, ...]) -> None:
    asked = list[int]()
    before = signal.signal(signal.SIGUSR2, lambda number, _: asked.append(number))
    try:
        Job(Interrupted(three, Path(), Path(), "this", threads=signal.SIGUSR2))()
        assert asked == [signal.SIGUSR2]
        with pytest.raises(Stopped):
            Job(Interrupted(three, Path(), Path(), "this", threads=signal.SIGTERM))()
        assert asked == [signal.SIGUSR2]
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_what_goes_on_later_is_the_same_job_and_counts_as_no_attempt(
    three: tuple[Run, ...], worker: Callable[..., Worker]
) -> None:
    own = worker(three[0])
    place = own.out / three[0].name
    place.mkdir(parents=True)
    assert attempts.begun(place, own.sweep, 2)
    later = Job(own).checkpoint()
    assert (later.function, later.args) == (Job(own), ())
    assert attempts.last(place, own.sweep).count == 0
