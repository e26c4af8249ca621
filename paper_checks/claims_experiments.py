"""Claims of the experiments that can be held against the paper's own figures: Fig. 1, Section 4, Tables 1 and 2.

None of these verdicts says what networks do; `claims_training` lists the experiments that would.
"""

from paper_checks.ledger import Claim, Evidence, Verdict

_REPORTED = (Evidence.REPORTED,)

SHIFT_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "F1b",
        "Fig. 1, lower part",
        "DenseNet on C100 is right on 77.42% without Dropout and on 68.55% with Dropout 0.5 in each bottleneck.",
        _REPORTED,
        Verdict.HOLDS,
        "As 100 minus the errors of Table 3, which tells that the placement is (a), and the figures averages of 5 "
        "runs.",
    ),
    Claim(
        "F6-LABEL",
        "Fig. 6",
        "The model averaging of Fig. 6 is done on C100.",
        _REPORTED,
        Verdict.HOLDS,
        "By the text as extracted from the PDF, which parses only as CIFAR100 followed by evenly spaced ticks; only "
        "C100 errors fit the axis. A reader of the print had it as CIFAR10.",
    ),
    Claim(
        "S4-PRERES",
        "Section 4, Networks; Tables 1 and 2",
        "The PreResNet measured is PreResNet-110.",
        _REPORTED,
        Verdict.CONTRADICTED,
        "Table 1 implies a mean d of 82; basic blocks cannot go below 179 while cos^2 stays in [0.01, 0.10]. Fig. 4's "
        "axis ends at 180: three steps too far for the 109 BNs of any 110 layers, right for the 163 of 54 "
        "bottlenecks.",
    ),
    Claim(
        "F3-AXIS",
        "Fig. 3",
        "Fig. 3 shows cos^2 in every convolution of the four nets.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "The axis of layers ends at 100; every reading of the PreResNet has 111 convolutions or more. A share of the "
        "depth, or cut off?",
    ),
    Claim(
        "T1-RANGE",
        "Section 3.2, Table 1",
        "cos^2 lies in (0.01, 0.10) in every net, on both data sets.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "Means over a net are meant: all eight lie there. Single layers appear in Fig. 3 only, on an axis up to 1.",
    ),
    Claim(
        "T1-WRN",
        "Fig. 3, Table 1",
        "d cos^2 is by far the largest in WRN.",
        _REPORTED,
        Verdict.HOLDS,
        "At least three times that of the second, on both data sets.",
    ),
    Claim(
        "T1-WIDTH",
        "Fig. 3",
        "WRN owes its large d cos^2 mainly to its width d.",
        _REPORTED,
        Verdict.HOLDS,
        "Against each other net, the factor in d (mean d cos^2 over mean cos^2) is at least 3 times the factor in "
        "cos^2.",
    ),
    Claim(
        "T1-ORDER",
        "Section 3.2, Table 1",
        "d cos^2 grows with d.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "As an order among the four nets, with d the cos^2-weighted mean that Table 1 implies; the factor, cos^2, "
        "varies by more than 2 among them.",
    ),
    Claim(
        "T2-WRN",
        "Section 4, Table 2",
        "WRN shifts least at every drop ratio.",
        _REPORTED,
        Verdict.HOLDS,
        "In all that is printed: Dropout-(b) on C100.",
    ),
    Claim(
        "T2-MARGIN",
        "Section 4, Table 2",
        "WRN shifts considerably less than the others in every Dropout setting.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "No margin is named: the next smallest excess over 1 is 2.5 times WRN's at drop 0.5 but less than 1.3 times "
        "at 0.7. Dropout-(a) and C10 are in Fig. 4 only.",
    ),
    Claim(
        "T2-GROWTH",
        "Section 4, Table 2",
        "The shift grows with the drop ratio.",
        _REPORTED,
        Verdict.HOLDS,
        "In each row of Table 2.",
    ),
    Claim(
        "S4-LARGER-P",
        "Section 4, on Fig. 4",
        "In a wide net a slightly larger p does not explode the variance.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "p is the drop ratio there, against Eq. 1: with p retained, every row of Table 2 shrinks as p grows.",
    ),
    Claim(
        "T2-SMALL",
        "Section 4, Table 2",
        "At drop 0.1 the shift stays close to none.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "Close means below 1.4%, as every net of Table 2 is there; the text names no margin.",
    ),
    Claim(
        "T2-FLOOR",
        "Table 2",
        "Table 2 measures what Dropout does to the variances.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "max(r, 1/r) turns noise into shift, and the floor at drop 0 is not printed; the smallest effect is 0.35%.",
    ),
    Claim(
        "T2-EQ10",
        "Eq. 10, Table 2",
        "Eq. 10 with all but p held fixed explains how a row of Table 2 grows.",
        _REPORTED,
        Verdict.CONTRADICTED,
        "It makes (ratio - 1) p/(1-p) constant, also after averaging over BNs; it varies by 1.3 or more in each row, "
        "beyond rounding, in DenseNet by 6.5. The nets are retrained for each p, and inherit shift from layer to "
        "layer.",
    ),
    Claim(
        "T2-ORDER",
        "Section 4, Tables 1 and 2",
        "The larger d cos^2, the smaller the shift.",
        _REPORTED,
        Verdict.CONTRADICTED,
        "For WRN only. ResNeXt, second in d cos^2, should come second: so it does at 0.1, but it is worst at 0.5 and "
        "0.7.",
    ),
    Claim(
        "T2-PRERES",
        "Eq. 10, Tables 1 and 2",
        "Eq. 10 gives the shift of PreResNet-(b).",
        _REPORTED,
        Verdict.CONTRADICTED,
        "With bottlenecks, all that Table 1 admits, the last convolution has d of 16, 32, 64. With a cos^2 of at most "
        "0.10 in each layer, Eq. 10 lifts the average over BNs to at least 1.12 at drop 0.5, were all others "
        "unshifted: 1.052 is printed, and all four drop ratios are below their bound. A shortcut is added before the "
        "next BN, which Eq. 10 leaves out.",
    ),
    Claim(
        "T2-LOSS",
        "Section 4, Tables 2 and 3",
        "The net that shifts more loses more accuracy.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "Only WRN is compared with the rest. Among the other three (C100, (b), drop 0.5) the order is exactly "
        "reversed: DenseNet shifts least and loses most, ResNeXt shifts most and loses least.",
    ),
    Claim(
        "S6-HALF",
        "Section 6, first guideline",
        "From drop 0.5 on the responses become unstable in any case.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "No bound on the shift is named. In Table 2 WRN at 0.7 shifts less than PreResNet at 0.3 or ResNeXt at 0.5.",
    ),
)
