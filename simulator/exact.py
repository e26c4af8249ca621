"""Exact expectations by enumeration: every Dropout mask times every point of a finite distribution, in Fractions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Literal, TypeAlias, get_args

from simulator.contracts import refusal, whole

Masks: TypeAlias = Literal["independent", "shared"]

LARGEST = 2**20  # masks times points: some ten seconds


@dataclass(frozen=True)
class FiniteInputs:
    """A joint distribution of x_1 ... x_d: finitely many points, equally likely.

    Attributes:
        points: (points, d), rational. A point may be repeated, to be likelier.

    Raises:
        ValueError: if there is no point, points differ in length, or a coordinate is not an int or a Fraction.
    """

    points: tuple[tuple[Fraction, ...], ...]

    def __post_init__(self) -> None:
        if len({len(point) for point in self.points}) != 1 or not self.points[0]:
            raise ValueError("points: must be one or more points, all with the same number d >= 1 of coordinates")
        exact = tuple(tuple(_rational("points' coordinate", x) for x in point) for point in self.points)
        object.__setattr__(self, "points", exact)

    @property
    def d(self) -> int:
        """How many inputs."""
        return len(self.points[0])

    @property
    def mean(self) -> Fraction:
        """The common mean c; a ValueError if there is none."""
        return _common("mean", (self._expect(lambda x, i=i: x[i]) for i in range(self.d)))

    @property
    def variance(self) -> Fraction:
        """The common variance v; a ValueError if there is none."""
        return _common("variance", (self._covariance(i, i) for i in range(self.d)))

    @property
    def correlation(self) -> Fraction:
        """The common correlation rho^x; a ValueError if there is none: mean or variance not common, d = 1, or v = 0."""
        variance = self.variance
        if self.d == 1 or variance == 0:
            raise ValueError(f"correlation: needs d >= 2 and v > 0, here d = {self.d} and v = {variance}")
        pairs = ((i, j) for i in range(self.d) for j in range(i))
        return _common("correlation", (self._covariance(i, j) / variance for i, j in pairs))

    def _expect(self, value: Callable[[tuple[Fraction, ...]], Fraction]) -> Fraction:
        return sum(map(value, self.points), Fraction(0)) / len(self.points)

    def _covariance(self, i: int, j: int) -> Fraction:
        return self._expect(lambda x: x[i] * x[j]) - self._expect(lambda x: x[i]) * self._expect(lambda x: x[j])


def one_hot_plus_shift(d: int, height: Fraction | int, shifts: Sequence[Fraction | int]) -> FiniteInputs:
    """Build x = height e_k + t (1, ..., 1), with k uniform over d and t uniform over `shifts`.

    The coordinates are exchangeable. One shift alone gives rho = -1/(d-1), the least that there is; the wider the
    shifts are spread, the nearer rho comes to 1, which height = 0 reaches.

    Raises:
        ValueError: if `d` is no whole number >= 1, `shifts` is empty, or a number is not an int or a Fraction.
    """
    height = _rational("height", height)
    if not shifts:
        raise ValueError("shifts: must hold one number or more")
    return FiniteInputs(
        tuple(
            tuple(_rational("shifts", t) + height * (i == k) for i in range(d))
            for k in range(whole("d", d, at_least=1))
            for t in shifts
        )
    )


@dataclass(frozen=True)
class Enumerated:
    """Exact moments of X = sum_i w_i (a_i/p) x_i in training and of sum_i w_i x_i in test.

    Attributes:
        mean_train: E[X] over masks and points.
        var_train: Var_Train(X), the left side of Eq. 7 (of Eq. 5 at d = 1, w = 1).
        mean_test: E[X] over points.
        var_test: Var_Test(X), the left side of Eq. 8.
    """

    mean_train: Fraction
    var_train: Fraction
    mean_test: Fraction
    var_test: Fraction

    @property
    def shift(self) -> Fraction:
        """Var_Test / Var_Train (Eqs. 6 and 10); a ZeroDivisionError if Var_Train = 0."""
        return self.var_test / self.var_train


def enumerate_dropout(
    inputs: FiniteInputs,
    weights: Sequence[Fraction | int],
    retain: Fraction | int,
    masks: Masks = "independent",
) -> Enumerated:
    """Add up X over every mask, each with probability p^|a| (1-p)^(d-|a|), and every point.

    Args:
        inputs: the distribution of x.
        weights: w: (d,).
        retain: the paper's p.
        masks: "independent", one a_i an input, as the paper has it; or "shared", a single a for all inputs.

    Raises:
        ValueError: if `retain` lies outside (0, 1], `weights` is not d long, a number is not an int or a Fraction,
            `masks` is unknown, or there are more than 2^20 masks times points.
    """
    retain = _retain(retain)
    if masks not in get_args(Masks):
        raise refusal("masks", masks, f"must be one of {', '.join(get_args(Masks))}")
    if len(weights) != inputs.d:
        raise refusal("weights' length", len(weights), f"must be d = {inputs.d}")
    if masks == "independent" and 2**inputs.d * len(inputs.points) > LARGEST:
        raise refusal("2^d * points", f"2^{inputs.d} * {len(inputs.points)}", f"must be <= {LARGEST}")
    w = [_rational("weights", weight) for weight in weights]
    terms = [[w_i * x_i for w_i, x_i in zip(w, point, strict=True)] for point in inputs.points]
    noise = _independent if masks == "independent" else _shared
    return Enumerated(
        *_moments([outcome for point in terms for outcome in noise(point, retain)], len(terms)),
        *_moments([(Fraction(1), sum(point, Fraction(0))) for point in terms], len(terms)),
    )


@dataclass(frozen=True)
class MaskedPair:
    """Exact second moments of a_i x_i and a_j x_j, before the division by p, which leaves their correlation alone.

    Attributes:
        covariance: Cov(a_i x_i, a_j x_j).
        variances: Var(a_i x_i) and Var(a_j x_j).
    """

    covariance: Fraction
    variances: tuple[Fraction, Fraction]

    @property
    def correlation(self) -> Fraction:
        """rho^ax, the left side of Eq. 9; a ValueError if the variances differ or are 0."""
        variance = _common("variance of a_i x_i", self.variances)
        if variance == 0:
            raise ValueError("correlation: needs Var(a_i x_i) > 0, here 0")
        return self.covariance / variance


def enumerate_masked_pair(
    inputs: FiniteInputs, retain: Fraction | int, i: int = 0, j: int = 1, masks: Masks = "independent"
) -> MaskedPair:
    """Enumerate a_i x_i and a_j x_j, by polarisation: Cov(A, B) = (Var(A + B) - Var(A) - Var(B)) / 2.

    Raises:
        ValueError: as `enumerate_dropout`, and if `i` and `j` are not two different coordinates.
    """
    if i == j or not {i, j} <= set(range(inputs.d)):
        raise refusal("(i, j)", (i, j), f"must be two different coordinates in 0 ... {inputs.d - 1}")
    pair = FiniteInputs(tuple((point[i], point[j]) for point in inputs.points))
    retain = _retain(retain)

    def variance(*picked: int) -> Fraction:
        undivided = [retain * weight for weight in picked]  # takes back the 1/p of inverted Dropout
        return enumerate_dropout(pair, undivided, retain, masks).var_train

    first, second = variance(1, 0), variance(0, 1)
    return MaskedPair((variance(1, 1) - first - second) / 2, (first, second))


Outcomes: TypeAlias = list[tuple[Fraction, Fraction]]  # (probability, X)


def _independent(terms: list[Fraction], retain: Fraction) -> Outcomes:
    """All 2^d outcomes of sum_i a_i/p term_i: each input doubles them, one half without it and one half with it."""
    outcomes = [(Fraction(1), Fraction(0))]
    for term in terms:
        dropped = [(probability * (1 - retain), x) for probability, x in outcomes]
        kept = [(probability * retain, x + term / retain) for probability, x in outcomes]
        outcomes = dropped + kept
    return outcomes


def _shared(terms: list[Fraction], retain: Fraction) -> Outcomes:
    return [(1 - retain, Fraction(0)), (retain, sum(terms, Fraction(0)) / retain)]


def _moments(outcomes: Outcomes, points: int) -> tuple[Fraction, Fraction]:
    """Mean and variance, over outcomes whose probabilities add up to 1 for each of `points` equally likely points."""
    mean = sum((probability * x for probability, x in outcomes), Fraction(0)) / points
    square = sum((probability * x * x for probability, x in outcomes), Fraction(0)) / points
    return mean, square - mean * mean


def _common(name: str, values: Iterable[Fraction]) -> Fraction:
    first, *others = set(values)
    if others:
        raise ValueError(f"{name}: not common to all coordinates")
    return first


def _rational(name: str, value: Fraction | int) -> Fraction:
    if not isinstance(value, Rational):
        raise refusal(name, value, "must be an int or a Fraction, to stay exact")
    return Fraction(value)


def _retain(retain: Fraction | int) -> Fraction:
    retain = _rational("retain", retain)
    if not 0 < retain <= 1:
        raise refusal("retain", retain, "must lie in 0 < retain <= 1")
    return retain
