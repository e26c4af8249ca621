"""Claims that only training, or the cited literature, can decide, each with what would decide it."""

from paper_checks.claims_trained import examined
from paper_checks.ledger import Claim, Evidence, Verdict, holds


def _open(claim_id: str, where: str, says: str, because: str) -> Claim:
    return Claim(claim_id, where, says, (Evidence.NOT_RUN,), Verdict.OPEN, because)


SHIFT_RUNS = (
    _open(
        "S3-MOMENTS",
        "Section 3",
        "All inputs of a unit have one mean, one variance and one correlation.",
        "The four nets, trained: c, v and rho of every input of every case (b) convolution. Holds if Eq. 10 with their "
        "averages and the law, which needs none of it, agree within a tenth of the shift.",
    ),
    _open(
        "S4-STEPS",
        "Section 4, Statistics",
        "Moving variance, real variance and their ratio, measured in three steps, isolate what Dropout does.",
        "The same steps on nets trained without Dropout, 3 seeds: the floor. Holds if it lies below a tenth of every "
        "shift that is read off.",
    ),
    _open(
        "F1b-RUN",
        "Fig. 1, lower part",
        "DenseNet's shift ratios leave 1 with Dropout 0.5, not without, and its accuracy falls by 9 points.",
        "DenseNet-BC 100-12, C100, none and (a) 0.5, 5 seeds. Holds if the (a) ratios exceed the floor at drop 0 in "
        "every seed and the accuracies differ beyond their spread.",
    ),
    _open(
        "S1-DEPTH-RUN",
        "Section 1, Section 3.1",
        "The deviation amplifies as signals go deeper.",
        "The four nets, both data sets, (a) 0.5, 5 seeds: rank correlation of shift ratio and BN index. Holds if "
        "positive in each; the local shift, from one noise-free pass, tells what is inherited.",
    ),
    _open(
        "S3-CONST",
        "Section 3.2",
        "Late in training gradients nearly vanish and the weights are constant.",
        "The four nets, (b) 0.5, 3 seeds: moving_var against a train-mode pass at the final weights. Holds if the two "
        "differ by less than a tenth of the shift in every BN.",
    ),
    _open(
        "S3-CHAIN-RUN",
        "Section 3.1, Section 4",
        "Amplified shifts reach the means, and so the predictions.",
        "The four nets, (a) 0.5, 5 seeds: replace the statistics of the first k BNs, for k from 0 to all. Holds if "
        "mean deviations grow with the index and errors fall with k.",
    ),
    _open(
        "T1-RUN",
        "Fig. 3, Table 1",
        "cos^2 lies between 0.01 and 0.10, and d cos^2 grows with d, most of all in WRN.",
        "The four nets without Dropout, C10 and C100, 5 seeds, each convolution. Contradicted by a layer outside, "
        "beyond the spread over seeds, or by another order of the nets.",
    ),
    _open(
        "F4-DROP-RUN",
        "Fig. 4",
        "The shift grows with the drop ratio.",
        "The four nets, C10 and C100, (a) and (b), drop 0, 0.1, 0.3, 0.5, 0.7, 5 seeds. Contradicted by a fall beyond "
        "the spread.",
    ),
    _open(
        "F4-CLOSE-RUN",
        "Fig. 4",
        "At drop 0.1 the shift is close to none.",
        "The runs of F4-DROP-RUN at drop 0 and 0.1. Close means within twice what is read off at drop 0.",
    ),
    _open(
        "F4-AB-RUN",
        "Fig. 4",
        "(a) shifts far more than (b): the axes reach 3.0 and 1.20.",
        "The runs of F4-DROP-RUN, paired by net, data and drop. Contradicted by a pair whose average shift is larger "
        "with (b).",
    ),
    _open(
        "F4-WRN-RUN",
        "Fig. 4",
        "WRN is least affected by Dropout.",
        "The runs of F4-DROP-RUN. Contradicted if another net has the smaller average shift at some placement and "
        "drop, beyond the spread; a WRN-28-1 tells width from depth.",
    ),
    _open(
        "T2-RUN",
        "Table 2",
        "The average shift ratios of Dropout-(b) on C100, WRN's the smallest.",
        "The four nets, C100, (b), drop 0, 0.1, 0.3, 0.5, 0.7, 5 seeds, the floor at 0 printed. Holds if WRN is "
        "smallest in every column and each printed figure lies in the range of the seeds.",
    ),
    _open(
        "F5-RUN",
        "Fig. 5",
        "Training images right in train mode are misclassified in test mode with the same weights.",
        "DenseNet-(a) 0.5, C10, 5 seeds, all training images, BN and Dropout switched separately. Holds if the error "
        "in test mode is the larger, and the switch of BN alone accounts for it.",
    ),
)

ERROR_RUNS = (
    _open(
        "S4-BASELINES",
        "Section 4, Networks",
        "The code used reproduces the published results of the four nets.",
        "The four recipes without Dropout, C10 and C100, 5 seeds, final epoch. Holds if each published error lies "
        "within two standard deviations of the seeds.",
    ),
    _open(
        "S4-SMALL-RUN",
        "Section 4, on Fig. 4",
        "At drop 0.1 the errors are comparable to the baselines or better.",
        "The four nets, C10 and C100, (a) and (b), drop 0 and 0.1, 5 seeds. Contradicted by a loss beyond two "
        "standard errors of the difference.",
    ),
    _open(
        "S4-WRN-RUN",
        "Section 4, on Fig. 4; Section 6",
        "WRN-(b) improves at every drop ratio below 0.5.",
        "WRN-28-10, C10 and C100, (b), drop 0, 0.1, 0.3, 0.5, 5 seeds. Contradicted by a mean error not below the "
        "baseline at 0.1 or 0.3. No table of the paper has these figures.",
    ),
    _open(
        "S4-OTHERS-RUN",
        "Section 4, on Fig. 4",
        "The other nets gain nothing or get worse from drop 0.3 on.",
        "PreResNet, ResNeXt, DenseNet, C10 and C100, (b), drop 0, 0.3, 0.5, 0.7, 5 seeds. Contradicted by a gain "
        "beyond two standard errors.",
    ),
    _open(
        "S4-CAUSE-RUN",
        "Section 4, on Fig. 5 and Table 3",
        "The shift, not the noise in training, causes the loss.",
        "The four nets, (a) and (b) 0.5, 5 seeds: loss before and after adjusting layer by layer, and with a Dropout "
        "of the same strength that shifts nothing. Holds if most of the loss goes with the shift.",
    ),
    _open(
        "T3-RUN",
        "Section 4, Table 3",
        "Adjusting the statistics improves every 0.5 model.",
        "The four nets, C10 and C100, (a) and (b) 0.5, 5 seeds, each model before and after, in three readings of the "
        "adjustment. Contradicted by a mean paired gain that is not positive.",
    ),
    _open(
        "T3-WRN-RUN",
        "Section 4, Table 3",
        "Only WRN, adjusted, beats its baseline.",
        "The runs of T3-RUN with the baselines; as many seeds as a difference of 0.02 points on C100 needs. "
        "Contradicted by another net below its baseline or WRN-(b) above it.",
    ),
    _open(
        "F6-SHIFT-RUN",
        "Section 4, on Fig. 6",
        "Keeping Dropout on in the test avoids the variance shift.",
        "PreResNet-(b) 0.5, C100, 5 seeds: shift ratios with Dropout on and BN frozen. Holds if each stays within "
        "twice the floor at drop 0.",
    ),
    _open(
        "F6-RUN",
        "Fig. 6",
        "About 10 sampled networks match weight scaling, and more help slightly.",
        "PreResNet-(b) 0.5, C100, 5 seeds, k from 1 to 80, 20 ensembles each. Holds if the two errors cross between 5 "
        "and 20.",
    ),
    _open(
        "F6-BASE-RUN",
        "Fig. 6; Section 6, second guideline",
        "No number of sampled networks reaches the baseline without Dropout.",
        "The runs of F6-RUN with the baseline, and the three other nets: the guideline generalises from one. "
        "Contradicted by an ensemble that is as good.",
    ),
    _open(
        "T4-RUN",
        "Section 5, Table 4",
        "Uout in (b) improves every net by 0.2 to 0.3 points.",
        "The four nets, C10 and C100, beta 0, 0.2, 0.3, 0.5, 10 seeds, beta chosen on held-out training images. Holds "
        "if each mean gain exceeds two standard errors. A control: Dropout of the same variance.",
    ),
    _open(
        "T4-BETA-RUN",
        "Section 5, Table 4",
        "The larger beta tends to do well.",
        "The runs of T4-RUN, all betas printed, and beta 1. Holds if the error falls with beta over the eight rows "
        "beyond the spread.",
    ),
    _open(
        "T5-RUN",
        "Section 5, Table 5",
        "One Dropout 0.2 after the last BN improves ImageNet models.",
        "ResNet-200 and ResNeXt-101 64x4d, drop 0 and 0.2, one recipe, 3 seeds. Holds if top-1 and top-5 improve "
        "beyond the spread.",
    ),
    _open(
        "S5-CONFIRM",
        "Section 5, on Table 5",
        "The gain from Dropout after the last BN confirms the theory.",
        "The theory predicts no shift there, not a gain. Decided by the same Dropout just before the last BN: holds "
        "if the difference goes once that shift is adjusted away.",
    ),
)

BEYOND_RUNS = (
    _open(
        "X-LOCAL-RUN",
        "beyond Section 3",
        "In trained nets the law predicts the local shift of every BN from one noise-free pass.",
        "The four nets, (a) and (b) 0.5, 3 seeds: predicted and measured, for every BN that noise reaches directly.",
    ),
    _open(
        "X-TOTAL-RUN",
        "beyond Section 3.1",
        "In trained nets the whole shift of a BN is the local one times what earlier layers hand on.",
        "The runs of X-LOCAL-RUN: each BN's variance in test mode, in train mode, and there with its own noise off.",
    ),
    _open(
        "X-WIDTH-RUN",
        "beyond Section 3.2, Fig. 3",
        "In nets that differ by their width alone, the wider has the larger d cos^2 and the smaller shift.",
        "WRN of one depth and several widths, (b) 0.5 and none, 3 seeds.",
    ),
)

LIVE = (
    holds(
        "LIVE-SHIFT",
        "beyond Section 4, on Fig. 4",
        "On this machine, within a minute: (a) shifts more than (b), (b) more than no Dropout, (a) more at 0.5 than "
        "at 0.1.",
        Evidence.TRAINED,
    ),
    holds(
        "LIVE-FLIP",
        "beyond Section 4, on Fig. 5",
        "On this machine, within a minute: training images right in train mode are wrong in test mode.",
        Evidence.TRAINED,
    ),
    holds(
        "LIVE-REPAIR",
        "beyond Section 4, on Table 3",
        "On this machine, within a minute: statistics re-estimated without noise lower the test error of (b).",
        Evidence.TRAINED,
    ),
)

LITERATURE = (
    _open(
        "S1-REPLACES",
        "Section 1",
        "BN can make Dropout unnecessary.",
        "The cited paper's own runs with and without Dropout; its authors conjecture it.",
    ),
    _open(
        "S2-INFERENCE",
        "Section 2",
        "In test, statistics of the batch are neither needed nor wanted.",
        "Any trained net, tested with moving and with batch statistics at several batch sizes, 3 seeds.",
    ),
    _open(
        "S1-BEST",
        "Section 1",
        "ResNet, PreResNet, ResNeXt and DenseNet have their best published results without Dropout.",
        "The tables of the cited papers; Section 4 itself mentions Dropout in the published DenseNet. Contradicted by "
        "one best result with it.",
    ),
    _open(
        "S1-WRN-CITED",
        "Section 1",
        "The WRN authors found Dropout in their blocks helpful.",
        "Their tables with and without Dropout, per data set, with the spread that they give.",
    ),
    _open(
        "S3-COMMON",
        "Section 3.1",
        "Architectures that profit from Dropout follow case (b), the more common one.",
        "A survey of published nets with Dropout and BN: placement, and error with and without.",
    ),
    _open(
        "S6-LAST",
        "Section 6, third guideline",
        "Inception-v4 and SENet have one Dropout after the last BN, because no shift follows.",
        "That they have it: the cited papers and code. Why: their own reasons, if they give any.",
    ),
)

_ALL = SHIFT_RUNS + ERROR_RUNS + BEYOND_RUNS + LIVE + LITERATURE
TRAINING_CLAIMS: tuple[Claim, ...] = tuple(map(examined, _ALL))
