import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Array, BatchNorm, Dropout, Equicorrelated, Layer, Linear, ReLU, Residual, Stack, phases
from simulator.phases import DryRun, Training, norms, with_own_norms

UNITS = Equicorrelated(3, 0.5, 1.0, 0.2)
LITTLE: dict[str, Any] = {"replicas": 3, "batches": 2, "batch": 8}
X = np.arange(12.0).reshape(4, 3) - 5


def times(factor: float) -> Callable[[Array], Array]:
    return lambda x: factor * x


def run(layers: Sequence[Layer], x: Array = X) -> Array:
    return phases.Testing().run(layers, x)


def test_a_residual_block_adds_its_branch_to_its_shortcut():
    assert (run([Residual([ReLU()])]) == X + np.maximum(X, 0)).all()
    assert (run([Residual([times(2), times(3)], [times(5)])]) == 11 * X).all()
    assert (run([Residual([Residual([times(2)])], [Residual([times(3)], [times(4)])])]) == 10 * X).all()


@settings(deadline=None, max_examples=40)
@given(
    st.recursive(
        st.floats(-3, 3).map(lambda factor: ([times(factor)], factor)),
        lambda parts: (
            st.tuples(parts, parts).map(lambda two: ([Residual(two[0][0], two[1][0])], two[0][1] + two[1][1]))
            | st.tuples(parts, parts).map(lambda two: (two[0][0] + two[1][0], two[0][1] * two[1][1]))
            | parts.map(lambda part: ([Residual(part[0])], part[1] + 1))
        ),
        max_leaves=8,
    )
)
def test_any_nest_of_blocks_computes_its_polynomial(nest: tuple[list[Layer], float]):
    layers, factor = nest
    before = X.copy()
    assert np.allclose(run(layers), factor * X, rtol=1e-9, atol=1e-9)
    assert np.allclose(Training(np.random.default_rng(0)).run(layers, X), factor * X, rtol=1e-9, atol=1e-9)
    assert (before == X).all()


def test_a_block_leaves_its_input_alone():
    x = X.copy()
    noisy = [Residual([Dropout(0.5), ReLU(), BatchNorm(3)], [Dropout(0.5)]), BatchNorm(3)]
    Training(np.random.default_rng(0)).run(noisy, x)
    phases.Testing().run(noisy, x)
    assert (x == X).all()


def test_noises_and_bns_in_a_block_know_the_phase():
    block, ones = [Residual([Dropout(0.5), norm := BatchNorm(1)], [Dropout(0.25)])], np.ones((1000, 1))
    trained = Training(np.random.default_rng(0)).run(block, ones)
    assert np.unique(trained.round()).tolist() == [-1, 1, 3, 5]  # +-1 from the branch, 0 or 4 from the shortcut
    assert norm.batches == 1
    assert norm.moving_var > 0.5
    tested = phases.Testing().run(block, ones)
    assert np.allclose(tested, 1 + (1 - norm.moving_mean) / np.sqrt(norm.moving_var + norm.eps))
    assert norm.batches == 1


def test_bns_are_numbered_in_the_order_of_execution():
    first, second, third, fourth, fifth, last = bns = [BatchNorm(3) for _ in range(6)]
    inner = Residual([second, times(2)], [times(7), third])
    layers = [first, Residual([inner, fourth], [ReLU(), fifth]), times(3), last]
    assert list(norms(layers)) == bns
    executed: list[BatchNorm] = []

    class Listening(DryRun):
        def normalise(self, norm: BatchNorm, x: Array) -> Array:
            executed.append(norm)
            return super().normalise(norm, x)

    Listening().run(layers, X)
    assert executed == bns


def test_readings_come_in_the_order_of_execution():
    branch = [times(2), BatchNorm(3, eps=0), times(3), BatchNorm(3)]
    layers = [BatchNorm(3, eps=0), Residual(branch, [times(4), BatchNorm(3)]), BatchNorm(3)]
    readings = Stack(layers).measure(UNITS, np.random.default_rng(0), **dict(LITTLE, batch=512))
    assert [reading.bn for reading in readings] == [1, 2, 3, 4, 5]
    assert [reading.moving_var.value for reading in readings] == pytest.approx([1, 4, 9, 16, 4], rel=0.2)


@pytest.mark.parametrize(
    "layers",
    [
        [Residual([norm := BatchNorm(3)], [norm])],
        [norm, Residual([ReLU(), norm])],
        [Residual([Residual([norm])]), Residual([ReLU()], [norm])],
    ],
)
def test_a_bn_stands_in_one_place_only(layers: list[Layer]):
    with pytest.raises(ValueError, match="each BatchNorm must be an object of its own"):
        Stack(layers)


def test_a_block_without_a_branch_is_refused():
    with pytest.raises(ValueError, match=r"^branch: must hold at least one layer$"):
        Residual([], [ReLU()])


def test_the_layers_of_a_block_are_its_own():
    branch: list[Layer] = [times(2)]
    block = Residual(branch)
    branch.append(times(100))
    assert (run([block]) == 3 * X).all()


class Never:
    """A noise that must not be drawn."""

    def train(self, x: Array, _rng: np.random.Generator) -> Array:
        raise AssertionError(x.shape)

    def test(self, x: Array) -> Array:
        raise AssertionError(x.shape)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (
            [Residual([Linear(np.ones((2, 3)))]), BatchNorm(2)],
            "residual branch's shape = (2,): must be the shortcut's, (3,)",
        ),
        (
            [Residual([ReLU()], [Linear(np.ones((1, 3)))]), BatchNorm(3)],
            "residual branch's shape = (3,): must be the shortcut's, (1,)",
        ),
        ([Residual([BatchNorm(2)]), BatchNorm(3)], "x's shape = (1, 3): must be (n, 2) or (n, 2, h, w)"),
        ([Residual([ReLU()], [BatchNorm(4)])], "x's shape = (1, 3): must be (n, 4) or (n, 4, h, w)"),
        ([BatchNorm(3), Linear(np.ones((5, 4)))], "x's shape = (1, 3): must be (n, 4) or (n, 4, h, w)"),
    ],
)
def test_layers_that_do_not_fit_are_refused_before_anything_is_measured(layers: list[Layer], told: str):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$") as refused:
        Stack([Never(), *layers]).measure(UNITS, np.random.default_rng(0), **LITTLE)
    assert "\n" not in str(refused.value)


def test_sides_of_one_size_but_another_shape_do_not_fit():
    tall, wide = (lambda x: x.reshape(len(x), 2, 3, 1)), (lambda x: x.reshape(len(x), 2, 1, 3))
    with pytest.raises(ValueError, match=r"residual branch's shape = \(2, 3, 1\): must be the shortcut's, \(2, 1, 3\)"):
        run([Residual([tall], [wide])], np.ones((4, 6)))


def test_a_dry_run_keeps_note_of_the_sizes_and_of_nothing_else():
    norm, dry = BatchNorm(3), DryRun()
    shape = dry.run([Never(), norm, Linear(np.ones((7, 3))), Residual([ReLU()]), Linear(np.ones((1, 7)))], X).shape
    assert shape == (4, 1)
    assert dry.most >= 4 * (7 + 7)
    assert norm.batches == 0
    narrow = DryRun()
    narrow.run([norm], X)
    assert narrow.most >= 4 * (3 + 3)


def test_measuring_leaves_the_stack_s_own_bns_empty():
    stack = Stack([Dropout(0.5), first := BatchNorm(3), Residual([second := BatchNorm(3)])])
    stack.measure(UNITS, np.random.default_rng(0), **LITTLE)
    assert (first.batches, second.batches) == (0, 0)
    assert (second.moving_var == 1).all()


def test_a_copy_has_norms_of_its_own_and_shares_everything_else():
    linear, inner, outer = Linear(np.eye(2)), BatchNorm(2), BatchNorm(2)
    copied = with_own_norms([linear, Residual([inner]), outer])
    assert copied[0] is linear
    x = np.random.default_rng(0).standard_normal((8, 2))
    for norm in norms(copied):
        norm.train(x)
    assert [norm.batches for norm in norms(copied)] == [1, 1]
    assert [norm.batches for norm in (inner, outer)] == [0, 0]
    assert not inner.moving_mean.any()
