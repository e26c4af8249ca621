"""The paper's printed numbers, transcribed once, as strings: precision is information.

None of them is ours. `SEAL` is the digest of the tables as they were proof-read against the text.
"""

import hashlib
import json
from collections.abc import Mapping

from paper_checks.printed import Printed

Row = Mapping[str, str]
Block = Mapping[str, Row]
Table = Mapping[str, Block]

NETS = ("PreResNet", "ResNeXt", "WRN", "DenseNet")
SETS = ("C10", "C100")
DROPS = ("0.1", "0.3", "0.5", "0.7")
PLACEMENTS = ("a", "b")

# Section 4, Datasets; captions of Tables 3 and 4
SETTING: Row = {"training images": "50000", "test images": "10000", "runs": "5"}

# Fig. 1, lower part: test accuracies (%) of DenseNet on C100
FIGURE1: Row = {"none": "77.42", "a": "68.55"}

# Table 1: averages over all convolutions, data set / net / quantity
TABLE1: Table = {
    "C10": {
        "PreResNet": {"cos2": "0.03546", "d_cos2": "2.91827"},
        "ResNeXt": {"cos2": "0.02244", "d_cos2": "14.78266"},
        "WRN": {"cos2": "0.02292", "d_cos2": "52.73550"},
        "DenseNet": {"cos2": "0.01538", "d_cos2": "3.83390"},
    },
    "C100": {
        "PreResNet": {"cos2": "0.03169", "d_cos2": "2.59925"},
        "ResNeXt": {"cos2": "0.02468", "d_cos2": "14.72835"},
        "WRN": {"cos2": "0.02118", "d_cos2": "44.31261"},
        "DenseNet": {"cos2": "0.01390", "d_cos2": "3.43325"},
    },
}

# Section 3.2 and Fig. 3: the stated range of cos^2
COS2_RANGE = ("0.01", "0.10")

# Fig. 3: the last tick of the axis that counts convolutions
FIGURE3_LAST_TICK = "100"

# Fig. 4: ticks of the axes that count BN layers, first, second, last
FIGURE4_BN_AXIS: Mapping[str, tuple[int, int, int]] = {
    "PreResNet": (0, 20, 180),
    "ResNeXt": (0, 5, 30),
    "WRN": (0, 5, 25),
    "DenseNet": (0, 20, 100),
}

# Table 2: average shift ratios on C100, Dropout-(b), net / drop ratio
TABLE2: Block = {
    "PreResNet": {"0.1": "1.008945", "0.3": "1.040766", "0.5": "1.052092", "0.7": "1.076403"},
    "ResNeXt": {"0.1": "1.006296", "0.3": "1.032514", "0.5": "1.058549", "0.7": "1.134871"},
    "WRN": {"0.1": "1.003485", "0.3": "1.006466", "0.5": "1.013873", "0.7": "1.033254"},
    "DenseNet": {"0.1": "1.013859", "0.3": "1.015065", "0.5": "1.036019", "0.7": "1.042925"},
}

# Table 3: error rates (%), drop 0.5, data set / net / placement; "-A" with adjusted statistics
TABLE3: Table = {
    "C10": {
        "PreResNet": {"a": "8.42", "a-A": "6.42", "b": "5.85", "b-A": "5.77", "none": "5.02"},
        "ResNeXt": {"a": "4.43", "a-A": "3.96", "b": "4.09", "b-A": "3.93", "none": "3.77"},
        "WRN": {"a": "4.59", "a-A": "4.20", "b": "3.81", "b-A": "3.71", "none": "3.97"},
        "DenseNet": {"a": "8.70", "a-A": "6.82", "b": "5.63", "b-A": "5.29", "none": "4.72"},
    },
    "C100": {
        "PreResNet": {"a": "32.45", "a-A": "26.57", "b": "25.50", "b-A": "25.20", "none": "23.73"},
        "ResNeXt": {"a": "19.04", "a-A": "18.24", "b": "19.33", "b-A": "19.09", "none": "17.78"},
        "WRN": {"a": "21.08", "a-A": "20.70", "b": "19.48", "b-A": "19.15", "none": "19.17"},
        "DenseNet": {"a": "31.45", "a-A": "26.98", "b": "25.00", "b-A": "23.92", "none": "22.58"},
    },
}

# Fig. 6: the label of the horizontal axis runs into the ticks of the vertical one
FIGURE6_LABEL_AND_TICKS = "CIFAR10023242526272829"

# Section 5: the drop ratio and its factor, the beta and its factor (Eq. 13)
SECTION5: Row = {"drop": "0.1", "factor": "0.9", "beta": "0.1", "factor of Uout": "0.9966777"}

# Table 4: error rates (%) at beta 0 and at the best of three, and which that is
TABLE4_BETAS = ("0.2", "0.3", "0.5")
TABLE4: Table = {
    "C10": {
        "PreResNet": {"0.0": "5.02", "best": "4.85", "beta": "0.2"},
        "ResNeXt": {"0.0": "3.77", "best": "3.75", "beta": "0.3"},
        "WRN": {"0.0": "3.97", "best": "3.79", "beta": "0.5"},
        "DenseNet": {"0.0": "4.72", "best": "4.61", "beta": "0.5"},
    },
    "C100": {
        "PreResNet": {"0.0": "23.73", "best": "23.53", "beta": "0.3"},
        "ResNeXt": {"0.0": "17.78", "best": "17.72", "beta": "0.2"},
        "WRN": {"0.0": "19.17", "best": "18.87", "beta": "0.5"},
        "DenseNet": {"0.0": "22.58", "best": "22.30", "beta": "0.5"},
    },
}

# Table 5: ImageNet validation error rates (%), net / measure / drop ratio after the last BN
TABLE5: Table = {
    "ResNet-200": {"top-1": {"0.0": "21.70", "0.2": "21.48"}, "top-5": {"0.0": "5.80", "0.2": "5.55"}},
    "ResNeXt-101": {"top-1": {"0.0": "20.40", "0.2": "20.17"}, "top-5": {"0.0": "5.30", "0.2": "5.12"}},
}

TRANSCRIPT: Mapping[str, object] = {
    "setting": SETTING,
    "figure 1": FIGURE1,
    "table 1": TABLE1,
    "range of cos2": COS2_RANGE,
    "figure 3": FIGURE3_LAST_TICK,
    "figure 4": FIGURE4_BN_AXIS,
    "table 2": TABLE2,
    "table 3": TABLE3,
    "figure 6": FIGURE6_LABEL_AND_TICKS,
    "section 5": SECTION5,
    "table 4 betas": TABLE4_BETAS,
    "table 4": TABLE4,
    "table 5": TABLE5,
}
SEAL = "c058541bfecb3cea2010c596a699825a8dbdd15d6b7b54c23a85e5abe3823573"


def digest(transcript: Mapping[str, object] = TRANSCRIPT) -> str:
    """The SHA-256 of a transcript, written canonically."""
    return hashlib.sha256(json.dumps(transcript, sort_keys=True).encode()).hexdigest()


def block(figures: Block) -> dict[str, dict[str, Printed]]:
    """A block of printed strings as printed numbers."""
    return {name: {column: Printed(text) for column, text in row.items()} for name, row in figures.items()}


def altered(figures: Block, name: str, column: str, text: str) -> dict[str, dict[str, str]]:
    """A copy of a block with one cell overwritten: the negative control of a check."""
    copy = {key: dict(row) for key, row in figures.items()}
    if column not in copy[name]:
        raise KeyError(column)
    copy[name][column] = text
    return copy
