"""The independent witness: it samples and enumerates what the paper describes, and knows none of its formulas."""

from simulator.cases import CaseResult, measure_case
from simulator.contracts import Array, Inputs, Noise
from simulator.convolution import AveragePool, Convolution
from simulator.description import described
from simulator.estimate import BatchMeans, Estimate
from simulator.exact import (
    Enumerated,
    FiniteInputs,
    MaskedPair,
    enumerate_dropout,
    enumerate_masked_pair,
    one_hot_plus_shift,
)
from simulator.inputs import Equicorrelated, weights_with_cos2
from simulator.layers import BatchNorm, Linear, ReLU
from simulator.maps import FeatureMaps
from simulator.noise import Dropout, GaussianDropout, Uout
from simulator.phases import Layer, Residual
from simulator.stack import Reading, Stack
from simulator.sweep import Sweep

__all__ = [
    "Array",
    "AveragePool",
    "BatchMeans",
    "BatchNorm",
    "CaseResult",
    "Convolution",
    "Dropout",
    "Enumerated",
    "Equicorrelated",
    "Estimate",
    "FeatureMaps",
    "FiniteInputs",
    "GaussianDropout",
    "Inputs",
    "Layer",
    "Linear",
    "MaskedPair",
    "Noise",
    "ReLU",
    "Reading",
    "Residual",
    "Stack",
    "Sweep",
    "Uout",
    "described",
    "enumerate_dropout",
    "enumerate_masked_pair",
    "measure_case",
    "one_hot_plus_shift",
    "weights_with_cos2",
]
