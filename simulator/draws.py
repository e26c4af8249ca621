"""Independent standardised draws, of mean 0 and variance 1, that all inputs are mixed from."""

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from simulator.contracts import Array, finite, refusal

Draw: TypeAlias = Literal["gaussian", "uniform", "exponential", "two-point", "student-t"]
DType: TypeAlias = Literal["float64", "float32"]
Sampler: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], Array]

# Numbers drawn at a time by `gaussian32`. Smaller blocks would make threads wait for one another between numpy's calls,
# larger ones would leave a core's cache: twice the time at 2^15, a fifth more at 2^20.
BLOCK = 2**18


def check_draw(draw: Draw, freedom: float | None, dtype: DType) -> None:
    """Refuse what `standardised` cannot draw.

    Raises:
        ValueError: if `draw` or `dtype` is unknown, if student-t has no degrees of freedom above 4 (its fourth moment
            would be infinite, and so the standard error of every variance), or if another draw is given any.
    """
    if draw not in get_args(Draw):
        raise refusal("draw", draw, f"must be one of {', '.join(get_args(Draw))}")
    if dtype not in get_args(DType):
        raise refusal("dtype", dtype, f"must be one of {', '.join(get_args(DType))}")
    if draw != "student-t":
        if freedom is not None:
            raise refusal("freedom", freedom, f"means nothing for the draw {draw}; leave it out")
    elif freedom is None or finite("freedom", freedom) <= 4:
        raise refusal("freedom", freedom, "must be > 4 for the draw student-t, whose fourth moment must be finite")


def standardised(draw: Draw, freedom: float | None = None, dtype: DType = "float64") -> Sampler:
    """Pick a source of independent draws with mean 0 and variance 1: (rng, shape) to an array of `dtype`.

    Raises:
        ValueError: as `check_draw` does.
    """
    check_draw(draw, freedom, dtype)
    single: Any = np.dtype(dtype).type
    samplers: dict[Draw, Sampler] = {
        "gaussian": gaussian32 if dtype == "float32" else lambda rng, shape: rng.standard_normal(shape),
        "uniform": lambda rng, shape: (rng.random(shape, dtype=single) - single(0.5)) * single(math.sqrt(12)),
        "exponential": lambda rng, shape: rng.standard_exponential(shape, dtype=single) - single(1),
        "two-point": lambda rng, shape: (words(rng, shape, np.uint8) & 1).astype(single) * single(2) - single(1),
        "student-t": lambda rng, shape: _student_t(rng, shape, freedom or math.nan).astype(single),
    }
    return samplers[draw]


def words(rng: np.random.Generator, shape: tuple[int, ...], word: type[np.unsignedinteger]) -> NDArray[Any]:
    """Draw unsigned integers of any width, uniform over all their values, at the price of their bits alone."""
    count = math.prod(shape)
    drawn = rng.integers(0, 2**64 - 1, -(-count * np.dtype(word).itemsize // 8), np.uint64, endpoint=True)
    return drawn.view(word)[:count].reshape(shape)


def gaussian32(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw standard normals in float32, at less than half the cost of numpy's own, which branches where this computes.

    Box and Muller (1958) on 32 random bits each: sqrt(-2 ln u) times the cosine and the sine of a uniform angle. The
    values end at 6.8 standard deviations; that, the grid of u and the rounding take less than 1e-6 from any moment up
    to the fourth.
    """
    count = math.prod(shape)
    z = np.empty(count + count % 2, np.float32)
    for start in range(0, len(z), BLOCK):
        block = z[start : start + BLOCK].reshape(2, -1)
        radius, angle = words(rng, block.shape, np.uint32).astype(np.float32)
        radius += np.float32(0.5)  # keeps the logarithm's argument above 0
        radius *= np.float32(2**-32)
        np.log(radius, out=radius)
        radius *= np.float32(-2)
        np.sqrt(radius, out=radius)
        angle *= np.float32(2 * math.pi * 2**-32)
        np.cos(angle, out=block[0])
        np.sin(angle, out=block[1])
        block *= radius
    return z[:count].reshape(shape)


def _student_t(rng: np.random.Generator, shape: tuple[int, ...], freedom: float) -> Array:
    return rng.standard_t(freedom, shape) * math.sqrt((freedom - 2) / freedom)
