"""The criteria of trained claims in made-up worlds: they hold where the claim is true, and not where it is false."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fullscale.experiments import chain, figure1, figure4, figure5, figure6, inference, law, table1, table3, width
from fullscale.experiments.scale import CIFAR_NETS, REDUCED
from fullscale.measurements.kinds import Measurement
from fullscale.recipes import Recipe
from fullscale.responses import TEST, Mode
from fullscale.sweep.possible import possible
from fullscale.sweep.run import Run
from paper_checks.claims import CLAIMS
from paper_checks.claims_training import LITERATURE, LIVE
from paper_checks.criteria import PAPER_ONLY
from paper_checks.criteria import REDUCED as CRITERIA
from paper_checks.deciding import DECIDED, decide, examine
from paper_checks.evidence import runs
from paper_checks.ledger import Evidence, Verdict, check, control
from paper_checks.tracing import bns, reached
from paper_checks.worlds import TRUE, World, excess, lie, results

HOLDS, OPEN, CONTRADICTED = Verdict.HOLDS, Verdict.OPEN, Verdict.CONTRADICTED
PRERESNET, RESNEXT, WRN, DENSENET = (REDUCED.nets[net] for net in CIFAR_NETS)
CLEAN = Mode(noise=False, by_batch=True)
LAST = "end.0"
"""the last BN of all nets but ResNeXt"""
BY_LITERATURE = {"S1-REPLACES", "S1-BEST", "S1-WRN-CITED", "S3-COMMON", "S6-LAST"}
"""claims about publications, which no run decides"""


def like(times: float, **change: Any) -> Callable[[Recipe], float]:
    """So many times the excess of other runs."""
    return lambda recipe: times * excess(replace(recipe, **change))


def close(times: float) -> World:
    """With (a) 0.1 so many times the excess without Dropout, with (b) half-way there."""
    a = lie("excess", like(times, drop=None), placement="a", drop=0.1)
    return lie("excess", like((1 + times) / 2, drop=None), told=a, placement="b", drop=0.1)


def true(claim: str) -> World:
    """A world in which a claim is true."""
    return close(1.9) if claim == "F4-CLOSE-RUN" else TRUE


def crossing(k: int) -> Callable[[Recipe, int], float]:
    """So many averaged samples are the first to match weight scaling."""
    return lambda _, samples: (k - 0.5) / samples - 1


def noisy(world: World, spread: float = 0.4) -> World:
    """Seeds that differ by so much, for a difference of means to tell less, or nothing."""
    return replace(world, spread=spread)


LIES = {
    "S2-INFERENCE": lie("gap", -0.5, at=256, net=WRN),
    "S3-MOMENTS": lie("eq10_off", 0.11, at=1.0, net=WRN),
    "S4-STEPS": lie("excess", like(0.11, placement="b", drop=0.1), net=WRN, drop=0.0),
    "F1b-RUN": lie("error", 38.0, net=DENSENET, placement="a", drop=0.5),
    "S1-DEPTH-RUN": lie("profile", lambda _, at: 2 - at, net=WRN, placement="a"),
    "S3-CONST": lie("drift", 0.11, at=LAST, net=WRN),
    "S3-CHAIN-RUN": lie("left", lambda _, at: 1 + at, net=PRERESNET),
    "T1-RUN": lie("d_cos2", 3.5, net="wrn-10-4"),
    "F4-DROP-RUN": lie("excess", like(0.9, drop=0.5), net=RESNEXT, placement="b", drop=0.7),
    "F4-CLOSE-RUN": lie("excess", like(2.1, drop=None), told=close(1.9), net=WRN, placement="a", drop=0.1),
    "F4-AB-RUN": lie("excess", like(0.9, placement="b"), net=WRN, placement="a", drop=0.3),
    "F4-WRN-RUN": lie("excess", like(1.1, net=PRERESNET), net=WRN, placement="b", drop=0.7),
    "X-WIDTH-RUN": lie("excess", like(1.1, net=WRN), net="wrn-10-4", drop=0.5),
    "F5-RUN": lie("training", 39.0, at=TEST),
    "S4-CAUSE-RUN": lie("won", 0.49, at="layerwise", net=WRN, placement="b", seed=2),
    "T3-RUN": lie("won", -0.01, at="batch", net=WRN, placement="b"),
    "F6-SHIFT-RUN": lie("sampled", like(2.1, placement="none", drop=None)),
    "F6-RUN": lie("averaged", crossing(4), seed=2),
    "F6-BASE-RUN": lie("averaged", -11.7, at=30),
    "X-LOCAL-RUN": lie("off", 0.021, at=LAST, net=WRN, placement="b"),
    "X-TOTAL-RUN": lie("whole_off", 0.051, at=LAST, net=WRN, placement="b"),
}
"""by claim, a world in which it is false, by little more than its criterion allows"""


Case = tuple[str, str, World]
STILL: Sequence[Case] = (
    ("S2-INFERENCE", "at one size neither better nor worse", lie("gap", 0.0, at=256)),
    ("S3-MOMENTS", "9% above", lie("eq10_off", 0.09)),
    ("S3-MOMENTS", "9% below", lie("eq10_off", -0.09)),
    ("S4-STEPS", "9% of the smallest", lie("excess", like(0.09, placement="b", drop=0.1), drop=0.0)),
    ("F1b-RUN", "9%", lie("excess", like(0.09, placement="a", drop=0.5), net=DENSENET, drop=0.0)),
    ("F1b-RUN", "accuracy falls, the only comparison", noisy(TRUE, 0.18)),
    ("S1-DEPTH-RUN", "one BN out of order", lie("profile", 1.5, at=0.0)),
    ("S3-CONST", "9%", lie("drift", 0.09)),
    ("T1-RUN", "just above 0.01", lie("cos2", 0.0101, net=WRN, seed=1)),
    ("T1-RUN", "just below 0.10", lie("cos2", 0.0999, net=WRN, seed=1)),
    ("F4-CLOSE-RUN", "1.99 times", replace(close(1.99), spread=0.0)),
    ("S4-CAUSE-RUN", "51%", lie("won", 0.51)),
    ("S4-CAUSE-RUN", "of half a point", lie("error", 40.5, told=World(spread=0.0), net=WRN, placement="b")),
    ("T3-RUN", "by a hundredth of what was lost", lie("won", 0.01, at="batch")),
    ("F6-SHIFT-RUN", "1.9 times", lie("sampled", like(1.9, placement="none", drop=None))),
    ("F6-BASE-RUN", "above, the only comparison", noisy(TRUE, 0.1)),
    ("F6-RUN", "5 samples", lie("averaged", crossing(5))),
    ("F6-RUN", "20 samples", lie("averaged", crossing(20))),
    ("X-LOCAL-RUN", "1.9% above", lie("off", 0.019)),
    ("X-LOCAL-RUN", "1.9% below", lie("off", -0.019)),
    ("X-TOTAL-RUN", "4.9% above", lie("whole_off", 0.049)),
    ("X-TOTAL-RUN", "4.9% below", lie("whole_off", -0.049)),
)
"""in which the claim still holds, though barely"""
BETWEEN: Sequence[Case] = (
    ("S2-INFERENCE", "better by itself", lie("gap", lambda run, _: (-0.4, -0.5, -0.6)[run.seed], at=256, net=WRN)),
    ("S2-INFERENCE", "better in one seed", lie("gap", -2.0, at=256, seed=0)),
    ("S3-MOMENTS", "in one seed", lie("eq10_off", 0.11, at=1.0, net=WRN, seed=0)),
    (
        "S3-MOMENTS",
        "in all seeds, each elsewhere",
        lie("eq10_off", lambda recipe, at: 0.11 if at == recipe.seed / 2 else 0.05, net=WRN),
    ),
    ("S4-STEPS", "a tenth", lie("excess", like(0.1, placement="b", drop=0.1), net=WRN, drop=0.0)),
    ("S4-STEPS", "one floor too high", lie("excess", like(0.11, placement="b", drop=0.1), net=WRN, drop=0.0, seed=0)),
    ("S4-STEPS", "one shift too small", lie("excess", like(0.4), net=WRN, placement="b", drop=0.1, seed=0)),
    ("F1b-RUN", "11% of the shift", lie("excess", like(0.11, placement="a", drop=0.5), net=DENSENET, drop=0.0)),
    ("F1b-RUN", "no accuracy lost", lie("error", 40.0, net=DENSENET, placement="a", drop=0.5)),
    ("F1b-RUN", "accuracy lost within noise", noisy(TRUE)),
    ("S1-DEPTH-RUN", "falls in one seed", lie("profile", lambda _, at: 2 - at, net=WRN, placement="a", seed=1)),
    ("S1-DEPTH-RUN", "neither rises nor falls", lie("profile", 1.0, net=WRN)),
    ("S3-CONST", "in one seed", lie("drift", 0.11, at=LAST, net=WRN, seed=1)),
    ("S3-CHAIN-RUN", "means that do not deviate more", lie("deviation", 1.0, net=WRN)),
    ("S3-CHAIN-RUN", "errors that nothing mends", lie("left", 1.0, net=WRN)),
    ("S3-CHAIN-RUN", "means, in one seed", lie("deviation", lambda _, at: 1 - at, net=WRN, seed=1)),
    ("S3-CHAIN-RUN", "errors, in one seed", lie("left", lambda _, at: 1 + at, net=WRN, seed=1)),
    ("T1-RUN", "0.01", lie("cos2", 0.01, net=DENSENET, seed=1)),
    ("T1-RUN", "0.10", lie("cos2", 0.10, net=DENSENET, seed=1)),
    ("T1-RUN", "above 0.10 in the widest", lie("cos2", 0.1001, net="wrn-10-4", seed=1)),
    ("T1-RUN", "another net has the largest", lie("d_cos2", 5.0, net=DENSENET)),
    ("T1-RUN", "each by itself", noisy(TRUE, 0.22)),
    ("T1-RUN", "falls by itself", noisy(LIES["T1-RUN"], 0.05)),
    ("F4-DROP-RUN", "a step without growth", lie("excess", like(1.0, drop=0.5), net=WRN, drop=0.7)),
    ("F4-DROP-RUN", "falls by itself", noisy(LIES["F4-DROP-RUN"], 0.05)),
    ("F4-CLOSE-RUN", "farther by itself", noisy(LIES["F4-CLOSE-RUN"], 0.02)),
    ("F4-AB-RUN", "(a) above (b) by itself", noisy(TRUE, 0.2)),
    ("F4-AB-RUN", "(a) below (b) by itself", noisy(LIES["F4-AB-RUN"], 0.05)),
    ("F4-AB-RUN", "(a) and (b) alike", lie("excess", like(1.0, placement="b"), net=WRN, placement="a", drop=0.3)),
    ("F4-WRN-RUN", "smallest by itself", noisy(TRUE, 0.2)),
    ("X-WIDTH-RUN", "falls by itself", noisy(TRUE, 0.2)),
    ("X-WIDTH-RUN", "grows by itself", noisy(LIES["X-WIDTH-RUN"], 0.05)),
    ("X-WIDTH-RUN", "d cos^2 does not grow", lie("d_cos2", 4.0, net="wrn-10-4", drop=0.5)),
    ("F5-RUN", "in one seed", lie("training", 39.0, at=TEST, seed=0)),
    ("F5-RUN", "no difference between the modes", lie("training", 40.0, at=TEST)),
    ("F5-RUN", "BN by its batch does not help", lie("training", 40.0, at=CLEAN, seed=0)),
    (
        "S4-CAUSE-RUN",
        "nothing was lost",
        lie("won", 0.0, told=lie("error", 39.5, net=WRN, placement="b"), net=WRN, placement="b"),
    ),
    ("S4-CAUSE-RUN", "nothing was lost anywhere", lie("error", lambda run: 38.0 if run.drop else 40.0)),
    ("T3-RUN", "raised by itself", noisy(LIES["T3-RUN"], 0.06)),
    ("T3-RUN", "one model does not gain", lie("won", 0.0, at="batch", net=WRN, placement="b", seed=0)),
    ("F6-SHIFT-RUN", "in one seed", lie("sampled", like(2.1, placement="none", drop=None), seed=0)),
    ("F6-RUN", "21 samples", lie("averaged", crossing(21), seed=0)),
    ("F6-RUN", "never", lie("averaged", 0.1, seed=0)),
    ("F6-RUN", "no longer at 30", lie("averaged", 0.1, at=30, seed=0)),
    ("F6-BASE-RUN", "above within noise", noisy(TRUE)),
    ("F6-BASE-RUN", "below within noise", noisy(LIES["F6-BASE-RUN"])),
    ("X-LOCAL-RUN", "in one seed", lie("off", 0.021, at=LAST, net=WRN, placement="b", seed=0)),
    ("X-LOCAL-RUN", "the law says nothing of a BN", lie("off", None, at=LAST, net=WRN, placement="b")),
    ("X-TOTAL-RUN", "in one seed", lie("whole_off", 0.051, at=LAST, net=WRN, placement="b", seed=0)),
    ("X-TOTAL-RUN", "the law says nothing of a BN", lie("off", None, at=LAST, net=WRN, placement="b")),
)
"""in which the claim neither holds nor is contradicted; by itself: beyond chance, were it the only comparison"""
AGAINST: Sequence[Case] = (
    ("S2-INFERENCE", "better, in seeds that differ by more", noisy(LIES["S2-INFERENCE"])),
    ("S3-MOMENTS", "11% below", lie("eq10_off", -0.11, at=0.0, net=WRN)),
    ("F1b-RUN", "accuracy rises, the only comparison", noisy(LIES["F1b-RUN"], 0.025)),
    ("F1b-RUN", "no shift in one seed", lie("excess", like(0.9, drop=None), net=DENSENET, drop=0.5, seed=0)),
    ("S3-CHAIN-RUN", "means", lie("deviation", lambda _, at: 1 - at, net=PRERESNET)),
    (
        "T3-RUN",
        "by a point, in seeds that differ by more",
        lie("won", lambda recipe, _: -1 / noisy(TRUE).lost(recipe), told=noisy(TRUE), net=WRN, placement="b"),
    ),
    ("F6-BASE-RUN", "below, the only comparison", noisy(LIES["F6-BASE-RUN"], 0.02)),
    ("X-WIDTH-RUN", "the other step", lie("excess", like(1.1, net="wrn-10-1"), net=WRN, drop=0.5)),
    ("X-LOCAL-RUN", "2.1% below", lie("off", -0.021, at=LAST, net=WRN, placement="b")),
    ("X-TOTAL-RUN", "5.1% below", lie("whole_off", -0.051, at=LAST, net=WRN, placement="b")),
)
"""in which the claim is contradicted in other ways"""


def cases() -> list[Any]:
    """All of these, as controls of their claims, with what must be made of them."""
    so = [(claim, "true", true(claim), HOLDS) for claim in CRITERIA]
    not_so = [
        (claim, "false", world, CONTRADICTED if CRITERIA[claim].contradicted else OPEN) for claim, world in LIES.items()
    ]
    listed = [(*case, made) for of, made in ((STILL, HOLDS), (BETWEEN, OPEN), (AGAINST, CONTRADICTED)) for case in of]
    return [
        pytest.param(claim, world, made, marks=pytest.mark.claim(claim, None, None), id=f"{claim}: {told}")
        for claim, told, world, made in (*so, *not_so, *listed)
    ]


@pytest.mark.parametrize(("claim", "world", "made"), cases())
def test_a_criterion_says_what_is_so(claim: str, world: World, made: Verdict) -> None:
    assert decide(claim, results(world)) is made


@control("CRITERIA")
def test_what_was_seen_is_told_and_is_not_the_same_in_another_world() -> None:
    for claim, false in LIES.items():
        told = [found.seen for world in (true(claim), false) if (found := examine(claim, results(world)))]
        assert len(set(told)) == 2, claim
        assert all(re.search(r"\d.*\.$", seen) for seen in told)


@control("S4-STEPS")
@control("F4-CLOSE-RUN")
@pytest.mark.parametrize("share", [0.099, 0.101, 0.499, 0.501])
def test_no_shift_is_both_close_to_none_and_ten_times_as_large(share: float) -> None:
    found = results(lie("excess", like(1 / share, drop=None), told=World(spread=0.0), drop=0.1))
    both = (decide("S4-STEPS", found), decide("F4-CLOSE-RUN", found))
    assert both == (HOLDS if share < 0.1 else CONTRADICTED, HOLDS if share > 0.5 else CONTRADICTED)


def first_five() -> list[Any]:
    """BNs of each net, among which noise in (b) comes in."""
    return [
        pytest.param(net, bn, marks=pytest.mark.claim("S3-CONST", None, None), id=f"{net}: {bn}")
        for net in (PRERESNET, RESNEXT, WRN, DENSENET)
        for bn in bns(net)[:5]
    ]


@pytest.mark.parametrize(("net", "bn"), first_five())
def test_only_a_bn_behind_noise_can_drift(net: str, bn: str) -> None:
    found = results(lie("drift", 0.11, at=bn, net=net))
    behind = bn in reached(net, "b", past_bns=True)
    assert decide("S3-CONST", found) is (CONTRADICTED if behind else HOLDS)


FIG4 = figure4.Column("b", "C10").cell(REDUCED, "DenseNet", 0.7), figure4.SHIFT
BASELINE = table3.cell(REDUCED, "DenseNet", "C10", "none"), None
NEEDED: Sequence[tuple[str, tuple[Run, ...], Measurement | None]] = (
    ("S2-INFERENCE", inference.cell(REDUCED, "DenseNet"), inference.INFERENCE),
    ("S3-MOMENTS", law.cell(REDUCED, "DenseNet", "b"), law.LAW),
    ("S4-STEPS", *FIG4),
    ("F1b-RUN", figure1.cell(REDUCED, 0.5), figure1.SHIFT),
    ("F1b-RUN", figure1.cell(REDUCED, 0.0), None),
    ("S1-DEPTH-RUN", figure4.Column("a", "C10").cell(REDUCED, "DenseNet", 0.5), figure4.SHIFT),
    ("S3-CONST", figure4.Column("b", "C10").cell(REDUCED, "DenseNet", 0.5), figure4.SHIFT),
    ("S3-CONST", law.cell(REDUCED, "DenseNet", "b"), law.LAW),
    ("S3-CHAIN-RUN", chain.cell(REDUCED, "DenseNet"), chain.CHAIN),
    ("T1-RUN", table1.cell(REDUCED, "DenseNet", "C10"), table1.ANGLES),
    ("T1-RUN", width.cell(REDUCED, "wrn-10-4", 0.0), width.ANGLES),
    ("F4-DROP-RUN", *FIG4),
    ("F4-CLOSE-RUN", figure4.Column("b", "C10").cell(REDUCED, "DenseNet", 0.1), figure4.SHIFT),
    ("F4-AB-RUN", *FIG4),
    ("F4-WRN-RUN", *FIG4),
    ("X-WIDTH-RUN", width.cell(REDUCED, "wrn-10-4", 0.5), width.SHIFT),
    ("X-WIDTH-RUN", width.cell(REDUCED, "wrn-10-4", 0.5), width.ANGLES),
    ("F5-RUN", figure5.runs(REDUCED), figure5.RESPONSES),
    ("S4-CAUSE-RUN", table3.cell(REDUCED, "DenseNet", "C10", "b"), table3.ADJUST),
    ("S4-CAUSE-RUN", *BASELINE),
    ("T3-RUN", table3.cell(REDUCED, "DenseNet", "C10", "b"), table3.ADJUST),
    ("F6-SHIFT-RUN", figure6.sampled(REDUCED), figure6.SAMPLED),
    ("F6-SHIFT-RUN", figure6.baseline(REDUCED), figure6.SHIFT),
    ("F6-RUN", figure6.sampled(REDUCED), REDUCED.ensemble),
    ("F6-BASE-RUN", figure6.sampled(REDUCED), REDUCED.ensemble),
    ("F6-BASE-RUN", figure6.baseline(REDUCED), None),
    ("X-LOCAL-RUN", law.cell(REDUCED, "DenseNet", "b"), law.LAW),
    ("X-TOTAL-RUN", law.cell(REDUCED, "DenseNet", "b"), law.LAW),
)
"""by claim, runs of which none may lack a measurement, or its record"""


def needed() -> list[Any]:
    """Each of these, as a control of its claim."""

    def told(claim: str, runs: Sequence[Run], measurement: Measurement | None) -> str:
        return f"{claim}: {measurement.kind if measurement else 'record'} of {runs[-1].recipe.net}"

    return [pytest.param(*case, marks=pytest.mark.claim(case[0], None, None), id=told(*case)) for case in NEEDED]


@pytest.mark.parametrize(("claim", "runs", "measurement"), needed())
def test_nothing_is_decided_while_something_is_missing_though_the_rest_may_tell(
    claim: str, runs: Sequence[Run], measurement: Measurement | None
) -> None:
    lacking = replace(LIES[claim], lacking=(runs[-1].name, measurement))
    assert decide(claim, results(lacking)) is None


@control("S3-MOMENTS")
@control("X-LOCAL-RUN")
@control("X-TOTAL-RUN")
def test_a_comparison_that_says_nothing_decides_nothing() -> None:
    assert decide("S3-MOMENTS", results(lie("eq10_off", None, net=WRN, seed=0))) is None
    silent = results(lie("off", None, net=WRN, placement="b", seed=0))
    assert decide("X-LOCAL-RUN", silent) is decide("X-TOTAL-RUN", silent) is None


@control("CRITERIA")
def test_a_claim_that_no_reduced_run_decides_is_refused() -> None:
    for claim in (*PAPER_ONLY, *BY_LITERATURE, "EQ10"):
        with pytest.raises(KeyError):
            decide(claim, results(TRUE))


@control("CRITERIA")
def test_what_is_made_up_could_have_been_measured() -> None:
    found = results(TRUE)
    assert found.records.keys() == {run.name for run in runs()}
    assert found.measured.keys() == {(run.name, each) for run in runs() for each in run.measurements}
    assert all(possible(each, numbers) for (_, each), numbers in found.measured.items())


@check("CRITERIA", Evidence.ENUMERATED)
def test_each_criterion_is_code_and_has_worlds_in_which_it_comes_out_otherwise() -> None:
    assert CRITERIA.keys() == DECIDED.keys() == LIES.keys() == {claim for claim, *_ in NEEDED}
    told = {claim for claim, own in CRITERIA.items() if own.contradicted}
    assert {claim for claim, *_ in AGAINST} <= told
    assert {claim for claim, *_ in BETWEEN} == told | {"F4-WRN-RUN", "S4-CAUSE-RUN", "F6-RUN"}


@check("CRITERIA", Evidence.ENUMERATED)
def test_every_claim_about_trained_nets_has_one_place() -> None:
    trained = {claim.id for claim in CLAIMS.values() if {Evidence.NOT_RUN, Evidence.TRAINED} & {*claim.evidence}}
    homes = (CRITERIA.keys(), PAPER_ONLY.keys(), BY_LITERATURE, {claim.id for claim in LIVE})
    assert sorted(claim for home in homes for claim in home) == sorted(trained)
    assert {claim.id for claim in LITERATURE} - CRITERIA.keys() == BY_LITERATURE
