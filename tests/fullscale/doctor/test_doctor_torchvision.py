"""Models that were not made for this: torchvision's, unedited. What must be found was read off their source."""

from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from fullscale.doctor import Report, examine


def examined(model: nn.Module, side: int) -> Report:
    return examine(model, [torch.randn(4, 3, side, side)])


def test_densenet_calls_dropout_as_a_function_and_concatenates_what_it_gave() -> None:
    model = models.densenet121(drop_rate=0.2)
    report: Any = examined(model, 32)
    layers = [name for name, layer in model.named_modules() if type(layer).__name__ == "_DenseLayer"]
    assert [source.name for source in report.sources] == layers
    assert {(source.kind, source.sharing, source.safe) for source in report.sources} == {
        ("_DenseLayer", "element", False)
    }
    assert all(source.strength == ("drop", pytest.approx(0.2)) for source in report.sources)
    assert len(report.rows) == 121
    assert all(row.exact for row in report.rows)
    rows = {row.bn: row for row in report.rows}
    assert rows["features.denseblock1.denselayer1.norm1"].sources == ()
    assert rows["features.denseblock1.denselayer3.norm1"].sources == tuple(layers[:2])
    assert rows["features.denseblock1.denselayer3.norm2"].sources == ()
    assert rows["features.transition1.norm"].sources == tuple(layers[:6])
    assert rows["features.norm5"].sources == tuple(layers[-16:])
    assert rows["features.transition3.norm"].predicted < 0.9


def test_efficientnets_stochastic_depth_reaches_the_next_blocks_on_its_shortcuts() -> None:
    report = examined(models.efficientnet_b0(), 64)
    *depths, classifier = report.sources
    assert {(source.kind, source.sharing, source.safe) for source in depths} == {("StochasticDepth", "sample", False)}
    assert (classifier.name, classifier.kind, classifier.safe) == ("classifier.0", "Dropout", True)
    assert len(depths) == 9
    rows = {row.bn: row for row in report.rows}
    assert rows["features.3.0.block.0.1"].sources == ("features.2.1.stochastic_depth",)
    assert set(rows["features.5.0.block.0.1"].sources) == {f"features.4.{block}.stochastic_depth" for block in (1, 2)}
    assert rows["features.5.0.block.1.1"].sources == ()
    assert all(row.exact for row in report.rows)


@pytest.mark.parametrize(
    ("name", "side", "rows", "sources"),
    [
        ("mobilenet_v3_small", 64, 34, ["classifier.2"]),
        ("vgg16_bn", 32, 13, ["classifier.2", "classifier.5"]),
        ("inception_v3", 299, 96, ["dropout"]),
        ("googlenet", 64, 59, ["aux1.dropout", "aux2.dropout", "dropout"]),
    ],
)
def test_dropout_in_a_classifier_is_safe(name, side, rows, sources) -> None:
    settings = {"init_weights": False} if name in {"inception_v3", "googlenet"} else {}
    report = examined(getattr(models, name)(**settings), side)
    assert [(source.name, source.safe) for source in report.sources] == [(source, True) for source in sources]
    assert len(report.rows) == rows
    assert report.nothing_to_find == "all noise comes after the last BN it could disturb, as Section 5 advises"
    assert {row.predicted for row in report.rows} == {1}


@pytest.mark.parametrize(("name", "rows"), [("resnet18", 20), ("regnet_y_400mf", 53)])
def test_without_noise_there_is_nothing_to_find(name, rows) -> None:
    report = examined(getattr(models, name)(), 64)
    assert (len(report.rows), report.sources) == (rows, ())
    assert report.nothing_to_find == "no noise is drawn in training, so training and test have the same variance"


def test_without_bn_there_is_nothing_to_find_either() -> None:
    report = examined(models.convnext_tiny(), 64)
    assert report.rows == ()
    assert len(report.sources) == 17
    assert len(report.safe) == 17
    assert report.nothing_to_find == "no BN module is called, so no moving variance can shift"


def test_bns_of_training_alone_are_named() -> None:
    report = examined(models.googlenet(init_weights=False), 64)
    aux = [row for row in report.rows if row.bn.startswith("aux")]
    assert [row.bn for row in aux] == ["aux1.conv.bn", "aux2.conv.bn"]
    assert all(row.real_var is None and "is called in training only" in row.notes for row in aux)
