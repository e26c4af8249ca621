"""Figures as SVG elements of the page: in its colours and fonts, with ids of their own, told to a screen reader."""

import re
from dataclasses import dataclass
from html import escape
from io import BytesIO

import matplotlib as mpl
from matplotlib.figure import Figure

from fullscale.pictures import GREY

# Stands for the colour of the page's text, which matplotlib cannot know.
INK = "#010203"
OF_PAGE = {INK: "currentColor", "#000000": "currentColor", GREY: "var(--soft)"}
"""in place of colours that would not show in the dark"""


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        name: also the prefix of every id in its SVG.
        title: what it shows.
        description: what is to be seen in it, for those who cannot see it.
        caption: what was measured, and what derived.
        box: of its coordinates, in points.
        drawing: what its SVG element holds; it draws in the colour of the text around it.
    """

    name: str
    title: str
    description: str
    caption: str
    box: str
    drawing: str

    @property
    def svg(self) -> str:
        """The picture as an SVG element that a screen reader can tell of."""
        told = {"title": self.title, "desc": self.description}
        ids = {tag: f"{self.name}-{tag}" for tag in told}
        opening = f'<svg viewBox="{self.box}" role="img" aria-labelledby="{" ".join(ids.values())}">'
        return opening + "".join(f'<{tag} id="{ids[tag]}">{escape(told[tag])}</{tag}>' for tag in told) + self.drawing


def picture_of(figure: Figure, name: str, title: str, description: str, caption: str) -> Picture:
    """Make a picture of a figure, whose text stays text; the same figure, the same picture."""
    buffer = BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "variance-shift"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    whole = buffer.getvalue().decode()
    opening, _, inside = whole[whole.index("<svg") :].partition(">")
    # matplotlib's style element would hold for the whole page; the page itself says what it says.
    inside = re.sub(r"<(metadata|style)\b.*?</\1>|<!--.*?-->|font-family: [^;]*; ", "", inside, flags=re.DOTALL)
    inside = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", inside)
    for colour, own in OF_PAGE.items():
        inside = inside.replace(colour, own)
    return Picture(name, title, description, caption, re.findall(r'viewBox="([^"]*)"', opening)[0], inside.strip())
