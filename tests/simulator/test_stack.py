import math

import numpy as np
import pytest

from simulator import Array, BatchNorm, Dropout, Equicorrelated, Estimate, Linear, ReLU, Stack, Uout, measure_case

STANDARD = Equicorrelated(4, 0.0, 1.0, 0.0)


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


NORM = BatchNorm(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Stack([Dropout(0.5), ReLU()]), "layers: must hold at least one BatchNorm"),
        (lambda: Stack([NORM, NORM]), "layers: each BatchNorm must be an object of its own"),
        (lambda: chain(1, 0.5).test(STANDARD, np.random.default_rng(0)), "moving statistics: empty"),
        (lambda: chain(1, 0.5).train(STANDARD, np.random.default_rng(0), batches=0), "batches = 0"),
        (lambda: chain(1, 0.5).train(STANDARD, np.random.default_rng(0), batch=1), "m = 1"),
        (lambda: chain(1, 0.5).measure(STANDARD, np.random.default_rng(0), replicas=1), "replicas = 1"),
        (lambda: chain(1, 0.5).measure(STANDARD, np.random.default_rng(0), batch=1), "batch = 1: must be"),
        (lambda: Stack([BatchNorm(3)]).measure(STANDARD, np.random.default_rng(0)), r"x's shape = \(1, 4\)"),
    ],
)
def test_a_stack_that_makes_no_sense_is_refused(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()
