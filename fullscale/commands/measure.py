"""The command `measure`: Fig. 4 and Table 2, Fig. 3 and Table 1, of one run."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from fullscale.angles import Angles, angles
from fullscale.commands.of_run import OfRun, Opened
from fullscale.files import as_json, write_json, write_tensors
from fullscale.measure import Measurement, measure
from fullscale.terminal import Bar, show, table


@dataclass(frozen=True)
class Measure(OfRun):
    """Measure the variance shift of each BN (Section 4), and the angle of each convolution's filters (Table 1).

    Writes measure.json, channels.safetensors (every channel and filter), shift.svg and angles.svg into the folder.
    """

    def __call__(self) -> int:
        """Measure, write and show."""
        with self.opened() as opened:
            with Bar(opened.seen(opened.source.train_count)) as bar:
                measured = measure(opened.net, opened.augmented(), seed=self.seed, progress=bar.show)
            of_filters = angles(opened.net)
            self.write(opened, measured, of_filters)
        report(str(opened), self.dir, measured, of_filters)
        return 0

    def write(self, opened: Opened, measured: Measurement, of_filters: Angles) -> None:
        """Draw, and write the numbers; last the JSON file, which vouches for the channels."""
        path = self.dir / "measure.json"
        numbers = {
            "images": measured.images,
            "shift_ratio": measured.shift_ratio,
            "floor": measured.floor,
            "cos2": of_filters.cos2,
            "d_cos2": of_filters.d_cos2,
            "bns": [dataclasses.asdict(row) for row in measured.rows],
            "convolutions": [dataclasses.asdict(row) for row in of_filters.rows],
        }
        as_json(path, numbers)  # refuses, before anything is written, what JSON cannot hold
        draw(self.dir, measured, of_filters, str(opened))
        numbers["channels_sha256"] = write_tensors(self.dir / "channels.safetensors", per_channel(measured, of_filters))
        write_json(path, self.settings(opened) | numbers | opened.stamp("fullscale.measure"))


def draw(folder: Path, measured: Measurement, of_filters: Angles, title: str) -> None:
    """Draw Fig. 4 and Fig. 3 of this run."""
    from fullscale import pictures  # noqa: PLC0415 - matplotlib takes its time, which --help should not

    pictures.save(pictures.shift(measured, title), folder / "shift.svg")
    pictures.save(pictures.angles(of_filters, title), folder / "angles.svg")


def per_channel(measured: Measurement, of_filters: Angles) -> dict[str, Tensor]:
    """Name every per-channel statistic of each BN, and cos^2 of each convolution's filters."""
    tensors = {}
    for row, channels in zip(measured.rows, measured.channels, strict=True):
        tensors |= {f"{row.name}.{name}": getattr(channels, name) for name in ("moving_mean", "moving_var")}
        for side in ("test", "train"):
            own = vars(getattr(channels, side))
            tensors |= {f"{row.name}.{side}.{name}": tensor for name, tensor in own.items()}
    rows = zip(of_filters.rows, of_filters.cos2_of_filters, strict=True)
    return tensors | {f"{row.name}.cos2": cos2 for row, cos2 in rows}


def report(title: str, folder: Path, measured: Measurement, of_filters: Angles) -> None:
    """Print both tables."""
    caption = f"mean over BNs: shift ratio {measured.shift_ratio:.4f}, floor {measured.floor:.4f}"
    columns = ("moving_var", "real_var", "shift_ratio", "floor", "drift_free_shift")
    made = table("Each BN, means over channels", caption, ("BN", *columns))
    for row in measured.rows:
        made.add_row(f"{row.index} {row.name}", *(f"{getattr(row, name):.4f}" for name in columns))
    show(title, made)
    caption = f"means over convolutions: cos2 {of_filters.cos2:.4f}, d_cos2 {of_filters.d_cos2:.3f}"
    made = table("Each convolution, means over filters", caption, ("convolution", "d", "cos2", "d_cos2"))
    for angle in of_filters.rows:
        made.add_row(f"{angle.index} {angle.name}", str(angle.d), f"{angle.cos2:.4f}", f"{angle.d_cos2:.3f}")
    show(f"{folder}: measure.json, channels.safetensors, shift.svg, angles.svg", made)
