"""Fig. 5: training images that DenseNet with Dropout-(a) 0.5 gets right in train mode and wrong in test mode, C10."""

from collections.abc import Callable
from functools import partial

from fullscale.experiments.results import Results
from fullscale.experiments.scale import Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.responses import Numbers, Responses
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


def _cell(results: Results, read: Callable[[Numbers], float]) -> Cell:
    return Cell(results.spread(runs(results.scale), RESPONSES, read))


def _error(found: Numbers, mode: Mode) -> float:
    return next(each.error for each in found.errors if (each.noise, each.by_batch) == mode)


def _named(mode: Mode) -> str:
    switches = f"Dropout {'on' if mode.noise else 'off'}, BN by {'its batch' if mode.by_batch else 'moving statistics'}"
    return {TRAIN: f"train mode: {switches}", TEST: f"test mode: {switches}"}.get(mode, switches)
