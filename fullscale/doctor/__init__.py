"""Variance shift in anybody's own model: predicted, measured, repaired."""

from fullscale.doctor.examination import examine
from fullscale.doctor.repair import repaired, with_uout
from fullscale.doctor.report import Report, Row, Source, Way

__all__ = ["Report", "Row", "Source", "Way", "examine", "repaired", "with_uout"]
