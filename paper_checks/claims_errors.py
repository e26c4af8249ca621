"""Claims on error rates that can be held against Tables 3-5: what the paper's own figures say of its text."""

from paper_checks.ledger import Claim, Evidence, Verdict

_REPORTED = (Evidence.REPORTED,)

ERROR_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "T3-T4",
        "Tables 3 and 4",
        "The baselines of Table 3 (without Dropout) and of Table 4 (beta 0) are the same figures.",
        _REPORTED,
        Verdict.HOLDS,
    ),
    Claim(
        "S1-WORSE",
        "Abstract, Section 1",
        "BN and Dropout together in the blocks give no gain, but a loss.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "The net is not WRN-(b): at drop 0.5, 15 of the 16 models of Table 3 are worse than without Dropout.",
    ),
    Claim(
        "S1-WRN",
        "Abstract, Section 1",
        "The wide WRN profits from Dropout.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "On C10 with (b). In Table 3 (drop 0.5) it loses on C100 with (b), and on both with (a).",
    ),
    Claim(
        "S4-WRN-HALF",
        "Section 4, on Fig. 4, and its caption",
        "WRN-(b) beats its baseline at drop 0.1, 0.3 and 0.5.",
        _REPORTED,
        Verdict.CONTRADICTED,
        "By Table 3 at 0.5 on C100: 19.48 against 19.17 (C10 holds: 3.81 against 3.97). The end of the same paragraph "
        "says below 0.5 instead.",
    ),
    Claim(
        "S4-OTHERS",
        "Section 4, on Fig. 4",
        "From drop 0.3 on the nets other than WRN gain nothing or get worse.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "At 0.5, all that Table 3 has: each is worse than without Dropout, in both placements. 0.3 and 0.7 are in "
        "Fig. 4.",
    ),
    Claim(
        "S4-AB-ERROR",
        "Section 4, Table 3 (our reading)",
        "A milder shift means fewer errors, so that (b) errs less than (a). The text does not say it, but suggests it.",
        _REPORTED,
        Verdict.CONTRADICTED,
        "By ResNeXt on C100: 19.04 with (a), 19.33 with (b); adjusted 18.24 and 19.09. The seven others hold.",
    ),
    Claim(
        "T3-ADJUST",
        "Section 4, Table 3",
        "With adjusted statistics all 0.5 models beat their baselines.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "The baseline is the same model before adjustment: 16 of 16. Against no Dropout it is 2 of 16.",
    ),
    Claim(
        "T3-DENSENET",
        "Section 4, Table 3",
        "Adjusting gives DenseNet-(a) about 2 points on C10 and about 4.5 on C100.",
        _REPORTED,
        Verdict.HOLDS,
        "1.88 and 4.47; about means to the nearest half point.",
    ),
    Claim(
        "T3-A-MORE",
        "Section 4, Table 3",
        "The large gains of adjusting are those of Dropout-(a).",
        _REPORTED,
        Verdict.HOLDS,
        "On each net and data set (a) gains more than (b).",
    ),
    Claim(
        "T3-WRN",
        "Section 4, Table 3",
        "WRN alone beats its baseline without Dropout once adjusted.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "The placement is (b). WRN-(a), adjusted, stays behind: 4.20 against 3.97, 20.70 against 19.17.",
    ),
    Claim(
        "T3-MARGIN",
        "Section 4, Table 3",
        "Adjusted WRN-(b) is better on C100 than WRN without Dropout.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "By 0.02 points, less than an eighth, for all that the digits allow, of the standard error of a difference if "
        "each of 5 runs drew its own 10,000 images. No spread is printed.",
    ),
    Claim(
        "S4-CAUSE",
        "Section 4, on Fig. 5 and Table 3",
        "The variance shift is the fundamental reason of the lost accuracy.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "No share is claimed. Without WRN, adjusting wins back more than half of the loss in 5 of 6 models with (a), "
        "but with (b) less than half in 5 of 6, and the sixth is undecided by rounding.",
    ),
    Claim(
        "S6-ADJUST",
        "Section 6, second guideline",
        "Adjusting helps but does not win back all that Dropout cost.",
        _REPORTED,
        Verdict.HOLDS_IF,
        "The net is not WRN-(b), which Section 4 excepts and the guideline does not: 14 of the 16 models of Table 3.",
    ),
    Claim(
        "S6-WIDE",
        "Section 6, first guideline",
        "Dropout before BN is to be avoided unless the feature dimension is relatively large.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "How large is not said. ResNeXt, with 7 times the mean d of PreResNet (Table 1), loses a larger part of its "
        "C100 error with (b) 0.5 (Table 3).",
    ),
    Claim(
        "E13-DIGITS",
        "Section 5, after Eq. 13",
        "300/301 is about 0.9966777, far closer to 1 than the 0.9 of drop 0.1.",
        _REPORTED,
        Verdict.HOLDS,
        "As digits; 30 times closer.",
    ),
    Claim(
        "T4-IMPROVES",
        "Section 5, Table 4; Section 6, last guideline",
        "Uout in (b) improves every net.",
        _REPORTED,
        Verdict.HOLDS,
        "In all eight rows, as printed; by 0.02 points in one.",
    ),
    Claim(
        "T4-GAIN",
        "Section 5, Table 4",
        "Uout gains 0.2 to 0.3 points on both C10 and C100, ResNeXt excepted.",
        _REPORTED,
        Verdict.CONTRADICTED,
        "On C10 the gains are 0.17, 0.18 and 0.11: none reaches 0.2, and DenseNet's rounds to 0.1. C100 holds.",
    ),
    Claim(
        "T4-RESNEXT",
        "Section 5, Table 4",
        "ResNeXt gains least from Uout.",
        _REPORTED,
        Verdict.HOLDS,
        "0.02 and 0.06 points.",
    ),
    Claim(
        "T4-BETA",
        "Section 5, Table 4",
        "The larger beta tends to do well.",
        _REPORTED,
        Verdict.OPEN,
        "The largest is best in 4 of 8 rows. Were the three equally likely to be best, 4 or more would come with "
        "probability 0.26. Only the best of each row is printed.",
    ),
    Claim(
        "T4-NOISE",
        "Section 5, Table 4",
        "The gains from Uout are more than chance.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "No spread is printed. If each of 5 runs drew its own 10,000 images, 4 of 8 gains would be below one standard "
        "error of a difference, and none would reach two.",
    ),
    Claim(
        "T4-SELECTION",
        "Section 5, Table 4",
        "The best of three betas may be compared with the one baseline.",
        (Evidence.PROVED, Evidence.ENUMERATED),
        Verdict.UNDERSPECIFIED,
        "No split for choosing beta is named. If the test errors chose it and beta changed nothing, the best of three "
        "normal results would lie 3/(2 sqrt(pi)) = 0.85 standard deviations below their mean, each row would improve "
        "with probability 3/4, and all eight with 0.10.",
    ),
    Claim(
        "T5",
        "Section 5, Table 5",
        "Dropout 0.2 after the last BN improves ResNet-200 and ResNeXt-101 on ImageNet.",
        _REPORTED,
        Verdict.HOLDS,
        "In top-1 and top-5, as printed.",
    ),
    Claim(
        "T5-NOISE",
        "Section 5, Table 5",
        "The improvement on ImageNet is consistent.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "Neither runs nor spread are given. On 50,000 images both top-1 gains are below one standard error of a "
        "difference of two independent samples, and no top-5 gain reaches two; but both nets share the images.",
    ),
    Claim(
        "T5-BASELINE",
        "Section 5, Table 5",
        "The nets without Dropout were trained alongside those with it.",
        _REPORTED,
        Verdict.UNDERSPECIFIED,
        "Not said. All four baseline figures end in 0, none of the others does: they look like one-decimal figures "
        "taken from the cited papers. The gains survive a last digit lost, though not a different recipe.",
    ),
)
