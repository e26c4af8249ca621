"""What the doctor found."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from fullscale.shift_ratio import ratio

Sharing: TypeAlias = Literal["element", "channel", "sample", "batch", "other"]
"""Who draws a number of their own: every element; every channel (Dropout2d); every sample's whole branch (stochastic
depth); the batch, one for all; or something between."""


@dataclass(frozen=True)
class Source:
    """A place at which random numbers multiply the signal in training.

    Attributes:
        name: path in the model of the module that draws them; from the second draw of a pass on with its number, ":2".
        kind: class of that module, such as "Dropout"; of the one that calls it where the noise is a bare function.
        noise: "bernoulli" (Dropout, stochastic depth), "uniform" (Uout), "normal" (Gaussian Dropout); None where what
            becomes of the drawn numbers could not be followed.
        s2: variance of the noise over its mean squared, the law's s^2; None where `noise` is.
        sharing: which elements share a number.
        safe: no BN comes after it (Section 5), so that it shifts nothing.
        in_test: it draws in test mode, too, as `functional.dropout` does unless it is told not to: what it adds is in
            Var_Test as well as in Var_Train, and in no prediction.
    """

    name: str
    kind: str
    noise: Literal["bernoulli", "uniform", "normal"] | None
    s2: float | None
    sharing: Sharing
    safe: bool
    in_test: bool = False

    @property
    def strength(self) -> tuple[str, float] | None:
        """How strong it is as its kind is given: drop = 1 - p, beta, or sigma."""
        if self.s2 is None or self.noise is None:
            return None
        match self.noise:
            case "bernoulli":
                return "drop", self.s2 / (1 + self.s2)
            case "uniform":
                return "beta", (3 * self.s2) ** 0.5
            case "normal":
                return "sigma", self.s2**0.5


@dataclass(frozen=True)
class Linear:
    """The one linear layer between a noise and a BN, as Eq. 10 sees it; "none" of them in case (a).

    Attributes:
        name: its path in the model; None in case (a), where the noise multiplies what goes into BN itself.
        d: weights of one output unit; 1 in case (a).
        d_cos2: mean of d cos^2 theta over the output units (Eq. 11); 1 in case (a).
        c: mean of what the noise multiplies, over channels, samples and positions.
        v: mean over channels of its variance, UNBIASED, by batch.
        rho: the common correlation that gives a sum of d of its elements the variance it has; 0 where d = 1.
    """

    name: str | None
    d: int
    d_cos2: float
    c: float
    v: float
    rho: float

    def eq10(self, s2: float) -> float:
        """Return Var_Test / Var_Train by Eq. 10 (in case (a) Eq. 6), for element-wise noise, with (1 - p) / p = s2."""
        test = self.v + self.v * self.rho * (self.d_cos2 - 1)
        train = test + s2 * (self.c**2 + self.v)
        return test / train if train > 0 else 1.0


@dataclass(frozen=True)
class Way:
    """How one source shifts one BN's variance by itself, all other noise replaced by its mean.

    Attributes:
        source: its name.
        exact: by the law; else probed with random noise.
        shift: local Var_Test / Var_Train, means over channels; None where it cannot be said.
        stderr: of `shift`; 0 where `exact`, None where `shift` is.
        linear: what lies between; None where that is not at most one linear layer.
        eq10: the shift as the paper's Eq. 10 has it, which knows no residual addition and no concatenation; None where
            it does not apply.
    """

    source: str
    exact: bool
    shift: float | None
    stderr: float | None
    linear: Linear | None
    eq10: float | None


@dataclass(frozen=True)
class Row:
    """One BN. Local is what noise does on ways that pass through no other BN; the rest is inherited.

    Attributes:
        index: 1 for the first.
        bn: its path in the model.
        kind: its class.
        channels: how many.
        ways: one per source that reaches it.
        predicted: the local Var_Test / Var_Train of all its sources together: the mean over channels of one over the
            mean of the other. Var_Test is UNBIASED, by batch; Var_Train is that and what the noise adds, in the limit
            of large batches: where every sample has one number, BN's own average over batches of n lacks up to 1/n of
            it. 1 where no source reaches it; None where it cannot be said.
        stderr: of `predicted`, over the random noise: 0 where `exact`.
        exact: whether all of it follows from the law.
        worst_channel: the one whose local shift is furthest from 1, counted from 0; None where no source reaches it.
        worst_shift: its Var_Test / Var_Train.
        moving_var: mean over channels of BN's running_var; None where it keeps none.
        trained: whether its moving statistics are others than those it began with; else the measured ratio, though it
            is there, tells nothing.
        real_var: mean over channels of BN's average (by its momentum) of UNBIASED batch variances in test mode; None
            where the test does not come here.
        notes: what is special about it, a line each.
    """

    index: int
    bn: str
    kind: str
    channels: int
    ways: tuple[Way, ...]
    predicted: float | None
    stderr: float | None
    exact: bool
    worst_channel: int | None
    worst_shift: float | None
    moving_var: float | None
    trained: bool
    real_var: float | None
    notes: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources that reach it."""
        return tuple(way.source for way in self.ways)

    @property
    def shift(self) -> float | None:
        """Measured Var_Test / Var_Train, real_var / moving_var; None where one of them is, or one is 0."""
        return self.real_var / self.moving_var if self.real_var and self.moving_var else None

    @property
    def shift_ratio(self) -> float | None:
        """Measured max(r, 1/r) of r = `shift` (Section 4); None where that is."""
        return None if self.shift is None else ratio(self.shift)

    @property
    def measured(self) -> float | None:
        """`shift` where it tells something: of a trained BN."""
        return self.shift if self.trained else None

    @property
    def inherited(self) -> float | None:
        """What remains beside the local shift: `measured` over `predicted`; None where one of them is."""
        return self.measured / self.predicted if self.measured and self.predicted else None

    @property
    def harm(self) -> float:
        """The larger of the predicted ratio max(r, 1/r) and the measured one; 1 where there is neither.

        And 1 for a BN that keeps no moving statistics: in test, too, it normalises by its batch, and is not misled.
        """
        if self.moving_var is None:
            return 1.0
        return max([1.0, *(ratio(shift) for shift in (self.predicted, self.measured) if shift is not None)])


@dataclass(frozen=True)
class Report:
    """A model's BNs and what shifts them.

    Attributes:
        rows: one per BN, in order of execution in training.
        sources: of noise, in order of execution.
        notes: what could not be examined, or was taken in a way that a reader may want to know; a line each.
        images: samples that were seen.
        batch: samples in the largest batch.
        unexamined: paths of what normalises by batch and could not be examined, since no BN module does it.
    """

    rows: tuple[Row, ...]
    sources: tuple[Source, ...]
    notes: tuple[str, ...]
    images: int
    batch: int
    unexamined: tuple[str, ...] = ()

    @property
    def by_harm(self) -> tuple[Row, ...]:
        """The rows, the most harmed first."""
        return tuple(sorted(self.rows, key=lambda row: -row.harm))

    @property
    def safe(self) -> tuple[Source, ...]:
        """The sources that no BN comes after (Section 5)."""
        return tuple(source for source in self.sources if source.safe)

    @property
    def nothing_to_find(self) -> str | None:
        """Why there is nothing to look for, None if there is."""
        if not self.sources:
            return "no noise is drawn in training, so training and test have the same variance"
        if self.unexamined:
            return None
        if not self.rows:
            return "no BN module is called, so no moving variance can shift"
        if all(source.safe for source in self.sources):
            return "all noise comes after the last BN it could disturb, as Section 5 advises"
        return None

    def source(self, name: str) -> Source:
        """Return the source of that name."""
        return next(source for source in self.sources if source.name == name)

    def above(self, threshold: float) -> tuple[Row, ...]:
        """Return the rows with a predicted or measured ratio above `threshold`; none if there is nothing to find."""
        return () if self.nothing_to_find else tuple(row for row in self.rows if row.harm > threshold)
