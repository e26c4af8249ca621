import math
import re
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.contracts import Array
from simulator.draws import BLOCK, Draw, DType, gaussian32, standardised, words
from tests.simulator.agreement import agrees
from tests.simulator.given import given_words

EVERY_DRAW = pytest.mark.parametrize("draw", get_args(Draw))
EVERY_DTYPE = pytest.mark.parametrize("dtype", get_args(DType))
EVERY_WIDTH = pytest.mark.parametrize("word", [np.uint8, np.uint16, np.uint32, np.uint64])
FREEDOM = 30
# E[z^3] and E[z^4] of each draw.
SHAPES: dict[Draw, tuple[float, float]] = {
    "gaussian": (0, 3),
    "uniform": (0, 9 / 5),
    "exponential": (2, 9),
    "two-point": (0, 1),
    "student-t": (0, 3 * (FREEDOM - 2) / (FREEDOM - 4)),
}


def drawn(draw: Draw, dtype: DType, count: int, seed: int = 0) -> Array:
    freedom = FREEDOM if draw == "student-t" else None
    return standardised(draw, freedom, dtype)(np.random.default_rng(seed), (count,))


@EVERY_DTYPE
@EVERY_DRAW
def test_every_draw_has_mean_0_variance_1_and_a_shape_of_its_own(draw: Draw, dtype: DType):
    z = drawn(draw, dtype, 300_000)
    assert z.dtype == dtype
    assert agrees(z, 0)
    assert agrees(z**2, 1)
    assert agrees(z**3, SHAPES[draw][0])
    assert agrees(z**4, SHAPES[draw][1])
    assert not agrees(z + z.dtype.type(0.02), 0)  # the control
    wrong = {other for other, (third, fourth) in SHAPES.items() if not (agrees(z**3, third) and agrees(z**4, fourth))}
    assert wrong == set(get_args(Draw)) - {draw}


@EVERY_DTYPE
@EVERY_DRAW
def test_numbers_know_nothing_of_those_behind_them(draw: Draw, dtype: DType):
    z = drawn(draw, dtype, 300_001).astype(np.float64)
    for lag in (1, 2, 1024, BLOCK // 2, BLOCK):
        assert agrees(z[lag:] * z[:-lag], 0)
        assert agrees((z[lag:] ** 2 - 1) * (z[:-lag] ** 2 - 1), 0)
    assert not agrees((z[1:] + 0.05 * z[:-1]) * z[:-1], 0)  # the control


@EVERY_DTYPE
@EVERY_DRAW
def test_the_same_seed_gives_the_same_bits(draw: Draw, dtype: DType):
    assert (drawn(draw, dtype, 1000, seed=1) == drawn(draw, dtype, 1000, seed=1)).all()
    assert (drawn(draw, dtype, 1000, seed=1) != drawn(draw, dtype, 1000, seed=2)).any()


def test_two_point_draws_are_plus_or_minus_one_and_uniform_ones_end_at_root_3():
    assert set(drawn("two-point", "float32", 1000).tolist()) == {-1.0, 1.0}
    for dtype in get_args(DType):
        uniform, exponential = drawn("uniform", dtype, 100_000), drawn("exponential", dtype, 100_000)
        assert 1.731 < -uniform.min() <= np.float32(math.sqrt(3))
        assert 1.731 < uniform.max() <= np.float32(math.sqrt(3))
        assert -1 <= exponential.min() < -0.999


@pytest.fixture(scope="module")
def normals() -> Array:
    return np.concatenate([gaussian32(np.random.default_rng(seed), (2**22,)) for seed in range(2)])


def test_float32_normals_have_the_moments_of_the_normal_up_to_the_sixth(normals: Array):
    assert normals.dtype == np.float32
    powers = np.ones(len(normals))
    for power in range(1, 7):
        powers *= normals
        moment = math.prod(range(power - 1, 0, -2)) if power % 2 == 0 else 0
        spread = math.sqrt(math.prod(range(2 * power - 1, 0, -2)) - moment**2)
        z = (powers.mean() - moment) / (spread / math.sqrt(len(normals)))
        assert abs(z) < 6, power
        if moment:  # the control: a scale that is off by a hundredth
            assert abs(powers.mean() * 1.01**power - moment) > 6 * spread / math.sqrt(len(normals))


def test_float32_normals_have_the_quantiles_of_the_normal_far_into_the_tails(normals: Array):
    def misses(values: Array, at: float) -> bool:
        expected = len(values) * NormalDist().cdf(-at)
        return any(abs((side > at).sum() - expected) > 6 * math.sqrt(expected) + 6 for side in (values, -values))

    quantiles = (0.0, 0.001, 0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
    assert not [at for at in quantiles if misses(normals, at)]
    assert all(misses(normals * np.float32(1.03), at) for at in (0.5, 1.0, 2.0, 3.0, 3.5))  # the control
    assert 4.5 < abs(normals).max() < 6.8


def test_the_cosine_and_the_sine_of_one_radius_are_independent():
    z = gaussian32(np.random.default_rng(1), (4 * BLOCK,)).astype(np.float64)
    cosine, sine = z.reshape(4, 2, -1).swapaxes(0, 1).reshape(2, -1)
    moments: dict[Callable[[Array], Any], float] = {
        (lambda x: x): 0,
        (lambda x: x**2): 1,
        (lambda x: x**3): 0,
        abs: math.sqrt(2 / math.pi),
        (lambda x: x > 1): NormalDist().cdf(-1),
        (lambda x: x**4): 3,
    }
    for f, of_cosine in moments.items():
        for g, of_sine in moments.items():
            assert agrees(f(cosine) * g(sine), of_cosine * of_sine)
    assert not agrees(cosine**2 * cosine**2, 1)  # the control: a shared radius without its angle
    assert agrees(np.exp(-(cosine**2 + sine**2) / 2), 0.5)  # of a uniform number


def test_blocks_do_not_repeat_one_another():
    z = gaussian32(np.random.default_rng(0), (3 * BLOCK,)).reshape(3, BLOCK)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert agrees(z[first] * z[second], 0)
        assert (z[first] == z[second]).mean() < 1e-3


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (5, 7), (1, 1, 1, 1), (BLOCK - 1,), (BLOCK + 1,), (3, 87_383)])
def test_any_count_of_normals_can_be_drawn(shape: tuple[int, ...]):
    z = gaussian32(np.random.default_rng(0), shape)
    assert (z.shape, z.dtype) == (shape, np.float32)
    assert np.isfinite(z).all()
    assert (z != 0).all()


def test_every_place_of_an_odd_count_is_normal():
    rng = np.random.default_rng(0)
    z = np.array([gaussian32(rng, (5,)) for _ in range(20_000)])
    for i in range(5):
        assert agrees(z[:, i], 0)
        assert agrees(z[:, i] ** 2, 1)
        assert agrees(z[:, i] ** 4, 3)
        assert all(agrees(z[:, i] ** 2 * z[:, j] ** 2, 1) for j in range(i))


def test_the_farthest_of_these_gaussians_is_finite():
    far, middle = gaussian32(given_words(0), (2,))
    assert far == pytest.approx(math.sqrt(2 * math.log(2**33)), rel=1e-6)
    assert middle == 0
    assert gaussian32(given_words(2**64 - 1), (2,)).tolist() == [0, 0]  # in singles: this u rounds to 1


@EVERY_WIDTH
def test_words_are_uniform_in_every_bit(word: type[np.unsignedinteger]):
    drawn, bits = words(np.random.default_rng(0), (40_000,), word), 8 * np.dtype(word).itemsize
    assert drawn.dtype == word
    ones = np.array([drawn >> word(bit) & word(1) for bit in range(bits)], dtype=np.float64)
    assert (abs(ones.sum(axis=1) - 20_000) < 6 * math.sqrt(40_000) / 2).all()
    correlation = np.corrcoef(ones) - np.eye(bits)
    assert abs(correlation).max() < 6 / math.sqrt(40_000)
    behind = (ones[:, 1:] * 2 - 1) @ (ones[:, :-1] * 2 - 1).T / 40_000  # bits of neighbours
    assert abs(behind).max() < 6 / math.sqrt(40_000)


def test_words_take_every_value_equally_often():
    counts = np.bincount(words(np.random.default_rng(0), (256_000,), np.uint8), minlength=256)
    squares = ((counts - 1000) ** 2 / 1000).sum()  # chi squared of 255 degrees of freedom
    assert abs(squares - 255) < 6 * math.sqrt(2 * 255)
    assert counts.min() > 0


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64]), st.lists(st.integers(0, 7), max_size=4))
def test_words_come_in_any_shape(word: type[np.unsignedinteger], shape: list[int]):
    drawn = words(np.random.default_rng(0), tuple(shape), word)
    assert (drawn.shape, drawn.dtype) == (tuple(shape), word)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cauchy",), "draw = cauchy: must be one of gaussian, uniform, exponential, two-point, student-t"),
        (("gaussian", None, "float16"), "dtype = float16: must be one of float64, float32"),
        (("gaussian", 5.0), "freedom = 5.0: means nothing for the draw gaussian; leave it out"),
        (("two-point", 5.0), "freedom = 5.0: means nothing for the draw two-point; leave it out"),
        (("student-t",), "freedom = None: must be > 4 for the draw student-t, whose fourth moment must be finite"),
        (("student-t", 4), "freedom = 4: must be > 4 for the draw student-t, whose fourth moment must be finite"),
        (("student-t", -1.0), "freedom = -1.0: must be > 4 for the draw student-t, whose fourth moment must be finite"),
        (("student-t", math.nan), "freedom = nan: must be a finite number"),
        (("student-t", math.inf), "freedom = inf: must be a finite number"),
        (("student-t", "5"), "freedom = 5: must be a finite number"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(arguments: tuple, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as refused:
        standardised(*arguments)
    assert "\n" not in str(refused.value)


def test_student_t_draws_need_little_more_than_four_degrees_of_freedom():
    assert agrees(standardised("student-t", 4.01)(np.random.default_rng(0), (40_000,)), 0)
