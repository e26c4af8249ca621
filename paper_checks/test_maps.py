"""Convolutions over feature maps: borders, two in a row, noise on elements and on channels, and what BN pools."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from paper_checks.comparing import ANY_INPUTS, exact, moments_of, value, variance_of
from paper_checks.ledger import Evidence, Verdict, check
from paper_checks.maps import EqualMaps, LinearLayer, MapSums, composed, covariance_of, through
from paper_checks.statistics import agree, disagree
from simulator import (
    AveragePool,
    BatchNorm,
    Convolution,
    Dropout,
    Equicorrelated,
    FeatureMaps,
    Inputs,
    Linear,
    Noise,
    Reading,
    Stack,
    enumerate_dropout,
    one_hot_plus_shift,
)
from theory import EQUATIONS

HALF, RETAIN = Fraction(1, 2), 0.5
NOISE_VAR = value("noise-dropout", retain=RETAIN)
REPLICAS = 100
SIZE = 4
MAPS = FeatureMaps(4, SIZE, mean=0.5, variance=1.0, correlation=0.3, spatial=0.5, dtype="float32")


def pooled(
    noise: Noise, layers: list[LinearLayer], inputs: Inputs, rng: np.random.Generator, batches: int = 2
) -> Reading:
    """What a BN reads that pools over batch and positions, behind noise and linear layers."""
    filters = through(layers, inputs.sample(1, rng)).shape[1]
    stack = Stack([noise, *layers, BatchNorm(filters)])
    return stack.measure(inputs, rng, replicas=REPLICAS, batches=batches, batch=1024)[0]


def kernels(*shape: int) -> np.ndarray:
    """Weights with a mean, so that the correlations count; the same in every run."""
    return np.random.default_rng(0).standard_normal(shape) + 0.4


def sums_of(layers: list[LinearLayer]) -> MapSums:
    """What the layers make of MAPS."""
    return MapSums.of(layers, (4, SIZE, SIZE), covariance_of(MAPS, SIZE), MAPS.mean)


PADDED = Convolution(kernels(8, 4, 3, 3), padding=1)
LAYERS: dict[str, list[LinearLayer]] = {
    "padded": [PADDED],
    "stride and groups": [Convolution(kernels(8, 2, 3, 3), stride=2, padding=1, groups=2)],
    "average pooling": [PADDED, AveragePool(2)],
}


@check("LAW-POOLED", Evidence.SIMULATED)
@pytest.mark.parametrize("name", LAYERS)
def test_behind_convolutions_of_correlated_maps_bn_pools_what_the_law_says(rng: np.random.Generator, name: str) -> None:
    layers = LAYERS[name]
    sums, measured = sums_of(layers), pooled(Dropout(RETAIN), layers, MAPS, rng)
    agree(measured.shift, sums.var_test / sums.var_train(NOISE_VAR), catches=0.02, replicas=REPLICAS)
    agree(measured.moving_var, sums.var_train(NOISE_VAR), catches=0.03, replicas=REPLICAS)
    disagree(measured.shift, sums.var_test / sums.var_train(2 * NOISE_VAR), replicas=REPLICAS)
    disagree(measured.shift, sums.var_test / sums.var_train_by_channel(NOISE_VAR), replicas=REPLICAS)


@check("LAW-SHARED", Evidence.SIMULATED)
def test_where_the_positions_of_a_channel_share_their_noise_the_sums_over_channels_count(
    rng: np.random.Generator,
) -> None:
    sums = sums_of([PADDED])
    predicted = sums.var_test / sums.var_train_by_channel(NOISE_VAR)
    by_channel = pooled(Dropout(RETAIN, per="channel"), [PADDED], MAPS, rng, batches=4)
    by_element = pooled(Dropout(RETAIN), [PADDED], MAPS, rng)
    agree(by_channel.shift, predicted, catches=0.02, replicas=REPLICAS)
    disagree(by_element.shift, predicted, replicas=REPLICAS)


def equal_maps(channels: int, size: int, mean: float) -> EqualMaps:
    """Square maps as Eq. 10 supposes them."""
    units = Equicorrelated(channels * size * size, mean, 1.0, 0.2, dtype="float32")
    return EqualMaps(units, (channels, size, size))


def sums_of_equal(layers: list[LinearLayer], maps: EqualMaps) -> MapSums:
    """What the layers make of maps as Eq. 10 supposes them."""
    return MapSums.of(layers, maps.shape, maps.covariance, maps.units.mean)


def by_eq10(kernel: np.ndarray, maps: EqualMaps) -> float:
    """Eq. 10 with the d and the cos^2 of one filter, as if no position lay at a border."""
    flat = kernel.ravel().tolist()
    moments = {"c": maps.units.mean, "v": 1, "rho": "0.2"}
    return value("eq10", retain=RETAIN, d=len(flat), cos2=exact("eq11", w=flat), **moments)


@check("X-BORDERS", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_over_all_masks_the_corner_of_a_padded_map_shifts_as_fewer_inputs_do() -> None:
    inputs = one_hot_plus_shift(4, 1, [0, 3])  # the four of nine inputs that a kernel sees in a corner
    counted = enumerate_dropout(inputs, (1, 1, 1, 1), HALF).shift
    assert counted == exact("eq10", retain=HALF, d=4, cos2=1, **moments_of(inputs))
    assert counted < exact("eq10", retain=HALF, d=9, cos2=1, **moments_of(inputs))


# The shift of 3 x 3 sums over two channels by the law and by Eq. 10: fewer inputs heal less, which shows at mean 0; the
# spread of the positions' means, which BN takes for variance, hides some of the shift. On 2 x 2 maps all are corners.
BORDERS = [(8, 0.0, "0.799", "0.815"), (8, 2.0, "0.584", "0.468"), (2, 0.0, "0.706", "0.815")]


@check("X-BORDERS", Evidence.SIMULATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize(("size", "mean", "by_law", "as_if_inside"), BORDERS)
def test_at_the_borders_of_padded_maps_eq10_is_off_and_the_law_is_not(
    rng: np.random.Generator, size: int, mean: float, by_law: str, as_if_inside: str
) -> None:
    kernel, maps = np.ones((1, 2, 3, 3)), equal_maps(2, size, mean)
    padded = [Convolution(kernel, padding=1)]
    sums, measured = sums_of_equal(padded, maps), pooled(Dropout(RETAIN), padded, maps, rng, batches=16 // size)
    expected, wrong = sums.var_test / sums.var_train(NOISE_VAR), by_eq10(kernel, maps)
    assert (f"{expected:.3f}", f"{wrong:.3f}") == (by_law, as_if_inside)
    agree(measured.shift, expected, catches=0.02, replicas=REPLICAS)
    disagree(measured.shift, wrong, replicas=REPLICAS)


@check("X-BORDERS", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_without_padding_eq10_gives_the_shift_of_a_map(rng: np.random.Generator) -> None:
    kernel, maps = np.ones((1, 2, 3, 3)), equal_maps(2, 8, 0.5)
    measured = pooled(Dropout(RETAIN), [Convolution(kernel)], maps, rng)
    agree(measured.shift, by_eq10(kernel, maps), catches=0.02, replicas=REPLICAS)
    disagree(measured.shift, by_eq10(kernel[:, :, :2], maps), replicas=REPLICAS)


@check("S3-CONVS", Evidence.PROVED, Verdict.HOLDS_IF)
def test_two_linear_layers_are_one_with_the_weights_multiplied() -> None:
    equation = EQUATIONS["two-convolutions"]
    assert equation.confirmed_at == (2, 3, 5, 8)
    assert equation.hypotheses == ("nothing but linear maps between Dropout and BN",)


@check("S3-CONVS", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_over_all_masks_two_layers_are_one_unless_a_relu_stands_between() -> None:
    first, second, retain = np.array([[1, -2, 1], [3, 1, -1]]), np.array([2, -1]), HALF
    whole = enumerate_dropout(ANY_INPUTS, tuple(int(x) for x in second @ first), retain)
    linear, rectified = [], []
    for point, mask in product(ANY_INPUTS.points, product((0, 1), repeat=3)):
        hidden = first @ np.array([x * bit / retain for x, bit in zip(point, mask, strict=True)])
        chance = Fraction(1, 8 * len(ANY_INPUTS.points))
        linear.append((chance, second @ hidden))
        rectified.append((chance, second @ np.maximum(hidden, 0)))
    assert variance_of(linear) == whole.var_train
    assert variance_of(rectified) != whole.var_train


# Two convolutions of whole numbers, which floating point adds up without rounding; 4 channels in, 4 between, 2 out.
FIRST, SECOND = np.arange(144).reshape(4, 4, 3, 3) % 7 - 2, np.arange(72).reshape(2, 4, 3, 3) % 5 - 1
PAIRS = {
    "plain": (Convolution(FIRST), Convolution(SECOND)),
    "strides": (Convolution(FIRST, stride=2), Convolution(SECOND[..., :2], stride=(1, 2))),
    "groups": (Convolution(FIRST[:, :2], groups=2), Convolution(SECOND[:, :2], groups=2)),
    "strides and groups": (Convolution(FIRST[:, :1], stride=(2, 1), groups=4), Convolution(SECOND, stride=2)),
}


def one_hot_maps(channels: int, size: int) -> np.ndarray:
    """All maps that are 1 at one place and 0 elsewhere: linear layers that agree on them agree on every map."""
    d = channels * size * size
    return np.eye(d).reshape(d, channels, size, size)


@check("S3-CONVS", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("name", PAIRS)
def test_on_every_map_two_convolutions_without_padding_are_one_with_a_larger_kernel(name: str) -> None:
    first, second = PAIRS[name]
    maps = one_hot_maps(4, 7)
    upside_down = Convolution(second.weight[:, :, ::-1], second.stride, groups=second.groups)
    assert np.array_equal(through([first, second], maps), composed(first, second)(maps))
    assert not np.array_equal(through([first, second], maps), composed(first, upside_down)(maps))


@check("S3-CONVS", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_two_padded_convolutions_are_no_single_one_whatever_its_kernel() -> None:
    ones, size = Convolution(np.ones((1, 1, 3, 3)), padding=1), 7
    at_once = through([ones, ones], one_hot_maps(1, size)).reshape(size, size, size, size)  # (from, to)
    # A single one weighs by the distance alone, wherever it stands: by its kernel's centre what lies right below it.
    middle, corner = at_once[3, 3, 3, 3], at_once[0, 0, 0, 0]
    assert (middle, corner) == (9, 4)
    padded_once = Convolution(composed(Convolution(ones.weight), Convolution(ones.weight)).weight, padding=2)
    single = padded_once(one_hot_maps(1, size)).reshape(size, size, size, size)
    assert single[3, 3, 3, 3] == single[0, 0, 0, 0] == 9
    assert np.array_equal(at_once[:, :, 1:-1, 1:-1], single[:, :, 1:-1, 1:-1])


@check("S3-CONVS", Evidence.SIMULATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("name", PAIRS)
def test_two_simulated_convolutions_in_a_row_shift_as_the_one_that_they_make(
    rng: np.random.Generator, name: str
) -> None:
    (first, second), maps = PAIRS[name], equal_maps(4, 7, 0.5)
    one_filter = [first, second, lambda x: x[:, :1]]
    measured = pooled(Dropout(RETAIN), one_filter, maps, rng, batches=4)
    agree(measured.shift, by_eq10(composed(first, second).weight[0], maps), catches=0.02, replicas=REPLICAS)
    disagree(measured.shift, by_eq10(second.weight[0], maps), replicas=REPLICAS)


@check("S3-CONVS", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_two_simulated_padded_convolutions_shift_by_the_law_and_not_by_eq10(rng: np.random.Generator) -> None:
    ones, maps = Convolution(np.ones((1, 1, 3, 3)), padding=1), equal_maps(1, 8, 0.0)
    measured = pooled(Dropout(RETAIN), [ones, ones], maps, rng)
    sums = sums_of_equal([ones, ones], maps)
    agree(measured.shift, sums.var_test / sums.var_train(NOISE_VAR), catches=0.02, replicas=REPLICAS)
    disagree(measured.shift, by_eq10(composed(ones, ones).weight, maps), replicas=REPLICAS)


@check("S3-FC", Evidence.ENUMERATED)
@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
def test_a_fully_connected_layer_is_a_1x1_convolution_at_every_position(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((5, 4, *size)), rng.standard_normal((3, 4))
    everywhere, layer = Convolution(weight[:, :, None, None])(x), Linear(weight)
    for row, column in product(range(size[0]), range(size[1])):
        np.testing.assert_allclose(everywhere[:, :, row, column], layer(x[:, :, row, column]), rtol=1e-12)
