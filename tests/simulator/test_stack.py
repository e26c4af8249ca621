import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Array,
    BatchNorm,
    Dropout,
    Equicorrelated,
    Estimate,
    FeatureMaps,
    Linear,
    Reading,
    ReLU,
    Residual,
    Stack,
    Uout,
    measure_case,
)

STANDARD = Equicorrelated(4, 0.0, 1.0, 0.0)
LITTLE: dict[str, Any] = {"replicas": 8, "batches": 3, "batch": 32}


def agrees(estimate: Estimate, truth: float, bias: float = 0.0) -> bool:
    return abs(estimate.value - truth) <= 6 * estimate.stderr + bias


def chain(depth: int, retain: float) -> Stack:
    return Stack([layer for _ in range(depth) for layer in (Dropout(retain), BatchNorm(4))])


def test_the_local_shifts_multiply_down_a_chain():
    readings = chain(3, 0.5).measure(STANDARD, np.random.default_rng(0))
    assert [reading.bn for reading in readings] == [1, 2, 3]
    for depth, reading in enumerate(readings, start=1):
        # Each further BN adds up to 1/m to its moving variance: see Stack.measure.
        assert agrees(reading.shift, 0.5**depth, bias=depth * 0.5**depth / 1024)
        assert agrees(reading.moving_var, 2, bias=2 / 1024)
    assert not agrees(readings[2].shift, 0.5, bias=0.01)  # the control: no chain reaction


def test_without_noise_only_the_batch_size_shifts_a_deep_variance():
    stack = Stack([BatchNorm(4, eps=0), BatchNorm(4, eps=0)])
    first, second = stack.measure(STANDARD, np.random.default_rng(0), replicas=32, batches=64, batch=16)
    assert first.shift.value == pytest.approx(1, abs=1e-12)  # the same data in both phases
    # Exactly m/(m-1): a batch's biased variance is 1 after the first BN.
    assert second.moving_var.value == pytest.approx(16 / 15, abs=1e-12)
    assert agrees(second.shift, 15 / 16, bias=3 / (16 * 64))
    assert not agrees(second.shift, 1)


def test_one_bn_behind_weights_reads_what_measure_case_reads():
    inputs, w = Equicorrelated(4, 0.5, 2.0, -0.2, "uniform"), [1.0, 2.0, -0.5, 1.0]
    (reading,) = Stack([Uout(0.9), Linear([w]), BatchNorm(1)]).measure(inputs, np.random.default_rng(0))
    case = measure_case("b", inputs, Uout(0.9), w, 1_000_000, np.random.default_rng(1))
    assert reading.shift.n == 64 * 16 * 1024
    for ours, theirs in ((reading.shift, case.shift), (reading.moving_var, case.var_train)):
        assert abs(ours.value - theirs.value) < 6 * math.hypot(ours.stderr, theirs.stderr)


def test_behind_a_relu_the_means_shift_too():
    stack = Stack([Dropout(0.5), BatchNorm(4), ReLU(), BatchNorm(4)])
    first, second = stack.measure(STANDARD, np.random.default_rng(0))
    assert agrees(first.moving_mean, 0)
    assert agrees(first.real_mean, 0)
    half_of_n01 = 1 / math.sqrt(2 * math.pi)  # E max(z, 0)
    # In test the first BN puts out N(0, 1/2).
    assert agrees(second.real_mean, math.sqrt(0.5) * half_of_n01, bias=5e-4)
    # In training half of its values are N(0, 2), the others minus the batch mean, which has variance 1/m.
    assert agrees(second.moving_mean, 0.5 * (math.sqrt(2) + math.sqrt(1 / 1024)) * half_of_n01, bias=5e-4)
    assert not agrees(second.moving_mean, 0.5 * math.sqrt(2) * half_of_n01, bias=5e-4)


def test_without_noise_the_mean_behind_a_relu_stays():
    _, second = Stack([BatchNorm(4), ReLU(), BatchNorm(4)]).measure(STANDARD, np.random.default_rng(0), replicas=16)
    assert agrees(second.moving_mean, 1 / math.sqrt(2 * math.pi), bias=1e-3)
    assert agrees(second.real_mean, 1 / math.sqrt(2 * math.pi), bias=1e-3)


def test_standard_errors_include_the_error_of_the_moving_statistics():
    inputs, rng = Equicorrelated(1, 0.0, 1.0, 0.0), np.random.default_rng(0)
    misses, with_a_third = 0, 0
    for _ in range(200):
        stack = Stack([Dropout(0.5), BatchNorm(1), Dropout(0.5), BatchNorm(1)])
        _, deep = stack.measure(inputs, rng, replicas=16, batches=4, batch=128)
        off = abs(deep.shift.value - 0.25)
        misses += off > 2.13 * deep.shift.stderr  # the 97.5% point of Student's t for 16 replicas
        with_a_third += off > 0.7 * deep.shift.stderr
    assert misses < 10 + 6 * 3.1  # 5% of 200, and its standard deviation
    assert with_a_third > 10 + 6 * 3.1


def test_training_is_repeatable_from_a_seed():
    def moving(seed: int) -> Array:
        stack = Stack([Dropout(0.5), norm := BatchNorm(4, momentum=0.1)])
        stack.train(STANDARD, np.random.default_rng(seed), batches=5, batch=32)
        first = norm.moving_var
        stack.train(STANDARD, np.random.default_rng(seed), batches=5, batch=32)
        assert (norm.moving_var == first).all()
        return first

    assert (moving(1) == moving(1)).all()
    assert (moving(1) != moving(2)).any()


def test_the_test_phase_leaves_every_statistic_as_training_left_it():
    stack = Stack([Dropout(0.5), norm := BatchNorm(4)])
    stack.train(STANDARD, np.random.default_rng(0))
    before = norm.moving_mean.copy(), norm.moving_var.copy()
    stack.test(STANDARD, np.random.default_rng(1))
    assert (norm.batches, (norm.moving_mean == before[0]).all(), (norm.moving_var == before[1]).all()) == (
        16,
        True,
        True,
    )


def test_images_are_pooled_over_batch_and_positions():
    class Images:
        def sample(self, n: int, rng: np.random.Generator) -> Array:
            return rng.normal(1, 2, (n, 3, 4, 4))

    stack = Stack([Dropout(0.5), Linear([[1.0, 1.0, 1.0]]), BatchNorm(1)])
    (reading,) = stack.measure(Images(), np.random.default_rng(0), replicas=32, batches=4, batch=64)
    # Var(2 a x) = 4 E[a x^2] - 1 = 2 (4 + 1) - 1 = 9 for each of the three inputs.
    assert agrees(reading.moving_var, 27)
    assert agrees(reading.real_var, 12)
    assert agrees(reading.shift, 12 / 27)


class Spy:
    """A layer that keeps what passes through it."""

    def __init__(self) -> None:
        self.seen: list[Array] = []

    def __call__(self, x: Array) -> Array:
        self.seen.append(x.copy())
        return x


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 9), st.integers(0, 2**32))
def test_every_epoch_sees_the_same_inputs_under_fresh_noise(epochs: int, batches: int, batch: int, seed: int):
    inputs, noisy, norm = Spy(), Spy(), BatchNorm(4)
    stack = Stack([inputs, Uout(1.0), noisy, norm])
    stack.train(STANDARD, np.random.default_rng(seed), batches, batch, epochs)
    assert norm.batches == len(inputs.seen) == epochs * batches
    first = np.array(inputs.seen[:batches])
    assert first.shape == (batches, batch, 4)
    for epoch in range(epochs):
        assert (np.array(inputs.seen[epoch * batches : (epoch + 1) * batches]) == first).all()
    factors = np.array(noisy.seen) / np.array(inputs.seen)
    assert len(np.unique(factors.round(12))) == factors.size
    inputs.seen.clear()
    stack.test(STANDARD, np.random.default_rng(seed), batches, batch)
    assert (np.array(inputs.seen) == first).all()


def little(stack: Stack, **options: Any) -> tuple[Reading, ...]:
    return stack.measure(STANDARD, np.random.default_rng(0), **LITTLE | options)


def test_without_noise_more_epochs_see_nothing_new():
    once, often = (little(Stack([BatchNorm(4), ReLU(), BatchNorm(4)]), epochs=epochs) for epochs in (1, 5))
    for one, five in zip(once, often, strict=True):
        for name in ("moving_mean", "moving_var", "real_mean", "real_var", "shift"):
            assert getattr(five, name).value == pytest.approx(getattr(one, name).value, rel=1e-9)
            assert getattr(five, name).stderr == pytest.approx(getattr(one, name).stderr, rel=1e-6)
    exponential = [little(Stack([BatchNorm(4, momentum=0.1)]), epochs=epochs)[0] for epochs in (1, 5)]
    assert exponential[0].moving_var.value > 0.5 > abs(exponential[0].moving_var.value - 1)
    assert exponential[1].moving_var.value != exponential[0].moving_var.value  # of which it remembers more


def test_with_noise_more_epochs_leave_less_of_its_error():
    signs = Equicorrelated(1, 0.0, 1.0, 0.0, "two-point")  # x^2 = 1: nearly all that varies is the mask

    def reading(epochs: int) -> Reading:
        stack = Stack([Dropout(0.5), BatchNorm(1)])
        return stack.measure(signs, np.random.default_rng(0), replicas=128, batches=2, batch=64, epochs=epochs)[0]

    once, often = reading(1), reading(16)
    assert agrees(once.moving_var, 2)
    assert agrees(often.moving_var, 2)
    # A standard error of 128 replicas is known to 1 / sqrt(2 127), a sixteenth.
    assert 1 / 4 / 1.5 < often.moving_var.stderr / once.moving_var.stderr < 1.5 / 4
    assert often.real_var == once.real_var
    assert often.shift.n == once.shift.n == 128 * 2 * 64


@pytest.mark.parametrize(("d", "batches"), [(4, 3), (600, 5)])
def test_inputs_that_are_too_many_to_keep_are_drawn_again(d: int, batches: int):
    drawn = []

    class Counted:
        def sample(self, n: int, rng: np.random.Generator) -> Array:
            drawn.append(n)
            return Equicorrelated(d, 0.5, 1.0, 0.1).sample(n, rng)

    stack = Stack([BatchNorm(d)])
    (reading,) = stack.measure(Counted(), np.random.default_rng(0), replicas=2, batches=batches, threads=1, epochs=2)
    passes = 1 if d == 4 else 3
    assert drawn.count(1024) == 2 * passes * batches
    assert (reading.shift.value, reading.shift.stderr) == pytest.approx((1, 0), abs=1e-12)  # the same in all passes


def test_the_ratio_of_section_4_is_the_shift_or_its_inverse():
    def ratio(shift: float) -> Estimate:
        any_number = Estimate(1.0, 0.1, 10)
        return Reading(1, any_number, any_number, any_number, any_number, Estimate(shift, 0.1, 10)).shift_ratio

    assert ratio(2.0) == Estimate(2.0, 0.1, 10)
    assert ratio(1.0) == Estimate(1.0, 0.1, 10)
    assert ratio(0.5) == Estimate(2.0, 0.4, 10)  # the error of 1/r is that of r, over r^2
    (reading,) = little(Stack([Dropout(0.5), BatchNorm(4)]))
    assert reading.shift_ratio.value == 1 / reading.shift.value > 1.5


def test_single_precision_reads_what_double_precision_reads():
    def readings(dtype: str) -> tuple[Reading, ...]:
        inputs = Equicorrelated(4, 3.0, 1.0, 0.2, "uniform", dtype=dtype)  # pyright: ignore[reportArgumentType]
        stack = Stack([Dropout(0.5), Linear(np.eye(4) - 0.3), BatchNorm(4), ReLU(), Uout(1.0), BatchNorm(4)])
        return stack.measure(inputs, np.random.default_rng(0), replicas=64, batches=2)

    for single, double in zip(readings("float32"), readings("float64"), strict=True):
        for name in ("moving_mean", "moving_var", "real_mean", "real_var", "shift"):
            ours, theirs = getattr(single, name), getattr(double, name)
            assert abs(ours.value - theirs.value) < 6.5 * math.hypot(ours.stderr, theirs.stderr)


NORM = BatchNorm(4)


def trained(**change: Any) -> None:
    chain(1, 0.5).train(STANDARD, np.random.default_rng(0), **change)


def measured(**change: Any) -> None:
    chain(1, 0.5).measure(STANDARD, np.random.default_rng(0), **change)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Stack([Dropout(0.5), ReLU()]), "layers: must hold at least one BatchNorm"),
        (lambda: Stack([NORM, NORM]), "layers: each BatchNorm must be an object of its own, since it keeps statistics"),
        (
            lambda: chain(1, 0.5).test(STANDARD, np.random.default_rng(0)),
            "moving statistics: empty, train on at least one batch before testing",
        ),
        (lambda: trained(batches=0), "batches = 0: must be a whole number >= 1"),
        (lambda: trained(batch=0), "batch = 0: must be a whole number >= 1"),
        (lambda: trained(batch=1), "m = 1: a batch must have >= 2 values a unit, over batch and positions"),
        (lambda: measured(replicas=1), "replicas = 1: must be a whole number >= 2"),
        (lambda: measured(batch=1), "batch = 1: must be a whole number >= 2"),
        (lambda: measured(batches=-1), "batches = -1: must be a whole number >= 1"),
        (lambda: measured(epochs=0), "epochs = 0: must be a whole number >= 1"),
        (lambda: measured(threads=0), "threads = 0: must be a whole number >= 1"),
        (
            lambda: measured(batch=10**9),
            "batch = 1000000000: must be <= 520833 for this stack with threads = 1; it would take 192000 MB of 100",
        ),
        (lambda: trained(epochs=-1), "epochs = -1: must be a whole number >= 1"),
        (lambda: trained(epochs=1.5), "epochs = 1.5: must be a whole number >= 1"),
        (
            lambda: Stack([BatchNorm(3)]).measure(STANDARD, np.random.default_rng(0)),
            "x's shape = (1, 4): must be (n, 3) or (n, 3, h, w)",
        ),
    ],
)
def test_a_stack_that_makes_no_sense_is_refused(call, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as refused:
        call()
    assert "\n" not in str(refused.value)


def test_a_layer_that_would_change_its_input_is_stopped():
    def doubled_in_place(x: Array) -> Array:
        x *= 2
        return x

    for layers in ([doubled_in_place, BatchNorm(4)], [ReLU(), Residual([doubled_in_place]), BatchNorm(4)]):
        with pytest.raises(ValueError, match="read-only"):
            Stack(layers).measure(STANDARD, np.random.default_rng(0), **LITTLE)


def test_batch_variances_of_correlated_positions_come_out_too_small_as_told():
    maps = FeatureMaps(2, 4, 0.0, 1.0, 0.0, spatial=1.0)  # constant maps: a batch of 8 has 8 values, 16 times each
    reading = Stack([BatchNorm(2)]).measure(maps, np.random.default_rng(0), replicas=400, batches=4, batch=8)[0]
    assert agrees(reading.real_var, (1 - 1 / 8) * 128 / 127)
    assert not agrees(reading.real_var, 1)
