"""What a reduced training run would have to show: stated before any was made.

The runs: PreResNet-8, ResNeXt-11 4x4-32, WRN-10-2 and DenseNet-BC-16-12, 4 epochs of 8,000 images of CIFAR-10, 3 seeds
each (`python -m fullscale sweep all --scale reduced`); for width, WRN-10-1, -2 and -4. Whatever is neither what holds
nor what contradicts leaves a claim open.

"Beyond chance" is Welch's t-test over the seeds, one-sided, paired where one net is measured twice, at 5% shared by all
comparisons that a criterion makes: chance alone contradicts it once in twenty times, at most. "Ratio" is the mean over
a net's BNs of max(r, 1/r), "excess" is the ratio minus 1 (Section 4).

A sibling is not the net of the paper. It can contradict what is said of Dropout and BN as such; of what is said of one
of the four nets, it can only show the like.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Criterion:
    """What would decide a claim at reduced scale.

    Attributes:
        holds: what the runs must show for the claim to hold.
        contradicted: what contradicts it; empty where siblings cannot.
    """

    holds: str
    contradicted: str = ""


REDUCED: Mapping[str, Criterion] = {
    "S2-INFERENCE": Criterion(
        "No Dropout, all four nets: the test error with statistics of batches of 4, 16, 64 or 256 images is nowhere "
        "below that with moving statistics, by the mean over seeds.",
        "It is below beyond chance for some net and size.",
    ),
    "S3-MOMENTS": Criterion(
        "(b) 0.5: in every case (b) convolution of every run Eq. 10, with the averages of c, v, rho and cos^2 there, "
        "and the law differ by less than a tenth of the law's 1 - Delta.",
        "In some convolution they differ by more in all seeds.",
    ),
    "S4-STEPS": Criterion(
        "For each net the largest excess without Dropout is below a tenth of the smallest with it, at every placement "
        "and drop.",
        "For some net, placement and drop the smallest excess without Dropout is above a tenth of the largest with it.",
    ),
    "F1b-RUN": Criterion(
        "DenseNet, none and (a) 0.5: in each seed the excess without Dropout is below a tenth of that with it, and "
        "accuracy falls beyond chance.",
        "Accuracy rises beyond chance, or in some seed the ratio does not.",
    ),
    "S1-DEPTH-RUN": Criterion(
        "(a) 0.5: the rank correlation of a BN's ratio with its place in the net is positive in each of the 12 runs.",
        "It is negative in all seeds of a net.",
    ),
    "S3-CONST": Criterion(
        "(b) 0.5, final weights: in every BN behind noise, of every run, the moving variance differs from that of a "
        "train-mode pass by less than a tenth of what the test-mode variance does.",
        "In some BN it differs by more in all seeds.",
    ),
    "S3-CHAIN-RUN": Criterion(
        "(a) 0.5, in each of the 12 runs: the means deviate more, in units of BN's deviation, the later the BN (rank "
        "correlation > 0), and the test error falls as the statistics of the first k BNs are replaced (rank "
        "correlation with k < 0).",
        "Either correlation has the other sign in all seeds of a net.",
    ),
    "T1-RUN": Criterion(
        "No Dropout: mean cos^2 of each run in (0.01, 0.10); d cos^2 largest in WRN and growing over WRN-10-1, -2 and "
        "-4, each beyond chance.",
        "d cos^2 falls beyond chance from one width to the next.",
    ),
    "F4-DROP-RUN": Criterion(
        "In each net and placement the mean ratio grows at every step of drop 0, 0.1, 0.3, 0.5, 0.7.",
        "It falls at some step beyond chance.",
    ),
    "F4-CLOSE-RUN": Criterion(
        "In each net and placement the excess at drop 0.1 is at most twice that at 0, by the means.",
        "It is more than twice as large beyond chance, for some net and placement.",
    ),
    "F4-AB-RUN": Criterion(
        "For each net and drop the ratio of (a) is above that of (b) beyond chance.",
        "It is below beyond chance for some net and drop.",
    ),
    "F4-WRN-RUN": Criterion(
        "At each placement and drop WRN's mean ratio is the smallest, beyond chance against each other net.",
    ),
    "X-WIDTH-RUN": Criterion(
        "(b) 0.5: the excess falls beyond chance from WRN-10-1 to -2 and from there to -4, and d cos^2 grows.",
        "The excess grows beyond chance at either step.",
    ),
    "F5-RUN": Criterion(
        "DenseNet-(a) 0.5, training images, each seed: the error in test mode is above that in train mode, and with "
        "Dropout off and BN by its batch it is below both.",
        "The error in test mode is below that in train mode in each seed.",
    ),
    "S4-CAUSE-RUN": Criterion(
        "(a) and (b) 0.5, each run: adjusting layer by layer wins back more than half of what the test error lost "
        "against the mean without Dropout. (Nets trained for so short pay for noise as such: less proves nothing.)",
    ),
    "T3-RUN": Criterion(
        "(a) and (b) 0.5: adjusting by batch lowers the test error of each of the 24 models.",
        "For some net and placement it raises the error beyond chance.",
    ),
    "F6-SHIFT-RUN": Criterion(
        "PreResNet-(b) 0.5, Dropout on, BN by moving statistics: in each seed the excess is at most twice that of the "
        "nets without Dropout in test mode, by their mean.",
        "It is larger in each seed.",
    ),
    "F6-RUN": Criterion(
        "PreResNet-(b) 0.5: in each seed the error of k averaged samples falls to that of weight scaling at some k "
        "from 5 to 20, and is lower at 30.",
    ),
    "F6-BASE-RUN": Criterion(
        "PreResNet: the error of 30 averaged samples is above that without Dropout beyond chance.",
        "It is below beyond chance.",
    ),
    "X-LOCAL-RUN": Criterion(
        "(a) and (b) 0.5: in every BN of every run that noise reaches directly, the law's Delta, from one noise-free "
        "pass, is within 2% of the measured one: pooled variance without noise over that with the BN's own noise on.",
        "In some BN it is off by more in all seeds.",
    ),
    "X-TOTAL-RUN": Criterion(
        "(a) and (b) 0.5: in every such BN the whole shift, test mode over train mode, is within 5% of the law's local "
        "one times the inherited one, measured with the BN's own noise off and all other noise on.",
        "In some BN it is off by more in all seeds.",
    ),
}

PAPER_ONLY: Mapping[str, str] = {
    "S4-BASELINES": "The published errors are of the paper's nets, trained in full.",
    "T2-RUN": "The printed figures are of the paper's nets. Their order is F4-WRN-RUN.",
    "S4-SMALL-RUN": "No net trained for 4 epochs overfits, so that no noise can help it: what it loses proves nothing.",
    "S4-WRN-RUN": "As S4-SMALL-RUN.",
    "S4-OTHERS-RUN": "As S4-SMALL-RUN.",
    "T3-WRN-RUN": "As S4-SMALL-RUN; and a difference of 0.02 points needs the paper's nets.",
    "T4-RUN": "As S4-SMALL-RUN.",
    "T4-BETA-RUN": "As S4-SMALL-RUN.",
    "T5-RUN": "As S4-SMALL-RUN; on ImageNet.",
    "S5-CONFIRM": "As T5-RUN.",
}
"""Claims that no reduced run decides, and why; what would is in the ledger"""
