"""What the doctor measures, and what it writes into a repaired state dict, against Section 4's own measurement."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fullscale.adjust import adjust
from fullscale.doctor import examine, repaired, with_uout
from fullscale.measure import measure
from fullscale.nets import build
from fullscale.noise import Uout
from fullscale.placement import place


def batches(count: int = 6) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    labels = [torch.randint(4, (32,), generator=generator) for _ in range(count)]
    means = torch.randn(4, 3, 1, 1, generator=generator)
    return [(means[each] + torch.randn(32, 3, 16, 16, generator=generator), each) for each in labels]


def rows(model: nn.Module) -> Any:
    return examine(model, batches()).rows


def trained() -> nn.Module:
    net = place(build("wrn-10-1", num_classes=4), "a", drop=0.5)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for _ in range(5):
        for x, labels in batches():
            optimizer.zero_grad()
            functional.cross_entropy(net(x), labels).backward()
            optimizer.step()
    return net.eval()


@pytest.fixture(scope="module")
def net() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return trained()


def test_moving_and_real_variance_are_those_of_the_papers_measurement(net) -> None:
    report, measured = examine(net, batches()), measure(net, batches(), seed=0)
    assert [row.bn for row in report.rows] == [row.name for row in measured.rows]
    for row, own in zip(report.rows, measured.rows, strict=True):
        assert row.moving_var == pytest.approx(own.moving_var, rel=1e-6)
        assert row.real_var == pytest.approx(own.real_var, rel=1e-5)
        assert row.shift_ratio == pytest.approx(own.shift_ratio, rel=1e-5)


def test_the_total_is_local_times_inherited(net) -> None:
    for row in rows(net):
        assert row.trained
        assert row.measured == row.shift == pytest.approx(row.predicted * row.inherited)
        assert row.shift_ratio == max(row.shift, 1 / row.shift)
        assert row.inherited != 1


def test_before_the_first_noise_there_is_no_local_shift(net) -> None:
    first, second = rows(net)[:2]
    assert (first.sources, first.predicted, first.worst_channel) == ((), 1, None)
    assert second.sources == ("stages.0.0.before_last_bn",)
    assert second.predicted < 0.6


def test_what_was_never_trained_is_not_measured() -> None:
    for row in rows(build("wrn-10-1")):
        assert (row.trained, row.measured, row.inherited) == (False, None, None)
        assert row.harm == 1
        assert row.moving_var == 1
        assert row.shift_ratio == max(row.real_var, 1 / row.real_var)
        assert any("began with" in note for note in row.notes)


def test_repaired_statistics_are_those_of_table_3_in_batch_mode(net) -> None:
    state, adjusted = repaired(net, batches()), adjust(net, batches, reading="batch").state_dict()
    assert list(state) == list(adjusted)
    for name, value in state.items():
        torch.testing.assert_close(value, adjusted[name], rtol=1e-5, atol=1e-6)


def worst(model: nn.Module) -> float:
    return max(row.shift_ratio or 0 for row in examine(model, batches()).rows)


def test_repaired_the_model_has_hardly_a_shift_left(net) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = repaired(net, batches())
    healed = build("wrn-10-1", num_classes=4)
    healed.load_state_dict(state)
    assert worst(healed) < 1.1
    assert worst(net) > 1.5
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_uout_takes_the_place_of_every_dropout_in_a_copy(net) -> None:
    lighter = with_uout(net, 0.3)
    names = {name: layer for name, layer in net.named_modules() if isinstance(layer, nn.Dropout)}
    assert names
    for name in names:
        layer = lighter.get_submodule(name)
        assert isinstance(layer, Uout)
        assert (layer.beta, layer.training) == (0.3, False)
    assert not any(isinstance(layer, Uout) for layer in net.modules())
    for before, row in zip(rows(net), rows(lighter), strict=True):
        assert 1 / row.predicted - 1 == pytest.approx(0.03 * (1 / before.predicted - 1), rel=1e-4)


def test_statistics_for_uout_are_those_of_training_with_it(net) -> None:
    state = repaired(net, batches(), uout=1.0)
    lighter = with_uout(net, 1.0)
    lighter.load_state_dict(state)
    second = rows(lighter)[1]
    assert second.shift == pytest.approx(second.predicted, rel=0.05)
    assert second.predicted < 0.9


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout1d(0.5), nn.Dropout2d(0.5), nn.Dropout3d(0.5)])
def test_a_dropout_layer_alone_is_replaced_too(layer) -> None:
    replaced = with_uout(layer, 0.2)
    assert isinstance(replaced, Uout)
    assert replaced.training


class Shared(nn.Module):
    """One Dropout under three paths, two of them in a part that is shared itself; and one that drops nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.0))
        self.second = self.first
        self.again = self.first[0]


def test_a_shared_dropout_is_replaced_under_all_its_paths_by_one_uout() -> None:
    model = Shared()
    replaced: Any = with_uout(model, 0.2)
    assert isinstance(replaced.again, Uout)
    assert replaced.again is replaced.first[0] is replaced.second[0]
    assert replaced.first is replaced.second
    assert isinstance(model.again, nn.Dropout)


def test_dropout_that_drops_nothing_is_no_noise_to_replace() -> None:
    assert isinstance(with_uout(Shared(), 0.2).get_submodule("first.1"), nn.Dropout)
    with pytest.raises(ValueError, match=r"^model = Sequential: has no Dropout layer that Uout could take"):
        with_uout(nn.Sequential(nn.Dropout(0.0), nn.Dropout2d(0.0)), 0.2)


class Uncopyable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop, self.bn = nn.Dropout(0.5), nn.BatchNorm2d(3)

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
        raise TypeError("it holds\nan open file")


@pytest.mark.parametrize(
    ("repair", "message"),
    [
        (lambda: repaired(nn.Sequential(nn.BatchNorm2d(3)), []), "batches = 0: there must be at least one"),
        (lambda: repaired(nn.Conv2d(3, 3, 1), batches(1)), "model = Conv2d: calls no BN"),
        (lambda: repaired(nn.LazyBatchNorm2d(), batches(1)), "model = LazyBatchNorm2d: has lazy modules"),
        (lambda: repaired(Uncopyable(), batches(1)), "model = Uncopyable: cannot be copied: "),
        (lambda: with_uout(Uncopyable(), 0.2), "model = Uncopyable: cannot be copied: TypeError: it holds an open"),
        (lambda: with_uout(nn.Sequential(nn.LazyBatchNorm2d(), nn.Dropout()), 0.2), "model = Sequential: has lazy mod"),
        (lambda: with_uout(nn.BatchNorm2d(3), 0.2), "model = BatchNorm2d: has no Dropout layer"),
        (lambda: with_uout(nn.Dropout(), 1.5), "beta = 1.5: must lie in 0 <= beta <= 1"),
    ],
)
def test_what_cannot_be_repaired_is_told_in_a_line(repair, message) -> None:
    with pytest.raises(ValueError, match=message):
        repair()


def test_a_frozen_bn_keeps_its_statistics_and_a_shared_one_gets_one_state() -> None:
    shared = nn.BatchNorm2d(3)
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), shared, nn.ReLU(), shared)
    model[0].eval()
    state = repaired(model, batches(2))
    assert torch.equal(state["0.running_var"], torch.ones(3))
    assert not torch.equal(state["2.running_var"], torch.ones(3))
    assert torch.equal(state["2.running_var"], state["4.running_var"])
