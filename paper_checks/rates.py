"""How often the simulated checks alarm in vain, and whether they notice an equation that is wrong by one percent."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any, TypedDict, TypeVar, cast

from fullscale.files import read_json
from paper_checks.error_rates import POWER, Comparison, rejects_at
from paper_checks.repeating import changed
from simulator import Estimate
from simulator.contracts import refusal
from theory import EQUATIONS

RECORD = Path(__file__).parent / "rates.json"

Note = Mapping[str, Any]
"""a `paper_checks.repeating.Note`, as JSON"""


class Noted(TypedDict):
    """What one process has noted.

    Attributes:
        code: the files of its checks, and of what they rest on, each with a digest.
        software: versions.
        notes: one for each check.
    """

    code: dict[str, str]
    software: dict[str, str]
    notes: list[Note]


class Deviations(TypedDict):
    """How far estimates lay from what they were held against, in their standard errors.

    Attributes:
        rms: their root mean square; 1 where standard errors are right.
        beyond: the share beyond 1, 2 and 3; of normal ones 0.3173, 0.0455 and 0.0027.
        largest: of all.
        rejects_at: from where on the least patient comparison rejects.
    """

    rms: float
    beyond: dict[str, float]
    largest: float
    rejects_at: float


class Caught(TypedDict):
    """Of an equation: how many checks compare with it, and in how many seeds one of them at least rejected it."""

    checks: int
    seeds: int


class Rates(TypedDict):
    """The record.

    Attributes:
        code: files of the checks and of what they rest on, each with a digest.
        software: versions.
        seeds: with which all checks were made.
        checks: a seed.
        comparisons: with a value, in all; those of order alone, and controls, are not counted.
        alarms: the checks that failed, though nothing was wrong, each with its seed.
        deviations: of all comparisons.
        promised: the probability of noticing an error of the size that a comparison names.
        noticed: by check, the share of its estimates that reject a value off by that much, either way.
        falsified: with how many seeds each equation was made too large by one percent.
        caught: by equation.
        not_simulated: the equations that no simulated check compares with.
    """

    code: dict[str, str]
    software: dict[str, str]
    seeds: int
    checks: int
    comparisons: int
    alarms: list[str]
    deviations: Deviations
    promised: float
    noticed: dict[str, float]
    falsified: int
    caught: dict[str, Caught]
    not_simulated: list[str]


Read = TypeVar("Read", Noted, Rates)


def read(path: Path, kind: type[Read]) -> Read:
    """Return the JSON of one of these kinds.

    Raises:
        ValueError: if it is missing or damaged.
    """
    there = read_json(path)
    if missing := kind.__required_keys__ - there.keys():
        raise refusal("file", path, f"lacks {', '.join(sorted(missing))}")
    if wrong := [name for name in ("code", "software") if not isinstance(there[name], dict)]:
        raise refusal("file", path, f"{wrong[0]} must be a table")
    return cast(Read, there)


def kept() -> Rates:
    """Return the record.

    Raises:
        ValueError: if it is missing or damaged.
    """
    return read(RECORD, Rates)


def rates(clean: Sequence[Noted], wrong: Sequence[Noted]) -> Rates:
    """Sum up what was noted, as it is and with falsified equations.

    Raises:
        ValueError: unless the same checks were made with each seed.
    """
    notes, falsified = ([note for part in parts for note in part["notes"]] for parts in (clean, wrong))
    checks = _checks_of_a_seed(notes)
    comparisons = [comparison for note in notes for comparison in compared(note)]
    caught = caught_by_equation(falsified)
    return {
        "code": {name: digest for part in (*clean, *wrong) for name, digest in part["code"].items()},
        "software": clean[0]["software"],
        "seeds": len(_seeds(notes)),
        "checks": checks,
        "comparisons": len(comparisons),
        "alarms": [f"{note['test']}, seed {note['seed']}" for note in notes if not note["passed"]],
        "deviations": deviations(comparisons),
        "promised": POWER,
        "noticed": noticed_by_check(notes),
        "falsified": len(_seeds(falsified)),
        "caught": caught,
        "not_simulated": [name for name in EQUATIONS if name not in caught],
    }


def _checks_of_a_seed(notes: Iterable[Note]) -> int:
    """How many checks were made with each seed, all of them the same."""
    by_seed = defaultdict[int, Counter[str]](Counter)
    for note in notes:
        by_seed[note["seed"]][note["test"]] += 1
    first, *others = by_seed.items()
    for seed, made in others:
        if made != first[1]:
            raise ValueError(
                f"notes: other checks were made with seed {seed} than with seed {first[0]}; move them away"
            )
    return first[1].total()


def compared(note: Note) -> list[Comparison]:
    """The comparisons of a note."""
    return [Comparison(**made | {"estimate": Estimate(**made["estimate"])}) for made in note["comparisons"]]


def deviations(comparisons: Iterable[Comparison]) -> Deviations:
    """How far estimates lay from their values; exact ones, without a standard error, do not count."""
    rough = [made for made in comparisons if made.estimate.stderr]
    off = [abs(made.estimate.value - made.exact) / made.estimate.stderr for made in rough]
    return {
        "rms": sqrt(fmean(each**2 for each in off)),
        "beyond": {str(k): fmean(each > k for each in off) for k in (1, 2, 3)},
        "largest": max(off),
        "rejects_at": min(rejects_at(made.replicas) for made in rough),
    }


def noticed_by_check(notes: Iterable[Note]) -> dict[str, float]:
    """The share of values off by what a comparison promises to notice, half of them below, that it rejects."""
    found = defaultdict[str, list[bool]](list)
    for note in notes:
        for made in compared(note):
            found[note["test"]] += [made.rejects(made.exact * (1 + sign * made.catches)) for sign in (-1, 1)]
    return {test: fmean(rejected) for test, rejected in sorted(found.items())}


def caught_by_equation(notes: Iterable[Note]) -> dict[str, Caught]:
    """In how many seeds a comparison rejected an equation while it was falsified."""
    meant = [note for note in notes if note["falsified"] in note["evaluated"]]
    by_equation = defaultdict[str, list[Note]](list)
    for note in meant:
        by_equation[note["falsified"]].append(note)
    return {
        name: {"checks": len({note["test"] for note in own}), "seeds": len(_seeds(filter(_rejected, own)))}
        for name, own in sorted(by_equation.items())
    }


def _rejected(note: Note) -> bool:
    return any(made.rejects(made.exact) for made in compared(note))


def _seeds(notes: Iterable[Note]) -> set[int]:
    return {note["seed"] for note in notes}


def told(found: Rates) -> str:
    """A few lines: what failed, what was noticed, and what was not always caught."""
    seeds, off, (least, share) = found["falsified"], found["deviations"], min(found["noticed"].items(), key=_second)
    missed = {name: each["seeds"] for name, each in found["caught"].items() if each["seeds"] < seeds}
    lines = [
        f"{found['seeds']} seeds, {found['checks']} checks each, {found['comparisons']:,} comparisons with a value",
        f"failed: {len(found['alarms'])}",
        *found["alarms"],
        f"deviations: rms {off['rms']:.3f} standard errors, the largest {off['largest']:.2f}; rejected from "
        f"{off['rejects_at']:.2f} on",
        f"power: {found['promised']:.1%} is promised, {share:.2%} the least ({least})",
        f"equations too large by 1%: {len(found['caught']) - len(missed)} of {len(found['caught'])} were caught in "
        f"each of {seeds} seeds",
        *(f"{name}: caught in {caught} of {seeds} seeds" for name, caught in missed.items()),
        f"in no simulated check: {', '.join(found['not_simulated'])}",
        *([f"since then the code has changed in {', '.join(others)}"] if (others := changed(found["code"])) else []),
    ]
    return "\n".join(lines)


def _second(pair: tuple[str, float]) -> float:
    return pair[1]
