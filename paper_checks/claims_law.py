"""Claims beyond the paper: the law behind its equations, and how far these and its words carry."""

from paper_checks.ledger import THREE_WAYS, Claim, Evidence, contradicted, holds, holds_if

PROVED, ENUMERATED, SIMULATED = Evidence.PROVED, Evidence.ENUMERATED, Evidence.SIMULATED

CHAIN = (
    holds_if(
        "X-PRODUCT",
        "beyond Section 3.1",
        "Local shifts multiply from block to block.",
        "The noise of every block meets each unit alone. Behind sums of correlated inputs Dropout adds to variances "
        "only, so the inputs are less correlated in training than in test, and the product understates what is left.",
        ENUMERATED,
        SIMULATED,
    ),
    contradicted(
        "X-DRIFT",
        "beyond Section 3.1",
        "Width protects from the whole chain reaction (our reading of how the paper praises it).",
        "It heals variances, at rho > 0. The squared drift of means over BN's variance grows with K = d cos^2: it is "
        "K delta^2/(v + s^2(c^2 + v)) at rho = 0, where nothing heals, and up to delta^2/(v rho) otherwise.",
        PROVED,
        SIMULATED,
    ),
)

LAW = (
    holds(
        "LAW",
        "beyond the paper",
        "Var_Train = Var_Test + s^2 sum w^2 E[x^2] for any noise of mean 1 and variance s^2 and any x: Eqs. 5-13 are "
        "special cases.",
        *THREE_WAYS,
    ),
    holds(
        "LAW-SHARED",
        "beyond the paper",
        "The law where groups of inputs share one noise, as a channel's positions do.",
        *THREE_WAYS,
    ),
    holds("LAW-RESIDUAL", "beyond the paper", "The law with a residual branch added before BN.", PROVED, SIMULATED),
    holds(
        "LAW-POOLED",
        "beyond the paper",
        "The law for k x k convolutions with zero padding, stride and groups, and for average pooling, of maps that "
        "are correlated in space, and the variance that BN pools over batch and positions.",
        ENUMERATED,
        SIMULATED,
    ),
    holds_if(
        "X-BORDERS",
        "beyond Section 3.2, Eq. 10",
        "Eq. 10 with a kernel's d and cos^2 gives the shift of a whole feature map.",
        "No padding. With zeros around a map its borders see another d cos^2, smaller for equal weights, larger for "
        "weights that sum to 0, and rho > 0 heals there less or more; and positions whose means differ add to the "
        "variance that BN pools. At p = 0.5, v = 1, rho = 0.2, for 3 x 3 over two channels of 8 x 8: sums shift by "
        "0.799, not 0.815, at c = 0, by 0.584, not 0.468, at c = 2; edges (1, 0, -1) by 0.490, not 0.444, at c = 0.",
        ENUMERATED,
        SIMULATED,
    ),
    holds(
        "LAW-AXIOMS",
        "beyond the paper",
        "Every assumption behind Eqs. 5-10 is needed, equation by equation, and all of them can hold together; so "
        "can those of the law.",
        PROVED,
        ENUMERATED,
    ),
)

UOUT = (
    holds_if(
        "X-ADDITIVE",
        "beyond Section 5",
        "Uout may be implemented as x + r, or with one r for a whole channel, as public code often does.",
        "x + r has the variance of Uout exactly where E[x^2] = 1, so that a test on standard normal inputs passes it. "
        "One r for a channel adds the square of the sum, not the sum of the squares: the same only for a single input.",
        PROVED,
        ENUMERATED,
        SIMULATED,
    ),
)

LAW_CLAIMS: tuple[Claim, ...] = (*CHAIN, *LAW, *UOUT)
