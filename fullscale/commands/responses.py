"""The command `responses`: Fig. 5 of one run."""

from dataclasses import dataclass
from pathlib import Path

from fullscale import record
from fullscale.commands.of_run import OfRun
from fullscale.files import as_json, write_json
from fullscale.measurements.responses import written
from fullscale.responses import MODES, Responses, respond
from fullscale.terminal import Bar, show, table


@dataclass(frozen=True)
class Respond(OfRun):
    """Show training images to the net in train mode, in test mode, and with each of the two switches alone (Fig. 5).

    The switches: Dropout on or off; BN by its batch or by its moving statistics. Writes responses.json, and draws the
    images that are right in train mode and wrong in test mode, with their logits, in responses.svg.
    """

    keep: int = 8
    """draw so many: those whose class loses most probability"""

    def __call__(self) -> int:
        """Compute, write, draw and show."""
        with self.opened() as opened:
            order = opened.mixed()
            with Bar(opened.seen(len(order))) as bar:
                shown = respond(opened.net, opened.plain(order), seed=self.seed, keep=self.keep, progress=bar.show)
            found = shown.stored(order)
            path, numbers = self.dir / "responses.json", record.plain(written(found))
            as_json(path, numbers)  # refuses, before anything is written, what JSON cannot hold
            draw(found, str(opened), self.dir / "responses.svg")
            write_json(path, self.settings(opened) | numbers | opened.stamp("fullscale.responses"))
        report(found, str(opened), self.dir)
        return 0


def draw(found: Responses, title: str, path: Path) -> None:
    """Draw Fig. 5 of this run."""
    from fullscale import pictures  # noqa: PLC0415 - matplotlib takes its time, which --help should not

    pictures.save(pictures.flips(found, title), path)


def report(found: Responses, title: str, folder: Path) -> None:
    """Print the error in each mode."""
    told = f"of {found.n} images {found.flipped} are right in train and wrong in test mode, {found.recovered} inversely"
    made = table("Error on training images (%)", told, ("mode", "Dropout", "BN by", "error"))
    names = {MODES[0]: "train", MODES[-1]: "test"}
    for mode, error in found.errors.items():
        switches = ("on" if mode.noise else "off", "batch" if mode.by_batch else "moving statistics")
        made.add_row(names.get(mode, ""), *switches, f"{error:.2f}")
    show(f"{title}; {folder}: responses.json, responses.svg", made)
