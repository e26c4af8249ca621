"""Where claims stand that runs at reduced scale have examined, by the criteria that were stated before them."""

from collections.abc import Mapping
from dataclasses import replace

from paper_checks.ledger import Claim, Evidence, Verdict

HOLDS, HOLDS_IF, OPEN, CONTRADICTED = Verdict.HOLDS, Verdict.HOLDS_IF, Verdict.OPEN, Verdict.CONTRADICTED

SIBLINGS = (
    "Of small siblings, trained for 4 epochs on C10: what is said of the paper's nets, they can only show the like of."
)

EXAMINED: Mapping[str, tuple[Verdict, str]] = {
    "S2-INFERENCE": (
        OPEN,
        "They cost errors in three nets at each size of batch, and in all four at 4 and 16; in PreResNet, at 64 and "
        "256, they err less by the means.",
    ),
    "S3-MOMENTS": (
        CONTRADICTED,
        "Put into Eq. 10, their averages overstate 1 - Delta at every convolution. The law, which lets each input have "
        "moments and each pair a correlation of its own, is right; and what it adds heals more than the width does, "
        "the only thing that Eq. 10 has for healing. It is how filters combine channels: with the "
        "weights of each filter in random order, which keep all that Eq. 10 asks of it, the law comes to Eq. 10 "
        "(PreResNet and WRN, where that was tried). In case (a) Eq. 6, with one mean for all channels, understates "
        "1 - Delta.",
    ),
    "S4-STEPS": (
        CONTRADICTED,
        "At drop 0.1 they do not in these nets, trained for 4 epochs: with (b), what they read without Dropout is more "
        "than a tenth of what they read with it, in each net by the means. For (a) at 0.5 and 0.7 it is less. Fig. 4 "
        "draws that floor; Table 2 leaves it out, and has entries below the floor of each of these nets, which "
        "therefore says nothing of the paper's.",
    ),
    "F1b-RUN": (HOLDS_IF, SIBLINGS),
    "S1-DEPTH-RUN": (
        OPEN,
        "It does in PreResNet and ResNeXt. In WRN the shift right behind Dropout falls from the first block to the "
        "last, and in DenseNet it has no order.",
    ),
    "S3-CONST": (
        OPEN,
        "No moving variance has drifted by 3%, but the shift of a few of DenseNet's BNs is so small that even less is "
        "more than a tenth of it.",
    ),
    "S3-CHAIN-RUN": (HOLDS_IF, SIBLINGS),
    "T1-RUN": (
        OPEN,
        "d cos^2 is larger in WRN-10-4 than in -2 and -1, but -2 has no more than -1, and ResNeXt more than WRN-10-2.",
    ),
    "F4-DROP-RUN": (HOLDS_IF, SIBLINGS),
    "F4-CLOSE-RUN": (
        CONTRADICTED,
        "By WRN with (a), where it is ten times what it is without Dropout. With (a) it is at least three times that "
        "in each net, as Eq. 6 lets one expect: right behind Dropout 0.1 it asks for a ratio of at least 1/0.9, and "
        "the first BN has it in each run. With (b) PreResNet and DenseNet stay within twice, ResNeXt and WRN do not. "
        "On the axis of Fig. 4 for (a), which reaches 3, all that looks like little.",
    ),
    "F4-AB-RUN": (
        OPEN,
        "In ResNeXt (a) shifts by a sixth more at most, at no drop beyond chance; in the other nets it shifts more at "
        "each drop, by the means. In ResNeXt alone a BN follows the last convolution at once: what shifts behind the "
        "one shifts at the other, where else a shortcut without noise, or other layers' outputs, come first.",
    ),
    "F4-WRN-RUN": (
        OPEN,
        "By the means it is not so of these siblings: with (a) ResNeXt shifts less at each drop, with (b) DenseNet. "
        "But WRN-10-2 has not the width that is to spare it: its d cos^2 is about 2, where Table 1 has 44 and more.",
    ),
    "F5-RUN": (
        OPEN,
        "The flip is there: in each seed test mode errs more. But not each seed errs less still once Dropout is off "
        "and BN goes by its batch: one errs just as in train mode.",
    ),
    "S4-CAUSE-RUN": (
        OPEN,
        "Most of these nets win back less than half. Adjusted, they still err more than the nets without Dropout: what "
        "is left is not of the statistics, and 4 epochs with noise may just have taught less.",
    ),
    "T3-RUN": (HOLDS_IF, SIBLINGS),
    "F6-SHIFT-RUN": (HOLDS_IF, SIBLINGS),
    "F6-RUN": (
        OPEN,
        "More samples do err less, but the first alone already errs less than weight scaling, whose variances do not "
        "fit the statistics that BN keeps.",
    ),
    "F6-BASE-RUN": (HOLDS_IF, SIBLINGS),
    "X-WIDTH-RUN": (
        OPEN,
        "By the means it is the other way: at (b) 0.5 the excess grows from each WRN to the wider one, and the widest "
        "has a smaller d cos^2 than the narrowest. No single step is beyond chance; from the narrowest to the widest "
        "the excess is.",
    ),
    "X-LOCAL-RUN": (HOLDS, ""),
    "X-TOTAL-RUN": (
        HOLDS,
        "Where the whole is more than 1% below, other noise has lowered the variance that arrives at the BN, by up to "
        "a quarter, and what the BN's own noise adds by less.",
    ),
}
"""by claim, the verdict, and why, where it is not that the claim holds"""


def examined(claim: Claim) -> Claim:
    """Return a claim as the records leave it: what would decide it in full is kept."""
    if claim.id not in EXAMINED:
        return claim
    verdict, because = EXAMINED[claim.id]
    return replace(claim, evidence=(Evidence.TRAINED,), verdict=verdict, because=because, in_full=claim.because)
