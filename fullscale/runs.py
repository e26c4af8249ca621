"""A finished run, opened again to be measured: its net with the final weights, and proof that it is that run's."""

from dataclasses import dataclass
from pathlib import Path

from fullscale import nets, recipes, record
from fullscale.contracts import refusal
from fullscale.data import Source
from fullscale.files import read_tensors
from fullscale.recipes import Recipe
from fullscale.record import Record
from fullscale.train import RECORD, WEIGHTS
from fullscale.training import built


@dataclass(frozen=True)
class Run:
    """What stands in a run's folder.

    Attributes:
        record: as it was written at the end.
        net: in evaluation mode, on the CPU.
    """

    folder: Path
    recipe: Recipe
    record: Record
    net: nets.Net

    def require_same(self, source: Source) -> None:
        """Refuse other data than it was trained on.

        Raises:
            ValueError: if the checksums differ.
        """
        if source.checksum != self.record["data"]["checksum"]:
            raise refusal("data", source.name, f"is not what {self.folder} was trained on: the checksums differ")


def open_run(directory: Path) -> Run:
    """Read a finished run.

    Raises:
        ValueError: if it is not finished, or its files are damaged or do not belong together.
    """
    path = directory / RECORD
    if not path.exists():
        raise refusal("dir", directory, f"holds no finished run: there is no {RECORD}; `train --resume` finishes one")
    read = record.read(path)
    recipe = recipes.read(read["recipe"])
    net = built(recipe, read["data"]["classes"])
    try:
        net.load_state_dict(read_tensors(directory / WEIGHTS, read["weights_sha256"]))
    except RuntimeError:
        raise refusal("file", directory / WEIGHTS, f"does not hold the weights of a {recipe.net}") from None
    return Run(directory, recipe, read, net.eval())


def trained(directory: str | Path) -> nets.Net:
    """The net of a finished run, in evaluation mode on the CPU; so the doctor's command line can name one.

    Raises:
        ValueError: as `open_run`.
    """
    return open_run(Path(directory)).net
