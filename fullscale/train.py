"""A run and its folder: trains, keeps checkpoints, goes on where it stopped, and ends in one record.

DIR/recipe.json                     what is run, from the start
DIR/checkpoints/step-...pt          the last two
DIR/log.jsonl                       a row an epoch
DIR/weights.safetensors             the final weights and BN statistics
DIR/record.json                     written last: a folder that has it holds a finished run
"""

import contextlib
import dataclasses
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from fullscale import checkpoint, record
from fullscale.contracts import refusal
from fullscale.data import Source
from fullscale.files import folder, read_json, replace, sole_writer, write_json, write_tensors
from fullscale.interrupts import noted
from fullscale.launch import Team
from fullscale.recipes import Recipe
from fullscale.training import Epoch, Training

RECIPE, LOG, WEIGHTS, RECORD, CHECKPOINTS = (
    "recipe.json",
    "log.jsonl",
    "weights.safetensors",
    "record.json",
    "checkpoints",
)
TRAINED_BY = "fullscale.training"
"""the module whose code, and all that it imports, a run's numbers depend on"""


class Stopped(RuntimeError):  # noqa: N818 (nothing went wrong)
    """A signal asked to stop; what was done is kept.

    Attributes:
        signal: its number.
    """

    def __init__(self, told: str, signal: int) -> None:
        super().__init__(told)
        self.signal = signal


class Watcher:
    """Told of what happens; the base class looks away."""

    def step(self, training: Training) -> None:
        """Another step was done."""

    def epoch(self, training: Training, epoch: Epoch, rate: float) -> None:
        """Another epoch was done, at `rate` training images a second since the start or the resumption."""

    def complain(self, message: str) -> None:
        """Something is wrong, but the run goes on."""


@dataclass
class Clock:
    """Seconds of a run, over all sittings.

    Attributes:
        before: of earlier sittings.
        skipped: training images of earlier sittings.
    """

    before: float = 0.0
    skipped: int = 0
    started: float = dataclasses.field(default_factory=time.perf_counter)

    @property
    def here(self) -> float:
        """Seconds of this sitting."""
        return time.perf_counter() - self.started

    @property
    def total(self) -> float:
        """Seconds of all sittings."""
        return self.before + self.here

    def rate(self, images: int) -> float:
        """Return training images a second in this sitting, tests and checkpoints included, after so many in all."""
        return (images - self.skipped) / self.here


def train(  # noqa: PLR0913 (what is run, where, and how)
    recipe: Recipe,
    source: Source,
    team: Team,
    out: Path,
    *,
    resume: bool = False,
    save_every: float = 60,
    watcher: Watcher | None = None,
) -> record.Record | None:
    """Train to the end, and return the record; in other processes than the first, nothing.

    Args:
        recipe: of the run.
        source: its data, on the team's device.
        team: the processes that share it; each calls this.
        out: the folder of the run.
        resume: go on with the run that stands in `out`, if there is one; otherwise it must hold none.
        save_every: seconds between checkpoints.
        watcher: is told of what happens, in this process.

    Raises:
        ValueError: if `out` holds another run, cannot be written, or has only damaged checkpoints; or if the recipe
            does not fit the data.
        Stopped: after a signal (`fullscale.interrupts`), with a checkpoint written.
        Diverged: if the loss or a weight is no finite number; the last checkpoint stays.
    """
    require_save_every(save_every)
    record.code(TRAINED_BY)  # what is imported now, and not what the files hold in hours
    training = Training(recipe, source, team)
    with contextlib.ExitStack() as held:
        team.by_first(lambda: _claim(recipe, out, held, resume=resume))
        if resume and (out / RECORD).exists():
            return record.read(out / RECORD) if team.first else None
        session = _Session(training, out, save_every, watcher or Watcher())
        if resume:
            session.take_up()
        session.work()
        return session.concluded() if team.first else None


def require_save_every(seconds: float) -> None:
    """Refuse what is no time between checkpoints.

    Raises:
        ValueError: if it is negative or not finite.
    """
    if not 0 <= seconds < math.inf:
        raise refusal("save_every", seconds, "must be finite and >= 0")


def _claim(recipe: Recipe, out: Path, held: contextlib.ExitStack, *, resume: bool) -> None:
    """Take a folder, unless another process or another run has it, and note there what this run is."""
    held.enter_context(sole_writer(folder(out)))
    path = out / RECIPE
    if not path.exists():
        write_json(path, dataclasses.asdict(recipe))
        return
    if not resume:
        raise refusal("out", out, "holds a run already; --resume goes on with it")
    there, here = read_json(path), json.loads(json.dumps(dataclasses.asdict(recipe)))
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            raise refusal(name, here.get(name), f"the run in {out} has {there.get(name)}; it goes on as it began")


class Sitting(TypedDict):
    """What a checkpoint holds besides `Training.state`.

    Attributes:
        rows: as in the log.
        seconds: of all sittings so far.
    """

    rows: list[record.Epoch]
    seconds: float


class _Session:
    """One sitting at a run: from its start, or its last checkpoint, to its end or a signal."""

    def __init__(self, training: Training, out: Path, save_every: float, watcher: Watcher) -> None:
        self.training, self.out, self.watcher = training, out, watcher
        self.save_every, self.saved = save_every, time.perf_counter()
        self.clock = Clock()
        self.rows: list[Any] = []

    def take_up(self) -> None:
        """Go on from the last checkpoint, if there is one. The first process sets damaged ones aside for all."""
        team, checkpoints = self.training.team, self.out / CHECKPOINTS
        state = team.first_then_others(lambda: checkpoint.latest(checkpoints, self.watcher.complain))
        if state is not None:
            self.training.load(state)
            own = record.typed(state, Sitting, checkpoints, "state of a run")
            self.rows, self.clock.before = own["rows"], own["seconds"]
            if (rows := len(self.rows)) != (epochs := len(self.training.epochs)):
                raise refusal("file", checkpoints, f"is no state of a run: {rows} rows of the log for {epochs} epochs")
        if len(set(team.gathered(self.training.step))) > 1:
            raise refusal("out", self.out, "must be on a disk that all processes share: they read other checkpoints")
        self.clock.skipped = self.training.images

    def work(self) -> None:
        """Do the steps that are left."""
        training = self.training
        with noted() as request:
            for epoch in training:
                if epoch is None:
                    self.watcher.step(training)
                else:
                    self.finish(epoch)
                # One question to all processes: whether to stop, by which signal, and whether to save.
                stop, due = divmod(training.team.largest(2 * request.signal + self.due()), 2)
                if stop or due:
                    self.save()
                if stop:
                    told = f"stopped at step {training.step} of {training.steps}; --resume goes on from there"
                    raise Stopped(told, stop)

    def finish(self, epoch: Epoch) -> None:
        """Log an epoch, and tell of it."""
        rate = self.clock.rate(self.training.images)
        self.rows.append(dataclasses.asdict(epoch) | {"images_per_second": rate, "seconds": self.clock.total})
        if self.training.team.first:
            replace(self.out / LOG, "".join(json.dumps(row) + "\n" for row in self.rows).encode())
        self.watcher.epoch(self.training, epoch, rate)

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        last = len(self.training.epochs) == self.training.recipe.epochs
        return last or time.perf_counter() - self.saved >= self.save_every

    def save(self) -> None:
        """Write a checkpoint."""
        self.training.require_finite()
        state = self.training.state() | {"rows": self.rows, "seconds": self.clock.total}
        self.training.team.by_first(lambda: checkpoint.save(self.out / CHECKPOINTS, self.training.step, state))
        self.saved = time.perf_counter()

    def concluded(self) -> record.Record:
        """Write the final weights, and the record that vouches for them."""
        training, source = self.training, self.training.source
        data: record.Data = {
            "name": source.name,
            "checksum": source.checksum,
            "classes": source.classes,
            "train": source.train_count,
            "test": source.test_count,
        }
        last = training.epochs[-1]
        written: record.Record = {
            "schema": record.SCHEMA,
            "recipe": dataclasses.asdict(training.recipe),
            "recipe_hash": training.recipe.hash,
            "data": data,
            **record.stamp(TRAINED_BY, training.team),
            "weights_sha256": write_tensors(self.out / WEIGHTS, training.net.state_dict()),
            "seconds": self.clock.total,
            "final": {"test_error": last.test_error, "test_loss": last.test_loss, "train_error": last.train_error},
            "epochs": self.rows,
        }
        write_json(self.out / RECORD, written)
        return written
