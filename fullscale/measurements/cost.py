"""What the cost of a measurement depends on."""

from typing import NamedTuple

AT_MOST = 128
"""images of a batch, for an estimate"""


class Sizes(NamedTuple):
    """Images of the training and the test set, and BNs of the net."""

    train: int
    test: int
    bns: int
