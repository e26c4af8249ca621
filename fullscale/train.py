"""A run and its folder: trains, keeps checkpoints, goes on where it stopped, and ends in one record.

    DIR/recipe.json                     what is run, from the start
    DIR/checkpoints/step-...pt          the last two
    DIR/log.jsonl                       a row an epoch
    DIR/weights.safetensors             the final weights and BN statistics
    DIR/record.json                     written last: a folder that has it holds a finished run
"""

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch

from fullscale import checkpoint, record
from fullscale.contracts import finite, refusal
from fullscale.data import Source
from fullscale.files import folder, read_json, replace, sole_writer, write_json
from fullscale.interrupts import Request, noted
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
    """Seconds of training so far, earlier sessions included, and images of this session."""

    before: float = 0.0
    images: int = 0
    started: float = dataclasses.field(default_factory=time.perf_counter)

    @property
    def here(self) -> float:
        """Seconds of this session."""
        return time.perf_counter() - self.started

    @property
    def total(self) -> float:
        """Seconds of all sessions."""
        return self.before + self.here

    @property
    def rate(self) -> float:
        """Training images a second in this session, evaluation and checkpoints included."""
        return self.images / self.here


def train(
    recipe: Recipe, source: Source, team: Team, out: Path, *, resume: bool, save_every: float, watcher: Watcher
) -> dict[str, Any]:
    """Train to the end, and return the record.

    Args:
        resume: go on with the run that stands in `out`, if there is one; otherwise it must hold none.
        save_every: seconds between checkpoints.

    Raises:
        ValueError: if `out` holds another run, cannot be written, or only damaged checkpoints.
        Stopped: after SIGINT or SIGTERM, with a checkpoint written.
        Diverged: if the loss or a weight is no finite number; the last checkpoint stays.
    """
    finite("save_every", save_every, above=-1)
    if not team.first:
        return _finished(recipe, source, team, out, save_every, watcher, resume=resume)
    with sole_writer(folder(out)):
        _claim(recipe, out, resume=resume)
        return _finished(recipe, source, team, out, save_every, watcher, resume=resume)


def _claim(recipe: Recipe, out: Path, *, resume: bool) -> None:
    """Refuse a folder of another run; note what this one is."""
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


def _finished(
    recipe: Recipe, source: Source, team: Team, out: Path, save_every: float, watcher: Watcher, *, resume: bool
) -> dict[str, Any]:
    if resume and (out / RECORD).exists():
        return read_json(out / RECORD)
    training, clock = Training(recipe, source, team), Clock()
    state = _resumed(team, out / CHECKPOINTS, watcher) if resume else None
    if state is not None:
        training.load(state)
        clock.before = state["seconds"]
    with noted() as request:
        _to_the_end(training, out, save_every, watcher, clock, request)
    return _conclude(training, out, clock) if team.first else {}


def _resumed(team: Team, checkpoints: Path, watcher: Watcher) -> dict[str, Any] | None:
    """Let the first process set damaged checkpoints aside before the others look."""
    state = checkpoint.latest(checkpoints, watcher.complain) if team.first else None
    team.gathered(None)
    return state if team.first else checkpoint.latest(checkpoints, watcher.complain)


def _to_the_end(
    training: Training, out: Path, save_every: float, watcher: Watcher, clock: Clock, request: Request
) -> None:
    saved = time.perf_counter()
    for epoch in training:
        if epoch is None:
            clock.images += training.recipe.batch
            watcher.step(training)
        else:
            if training.team.first:
                _log(training, out)
            watcher.epoch(training, epoch, clock.rate)
        due = time.perf_counter() - saved >= save_every or len(training.epochs) == training.recipe.epochs
        stop = training.team.largest(request.signal)
        if training.team.largest(stop or due):
            _save(training, out, clock)
            saved = time.perf_counter()
        if stop:
            raise Stopped(f"stopped at step {training.step} of {training.steps}; --resume goes on from there", stop)


def _save(training: Training, out: Path, clock: Clock) -> None:
    training.require_finite()
    state = training.state() | {"seconds": clock.total}
    if training.team.first:
        checkpoint.save(out / CHECKPOINTS, training.step, state)


def _log(training: Training, out: Path) -> None:
    rows = "".join(json.dumps(dataclasses.asdict(epoch)) + "\n" for epoch in training.epochs)
    replace(out / LOG, rows.encode())


def _conclude(training: Training, out: Path, clock: Clock) -> dict[str, Any]:
    """Write the final weights, and the record that vouches for them."""
    weights = safetensors.torch.save(
        {name: tensor.cpu().contiguous() for name, tensor in training.net.state_dict().items()}
    )
    replace(out / WEIGHTS, weights)
    source, last = training.source, training.epochs[-1]
    written = {
        "schema": record.SCHEMA,
        "recipe": dataclasses.asdict(training.recipe),
        "recipe_hash": training.recipe.hash,
        "data": {
            "name": source.name,
            "checksum": source.checksum,
            "classes": source.classes,
            "train": source.train_count,
            "test": source.test_count,
        },
        "code": record.code(),
        "software": record.software(),
        "hardware": record.hardware(training.team),
        "weights_sha256": sha256(weights).hexdigest(),
        "seconds": clock.total,
        "final": {"test_error": last.test_error, "test_loss": last.test_loss, "train_error": last.train_error},
        "epochs": [dataclasses.asdict(epoch) for epoch in training.epochs],
    }
    write_json(out / RECORD, written)
    return written
