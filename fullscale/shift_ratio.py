"""The paper's measure of a shift (Section 4)."""

import math


def ratio(shift: float) -> float:
    """Return max(r, 1/r) of a shift r = Var_Test / Var_Train >= 0, infinite where nothing varies in test."""
    return max(shift, 1 / shift) if shift else math.inf
