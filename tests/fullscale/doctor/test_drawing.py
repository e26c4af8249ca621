"""Operators that draw and do something else at once, or draw at times: the rest goes on, the noise at its mean."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fullscale import doctor
from tests.fullscale.doctor.spelled import Spelled

examine: Any = doctor.examine  # figures that may be None are compared without asking

DROP = 0.3
native_dropout = torch.ops.aten.native_dropout


def dropping(layer) -> Spelled:
    """In training something that may draw, then BN; a Dropout is there for it to call."""
    return Spelled(lambda own, x: layer(own, x) if own.here.training else x, dropout=nn.Dropout(DROP))


def signal() -> Tensor:
    return torch.randn(32, 4, 5, 6) + torch.arange(4).view(-1, 1, 1)


def masked_again(own: Spelled, x: Tensor) -> Tensor:
    del own
    out, mask = native_dropout(x, DROP, train=True)
    return torch.where(mask, out, out)


WHOLE = {"alone": (lambda _, x: native_dropout(x, DROP, train=True)[0], True), "with its mask": (masked_again, False)}


@pytest.mark.parametrize(("layer", "exact"), WHOLE.values(), ids=WHOLE)
def test_dropout_that_is_one_operator_is_dropout(layer, exact):
    x = signal()
    report = examine(dropping(layer), [x], probes=64)
    (source,), (row,) = report.sources, report.rows
    assert source.strength == ("drop", pytest.approx(DROP))
    var = x.var((0, 2, 3))
    truth = var.mean() / (var + DROP / (1 - DROP) * x.square().mean((0, 2, 3))).mean()
    assert (row.exact, row.predicted) == (exact, pytest.approx(truth.item(), abs=4.9 * row.stderr + 1e-6))


def test_beside_the_signal_it_has_the_weight_of_its_mean():
    x = signal()
    (row,) = examine(dropping(lambda _, x: x + native_dropout(x, DROP, train=True)[0]), [x]).rows
    test = 4 * x.var((0, 2, 3))
    train = test + DROP / (1 - DROP) * x.square().mean((0, 2, 3))
    assert (row.exact, row.predicted) == (True, pytest.approx((test.mean() / train.mean()).item()))


SILENT = {
    "in test": lambda _, x: native_dropout(x, DROP, train=False)[0],
    "of none": lambda _, x: native_dropout(x, 0.0, train=True)[0],
    "of all": lambda _, x: x + native_dropout(x, 1.0, train=True)[0],
    "RReLU in test": lambda _, x: functional.rrelu(x, training=False),
}


@pytest.mark.parametrize("layer", SILENT.values(), ids=SILENT)
def test_where_nothing_is_left_to_chance_no_noise_is_found(layer):
    report = examine(dropping(layer), [signal()])
    assert (report.sources, report.rows[0].predicted, report.rows[0].exact) == ((), 1, True)


def test_an_operator_that_could_draw_and_does_not_passes_noise_on(monte_carlo):
    model, x = dropping(lambda own, x: functional.rrelu(own.dropout(x), training=False)), signal()
    (row,) = examine(model, [x], probes=64).rows
    assert (row.sources, row.exact) == (("dropout",), False)
    assert monte_carlo(model, x, [model.dropout])["bn"].agrees_with(row.predicted, row.stderr)


MIXED = {
    "RReLU": lambda own, x: functional.rrelu(own.dropout(x), training=own.training),
    "maximum": lambda own, x: torch.maximum(own.dropout(x), torch.rand_like(x)),
}


@pytest.mark.parametrize("layer", MIXED.values(), ids=MIXED)
def test_noise_that_meets_numbers_in_another_way_than_a_product_is_still_there(layer):
    report = examine(dropping(layer), [signal()])
    (row,), sources = report.rows, {source.name: source for source in report.sources}
    assert set(row.sources) == set(sources) == {"dropout", "Spelled"}
    assert (row.predicted, row.exact) == (None, False)
    assert (sources["dropout"].sharing, sources["dropout"].s2) == ("element", pytest.approx(DROP / (1 - DROP)))
    assert (sources["Spelled"].sharing, sources["Spelled"].s2) == ("other", None)


def test_beside_such_numbers_it_is_probed_with_these_at_their_mean(monte_carlo):
    model, x = dropping(MIXED["maximum"]), signal()
    (row,) = examine(model, [x], probes=64).rows
    (way,) = (way for way in row.ways if way.source == "dropout")
    halved = dropping(lambda own, x: torch.maximum(own.dropout(x), torch.tensor(0.5)))
    assert monte_carlo(halved, x, [halved.dropout])["bn"].agrees_with(way.shift, way.stderr)
