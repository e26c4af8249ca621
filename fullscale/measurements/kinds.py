"""All kinds of measurements, and what they have in common."""

from typing import Any, ClassVar, Protocol

from fullscale.measurements.adjust import Adjust
from fullscale.measurements.angles import Angles
from fullscale.measurements.chain import Chain
from fullscale.measurements.cost import Sizes
from fullscale.measurements.ensemble import Ensemble
from fullscale.measurements.errors import Errors
from fullscale.measurements.inference import Inference
from fullscale.measurements.law import Law
from fullscale.measurements.reordered import Reordered
from fullscale.measurements.responses import Responses
from fullscale.measurements.sampled import Sampled
from fullscale.measurements.shift import Shift
from fullscale.progress import Progress
from fullscale.subject import Subject

__all__ = [
    "KINDS",
    "Adjust",
    "Angles",
    "Chain",
    "Ensemble",
    "Errors",
    "Inference",
    "Law",
    "Measurement",
    "Reordered",
    "Responses",
    "Sampled",
    "Shift",
    "Sizes",
]


class Measurement(Protocol):
    """One measurement: a frozen dataclass of its settings.

    Attributes:
        kind: its name in a record.
        numbers: the dataclass that it comes to.
    """

    kind: ClassVar[str]
    numbers: ClassVar[type]

    def take(self, subject: Subject, progress: Progress) -> Any:
        """Measure; `progress` is told how many images are done."""
        ...

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net, for an estimate of the time."""
        ...


KINDS: dict[str, type[Measurement]] = {
    kind.kind: kind
    for kind in (Shift, Angles, Adjust, Ensemble, Responses, Errors, Sampled, Chain, Inference, Law, Reordered)
}
"""by their names in a record"""
