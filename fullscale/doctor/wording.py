"""The report in words and columns, for the terminal and the page alike."""

from typing import NamedTuple

from fullscale.doctor.advice import listed, strongest
from fullscale.doctor.report import Report, Row, Source

NUMBERS = ("predicted", "measured", "inherited", "worst channel", "d", "d_cos2", "c", "v", "rho", "Eq. 10")
READING = {
    "predicted": "local Var_Test / Var_Train: what the noise does that reaches this BN through no other one; by the law"
    " from a pass without noise, or, with a standard error, by probing with random noise",
    "measured": "real_var / moving_var of Section 4: what test and training differ by in truth",
    "inherited": "measured / predicted: what the BNs before it, and whatever else, have done",
    "worst channel": "the one, counted from 0, whose local shift is furthest from 1",
    "d, d_cos2, c, v, rho": "what Eq. 10 of the paper sees on the way of the strongest noise, where at most one linear"
    " layer lies on it: weights of an output unit, their mean d cos²θ, and mean, variance and correlation of what the"
    " noise multiplies",
    "Eq. 10": "what the paper's formula would say of the strongest noise alone, which knows no residual addition and no"
    " concatenation",
}
"""what the columns mean"""


class Line(NamedTuple):
    """One BN in the table.

    Attributes:
        bn: its number and path.
        noise: the strongest noise that reaches it, and how many others do; empty where there is none.
        numbers: under the headings of `NUMBERS`.
    """

    bn: str
    noise: str
    numbers: tuple[str, ...]


def line(row: Row, report: Report) -> Line:
    """Write one BN's line."""
    way, noise, seen, eq10 = strongest(row), "", ("-",) * 5, None
    if way is not None:
        others = f" and {len(row.ways) - 1} more" if len(row.ways) > 1 else ""
        noise, eq10 = told(report.source(way.source)) + others, way.eq10
        if (linear := way.linear) is not None:
            seen = (str(linear.d), *(f"{value:.3g}" for value in (linear.d_cos2, linear.c, linear.v, linear.rho)))
    worst = "-" if row.worst_channel is None else f"{row.worst_channel}: {_number(row.worst_shift)}"
    shifts = (predicted(row), _number(row.measured), _number(row.inherited), worst)
    return Line(f"{row.index} {row.bn}", noise, (*shifts, *seen, _number(eq10)))


def predicted(row: Row) -> str:
    """Write the predicted local shift; a standard error beside it tells that it was probed."""
    error = "" if row.exact or row.predicted is None or row.stderr is None else f" ± {row.stderr:.1g}"
    return _number(row.predicted) + error


def shift_ratio(row: Row) -> str:
    """Write the measured shift ratio of a trained BN."""
    return _number(row.shift_ratio if row.trained else None)


def notes(report: Report) -> tuple[str, ...]:
    """Say what is special about the model, and about its BNs: a line for all of which the same is true."""
    of_bns: dict[str, list[str]] = {}
    for row in report.rows:
        for note in row.notes:
            of_bns.setdefault(note, []).append(row.bn)
    every = len(report.rows)
    return (
        *report.notes,
        *(f"{'every BN' if len(bns) == every else listed(bns)}: {note}" for note, bns in of_bns.items()),
    )


def told(source: Source) -> str:
    """Name a source, and say how strong it is."""
    strength = "unknown" if source.strength is None else "{} {:.3g}".format(*source.strength)
    return f"{source.name} ({strength})"


def examined(report: Report) -> str:
    """Say what was found and seen."""
    counts = f"{_count(len(report.rows), 'BN')}, {_count(len(report.sources), 'source')} of noise"
    return f"{counts}; {_count(report.images, 'sample')} in batches of {report.batch}"


def verdict(report: Report, threshold: float) -> str:
    """Say in a sentence how bad it is, and of how many BNs nobody knows."""
    unknown = unexamined(report)
    if report.nothing_to_find:
        return " ".join(part for part in (f"Nothing to find: {report.nothing_to_find}.", unknown) if part)
    known = [row for row in report.by_harm if not _unknown(row)]
    if not known:
        return unknown
    above, every = len(report.above(threshold)), _count(_all(report), "BN")
    found = f"{above} of {every} {'is' if above == 1 else 'are'}"
    if not above:
        found = "No BN that could be examined is" if unknown else "No BN is"
    sentence = f"{found} above {threshold:g}; the most harmed, {known[0].bn}, has {known[0].harm:.3f}."
    return f"{sentence} {unknown}" if unknown else sentence


def unexamined(report: Report) -> str:
    """Say which BNs have neither a predicted nor a measured ratio; empty if all have one, or nothing can shift them."""
    names = {row.bn: None for row in report.rows if _unknown(row)}
    if not report.nothing_to_find:
        names |= dict.fromkeys(report.unexamined)
    return f"{len(names)} of {_count(_all(report), 'BN')} could not be examined: {listed(names)}." if names else ""


def safe(report: Report) -> str:
    """Name the sources that shift nothing; empty if there are none."""
    names = listed(map(told, report.safe))
    return f"Safe, since no BN comes after it (Section 5): {names}." if names else ""


def _unknown(row: Row) -> bool:
    return row.moving_var is not None and row.predicted is None and row.measured is None


def _all(report: Report) -> int:
    return len({*(row.bn for row in report.rows), *report.unexamined})


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
