import re
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.contracts import Array
from simulator.convolution import AveragePool, Convolution
from simulator.layers import Linear

few = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32)
ones_or_pairs = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))


def both(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def maps_of(draw: st.DrawFn, least: list[int], channels: int) -> Array:
    size = [draw(st.integers(max(1, side), 9)) for side in least]
    return np.random.default_rng(draw(seeds)).normal(size=(draw(st.integers(1, 3)), channels, *size))


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Convolution, Array]:
    """A convolution and an x for it."""
    groups, depth, filters = (draw(st.integers(1, 3)) for _ in range(3))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(st.one_of(st.integers(0, 3), st.tuples(st.integers(0, 3), st.integers(0, 3))))
    weight = np.random.default_rng(draw(seeds)).normal(size=(groups * filters, depth, *kernel))
    least = [side - 2 * around for side, around in zip(kernel, both(padding), strict=True)]
    convolution = Convolution(weight, draw(ones_or_pairs), padding, groups)
    return convolution, maps_of(draw, least, groups * depth)


@st.composite
def pools(draw: st.DrawFn) -> tuple[AveragePool, Array]:
    """An average pool and an x for it."""
    kernel = draw(st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4))))
    return AveragePool(kernel, draw(st.none() | ones_or_pairs)), maps_of(draw, list(both(kernel)), 2)


def by_torch(convolution: Convolution, x: Array) -> Array:
    weight = torch.from_numpy(convolution.weight.astype(x.dtype))
    options = {name: getattr(convolution, name) for name in ("stride", "padding", "groups")}
    return torch.nn.functional.conv2d(torch.from_numpy(x), weight, **options).numpy()


def pooled_by_torch(pool: AveragePool, x: Array) -> Array:
    return torch.nn.functional.avg_pool2d(torch.from_numpy(x), pool.kernel, pool.stride).numpy()


def equal(ours: Array, theirs: Array, tolerance: float) -> bool:
    return ours.shape == theirs.shape and bool((abs(ours - theirs) <= tolerance * (1 + abs(theirs).max())).all())


@few
@given(convolutions())
def test_convolution_is_the_one_of_pytorch(drawn: tuple[Convolution, Array]):
    convolution, x = drawn
    assert equal(convolution(x), by_torch(convolution, x), 1e-12)
    single = x.astype(np.float32)
    assert equal(convolution(single), by_torch(convolution, single), 1e-5)


def test_another_convolution_would_be_noticed():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=(2, 4, 6, 6))
    found, right = Convolution(weight, (1, 2), (1, 1), 2)(x), by_torch(Convolution(weight, (1, 2), (1, 1), 2), x)
    assert equal(found, right, 1e-12)
    assert not equal(found, right * (1 + 1e-9), 1e-12)
    for wrong in (weight[:, :, ::-1, ::-1], weight.swapaxes(2, 3), weight[:, ::-1], weight[::-1]):
        assert not equal(found, by_torch(Convolution(wrong, (1, 2), (1, 1), 2), x), 1e-2)


@few
@given(pools())
def test_average_pooling_is_the_one_of_pytorch(drawn: tuple[AveragePool, Array]):
    pool, x = drawn
    assert equal(pool(x), pooled_by_torch(pool, x), 1e-12)
    single = x.astype(np.float32)
    assert equal(pool(single), pooled_by_torch(pool, single), 1e-5)


@pytest.mark.parametrize(
    ("shape", "filters", "options"),
    [
        ((300, 16, 8, 8), (8, 16, 3, 3), {"padding": 1}),  # many samples a block, the last block not full
        ((2, 64, 70, 71), (6, 32, 3, 3), {"padding": (0, 1), "groups": 2}),  # many blocks a sample, likewise
        ((3, 40, 60, 90), (4, 40, 5, 2), {"stride": (2, 3), "padding": (2, 0)}),
        ((1, 600, 3, 50), (2, 600, 3, 3), {"padding": 1}),  # one row of the output is more than a block
    ],
)
def test_blocks_leave_no_seams(shape: tuple[int, ...], filters: tuple[int, ...], options: dict[str, Any]):
    rng = np.random.default_rng(0)
    convolution, x = Convolution(rng.normal(size=filters), **options), rng.normal(size=shape)
    assert equal(convolution(x), by_torch(convolution, x), 1e-12)


@few
@given(convolutions())
def test_a_map_becomes_the_same_among_many(drawn: tuple[Convolution, Array]):
    convolution, x = drawn
    alone, many = convolution(x[:1]), 4 * x[0].size  # as many as make the other way pay, where the map is small
    among = convolution(np.concatenate([np.repeat(x[:1], many - 1, 0), 2 * x[:1]]))
    assert equal(among, np.concatenate([np.repeat(alone, many - 1, 0), 2 * alone]), 1e-12)


def test_a_worked_example():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    assert Convolution([[[[1, 0], [0, -1]]]])(x).tolist() == [[[[-4, -4], [-4, -4]]]]
    assert Convolution([[[[1, 0], [0, -1]]]], stride=3, padding=1)(x).tolist() == [[[[0, 0], [0, 8]]]]
    assert AveragePool(2, stride=1)(x).tolist() == [[[[2, 3], [5, 6]]]]
    assert Convolution([[[[2]]]], stride=(1, 2))(x).tolist() == (2 * x[..., ::2]).tolist()
    assert AveragePool(2)(x).tolist() == [[[[2]]]]
    assert AveragePool((1, 3))(x).tolist() == [[[[1], [4], [7]]]]


@few
@given(convolutions(), st.floats(-3, 3))
def test_convolution_is_linear_in_x_and_in_the_weights(drawn: tuple[Convolution, Array], factor: float):
    convolution, x = drawn
    y, options = x[..., ::-1, :] ** 2, (convolution.stride, convolution.padding, convolution.groups)
    assert equal(convolution(x + factor * y), convolution(x) + factor * convolution(y), 1e-12)
    other = Convolution(convolution.weight[::-1] ** 2, *options)
    combined = Convolution(convolution.weight + factor * other.weight, *options)
    assert equal(combined(x), convolution(x) + factor * other(x), 1e-12)


@few
@given(st.integers(1, 4), st.integers(1, 4), seeds)
def test_a_1x1_convolution_is_the_linear_layer_at_every_position(out: int, d: int, seed: int):
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(size=(out, d)), rng.normal(size=(5, d, 3, 4))
    convolved = Convolution(weight[:, :, None, None])(x)
    assert equal(convolved, Linear(weight)(x), 1e-12)
    assert all(equal(convolved[:, :, i, j], Linear(weight)(x[:, :, i, j]), 1e-12) for i in range(3) for j in range(4))


@few
@given(convolutions(), pools(), st.sampled_from([np.float32, np.float64]))
def test_the_dtype_of_x_is_kept_and_x_too(
    convolution: tuple[Convolution, Array], pool: tuple[AveragePool, Array], dtype
):
    for layer, drawn in (convolution, pool):
        x = drawn.astype(dtype)
        before = x.copy()
        y = layer(x)
        assert y.dtype == dtype
        y[:] = 0
        assert (x == before).all()


@pytest.mark.parametrize("samples", [1, 100])
@pytest.mark.parametrize("kernel", [(1, 1), (1, 2)])
def test_in_single_precision_the_weights_are_rounded_to_it(samples: int, kernel: tuple[int, int]):
    """Of few samples and of many, which are multiplied in another way: 1/3 and its rounded negative cancel."""
    weight = np.broadcast_to(np.array([1 / 3, -float(np.float32(1 / 3))]).reshape(1, 2, 1, 1), (1, 2, *kernel))
    x = np.ones((samples, 2, *kernel), np.float32)
    assert not Convolution(weight)(x).any()
    assert Convolution(weight)(x.astype(np.float64)).all()


def test_weights_are_doubles():
    assert Convolution([[[[1]]]]).weight.dtype == np.float64


def test_the_weights_are_the_layer_s_own():
    weight = np.ones((1, 1, 1, 1))
    convolution = Convolution(weight)
    weight[:] = 5
    assert convolution(np.ones((1, 1, 1, 1))) == 1
    assert convolution.weight.dtype == np.float64


def test_groups_do_not_see_one_another():
    x = np.zeros((1, 4, 5, 5))
    x[:, :2] = 1
    y = Convolution(np.ones((6, 2, 3, 3)), groups=2)(x)
    assert (y[:, :3] == 18).all()
    assert (y[:, 3:] == 0).all()
    assert (Convolution(np.ones((6, 4, 3, 3)))(x) == 18).all()


def test_no_samples_give_no_samples():
    assert Convolution(np.ones((3, 2, 3, 3)), padding=1)(np.ones((0, 2, 4, 5))).shape == (0, 3, 4, 5)
    assert Convolution(np.ones((3, 2, 1, 1)))(np.ones((0, 2, 4, 5))).shape == (0, 3, 4, 5)
    assert AveragePool(2)(np.ones((0, 2, 4, 5))).shape == (0, 2, 2, 2)


def memory_of(convolution: Convolution, x: Array) -> int:
    """Bytes that are held at once, x left out."""
    tracemalloc.start()
    try:
        convolution(x)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("shape", "most"),
    [
        ((32, 8, 64, 64), 1.3),  # times x, which the output takes, besides two samples with their padding, and a block
        ((4, 8, 128, 128), 1.8),  # a sample at a time
        ((1, 8, 32, 2048), 3.0),  # a row at a time
    ],
)
def test_a_large_kernel_needs_no_more_memory_than_a_block_of_its_patches(shape: tuple[int, ...], most: float):
    x = np.ones(shape, np.float32)
    convolution = Convolution(np.ones((8, 8, 5, 5)), padding=2)
    assert memory_of(convolution, x) < most * x.nbytes  # all patches at once would be 25 times x


def test_many_small_maps_need_no_large_matrix():
    x = np.ones((1100, 4, 8, 8), np.float32)
    convolution = Convolution(np.ones((64, 4, 3, 3)), padding=1)
    assert memory_of(convolution, x) < 16 * x.nbytes + 2e6  # the output is the 16; a matrix takes 4 MB and more


CONVOLUTION = Convolution(np.ones((4, 3, 3, 5)), padding=(1, 0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Convolution(np.ones((4, 3, 3))), "weight's shape = (4, 3, 3): must be (out, d/groups, k_h, k_w)"),
        (
            lambda: Convolution(np.ones((0, 3, 3, 3))),
            "weight's shape = (0, 3, 3, 3): must be (out, d/groups, k_h, k_w)",
        ),
        (lambda: Convolution([[[[np.inf]]]]), "weight: must be finite"),
        (
            lambda: Convolution(np.ones((4, 1, 1, 1)), stride=0),
            "stride = 0: must be a whole number >= 1, or two of them",
        ),
        (
            lambda: Convolution(np.ones((4, 1, 1, 1)), stride=(1, 0)),
            "stride = (1, 0): must be a whole number >= 1, or two of them",
        ),
        (
            lambda: Convolution(np.ones((4, 1, 1, 1)), stride=(1, 1, 1)),
            "stride = (1, 1, 1): must be a whole number >= 1, or two of them",
        ),
        (
            lambda: Convolution(np.ones((4, 1, 1, 1)), padding=-1),
            "padding = -1: must be a whole number >= 0, or two of them",
        ),
        (
            lambda: Convolution(np.ones((4, 1, 1, 1)), padding="same"),  # pyright: ignore
            "padding = same: must be a whole number >= 0, or two of them",
        ),
        (lambda: Convolution(np.ones((4, 1, 1, 1)), groups=0), "groups = 0: must be a whole number >= 1"),
        (lambda: Convolution(np.ones((4, 1, 1, 1)), groups=3), "groups = 3: must divide the number of filters, 4"),
        (
            lambda: Convolution(np.ones((4, 2, 1, 1)), groups=2)(np.ones((1, 2, 1, 1))),
            "x's shape = (1, 2, 1, 1): must be (n, 4, h, w)",
        ),
        (lambda: CONVOLUTION(np.ones((2, 4, 5, 5))), "x's shape = (2, 4, 5, 5): must be (n, 3, h, w)"),
        (lambda: CONVOLUTION(np.ones((2, 3))), "x's shape = (2, 3): must be (n, 3, h, w)"),
        (lambda: CONVOLUTION(np.ones((2, 3, 1, 4))), "kernel = 3 x 5: must fit the map of 3 x 4, padding included"),
        (lambda: AveragePool(0), "kernel = 0: must be a whole number >= 1, or two of them"),
        (lambda: AveragePool(1.5), "kernel = 1.5: must be a whole number >= 1, or two of them"),  # pyright: ignore
        (lambda: AveragePool((True, 2)), "kernel = (True, 2): must be a whole number >= 1, or two of them"),
        (lambda: AveragePool([2]), "kernel = [2]: must be a whole number >= 1, or two of them"),
        (lambda: AveragePool(2, stride=(0, 1)), "stride = (0, 1): must be a whole number >= 1, or two of them"),
        (lambda: AveragePool(2)(np.ones((4, 3))), "x's shape = (4, 3): must be (n, channels, h, w)"),
        (lambda: AveragePool(3)(np.ones((4, 3, 3, 2))), "kernel = 3 x 3: must fit the map of 3 x 2, padding included"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as refused:
        call()
    assert "\n" not in str(refused.value)


def test_padding_makes_room_for_the_kernel():
    assert CONVOLUTION(np.ones((2, 3, 1, 5))).tolist() == np.full((2, 4, 1, 1), 15).tolist()
