"""Fig. 5: training images that DenseNet with Dropout-(a) 0.5 gets right in train mode and wrong in test mode, C10."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from fullscale.data import load
from fullscale.experiments.results import Results
from fullscale.experiments.scale import Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.responses import Example, Numbers, Responses
from fullscale.recipes import read
from fullscale.record import Record
from fullscale.responses import MODES, TEST, TRAIN, Mode
from fullscale.sweep.run import Run

RESPONSES = Responses(keep=6)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return scale.runs("DenseNet", "C10", "a", RESPONSES, drop=0.5)


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate the training error in each mode, and how many images change; the paper counts neither."""
    title = f"Fig. 5, DenseNet, Dropout-(a) 0.5, {results.scale.called('C10')}: training images"
    errors = {_named(mode): (_cell(results, partial(_error, mode=mode)),) for mode in MODES}
    changed = {
        "right in train, wrong in test mode": (_cell(results, lambda found: 100 * found.flipped / found.images),),
        "wrong in train, right in test mode": (_cell(results, lambda found: 100 * found.recovered / found.images),),
    }
    return (Table(title, ("error (%)",), errors, digits=2), Table(title, ("share (%)",), changed, digits=2))


def examples(results: Results) -> tuple[Record, tuple[Example, ...]] | None:
    """Return the record of the first run that has examples, and these; of the first that was measured if none has."""
    found = [
        (record, numbers.examples)
        for run in runs(results.scale)
        for record, numbers in zip(results.of([run]), results.numbers([run], RESPONSES), strict=False)
    ]
    return max(found, key=lambda own: len(own[1]) > 0, default=None)


def images(record: Record, chosen: Sequence[Example], root: Path) -> Tensor | None:
    """Return the examples' images: (n, 3, h, w), as the net got them; None if the run's data are not under `root`."""
    recipe = read(record["recipe"])
    try:
        source = load(recipe.data, root, "cpu", crop=recipe.crop, images=recipe.images)
    except ValueError:
        return None
    if source.checksum != record["data"]["checksum"]:
        return None
    order = torch.tensor([example.index for example in chosen])
    return next(iter(source.plain_batches(len(order), order)))[0]


def _cell(results: Results, read: Callable[[Numbers], float]) -> Cell:
    return Cell(results.spread(runs(results.scale), RESPONSES, read))


def _error(found: Numbers, mode: Mode) -> float:
    return next(each.error for each in found.errors if (each.noise, each.by_batch) == mode)


def _named(mode: Mode) -> str:
    switches = f"Dropout {'on' if mode.noise else 'off'}, BN by {'its batch' if mode.by_batch else 'moving statistics'}"
    return {TRAIN: f"train mode: {switches}", TEST: f"test mode: {switches}"}.get(mode, switches)
