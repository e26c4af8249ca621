"""What anyone sees on their own machine within a minute: the shift, its growth, the flip of Fig. 5, and the repair."""

from paper_checks.chance import fewer, more_often
from paper_checks.ledger import Evidence, check, control
from paper_checks.live import IMAGES, Net

Nets = dict[str, Net]
TESTED = IMAGES // 4


def excess(net: Net) -> float:
    """The mean shift ratio less 1."""
    return net.shift.shift_ratio - 1


def flips(net: Net) -> bool:
    """Whether more training images change from right in train mode to wrong in test mode than back."""
    return more_often(net.responses.flipped, net.responses.recovered)


def repaired(net: Net) -> bool:
    """Whether re-estimated statistics lower the test error."""
    return fewer(net.adjust.readings["batch"].error, net.adjust.before.error, TESTED)


@check("LIVE-SHIFT", Evidence.TRAINED)
def test_a_shifts_more_than_b_and_b_more_than_no_dropout(live: Nets) -> None:
    assert excess(live["a"]) > 2 * excess(live["b"]) > 4 * excess(live["none"])


@check("LIVE-SHIFT", Evidence.TRAINED)
def test_the_shift_grows_with_the_drop_ratio(live: Nets) -> None:
    assert excess(live["a"]) > 2 * excess(live["a 0.1"]) > 4 * excess(live["none"])


@control("LIVE-SHIFT")
def test_without_dropout_there_is_no_more_than_the_floor_and_what_training_moves(live: Nets) -> None:
    assert excess(live["none"]) < 0.1 * excess(live["a"])
    assert not excess(live["none"]) > 2 * excess(live["b"])


@check("LIVE-FLIP", Evidence.TRAINED)
def test_images_that_are_right_in_train_mode_are_wrong_in_test_mode(live: Nets) -> None:
    assert flips(live["a"])
    assert flips(live["b"])


@control("LIVE-FLIP")
def test_without_dropout_no_more_images_change_for_the_worse_than_for_the_better(live: Nets) -> None:
    assert not flips(live["none"])


@check("LIVE-REPAIR", Evidence.TRAINED)
def test_statistics_without_noise_repair_what_the_shift_broke(live: Nets) -> None:
    assert repaired(live["b"])


@control("LIVE-REPAIR")
def test_without_dropout_there_is_nothing_to_repair(live: Nets) -> None:
    assert not repaired(live["none"])
