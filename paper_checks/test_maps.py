"""Convolutions over feature maps: borders, two in a row, noise on elements and on channels, and what BN pools."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from paper_checks.comparing import ANY_INPUTS, exact, moments_of, value, variance_of
from paper_checks.error_rates import agree, disagree
from paper_checks.ledger import Evidence, Verdict, check
from paper_checks.maps import (
    EqualMaps,
    LinearLayer,
    MapSums,
    composed,
    covariance_of,
    pooled_over_masks,
    through,
    weights_by_loops,
)
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


GROUPED = Convolution(np.arange(36).reshape(4, 1, 3, 3) % 7 - 2, stride=2, padding=1, groups=2)


@check("LAW-POOLED", Evidence.ENUMERATED)
def test_over_all_masks_a_padded_strided_grouped_convolution_pools_what_the_law_says_of_its_kernel() -> None:
    shape, inputs = (2, 2, 3), one_hot_plus_shift(12, 4, [0, 3])
    moments = {name: float(moment) for name, moment in moments_of(inputs).items()}
    covariance = moments["v"] * (moments["rho"] + (1 - moments["rho"]) * np.eye(12))
    sums = MapSums(weights_by_loops(GROUPED, shape), covariance, moments["c"])
    counted = pooled_over_masks(GROUPED, inputs, shape)
    assert float(counted.var_test) == pytest.approx(sums.var_test, rel=1e-12)
    assert float(counted.var_train) == pytest.approx(sums.var_train(NOISE_VAR), rel=1e-12)
    assert float(counted.var_train) != pytest.approx(sums.var_train_by_channel(NOISE_VAR), rel=0.01)


@check("LAW-POOLED", Evidence.ENUMERATED)
def test_the_weights_read_off_a_padded_strided_grouped_convolution_are_those_of_its_kernel() -> None:
    shape = (2, 5, 4)
    expected, found = weights_by_loops(GROUPED, shape), MapSums.of([GROUPED], shape, np.eye(40), 0.0).weights
    assert expected.shape == (4, 6, 2, 20)
    assert np.array_equal(found, expected)
    upside_down = Convolution(GROUPED.weight[:, :, ::-1], stride=2, padding=1, groups=2)
    assert not np.array_equal(found, weights_by_loops(upside_down, shape))


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


@check("LAW-SHARED", Evidence.SIMULATED)
def test_the_simulated_variance_of_a_sum_of_two_channels_is_that_of_the_law_to_one_percent(
    rng: np.random.Generator,
) -> None:
    maps = FeatureMaps(2, 2, mean=0.5, variance=1.0, correlation=0.3, spatial=0.5, dtype="float32")
    layers: list[LinearLayer] = [Convolution(kernels(16, 2, 2, 2))]
    expected = MapSums.of(layers, (2, 2, 2), covariance_of(maps, 2), 0.5).var_train_by_channel(NOISE_VAR)
    by_channel, by_element = (
        pooled(noise, layers, maps, rng, batches=32) for noise in (Dropout(RETAIN, per="channel"), Dropout(RETAIN))
    )
    agree(by_channel.moving_var, expected, replicas=REPLICAS)
    disagree(by_element.moving_var, expected, replicas=REPLICAS)


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


SUMS, EDGES = np.ones((3, 3)), np.array([[1, 0, -1]] * 3)
CENTRED = one_hot_plus_shift(4, 4, [-4, 2])  # of mean 0 and correlation 2/3


@check("X-BORDERS", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize(("kernel", "seen_width"), [(SUMS, 4), (EDGES, 2)], ids=["sums", "edges"])
def test_over_all_masks_a_padded_map_shifts_by_the_width_that_its_corners_see(
    kernel: np.ndarray, seen_width: int
) -> None:
    counted = pooled_over_masks(Convolution([[kernel]], padding=1), CENTRED, (1, 2, 2)).shift
    corners = [kernel[1 - i : 3 - i, 1 - j : 3 - j].astype(int).ravel().tolist() for i, j in np.ndindex(2, 2)]
    assert {4 * exact("eq11", w=corner) for corner in corners} == {seen_width}
    assert {enumerate_dropout(CENTRED, corner, HALF).shift for corner in corners} == {counted}

    inside_width = 9 * exact("eq11", w=kernel.astype(int).ravel().tolist())
    as_if_inside = exact("eq10", retain=HALF, d=9, cos2=inside_width / 9, **moments_of(CENTRED))
    assert (counted < as_if_inside) == (seen_width < inside_width)
    assert counted != as_if_inside


# The shift of 3 x 3 kernels over two channels by the law and by Eq. 10. Borders see a width d cos^2 below the 18 of
# sums and above the 0 of edges, which shows at mean 0; the spread of the positions' means, which BN takes for variance,
# hides some of the shift. On 2 x 2 maps all positions are corners. Last, the batches that tell the two shifts apart.
BORDERS = [
    (SUMS, 8, 0.0, ("0.799", "0.815"), 4),
    (SUMS, 8, 2.0, ("0.584", "0.468"), 2),
    (SUMS, 2, 0.0, ("0.706", "0.815"), 8),
    (EDGES, 8, 0.0, ("0.490", "0.444"), 2),
]


@check("X-BORDERS", Evidence.SIMULATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize(("of_a_channel", "size", "mean", "by_law_and_eq10", "batches"), BORDERS)
def test_at_the_borders_of_padded_maps_eq10_is_off_and_the_law_is_not(  # noqa: PLR0913, PLR0917 (each is a part of the setting)
    rng: np.random.Generator,
    of_a_channel: np.ndarray,
    size: int,
    mean: float,
    by_law_and_eq10: tuple[str, str],
    batches: int,
) -> None:
    kernel, maps = np.array([[of_a_channel] * 2]), equal_maps(2, size, mean)
    padded: list[LinearLayer] = [Convolution(kernel, padding=1)]
    sums, measured = sums_of_equal(padded, maps), pooled(Dropout(RETAIN), padded, maps, rng, batches)
    expected, wrong = sums.var_test / sums.var_train(NOISE_VAR), by_eq10(kernel, maps)
    assert (f"{expected:.3f}", f"{wrong:.3f}") == by_law_and_eq10
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


# Padding of the first alone still leaves one convolution, padded; Eq. 10 then stops at its borders (X-BORDERS).
PADDED_PAIRS = {
    "padding": (Convolution(FIRST, padding=(1, 2)), Convolution(SECOND)),
    "padding, strides and groups": (
        Convolution(FIRST[:, :2], stride=(2, 1), padding=2, groups=2),
        Convolution(SECOND[:, :2], stride=2, groups=2),
    ),
}


@check("S3-CONVS", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("name", [*PAIRS, *PADDED_PAIRS])
def test_on_every_map_two_convolutions_without_padding_behind_the_first_are_one_with_a_larger_kernel(name: str) -> None:
    first, second = (PAIRS | PADDED_PAIRS)[name]
    maps = one_hot_maps(4, 7)
    upside_down = Convolution(second.weight[:, :, ::-1], second.stride, groups=second.groups)
    assert np.array_equal(through([first, second], maps), composed(first, second)(maps))
    assert not np.array_equal(through([first, second], maps), composed(first, upside_down)(maps))


@check("S3-CONVS", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("first_padding", [0, 1])
def test_with_padding_behind_the_first_two_convolutions_are_no_single_one_whatever_its_kernel(
    first_padding: int,
) -> None:
    ones, size, seen = np.ones((1, 1, 3, 3)), 7, 5 + 2 * first_padding
    first, second = Convolution(ones, padding=first_padding), Convolution(ones, padding=1)
    at_once = through([first, second], one_hot_maps(1, size)).reshape(size, size, seen, seen)  # (from, to)
    # A single one weighs by the distance alone, wherever it stands: by its kernel's centre what lies right below it.
    below = 1 - first_padding
    middle, corner = at_once[3, 3, 3 - below, 3 - below], at_once[below, below, 0, 0]
    assert (middle, corner) == (9, 4)
    alone = Convolution(composed(first, Convolution(ones)).weight, padding=first_padding + 1)
    single = alone(one_hot_maps(1, size)).reshape(at_once.shape)
    assert single[3, 3, 3 - below, 3 - below] == single[below, below, 0, 0] == 9
    assert np.array_equal(at_once[:, :, 1:-1, 1:-1], single[:, :, 1:-1, 1:-1])
    with pytest.raises(ValueError, match=r"second.padding = \(1, 1\): must be \(0, 0\)"):
        composed(first, second)


@check("S3-CONVS", Evidence.SIMULATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("name", PAIRS)
def test_two_simulated_convolutions_in_a_row_shift_as_the_one_that_they_make(
    rng: np.random.Generator, name: str
) -> None:
    (first, second), maps = PAIRS[name], equal_maps(4, 7, 0.5)
    one_filter = [first, second, lambda x: x[:, :1]]
    batches = 4 if "strides" in name else 2  # strides leave fewer places, which tell less
    measured = pooled(Dropout(RETAIN), one_filter, maps, rng, batches)
    agree(measured.shift, by_eq10(composed(first, second).weight[0], maps), catches=0.02, replicas=REPLICAS)
    disagree(measured.shift, by_eq10(second.weight[0], maps), replicas=REPLICAS)


@check("S3-CONVS", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_two_simulated_padded_convolutions_shift_by_the_law_and_not_by_eq10(rng: np.random.Generator) -> None:
    kernel, maps = np.ones((1, 1, 3, 3)), equal_maps(1, 8, 0.0)
    ones = Convolution(kernel, padding=1)
    measured = pooled(Dropout(RETAIN), [ones, ones], maps, rng)
    sums = sums_of_equal([ones, ones], maps)
    agree(measured.shift, sums.var_test / sums.var_train(NOISE_VAR), catches=0.02, replicas=REPLICAS)
    disagree(measured.shift, by_eq10(composed(ones, Convolution(kernel)).weight, maps), replicas=REPLICAS)


@check("S3-FC", Evidence.ENUMERATED)
@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
def test_a_fully_connected_layer_is_a_1x1_convolution_at_every_position(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((5, 4, *size)), rng.standard_normal((3, 4))
    everywhere, layer = Convolution(weight[:, :, None, None])(x), Linear(weight)
    for row, column in product(range(size[0]), range(size[1])):
        np.testing.assert_allclose(everywhere[:, :, row, column], layer(x[:, :, row, column]), rtol=1e-12)
