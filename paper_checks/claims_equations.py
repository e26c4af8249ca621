"""Claims of Sections 1-3 and 5 that need no training: the equations and their conditions."""

from paper_checks.ledger import THREE_WAYS, Claim, Evidence, contradicted, holds, holds_if, underspecified

PROVED, ENUMERATED, SIMULATED = Evidence.PROVED, Evidence.ENUMERATED, Evidence.SIMULATED

INTRODUCTION = (
    holds(
        "F1a",
        "Fig. 1, upper part",
        "For x ~ N(0, 1), Dropout makes the variance 1/p in training, which BN keeps, and 1 in test.",
        *THREE_WAYS,
    ),
    holds_if(
        "S1-TOOLBOX",
        "Section 1",
        "Common toolboxes keep BN's moving variance of training for the test.",
        "PyTorch, which was run; TensorFlow and MXNet were not.",
        ENUMERATED,
    ),
    holds_if(
        "S1-SCALES",
        "Section 1",
        "From training to test Dropout scales a response by p, and that changes its variance.",
        "A response that is kept is meant: by Section 2 it is x, then p x, originally, and x/p, then x, in the paper. "
        "Averaged over masks a response is not scaled, since those that were dropped return; and its variance does "
        "not change by the p^2 of a scale, but by what the noise had added.",
        ENUMERATED,
    ),
    holds_if(
        "S1a",
        "Section 1",
        "The numerical deviation grows as the signal goes deeper.",
        "A linear stack of case (a) whose units are uncorrelated: it delivers p^L. Eight simulated blocks with ReLU, "
        "whose units do not stay so, deliver less than p^L, and with every block their means drift further in units "
        "of the response; in units of BN's deviation by less than 4% in the eighth. What real networks do is "
        "S1-DEPTH-RUN.",
        PROVED,
        SIMULATED,
    ),
    holds_if(
        "S1b",
        "Abstract; Section 1",
        "A large feature dimension reduces the shift.",
        "rho > 0: the derivative of Delta in d cos^2 has the sign of rho. At rho = 0 the width does nothing.",
        PROVED,
        SIMULATED,
    ),
)

PRELIMINARIES = (
    holds("E1", "Section 2, Eq. 1", "Masks are Bernoulli(p); scaling by 1/p preserves the mean.", *THREE_WAYS),
    contradicted(
        "E1-DOMAIN",
        "Section 2",
        "The retain ratio may be anything with 0 <= p <= 1.",
        "At p = 0 the scaling 1/p of the paper's own formula does not exist; the equations need 0 < p <= 1.",
        PROVED,
    ),
    holds(
        "S2-SCALE",
        "Section 2",
        "Scaling by 1/p in training has the same effect as scaling by p in test.",
        PROVED,
        SIMULATED,
    ),
    holds_if(
        "S2-GEOMETRIC",
        "Sections 2 and 3",
        "Dropout's test policy is the equally weighted geometric mean of all sub-networks.",
        "One linear layer and a softmax follow, and all masks are equally likely or weighted by their probability; "
        "behind a ReLU it is not exact.",
        ENUMERATED,
    ),
    holds_if(
        "E2",
        "Section 2, Eq. 2",
        "BN gives each unit mean 0 and variance 1 over the batch.",
        "epsilon = 0; otherwise the variance is sigma^2/(sigma^2 + epsilon).",
        *THREE_WAYS,
    ),
    holds("E2-AFFINE", "Section 2", "BN's own scale and shift do not matter for the variance shift.", PROVED),
    holds_if(
        "E3",
        "Section 2, Eq. 3",
        "The moving variance, an average of m/(m-1) sigma^2, estimates the variance unbiasedly.",
        "The m values of a batch are uncorrelated. With a common correlation rho the expectation is v(1 - rho): the "
        "positions of one feature map, which BN pools over, are correlated.",
        *THREE_WAYS,
    ),
    holds("E4", "Section 2, Eq. 4", "In test BN is a fixed linear map, made of the moving statistics.", *THREE_WAYS),
)

CASE_A = (
    holds("E5", "Section 3.1, Eq. 5", "Case (a): Var_Train = (c^2 + v)/p - c^2.", *THREE_WAYS),
    holds("E6", "Section 3.1, Eq. 6", "Case (a): the shift is v/((c^2 + v)/p - c^2).", *THREE_WAYS),
    holds("E6-LE", "Section 3.1", "Delta(p) <= 1; equality holds only at p = 1.", PROVED, ENUMERATED),
    holds(
        "E6-ONLY",
        "Section 3.1",
        "In case (a) nothing but p -> 1 removes the shift: indeed Delta(p) <= p.",
        PROVED,
        ENUMERATED,
    ),
    holds("S3-MEAN", "Section 3", "Dropout keeps the means of units, not their variances.", PROVED, SIMULATED),
    holds_if(
        "S3-CHAIN",
        "Section 3.1",
        "The shift starts a chain reaction, which reaches the means as well.",
        "Variances: p^L in a linear stack of case (a); behind correlated inputs see X-PRODUCT. Means: behind a ReLU, "
        "where units mix between it and Dropout, or where their mean is not 0, so that BN's subtraction stands between "
        "mask and ReLU. Right behind Dropout a ReLU commutes with the mask, and the mean stays.",
        *THREE_WAYS,
    ),
)

CASE_B = (
    holds("E7", "Section 3.2, Eq. 7", "Case (b): the variance in training.", *THREE_WAYS),
    holds("E8", "Section 3.2, Eq. 8", "Case (b): the variance in test.", *THREE_WAYS),
    contradicted(
        "E8-DOMAIN",
        "Section 3.2, Eqs. 7 and 8",
        "A common correlation may lie anywhere in [-1, 1].",
        "Below -1/(d-1) the sum of all inputs would have a negative variance: no such random vector exists.",
        PROVED,
        ENUMERATED,
    ),
    holds("E9", "Section 3.2, Eq. 9", "rho^ax = rho^x v/((c^2 + v)/p - c^2).", *THREE_WAYS),
    holds("E9-BOUND", "Section 3.2, Eq. 7", "rho^ax lies in [-1, 1]; indeed |rho^ax| <= |rho^x|.", PROVED, ENUMERATED),
    holds("E10", "Section 3.2, Eq. 10", "Case (b): the shift.", *THREE_WAYS),
    holds("E10-LT", "Section 3.2", "Delta(p, d) < 1 for p < 1.", PROVED, ENUMERATED),
    holds_if(
        "E10-P",
        "Section 3.2",
        "Delta(p, d) -> 1 as p -> 1.",
        "Var_Test > 0: where weights and correlation cancel each other Delta is 0 for every p < 1.",
        PROVED,
        ENUMERATED,
    ),
    holds_if(
        "E10-D",
        "Section 3.2, Eq. 12",
        "Delta(p, d) -> 1 as d -> infinity.",
        "rho > 0 and d cos^2 -> infinity. At rho = 0 the shift stays that of case (a) at every width; a negative rho "
        "cannot stay fixed as d grows.",
        PROVED,
        SIMULATED,
    ),
    holds(
        "S3-WAYS",
        "Section 3.2",
        "Only p -> 1 or d -> infinity brings Delta to 1: indeed 1 - Delta >= (1-p)/(1-p+p d).",
        PROVED,
        ENUMERATED,
    ),
    holds("E11", "Section 3.2, Eq. 11", "cos^2 is (sum w)^2/(d sum w^2), and lies in [0, 1].", *THREE_WAYS),
    holds_if(
        "E12",
        "Section 3.2, Eq. 12",
        "Eq. 10 divided by d cos^2.",
        "The weights do not sum to zero: then cos^2 = 0, Eq. 10 still holds, and Eq. 12 divides by zero.",
        *THREE_WAYS,
    ),
    holds_if(
        "AB",
        "Section 3",
        "Case (b) is milder than case (a).",
        "rho (d cos^2 - 1) > 0. With rho > 0 and weights that nearly cancel (d cos^2 < 1), or rho < 0 and aligned "
        "weights, case (b) shifts more.",
        *THREE_WAYS,
    ),
    holds_if(
        "T1-LINEAR",
        "Section 3.2, Table 1",
        "d cos^2 grows linearly with d.",
        "The weights' mean keeps pace with their spread. For independent weights of mean zero, as at initialisation, "
        "the expected d cos^2 is 1 at every width: what Table 1 shows is made by training.",
        ENUMERATED,
        SIMULATED,
    ),
    holds_if(
        "S3-CONVS",
        "Section 3",
        "Two or more convolutions between Dropout and BN reduce to one.",
        "Nothing but linear maps between them, neither BN nor ReLU, which real blocks have there; and no padding "
        "behind the first: a padded later layer weighs places near the border as no single one does. The law covers "
        "that, Eq. 10 does not.",
        *THREE_WAYS,
    ),
    holds("S3-FC", "Section 3", "A fully connected layer is the same case as a 1 x 1 convolution.", ENUMERATED),
    contradicted(
        "S3-WRN",
        "Section 3",
        "Wide ResNet with Dropout follows case (b) exactly.",
        "Its convolution's output passes a residual addition before the next BN. What Dropout adds to the variance "
        "stays the same, but the shift is measured against the whole sum, which Eq. 10 leaves out.",
        PROVED,
        SIMULATED,
    ),
)

UOUT = (
    holds_if(
        "E13",
        "Section 5, Eq. 13",
        "Uout in case (a) shifts by 3/(3 + beta^2); 300/301 at beta = 0.1.",
        "c = 0; with a mean it is v/(v + (beta^2/3)(c^2 + v)).",
        *THREE_WAYS,
    ),
    holds_if(
        "S5-P",
        "Section 5",
        "In case (a) the shift is p: a drop ratio of 0.1 scales the variance by 0.9.",
        "c = 0; with a mean it is smaller.",
        PROVED,
        SIMULATED,
    ),
    holds(
        "S5-GAUSSIAN",
        "Section 5",
        "Noise x + x r with r ~ N(0, 1) is another form of Dropout: it shifts as p = 1/2 does.",
        PROVED,
        SIMULATED,
    ),
    holds_if(
        "S5-LIGHTER",
        "Section 5",
        "Uout carries a lighter variance shift than Dropout.",
        "Its noise is weaker. beta = 0.1 against a drop ratio of 0.1 compares s^2 = 1/300 with 1/9; at equal s^2 both "
        "shift the same, everywhere, and beta = 1, the most that Uout can do, is a drop ratio of 1/4.",
        PROVED,
        SIMULATED,
    ),
    underspecified(
        "S5-CASE",
        "Section 5",
        "Eq. 13, derived for case (a) at c = 0, explains Uout in case (b).",
        "Table 4 places Uout behind a ReLU, where c > 0: c^2/v = 1/(pi - 1) for a normalised input. The law covers it; "
        "Eq. 13 does not.",
        PROVED,
    ),
    holds(
        "S5-LAST",
        "Section 5; Section 6",
        "Dropout after the last BN shifts no BN.",
        PROVED,
        SIMULATED,
    ),
    holds_if(
        "S3-BEFORE",
        "Section 3",
        "Only Dropout before a BN matters: one behind it stands before the next.",
        "There is a next BN; Section 5 makes use of the exception.",
        SIMULATED,
    ),
    holds_if(
        "S6-MONOTONE",
        "Section 4; Section 6",
        "In either case a smaller drop ratio shifts less.",
        "Var_Test > 0, and the network stays the same: the derivative in p is positive.",
        PROVED,
        SIMULATED,
    ),
)

EQUATION_CLAIMS: tuple[Claim, ...] = (*INTRODUCTION, *PRELIMINARIES, *CASE_A, *CASE_B, *UOUT)
