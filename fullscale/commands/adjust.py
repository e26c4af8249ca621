"""The command `adjust`: Table 3's "-A" of one run."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fullscale.adjust import READINGS, Reading, adjust
from fullscale.batchnorms import batchnorms
from fullscale.commands.of_run import OfRun, Opened, Results, Score, resumed
from fullscale.files import read_tensors, write_json, write_tensors
from fullscale.terminal import Bar, show, table

WEIGHTS = "adjusted.safetensors"


class Adjusted(Results):
    """What stands in adjust.json."""

    before: Score
    readings: dict[Reading, Score]


@dataclass(frozen=True)
class Adjust(OfRun):
    """Re-estimate BN's statistics with the noise off (Table 3's "-A"), in the three ways it can be read, and test.

    Writes adjust.json, and the weights of the reading "batch" as adjusted.safetensors. Readings that stand there
    already are not computed again, so that Ctrl-C loses one at most.
    """

    reading: Reading | None = None
    """this one only. layerwise takes half as many passes as there are BNs"""

    def __call__(self) -> int:
        """Compute what is missing, write and show."""
        path = self.dir / "adjust.json"
        with self.opened() as opened:
            kept = resumed(path, self.settings(opened) | {"before": None, "readings": {}}, Adjusted)
            kept["before"] = kept["before"] or opened.scored(opened.net) | opened.stamp("fullscale.adjust")
            wanted: Iterable[Reading] = READINGS if self.reading is None else [self.reading]
            for reading in wanted:
                if not self.stands(reading, kept["readings"].get(reading)):
                    kept["readings"][reading] = self.adjusted(opened, reading)
                    write_json(path, kept)
        made = table("Test set", str(path), ("BN statistics", "error (%)", "loss"))
        for name, score in {"as trained": kept["before"], **kept["readings"]}.items():
            loss = "not finite" if score["loss"] is None else f"{score['loss']:.4f}"
            made.add_row(name, f"{score['error']:.2f}", loss)
        show(str(opened), made)
        return 0

    def stands(self, reading: Reading, score: Score | None) -> bool:
        """Whether a reading need not be computed again; beside the score of "batch" must stand its weights."""
        if score is None or reading != "batch":
            return score is not None
        try:
            read_tensors(self.dir / WEIGHTS, score.get("weights_sha256", ""))
        except ValueError:
            return False
        return True

    def adjusted(self, opened: Opened, reading: Reading) -> dict[str, Any]:
        """Adjust by one reading, and test."""
        started = time.perf_counter()
        passes = len(batchnorms(opened.net)) if reading == "layerwise" else 1
        with Bar(passes * opened.seen(opened.source.train_count)) as bar:
            net = adjust(opened.net, opened.augmented, reading=reading, progress=lambda done: bar.show(done, reading))
        score = opened.scored(net) | opened.stamp("fullscale.adjust", started)
        if reading == "batch":
            score["weights_sha256"] = write_tensors(self.dir / WEIGHTS, net.state_dict())
        return score
