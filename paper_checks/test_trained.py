"""Claims that were examined at reduced scale: the records come to what the ledger says, by criteria stated before."""

import pytest

from fullscale.experiments import figure5
from fullscale.experiments.law import local, of_shift
from fullscale.experiments.scale import CIFAR_NETS, NetName
from fullscale.responses import TEST, TRAIN
from paper_checks.claims import CLAIMS
from paper_checks.claims_trained import EXAMINED
from paper_checks.criteria import REDUCED
from paper_checks.deciding import decide
from paper_checks.deciding_records import PLACEMENTS, compared, numbers, shifts
from paper_checks.evidence import committed
from paper_checks.ledger import Claim, Evidence, Verdict, check, control
from paper_checks.reported import digest
from theory import EQUATIONS

SEAL = "c412c6eba515bef3e364b04580583ed69620c745bb14dc8460d3d6d8e4cc6334"


def examined(claim_id: str) -> object:
    """A claim as a case that, passing, establishes its verdict."""
    claim = CLAIMS[claim_id]
    return pytest.param(claim, marks=pytest.mark.claim(claim_id, Evidence.TRAINED, claim.verdict), id=claim_id)


@pytest.mark.parametrize("claim", [*map(examined, EXAMINED)])
def test_the_records_come_to_the_verdict_of_the_ledger_by_the_criterion(claim: Claim) -> None:
    assert decide(claim.id, committed()) is claim.verdict


def off(net: NetName) -> list[float]:
    """By how much Eq. 10 overstates the law's 1 - Delta, at each convolution behind noise of each run, (b) 0.5."""
    return [(each.law - each.eq10) / (1 - each.law) for found in compared(committed(), net, "b") for each in found.seen]


@check("S3-MOMENTS", Evidence.TRAINED, Verdict.CONTRADICTED)
def test_eq_10_overstates_the_shift_at_every_convolution_and_most_behind_3_x_3_kernels() -> None:
    kernels_1 = off("PreResNet") + off("ResNeXt")
    kernels_3 = off("WRN") + off("DenseNet")
    assert min(kernels_1) > 0
    assert min(kernels_3) > max(kernels_1)


@check("S3-MOMENTS", Evidence.TRAINED, Verdict.CONTRADICTED)
def test_alignment_with_correlations_heals_more_than_eq_10_s_width_does() -> None:
    for net in CIFAR_NETS:
        for found in compared(committed(), net, "b"):
            for each in found.seen:
                by_width = 1 + each.rho * (each.d_cos2 - 1)
                # Delta = A/(A + (c^2 + v) s^2/v), and here s^2 = 1: A is what Eq. 10 takes for by_width.
                in_fact = (each.c**2 + each.v) / each.v * each.law / (1 - each.law)
                assert in_fact - 1 > abs(by_width - 1)


@control("S3-MOMENTS")
def test_where_inputs_share_their_moments_both_are_the_same() -> None:
    eq10 = EQUATIONS["eq10"].evaluate(retain=0.5, c=0.3, v=0.4, rho=0.1, d=288, cos2=0.01)
    in_fact = (0.3**2 + 0.4) / 0.4 * eq10 / (1 - eq10)
    assert in_fact == pytest.approx(1 + 0.1 * (288 * 0.01 - 1))


@check("S3-CONST", Evidence.TRAINED, Verdict.OPEN)
def test_no_moving_variance_has_drifted_by_three_hundredths() -> None:
    rows = [row for net in CIFAR_NETS for found in shifts(committed(), net, "b", 0.5) for row in found.rows]
    assert max(abs(row.moving_var / row.train_var - 1) for row in rows) < 0.03


@check("S1-DEPTH-RUN", Evidence.TRAINED, Verdict.OPEN)
def test_bns_right_behind_dropout_shift_most_wherever_they_stand() -> None:
    for net in CIFAR_NETS:
        behind = {row.bn for found in compared(committed(), net, "a") for row in found.rows}
        for found in shifts(committed(), net, "a", 0.5):
            right_behind = [row.shift_ratio for row in found.rows if row.name in behind]
            assert min(right_behind) > max(row.shift_ratio for row in found.rows if row.name not in behind)


@check("F5-RUN", Evidence.TRAINED, Verdict.OPEN)
def test_in_each_seed_test_mode_errs_more_than_train_mode_on_training_images() -> None:
    for found in numbers(committed(), figure5.runs(committed().scale), figure5.RESPONSES):
        errors = {(each.noise, each.by_batch): each.error for each in found.errors}
        assert errors[TEST] > errors[TRAIN]


@check("X-LOCAL-RUN", Evidence.TRAINED)
def test_the_law_is_right_to_five_parts_in_a_thousand_at_each_bn() -> None:
    cells = [compared(committed(), net, placement) for net in CIFAR_NETS for placement in PLACEMENTS]
    off = [of_shift(*pair) for seeds in cells for found in seeds for pair in local(found)]
    assert max(off) < 0.5  # percent


@check("CRITERIA", Evidence.ENUMERATED)
def test_no_criterion_has_changed_since_the_runs_were_made() -> None:
    assert digest(stated()) == SEAL


@control("CRITERIA")
def test_one_changed_word_would_be_seen() -> None:
    holds, contradicted = stated()["S3-MOMENTS"]
    assert "a tenth" in holds
    assert digest(stated() | {"S3-MOMENTS": (holds.replace("a tenth", "half"), contradicted)}) != SEAL


def stated() -> dict[str, tuple[str, str]]:
    return {claim_id: (own.holds, own.contradicted) for claim_id, own in REDUCED.items()}


@control("CRITERIA")
def test_no_claim_is_left_not_run_that_the_records_decide() -> None:
    left = [claim_id for claim_id in REDUCED if claim_id not in EXAMINED]
    assert [claim_id for claim_id in left if decide(claim_id, committed()) is not None] == []
