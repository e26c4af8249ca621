"""Models that are odd as a whole: what they are fed, in which modes they come, and what they refuse."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fullscale import doctor
from fullscale.doctor import Report

examine: Any = doctor.examine  # figures that may be None are compared without asking

UNTRAINED = "its moving statistics are those it began with: there is nothing yet to measure the shift against"
FROZEN = "is frozen: in training, too, it normalises by its moving statistics, and does not learn the noise"
STATELESS = "keeps no moving statistics: in test, too, it normalises by its batch, and nothing shifts"


def body(**bn: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        convolutions = [nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)]
    noises = nn.Dropout(0.3), nn.Dropout(0.2)
    layers = [(noise, layer, nn.BatchNorm2d(4, **bn)) for noise, layer in zip(noises, convolutions, strict=True)]
    return nn.Sequential(*layers[0], *layers[1])


def taught(net: nn.Module, x: Tensor, passes: int = 3) -> nn.Module:
    net.train()
    with torch.no_grad():
        for _ in range(passes):
            net(x)
    return net


X = torch.randn(32, 4, 8, 8, generator=torch.Generator().manual_seed(0)) + 0.5


def predictions(report: Report) -> list[float | None]:
    return [row.predicted for row in report.rows]


PLAIN = predictions(examine(body(), [X]))


class Takes(nn.Module):
    """Anything around the same body."""

    def __init__(self) -> None:
        super().__init__()
        self.net: Any = body()


class TakesKeywords(Takes):
    def forward(self, *, pixels: Tensor, mask: Tensor) -> dict[str, Any]:
        return {"logits": self.net(pixels * mask), "loss": None}


class TakesTwo(Takes):
    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, list[Tensor]]:
        return self.net(one) + other.mean(), [other]


class TakesNested(Takes):
    def forward(self, given: dict[str, tuple[Tensor, Tensor]]) -> Any:
        return Output(self.net(given["images"][0]), given["images"][1])


class Output(NamedTuple):
    logits: Tensor
    hidden: Tensor


class TakesWeightsType(Takes):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.to(self.net[1].weight.dtype))


class UnderAutocast(Takes):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return self.net(x)


def compiled() -> Any:
    return torch.compile(body(), backend="eager")


ONES, TARGET = torch.ones(32, 1, 1, 1), torch.zeros(32)
FED = {
    "a pair": (body, (X, TARGET)),
    "a list": (body, [X, TARGET]),
    "keywords": (TakesKeywords, {"pixels": X, "mask": ONES}),
    "keywords and a target": (TakesKeywords, ({"pixels": X, "mask": ONES}, TARGET)),
    "two inputs and a target": (TakesTwo, ((X, X), TARGET)),
    "a nested input": (TakesNested, {"images": (X, ONES)}),
    "a nested input and a target": (TakesNested, ({"images": (X, ONES)}, TARGET)),
    "float64": (lambda: body().double(), X.double()),
    "float64 inside": (lambda: TakesWeightsType().double(), X),
    "an input that requires a gradient": (body, X.clone().requires_grad_()),
    "compiled": (compiled, X),
    "compiled in part": (lambda: nn.Sequential(compiled()), X),
    "autocast switched inside": (UnderAutocast, X),
    "data parallel": (lambda: nn.DataParallel(body()), X),
}


@pytest.mark.parametrize(("build", "batch"), FED.values(), ids=FED)
def test_whatever_a_model_takes_and_returns_the_body_is_the_same(build, batch):
    assert predictions(examine(build(), [batch])) == pytest.approx(PLAIN, rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_examined_in_full(dtype):
    net = body().to(dtype)
    rounded = body().to(dtype).float()
    assert predictions(examine(net, [X])) == predictions(examine(rounded, [X])) != PLAIN


@pytest.mark.parametrize(
    ("model", "batch", "line"),
    [
        (body(), X[:, :3], "input = (32, 3, 8, 8): the model fails on it: RuntimeError: Given groups=1"),
        (body(), X.long(), "input = (32, 4, 8, 8): the model fails on it: RuntimeError"),
        (body(), "abc", "batch = str: must hold a tensor of samples"),
        (body(), X[:0], "batch = (0, 4, 8, 8): must hold at least one sample"),
        (TakesTwo(), {"one": X}, "input = (32, 4, 8, 8): the model fails on it: TypeError: TakesTwo.forward() missing"),
        (
            nn.Sequential(nn.Dropout(), nn.BatchNorm1d(4)),
            X[:1, :, 0, 0],
            "input = (1, 4): the model fails on it: ValueError: Expected more than 1 value per channel when training",
        ),
    ],
    ids=["channels", "integers", "a string", "no sample", "one input of two", "one sample"],
)
def test_what_cannot_be_examined_is_refused_in_one_line(model, batch, line):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as refused:
        examine(model, [batch])
    assert line in str(refused.value)


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
@pytest.mark.parametrize("whole", [True, False], ids=["all", "a part"])
def test_torchscript_is_refused(whole):
    scripted: Any = torch.jit.trace(body().eval(), X)
    model = scripted if whole else nn.Sequential(scripted)
    with pytest.raises(ValueError, match=r"^model = \w+: is TorchScript, which cannot be watched; give its source$"):
        examine(model, [X])


class Failing(nn.Module):
    def __init__(self, *, training: bool) -> None:
        super().__init__()
        self.net, self.when = body(), training

    def forward(self, x: Tensor) -> Tensor:
        if self.training == self.when:
            raise KeyError("no\nsuch thing")
        return self.net(x)


@pytest.mark.parametrize("training", [False, True])
def test_a_model_that_fails_in_either_mode_is_quoted_in_one_line(training):
    with pytest.raises(ValueError, match=r"^input = \(32, 4, 8, 8\): the model fails on it: KeyError: .*such thing'$"):
        examine(Failing(training=training), [X])


def test_a_model_that_cannot_be_copied_is_refused() -> None:
    net = body()
    net.made = net[1].weight * 2
    with pytest.raises(ValueError, match=r"^model = Sequential: cannot be copied: "):
        examine(net, [X])


def test_evaluation_mode_of_the_whole_is_not_frozen_and_train_mode_says_the_same() -> None:
    net = taught(body(), X)
    assert examine(net.eval(), [X]) == examine(net.train(), [X])
    assert [row.notes for row in examine(net, [X]).rows] == [(), ()]


class Freezing(Takes):
    def train(self, mode: bool = True) -> "Freezing":  # noqa: FBT001, FBT002
        super().train(mode)
        self.net[2].eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def frozen_by_hand() -> nn.Module:
    net = body().train()
    net[2].eval()
    return nn.Sequential(net)


@pytest.mark.parametrize("build", [frozen_by_hand, Freezing, lambda: Freezing().eval()])
def test_a_frozen_bn_normalises_by_its_moving_statistics_and_says_so(build):
    model = build()
    first, second = examine(model, [X]).rows
    assert (first.notes, second.notes) == ((UNTRAINED, FROZEN), (UNTRAINED,))
    net = next(model.children())
    with torch.no_grad():
        passed = net[2].eval()(net[1](X))
        var = net[4](passed).var((0, 2, 3)).mean()
    assert second.real_var == pytest.approx(var.item(), rel=1e-5)
    assert first.predicted == pytest.approx(PLAIN[0])
    assert second.predicted != pytest.approx(PLAIN[1], rel=1e-3)  # its input is not the one it would otherwise get


def test_noise_in_evaluation_mode_does_not_draw() -> None:
    net = body().train()
    net[0].eval()
    report = examine(net, [X])
    assert [source.name for source in report.sources] == ["3"]
    assert predictions(report) == [1, pytest.approx(PLAIN[1])]


@pytest.mark.parametrize("momentum", [None, 0.0, 0.1, 1.0])
def test_every_momentum_measures_what_the_moving_average_holds(momentum):
    still = taught(nn.Sequential(nn.BatchNorm2d(4, momentum=momentum)), X, passes=40)
    (row,) = examine(still, [X]).rows
    var = X.double().var((0, 2, 3)).mean().item()
    assert row.real_var == pytest.approx(var, rel=1e-5)
    if momentum == 0:
        assert (row.measured, row.moving_var, row.notes) == (None, 1, (UNTRAINED,))
    else:
        average = 1.0 if momentum in (None, 1) else 1 - 0.9**40
        assert row.moving_var == pytest.approx(average * var + 1 - average, rel=1e-5)
        assert row.measured == pytest.approx(var / row.moving_var, rel=1e-5)
        assert row.notes == ()


def test_without_moving_statistics_nothing_is_measured_and_without_weights_all_is_the_same() -> None:
    report = examine(body(track_running_stats=False), [X])
    assert [(row.moving_var, row.real_var, row.measured, row.notes) for row in report.rows] == [
        (None, None, None, (STATELESS,))
    ] * 2
    assert predictions(report) == PLAIN == predictions(examine(body(affine=False), [X]))


class Headed(Takes):
    def __init__(self) -> None:
        super().__init__()
        self.training_only, self.test_only, self.never = (nn.BatchNorm2d(4) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.net(x)
        return self.training_only(x) if self.training else self.test_only(x)


def test_bns_of_one_mode_or_none_are_named() -> None:
    report = examine(Headed(), [X])
    assert [row.bn for row in report.rows] == ["net.2", "net.5", "training_only"]
    assert report.rows[-1].notes == (UNTRAINED, "is called in training only")
    assert (report.rows[-1].real_var, report.rows[-1].predicted) == (None, 1)
    assert report.notes == (
        "test_only is called in test mode only: it is not examined",
        "never is never called: it is not examined",
    )


class LazyHeaded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop, self.conv, self.bn = nn.Dropout(0.3), nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d()
        self.head, self.head_bn = nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d()

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(self.drop(x)))
        return self.head_bn(self.head(functional.dropout(x, 0.2))) if self.training else x


def test_lazy_modules_are_made_here_with_a_note_and_stay_lazy_there() -> None:
    model: Any = LazyHeaded()
    report = examine(model, [X])
    assert report.notes == (
        "the model has lazy modules: their weights were drawn here, and are not those that it will get",
    )
    assert [(row.bn, row.sources, row.exact) for row in report.rows] == [
        ("bn", ("drop",), True),
        ("head_bn", ("LazyHeaded",), True),
    ]
    assert UNTRAINED in report.rows[0].notes
    assert model.conv.has_uninitialized_params()
    assert model.bn.has_uninitialized_params()
    assert examine(model, [X]) == report


class Scheduled(Takes):
    """Noise that grows with a count of passes."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: Any = nn.Buffer(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.passes += 1
        return self.net(torch.tanh(functional.dropout(x, self.passes.item() / 10, self.training)))


def test_counters_do_not_count_the_doctors_passes() -> None:
    model = Scheduled()
    once, twice = (examine(model, [X] * batches) for batches in (1, 2))
    assert {source.s2 for source in (*once.sources, *twice.sources) if source.name == "Scheduled"} == {0.3 / 0.7}
    assert model.passes == 2


MISSING: dict[str, Callable[[], nn.Module]] = {
    "no BN module is called, so no moving variance can shift": lambda: nn.Sequential(nn.Dropout()),
    "no noise is drawn in training, so training and test have the same variance": lambda: nn.BatchNorm2d(4),
    "all noise comes after the last BN it could disturb, as Section 5 advises": lambda: nn.Sequential(
        nn.BatchNorm2d(4, affine=False), nn.Dropout()
    ),
}


@pytest.mark.parametrize(("line", "build"), MISSING.items())
def test_what_is_not_there_is_not_found_even_without_parameters(line, build):
    assert examine(build(), [X]).nothing_to_find == line
