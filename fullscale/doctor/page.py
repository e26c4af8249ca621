"""The report as one HTML page that asks nothing of a network: read on a phone, in the dark and on paper."""

import re
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fullscale import pictures
from fullscale.doctor import wording
from fullscale.doctor.advice import advise, foremost
from fullscale.doctor.report import Report


def page(report: Report, title: str, threshold: float) -> str:
    """Write the page.

    Args:
        report: what the doctor found.
        title: what was examined; any text.
        threshold: the ratio that is still taken to be harmless, > 1.

    Returns:
        One HTML document, without script or address.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    ill = {row.index for row in report.above(threshold)}
    return environment.get_template("page.html").render(
        title=title,
        report=report,
        threshold=threshold,
        wording=wording,
        ill=ill,
        advice=[(row, advise(row, report, threshold)) for row in foremost(report) if row.index in ill],
        picture=inline(pictures.svg(pictures.doctor(report))) if report.rows else None,
    )


class Drawing(NamedTuple):
    """A picture inside a page.

    Attributes:
        box: its viewBox.
        inside: what its SVG element holds, and the element's end.
    """

    box: str
    inside: str

    @property
    def width(self) -> float:
        """In points."""
        return float(self.box.split()[2])


def inline(svg: str) -> Drawing:
    """Take an SVG file apart, in the colours and fonts of the page that will be around it."""
    opening, _, inside = svg[svg.index("<svg") :].partition(">")
    inside = re.sub(r"<(metadata|style)\b.*?</\1>|<!--.*?-->|font-family: [^;]*; ", "", inside, flags=re.DOTALL)
    inside = re.sub(r'(\bid="|url\(#|href="#)', r"\1picture-", inside)
    inside = inside.replace("#ffffff", "none").replace("#000000", "currentColor").strip()
    return Drawing(opening.partition('viewBox="')[2].partition('"')[0], inside)
