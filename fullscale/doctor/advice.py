"""What would bring a BN's shift under a threshold, each remedy with the number it would give.

By the law e = 1 / predicted - 1, the noise's part of the variance over what is there in test, is proportional to s^2
of every source: all of them times f = (threshold - 1) / e leave a ratio of the threshold.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fullscale.doctor.report import Linear, Report, Row, Source, Way
from fullscale.shift_ratio import ratio

THRESHOLD = 1.05
"""the ratio that is still taken to be harmless"""
SHOWN = 3
"""of a list's entries"""


def advise(row: Row, report: Report, threshold: float = THRESHOLD) -> tuple[str, ...]:
    """Say what would help one BN.

    Args:
        row: of the BN.
        report: that the row is of.
        threshold: the ratio to come down to, > 1.

    Returns:
        A sentence per remedy; none if neither the predicted nor the measured ratio is above the threshold, or the BN
        keeps no moving statistics that could shift.
    """
    if row.moving_var is None:
        return ()
    if not row.ways or (row.predicted is not None and ratio(row.predicted) <= threshold):
        return _begin_before(row, threshold)
    sources, advice = [report.source(name) for name in row.sources], [_remove(row), _move(row, report)]
    noise = noise_share(row)
    if noise is not None and not 0 < noise < math.inf:  # how strong it is does not scale such an e
        return tuple(advice)
    if noise is not None and all(source.s2 for source in sources):
        factor, about = (threshold - 1) / noise, "" if row.exact else "about "
        weaker = f"{_weaken(sources, factor)}: the ratio becomes {about}{threshold:g}."
        advice += [weaker, *_take_uout(sources, factor, f"{about}{threshold:g}")]
    return (*advice, *_widen(row, report, threshold))


def foremost(report: Report) -> tuple[Row, ...]:
    """Return the BNs to advise first: the most harmed, and the one that its own noise shifts most, if another."""
    return tuple(dict.fromkeys([*report.by_harm[:1], *sorted(report.rows, key=_own_noise, reverse=True)[:1]]))


def noise_share(row: Row) -> float | None:
    """Return e, see above; infinite where nothing varies in test, None where it cannot be said.

    Below 0 where noise takes variance away, say before a tanh; the law knows no such noise.
    """
    if row.predicted is None:
        return None
    return 1 / row.predicted - 1 if row.predicted else math.inf


def strongest(row: Row) -> Way | None:
    """Return the way by which noise shifts a BN most, None if there is none; ways of unknown shift come last."""
    return max(row.ways, key=lambda way: 0 if way.shift is None else ratio(way.shift), default=None)


def d_cos2_at(threshold: float, linear: Linear, s2: float) -> float:
    """Return the d cos^2 theta at which Eq. 10 gives 1 / threshold, all else as it is; infinite where rho <= 0."""
    c, v, rho = linear.c, linear.v, linear.rho
    return 1 + (s2 * (c**2 + v) / (threshold - 1) - v) / (v * rho) if v * rho > 0 else math.inf


def listed(entries: Iterable[str]) -> str:
    """List what differs; of a long list its beginning, and how much more there is."""
    entries = list(dict.fromkeys(entries))
    more = f" and {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
    return ", ".join(entries[:SHOWN]) + more


def _own_noise(row: Row) -> float:
    return 1 if row.predicted is None or row.moving_var is None else ratio(row.predicted)


def _begin_before(row: Row, threshold: float) -> tuple[str, ...]:
    """No remedy here helps against what comes from before."""
    if row.predicted is None or row.measured is None or ratio(row.measured) <= threshold:
        return ()
    if not row.ways:
        own = "No noise reaches it but through other BNs"
    else:
        own = f"Its own noise gives a ratio of {ratio(row.predicted):.3f} only"
    measured = f"{ratio(row.measured):.3f} was measured"
    return (f"{own}, while {measured}: it inherits the rest, so begin with the BNs before it.",)


def _remove(row: Row) -> str:
    kept = (
        "" if row.inherited is None else f"; of the measured {row.measured:.3f} the inherited {row.inherited:.3f} stays"
    )
    return f"Remove {listed(row.sources)}: the local shift becomes 1{kept}."


def _move(row: Row, report: Report) -> str:
    noise = "it" if len(row.ways) == 1 else "them"
    return f"Move {noise} after the last BN, {report.rows[-1].bn}: no BN sees {noise} there (Section 5)."


def _weaken(sources: Sequence[Source], factor: float) -> str:
    changes = []
    for source in sources:
        name, now = _strength(source)
        changes.append(f"{name} {_strength(source, factor)[1]:.3g} instead of {now:.3g}")
    return f"Make {'it' if len(sources) == 1 else 'them'} weaker, {listed(changes)}"


def _take_uout(sources: Sequence[Source], factor: float, wanted: str) -> tuple[str, ...]:
    """Uout draws a number for each element, so it cannot stand for noise that is shared."""
    if any(source.sharing != "element" or source.noise == "uniform" for source in sources):
        return ()
    betas = [_strength(replace(source, noise="uniform"), factor)[1] for source in sources]
    if min(betas) > 1:
        return ("Take Uout instead: even beta = 1, the most there is, stays below that ratio.",)
    told = [f"{min(beta, 1):.3g}" for beta in betas]
    if len(sources) > 1:
        told = [f"{beta} instead of {_told(source)}" for beta, source in zip(told, sources, strict=True)]
    at_most = "at most " if max(betas) > 1 else ""
    return (f"Take Uout instead, beta = {listed(told)}: the ratio becomes {at_most}{wanted}.",)


def _widen(row: Row, report: Report, threshold: float) -> tuple[str, ...]:
    way = strongest(row)
    source = None if way is None else report.source(way.source)
    if way is None or way.linear is None or source is None or source.s2 is None or source.sharing != "element":
        return ()
    linear, wanted = way.linear, d_cos2_at(threshold, way.linear, source.s2)
    if linear.d == 1 or wanted <= linear.d_cos2:
        return ()
    if wanted == math.inf:
        return (f"Widening {linear.name} does not help: Eq. 10 needs rho > 0 for that, and it is {linear.rho:.3g}.",)
    alone = f"with {way.source} alone " if len(row.ways) > 1 else ""
    times = f"{_short(wanted / linear.d_cos2)} times as wide at the same cos²θ"
    now = f"it is {_short(linear.d_cos2)}"
    return (f"Widen {linear.name}, {times}: by Eq. 10 {alone}d cos²θ = {_short(wanted)} gives {threshold:g}; {now}.",)


def _strength(source: Source, factor: float = 1) -> tuple[str, float]:
    """How strong a source is, as its kind is given, once its s^2 is multiplied."""
    return replace(source, s2=factor * (source.s2 or 0)).strength or ("s²", 0)


def _told(source: Source) -> str:
    return "{} {:.3g}".format(*_strength(source))


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
