"""Per-channel statistics: BN's own moving average, and the pooled ones, from one read."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fullscale.batchnorms import BatchNorm
from fullscale.statistics import ChannelStatistics, Halves, Moments, Shadow, Statistics

EPS = torch.finfo(torch.float32).eps

few = settings(deadline=None, max_examples=20)
shapes = st.sampled_from([(3,), (3, 4), (3, 4, 5)])
batch_sizes = st.lists(st.integers(2, 9), min_size=1, max_size=6)
momenta = st.sampled_from([0.1, 0.01, 0.5, 1.0, None])


def drawn(
    sizes: list[int], shape: tuple[int, ...], dtype: torch.dtype = torch.float64, mean: float = 2
) -> list[Tensor]:
    seeded = torch.Generator().manual_seed(0)
    return [torch.randn(n, *shape, generator=seeded).to(dtype) * (1 + k) + mean for k, n in enumerate(sizes)]


def batch_norm(shape: tuple[int, ...], momentum: float | None = 0.1, dtype: torch.dtype = torch.float64) -> BatchNorm:
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return kind(shape[0], momentum=momentum, dtype=dtype)


def read(bn: BatchNorm, batches: list[Tensor]) -> ChannelStatistics:
    statistics = Statistics([bn])
    for x in batches:
        statistics.update([statistics.shadows[0].see(x)])
    return statistics.read()[0]


def moments(x: Tensor) -> Moments:
    return Shadow(nn.BatchNorm1d(x.shape[1])).see(x)


def pooled_axes(x: Tensor) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


@few
@given(shapes, batch_sizes, momenta, st.sampled_from([torch.float32, torch.float64]))
def test_a_shadow_equals_what_batchnorm_keeps_to_the_bit(shape, sizes, momentum, dtype):
    bn = batch_norm(shape, momentum, dtype)
    shadow = Shadow(bn)
    bn.get_buffer("running_var").zero_()  # as running_mean is from the beginning
    for x in drawn(sizes, shape, dtype):
        bn(x)
        shadow.see(x)
        assert torch.equal(shadow.mean, bn.get_buffer("running_mean"))
        assert torch.equal(shadow.var, bn.get_buffer("running_var"))
    for ours, kept in zip(shadow.read(), ("running_mean", "running_var"), strict=True):
        seen = 1 - (1 - momentum) ** len(sizes) if momentum else 1
        torch.testing.assert_close(ours * seen, bn.get_buffer(kept).double(), rtol=1e-14, atol=0)


@pytest.mark.parametrize("sizes", [[128, 128, 80], [64] * 5])
def test_a_shadow_equals_batchnorm_to_the_bit_on_maps_of_any_layout(sizes: list[int]):
    bn = batch_norm((24, 8, 8), dtype=torch.float32)
    bn.get_buffer("running_var").zero_()
    shadow = Shadow(bn)
    for maps in drawn(sizes, (24, 8, 8), torch.float32):
        x = maps.contiguous(memory_format=torch.channels_last)
        bn(x)
        shadow.see(x)
    assert torch.equal(shadow.var, bn.get_buffer("running_var"))
    assert torch.equal(shadow.mean, bn.get_buffer("running_mean"))


def test_after_many_batches_the_start_no_longer_matters_even_in_single_precision():
    shape, sizes = (3, 4, 5), [9] * 60
    batches, bn = drawn(sizes, shape, torch.float32), batch_norm(shape, momentum=0.5, dtype=torch.float32)
    for x in batches:
        bn(x)
    ours = read(bn, batches)
    rounding = 4 * EPS  # an update rounds thrice, by EPS / 2 each, and the next one forgets half of it
    torch.testing.assert_close(ours.moving_var.float(), bn.get_buffer("running_var"), rtol=rounding, atol=0)
    biased = ours.moving_var * (1 - 1 / (9 * 20))  # the control
    assert not torch.allclose(biased.float(), bn.get_buffer("running_var"), rtol=rounding, atol=0)


def test_the_first_batch_is_not_pulled_to_a_start():
    x, bn = drawn([6], (3,))[0], batch_norm((3,))
    ours = read(bn, [x])
    torch.testing.assert_close(ours.moving_var, x.var(0))
    torch.testing.assert_close(ours.moving_mean, x.mean(0))
    bn(x)
    assert not torch.allclose(bn.get_buffer("running_mean"), x.mean(0))  # the control: BN's own starts at 0


@few
@given(shapes, batch_sizes)
def test_the_batch_variance_is_the_plain_mean_of_unbiased_variances(shape, sizes):
    batches = drawn(sizes, shape)
    ours = read(batch_norm(shape), batches)
    torch.testing.assert_close(ours.batch_var, torch.stack([x.var(pooled_axes(x)) for x in batches]).mean(0))


@few
@given(shapes, batch_sizes)
def test_the_pooled_statistics_are_those_of_all_values_together(shape, sizes):
    batches = drawn(sizes, shape)
    together, ours = torch.cat(batches), read(batch_norm(shape), batches)
    torch.testing.assert_close(ours.pooled_mean, together.mean(pooled_axes(together)))
    torch.testing.assert_close(ours.pooled_var, together.var(pooled_axes(together)))
    assert len(sizes) == 1 or not torch.allclose(ours.batch_var, ours.pooled_var, rtol=1e-4)


def test_the_pooled_variance_survives_a_mean_of_200_deviations():
    seeded = torch.Generator().manual_seed(0)
    batches = [torch.randn(n, 3, 8, 8, generator=seeded) + 200 for n in (100, 128, 37)]
    together = torch.cat(batches).double()
    exact = together.var((0, 2, 3))
    rounding = 2 * EPS * 200  # of the mean of a batch, in standard deviations
    ours = read(batch_norm((3, 8, 8), dtype=torch.float32), batches)
    torch.testing.assert_close(ours.pooled_var, exact, rtol=rounding, atol=0)
    single = torch.cat(batches)
    naive = (single**2).mean((0, 2, 3)) - single.mean((0, 2, 3)) ** 2  # the control
    assert ((naive - exact).abs() > rounding * exact).any()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_moments_are_read_in_single_precision_from_any_layout_and_type(layout, dtype):
    x = torch.randn(16, 5, 7, 7, generator=torch.Generator().manual_seed(0)).to(dtype, memory_format=layout)
    mean, biased, values = moments(x)
    assert (mean.dtype, biased.dtype, values) == (torch.float32, torch.float32, 16 * 7 * 7)
    exact = x.double()
    torch.testing.assert_close(mean.double(), exact.mean((0, 2, 3)), rtol=0, atol=16 * EPS)
    torch.testing.assert_close(biased.double(), exact.var((0, 2, 3), correction=0), rtol=16 * EPS, atol=0)
    assert not torch.allclose(biased.double(), exact.var((0, 2, 3)), rtol=16 * EPS)  # the control: unbiased


def test_several_bns_together_are_each_as_alone():
    shapes_and_momenta = [((3,), 0.1), ((4, 2, 2), None), ((1, 5), 0.7)]
    bns = [batch_norm(*each) for each in shapes_and_momenta]
    series = [drawn([4, 7, 2], shape) for shape, _ in shapes_and_momenta]
    together = Statistics(bns)
    for inputs in zip(*series, strict=True):
        together.update([shadow.see(x) for shadow, x in zip(together.shadows, inputs, strict=True)])
    for ours, bn, batches in zip(together.read(), bns, series, strict=True):
        alone = read(bn, batches)
        assert all(torch.equal(getattr(ours, name), value) for name, value in vars(alone).items())
        assert len(ours.moving_var) == bn.num_features


def test_halves_are_the_moving_averages_of_every_other_batch():
    batches, bn = drawn([5, 6, 7, 8, 9], (3, 4)), batch_norm((3, 4), 0.3)
    halves = Halves([bn])
    for x in batches:
        halves.update([Shadow(bn).see(x)])
    ((last, other),) = halves.read()
    torch.testing.assert_close(last, read(bn, batches[::2]).moving_var)
    torch.testing.assert_close(other, read(bn, batches[1::2]).moving_var)
    assert not torch.allclose(last, other)


def test_what_was_read_stays_as_it_was():
    statistics, (first, second) = Statistics([batch_norm((3,))]), drawn([4, 4], (3,))
    statistics.update([statistics.shadows[0].see(first)])
    before = statistics.read()[0]
    statistics.update([statistics.shadows[0].see(second)])
    torch.testing.assert_close(before.moving_var, first.var(0))
    torch.testing.assert_close(before.pooled_var, first.var(0))
    assert not torch.equal(statistics.read()[0].pooled_var, before.pooled_var)


def test_a_lone_value_and_no_batch_are_refused():
    with pytest.raises(ValueError, match=r"^values a channel = 1: a batch must bring >= 2 to every BN$"):
        moments(torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"^batches = 0: there must be at least one$"):
        Statistics([batch_norm((3,))]).read()
    assert math.isclose(moments(torch.tensor([[1.0], [5.0]])).biased.item(), 4)
