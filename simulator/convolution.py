"""Convolution and average pooling over feature maps, in numpy alone."""

import math
from collections.abc import Sequence
from functools import reduce
from numbers import Integral
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from simulator.contracts import Array, refusal, whole

Pair: TypeAlias = int | Sequence[int]

# Numbers of patches laid out at a time: 1 MiB of float32, which the second-level cache keeps until they are multiplied.
BLOCK = 2**18
# Numbers in the matrix of a convolution of whole maps, up to which that is the faster way: as below, but 3 x 3 on
# (1024, 1, 8, 8) to 1 and (1024, 4, 7, 7) to 4 channels, 0.5 and 1.1 ms; by patches, short runs there, 2.2 and 1.7.
SMALL = 2**15


class Convolution:
    """X_o(i, j) = sum over channels and offsets of w_o(c, a, b) x_c(i + a, j + b): what networks call a convolution.

    It is `torch.nn.functional.conv2d` without bias and dilation; the weights stay doubles and are rounded to x's dtype.

    Attributes:
        weight: (out, d/groups, k_h, k_w).
        stride: of the kernel over the map, (down, across).
        padding: zeros on either side of the map, (above and below, left and right).
        groups: how many equal parts the channels and the filters fall into; filters of a part see its channels only.

    Raises:
        ValueError: if `weight` is not finite or not of that shape, if stride or groups is no whole number >= 1, padding
            none >= 0 (one or two of them), or if `groups` does not divide the filters.
    """

    def __init__(self, weight: ArrayLike, stride: Pair = 1, padding: Pair = 0, groups: int = 1) -> None:
        self.weight: Array = np.array(weight, dtype=np.float64)
        if self.weight.ndim != 4 or self.weight.size == 0:
            raise refusal("weight's shape", self.weight.shape, "must be (out, d/groups, k_h, k_w)")
        if not np.isfinite(self.weight).all():
            raise ValueError("weight: must be finite")
        self.stride = pair("stride", stride, at_least=1)
        self.padding = pair("padding", padding, at_least=0)
        self.groups = whole("groups", groups, at_least=1)
        if len(self.weight) % self.groups:
            raise refusal("groups", groups, f"must divide the number of filters, {len(self.weight)}")

    def __call__(self, x: Array) -> Array:
        """Map x: (n, d, h, w) to (n, out, h', w') of the same dtype, h' = 1 + (h + 2 padding - k_h) // stride.

        Raises:
            ValueError: if `x` has another shape, or its maps with their padding are smaller than the kernel.
        """
        kernel = self.weight.shape[2:]
        _require_maps(x, self.groups * self.weight.shape[1])
        down, across = positions(x.shape[2:], kernel, self.stride, self.padding)
        filters = self._filters(x)
        out = np.empty((len(x), *filters.shape[:2], down * across), x.dtype)
        if kernel == (1, 1) and self.padding == (0, 0):
            seen = x[:, :, :: self.stride[0], :: self.stride[1]]
            np.matmul(filters, seen.reshape(len(x), self.groups, filters.shape[2], down * across), out=out)
        elif self._is_small(x, down * across):
            np.matmul(x.reshape(len(x), -1), self._matrix(x), out=out.reshape(len(x), -1))
        else:
            self._multiply_patches(x, filters, across, out)
        return out.reshape(len(x), len(self.weight), down, across)

    def _is_small(self, x: Array, places: int) -> bool:
        """Whether the matrix of these maps is small, and paid for by many samples."""
        numbers = math.prod(x.shape[1:])
        return 4 * numbers <= len(x) and numbers * len(self.weight) * places <= SMALL

    def _matrix(self, x: Array) -> Array:
        """What becomes of the maps that are 1 at one place and 0 elsewhere: (d h w, out h' w')."""
        numbers = math.prod(x.shape[1:])
        return self(np.eye(numbers, dtype=x.dtype).reshape(numbers, *x.shape[1:])).reshape(numbers, -1)

    def _filters(self, x: Array) -> Array:
        """Lay the weights out as patches are, channels last: (groups, out/groups, k_h k_w d/groups), x's dtype."""
        channels_last = self.weight.transpose(0, 2, 3, 1).astype(x.dtype)
        return channels_last.reshape(self.groups, len(self.weight) // self.groups, -1)

    def _multiply_patches(self, x: Array, filters: Array, across: int, out: Array) -> None:
        # Milliseconds on one thread for 3 x 3 in float32, on (256, 16, 8, 8) to 16 and on (64, 64, 32, 32) to 64
        # channels: this way 1.3 and 60, torch 0.9 and 40; a sum over the nine offsets of matmuls 3.8 and 105; patches
        # with the channels first 3.0 and 61. With the channels last, a kernel's row of a patch is one run of memory,
        # and BLAS transposes for nothing. In blocks, since all patches at once would take k_h k_w times x.
        down, size = out.shape[-1] // across, filters.shape[-1]
        row = across * self.groups * size
        samples, rows = max(1, BLOCK // (row * down)), max(1, BLOCK // row)
        maps, windows = self._windows(x[:samples])
        memory = np.empty(windows[:, :, :rows].size, x.dtype)  # once for all blocks: an eighth of the time
        for start in range(0, len(x), samples):
            block = x[start : start + samples]
            maps[: len(block)] = block.reshape(len(block), *maps.shape[1:])
            for top in range(0, down, rows):
                seen = windows[: len(block), :, top : top + rows]
                patches = memory[: seen.size].reshape(seen.shape)
                np.copyto(patches, seen)
                place = out[start : start + samples, ..., top * across : (top + rows) * across]
                np.matmul(filters, patches.reshape(*seen.shape[:2], -1, size).swapaxes(2, 3), out=place)

    def _windows(self, x: Array) -> tuple[Array, Array]:
        """Make room for x and its padding, channels last, and look at it in two ways.

        Returns:
            Where to put x: (n, groups, d/groups, h, w), and then what the kernel sees at each position:
            (n, groups, h', w', k_h, k_w d/groups).
        """
        (n, d, h, w), (top, left), (k_h, k_w) = x.shape, self.padding, self.weight.shape[2:]
        depth = d // self.groups
        padded = np.zeros((n, self.groups, h + 2 * top, w + 2 * left, depth), x.dtype)
        maps = np.moveaxis(padded[:, :, top : top + h, left : left + w], 4, 2)
        rows = padded.reshape(n, self.groups, h + 2 * top, (w + 2 * left) * depth)
        windows = sliding_window_view(rows, (k_h, k_w * depth), axis=(2, 3))  # pyright: ignore[reportCallIssue, reportArgumentType]
        return maps, windows[:, :, :: self.stride[0], :: self.stride[1] * depth]


class AveragePool:
    """The mean over k_h x k_w positions of each channel, as in `torch.nn.functional.avg_pool2d` without padding.

    Attributes:
        kernel: (k_h, k_w).
        stride: of the kernel over the map, (down, across).

    Raises:
        ValueError: if kernel or stride is no whole number >= 1, one or two of them.
    """

    def __init__(self, kernel: Pair, stride: Pair | None = None) -> None:
        self.kernel = pair("kernel", kernel, at_least=1)
        self.stride = self.kernel if stride is None else pair("stride", stride, at_least=1)

    def __call__(self, x: Array) -> Array:
        """Map x: (n, d, h, w) to (n, d, h', w') of the same dtype, h' = 1 + (h - k_h) // stride.

        Raises:
            ValueError: if `x` has another shape, or its maps are smaller than the kernel.
        """
        _require_maps(x)
        down, across = positions(x.shape[2:], self.kernel, self.stride)
        rows = reduce(np.add, (x[:, :, i :: self.stride[0]][:, :, :down] for i in range(self.kernel[0])))
        sums = reduce(np.add, (rows[..., j :: self.stride[1]][..., :across] for j in range(self.kernel[1])))
        return sums / (self.kernel[0] * self.kernel[1])


def pair(name: str, value: Pair, at_least: int) -> tuple[int, int]:
    """Return one whole number twice, and two as they are.

    Raises:
        ValueError: if there are more or fewer, or one is no whole number, or is below `at_least`.
    """
    values = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(values) != 2 or not all(_is_whole(each) and each >= at_least for each in values):
        raise refusal(name, value, f"must be a whole number >= {at_least}, or two of them")
    return int(values[0]), int(values[1])


def positions(
    size: Sequence[int], kernel: Sequence[int], stride: tuple[int, int], padding: tuple[int, int] = (0, 0)
) -> tuple[int, int]:
    """Count the places of a kernel, down and across a map of size (h, w).

    Raises:
        ValueError: if the kernel does not fit the map, padding included.
    """
    h, w = (side + 2 * around for side, around in zip(size, padding, strict=True))
    if kernel[0] > h or kernel[1] > w:
        raise refusal("kernel", f"{kernel[0]} x {kernel[1]}", f"must fit the map of {h} x {w}, padding included")
    return 1 + (h - kernel[0]) // stride[0], 1 + (w - kernel[1]) // stride[1]


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _require_maps(x: Array, channels: int | None = None) -> None:
    if x.ndim != 4 or channels not in {None, x.shape[1]}:
        raise refusal("x's shape", x.shape, f"must be (n, {channels or 'channels'}, h, w)")
