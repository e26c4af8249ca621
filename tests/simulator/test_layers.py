import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import BatchNorm, Linear, ReLU

few = settings(deadline=None, max_examples=20)
shapes = st.one_of(
    st.tuples(st.integers(2, 9), st.just(3)), st.tuples(st.integers(1, 4), st.just(3), st.integers(2, 4), st.just(3))
)


@few
@given(shapes, st.sampled_from([None, 0.1, 0.5, 1.0]), st.integers(1, 5), st.integers(0, 2**32))
def test_batch_norm_is_the_one_of_pytorch(shape: tuple[int, ...], momentum: float | None, batches: int, seed: int):
    batch_norm = torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d
    ours, theirs = BatchNorm(3, momentum), batch_norm(3, momentum=momentum, affine=False, dtype=torch.float64)
    x = np.random.default_rng(seed).normal(2, 3, (batches, *shape))
    for batch in x:
        assert np.allclose(ours.train(batch), theirs(torch.from_numpy(batch)).numpy(), rtol=1e-10)
    state = theirs.state_dict()
    assert np.allclose(ours.moving_mean, state["running_mean"].numpy(), rtol=1e-10)
    assert np.allclose(ours.moving_var, state["running_var"].numpy(), rtol=1e-10)
    assert np.allclose(ours.test(x[0]), theirs.eval()(torch.from_numpy(x[0])).numpy(), rtol=1e-10)


def test_a_batch_of_two_normalises_by_the_biased_and_remembers_the_unbiased_variance():
    norm = BatchNorm(1, eps=0)
    assert norm.train(np.array([[1.0], [5.0]])).ravel().tolist() == [-1, 1]  # mean 3, biased variance 4
    assert (norm.moving_mean, norm.moving_var) == (3, 8)
    assert norm.test(np.array([[3.0], [3 + 8**0.5]])).ravel().tolist() == pytest.approx([0, 1])


def test_without_momentum_the_moving_statistics_are_the_plain_means_over_batches():
    norm, batches = BatchNorm(2), np.random.default_rng(0).normal(size=(7, 10, 2))
    for x in batches:
        norm.train(x)
    assert np.allclose(norm.moving_mean, batches.mean(axis=(0, 1)))
    assert np.allclose(norm.moving_var, batches.var(axis=1, ddof=1).mean(axis=0))
    assert not np.allclose(norm.moving_var, batches.var(axis=1).mean(axis=0))  # the control: biased for unbiased


def test_testing_leaves_the_moving_statistics_alone_and_reset_forgets_them():
    norm = BatchNorm(1)
    norm.train(np.array([[1.0], [5.0]]))
    norm.test(np.array([[100.0], [-100.0]]))
    assert (norm.batches, norm.moving_mean, norm.moving_var) == (1, 3, 8)
    norm.reset()
    assert (norm.batches, norm.moving_mean, norm.moving_var) == (0, 0, 1)


@few
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32))
def test_linear_is_a_fully_connected_layer_and_a_1x1_convolution(out: int, d: int, seed: int):
    rng = np.random.default_rng(seed)
    w, x, image = rng.normal(size=(out, d)), rng.normal(size=(5, d)), rng.normal(size=(2, d, 3, 4))
    assert np.allclose(Linear(w)(x), x @ w.T)
    convolved = torch.nn.functional.conv2d(torch.from_numpy(image), torch.from_numpy(w[:, :, None, None]))
    assert np.allclose(Linear(w)(image), convolved.numpy())


def test_relu_cuts_at_zero():
    assert ReLU()(np.array([[-2.0, 0.0, 3.0]])).tolist() == [[0, 0, 3]]


@few
@given(shapes, st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32))
def test_every_layer_keeps_the_dtype_of_x_and_x_itself(shape: tuple[int, ...], dtype: type, seed: int):
    rng = np.random.default_rng(seed)
    x, norm = rng.normal(size=shape).astype(dtype), BatchNorm(3)
    before = x.copy()
    for layer in (ReLU(), Linear(rng.normal(size=(2, 3))), norm.train, norm.test):
        y = layer(x)
        assert y.dtype == dtype
        y[:] = 7
        assert (x == before).all()
    assert norm.moving_mean.dtype == norm.moving_var.dtype == np.float64


def test_statistics_of_single_precision_are_summed_in_double_precision():
    x = (np.random.default_rng(0).normal(90, 1, (200_000, 1))).astype(np.float32)
    norm = BatchNorm(1)
    norm.train(x)
    exact = x.astype(np.float64)
    assert norm.moving_mean == pytest.approx(exact.mean(axis=0), rel=1e-13)
    assert norm.moving_var == pytest.approx(exact.var(axis=0, ddof=1), rel=1e-9)
    naive = (x**2).mean(axis=0) - x.mean(axis=0) ** 2  # the control: what single precision would make of it
    assert naive != pytest.approx(exact.var(axis=0, ddof=1), rel=1e-5)


def test_a_momentum_weighs_each_batch_down_and_starts_at_mean_0_and_variance_1():
    norm = BatchNorm(1, momentum=0.25)
    for _ in range(3):
        norm.train(np.array([[1.0], [5.0]]))  # mean 3, unbiased variance 8
    left = 0.75**3
    assert norm.moving_mean == pytest.approx(3 * (1 - left))
    assert norm.moving_var == pytest.approx(left + 8 * (1 - left))
    assert BatchNorm(1, momentum=1).momentum == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BatchNorm(0), "units = 0: must be a whole number >= 1"),
        (lambda: BatchNorm(1, momentum=0), "momentum = 0: must lie in 0 < momentum <= 1, or be left out"),
        (lambda: BatchNorm(1, momentum=1.5), "momentum = 1.5: must lie in 0 < momentum <= 1, or be left out"),
        (lambda: BatchNorm(1, eps=-1e-9), "eps = -1e-09: must be >= 0"),
        (
            lambda: BatchNorm(2).train(np.ones((1, 2))),
            "m = 1: a batch must have >= 2 values a unit, over batch and positions",
        ),
        (lambda: BatchNorm(2).train(np.ones((5, 3))), "x's shape = (5, 3): must be (n, 2) or (n, 2, h, w)"),
        (lambda: BatchNorm(2).train(np.ones((4, 2, 3))), "x's shape = (4, 2, 3): must be (n, 2) or (n, 2, h, w)"),
        (lambda: BatchNorm(2, eps=0).train(np.ones((4, 2))), "eps = 0: must be > 0, since unit 0 is constant"),
        (
            lambda: BatchNorm(2).test(np.ones((4, 2))),
            "moving statistics: empty, train on at least one batch before testing",
        ),
        (lambda: Linear([1.0, 2.0]), "weight's shape = (2,): must be (out, d)"),
        (lambda: Linear([[np.nan]]), "weight: must be finite"),
        (lambda: Linear([[1.0, 2.0]])(np.ones((4, 3))), "x's shape = (4, 3): must be (n, 2) or (n, 2, h, w)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as refused:
        call()
    assert "\n" not in str(refused.value)


def test_weights_are_kept_in_doubles_whatever_they_are_given_in():
    assert Linear([[1, 2]]).weight.dtype == np.float64
    assert Linear(np.ones((1, 2), np.float32)).weight.dtype == np.float64
