"""Training is plain SGD on the recipe's schedule, and its state is all that the rest of a run depends on."""

import dataclasses
import math
from functools import partial

import pytest
import torch
from torch.nn import functional

from fullscale.data import Source, synthetic
from fullscale.evaluate import Score
from fullscale.launch import Team
from fullscale.recipes import Recipe, recipe
from fullscale.training import Diverged, Training

TEAM = Team(torch.device("cpu"))
BATCH = 24


@pytest.fixture(scope="module")
def source() -> Source:
    return synthetic(torch.device("cpu"), train=100, test=50, size=16)


def made(**changes) -> Recipe:
    placement = changes.pop("placement", "b")
    settings = {"epochs": 2, "batch": BATCH} | ({} if placement == "none" else {"drop": 0.5}) | changes
    return recipe("wrn-10-1", "synthetic", placement, 3, **settings)


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in training.net.state_dict().items()}


def assert_same_bits(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def ended(training: Training) -> Training:
    for _ in training:
        pass
    return training


def test_it_is_sgd_as_one_would_write_it(source: Source) -> None:
    run = made(lr=0.05, placement="none")
    training = Training(run, source, TEAM)
    plain = Training(run, source, TEAM).net
    optimizer = torch.optim.SGD(plain.parameters(), 0.05, momentum=0.9, weight_decay=5e-4)
    steps = iter(training)
    for images, labels in list(source.train_batches(BATCH, 3, 0))[:3]:
        optimizer.zero_grad()
        functional.cross_entropy(plain(images), labels).backward()
        optimizer.step()
        next(steps)
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(training.net.state_dict()[name], tensor, rtol=1e-5, atol=1e-6)


def test_the_rate_falls_by_the_schedule(source: Source) -> None:
    training = Training(made(epochs=10, lr=0.1, placement="none"), source, TEAM)
    rates = [epoch.lr for epoch in training if epoch is not None]
    assert rates == pytest.approx([0.1] * 3 + [0.02] * 3 + [0.004] * 2 + [0.0008] * 2)


@pytest.mark.parametrize(
    ("changes", "stops"),
    [({}, (1, 4, 5, 6, 10)), ({"placement": "a", "channels_last": False}, (4, 8)), ({"precision": "bf16"}, (3,))],
)
def test_a_run_resumed_after_any_step_ends_in_the_same_bits(source: Source, changes: dict, stops: tuple[int]) -> None:
    run = made(**changes)
    whole = ended(Training(run, source, TEAM))
    for stop in stops:
        first = Training(run, source, TEAM)
        steps = iter(first)
        while first.step < stop:
            next(steps)
        state = first.state()
        torch.manual_seed(99)  # whatever was drawn in between
        second = Training(run, source, TEAM)
        second.load(state)
        ended(second)
        assert second.epochs == whole.epochs
        assert_same_bits(weights(second), weights(whole))


def test_without_the_generator_s_state_the_bits_would_differ(source: Source) -> None:
    run = made()
    whole, first = ended(Training(run, source, TEAM)), Training(run, source, TEAM)
    next(iter(first))
    state = first.state()
    state["of_process"][0]["rng"]["cpu"] = torch.Generator().manual_seed(5).get_state()
    second = Training(run, source, TEAM)
    second.load(state)
    assert not torch.equal(ended(second).net.fc.weight, whole.net.fc.weight)


def test_the_same_seed_starts_from_the_same_weights_wherever_the_noise_is(source: Source) -> None:
    nets = [Training(made(placement=where), source, TEAM) for where in ("a", "b", "last", "none")]
    for net in nets[1:]:
        assert_same_bits(weights(net), weights(nets[0]))
    other = Training(dataclasses.replace(made(), seed=4), source, TEAM)
    assert not torch.equal(other.net.fc.weight, nets[0].net.fc.weight)


def test_an_epoch_tells_the_mean_loss_and_error_over_the_images_it_saw(source: Source) -> None:
    run = made(placement="none", lr=1e-12)  # weights stand still, so that the epoch can be seen again
    training = Training(run, source, TEAM)
    net = Training(run, source, TEAM).net.train()
    (told,) = [epoch for epoch in training if epoch is not None][:1]
    logits = [(net(images), labels) for images, labels in source.train_batches(BATCH, 3, 0)]
    assert [len(labels) for _, labels in logits] == [24, 24, 24, 24, 4]
    loss = sum(functional.cross_entropy(own, labels, reduction="sum").item() for own, labels in logits)
    wrong = sum((own.argmax(1) != labels).sum().item() for own, labels in logits)
    assert told.train_loss == pytest.approx(loss / 100, rel=1e-5)
    assert told.train_error == wrong
    score = training.score()
    assert (training.epochs[-1].test_error, training.epochs[-1].test_loss) == (score.error, score.loss)
    assert score.n == source.test_count


def test_bf16_is_for_the_passes_and_leaves_weights_and_statistics_in_float32(source: Source) -> None:
    training, exact = Training(made(precision="bf16"), source, TEAM), Training(made(), source, TEAM)
    next(iter(training))
    next(iter(exact))
    kept = [tensor for tensor in training.net.state_dict().values() if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in kept} == {torch.float32}
    assert not torch.equal(training.net.fc.weight, exact.net.fc.weight)


def test_a_loss_that_is_no_number_stops_the_run(source: Source) -> None:
    told = r"^loss = (nan|inf): training has diverged by step 5 of 10, learning rate 2e\+19; a smaller --lr may help"
    with pytest.raises(Diverged, match=told):
        ended(Training(made(lr=1e20), source, TEAM))


def test_weights_that_are_no_numbers_are_not_kept_while_the_loss_still_is(source: Source) -> None:
    training = Training(made(), source, TEAM)
    next(iter(training))
    training.require_finite()
    with torch.no_grad():
        training.net.fc.weight[0, 0] = math.inf
    with pytest.raises(Diverged):
        training.require_finite()


@pytest.mark.parametrize(
    ("name", "value"), [("recipe", "0" * 16), ("data", "0" * 64), ("device", "cuda"), ("processes", 2)]
)
def test_a_state_of_another_run_data_or_machine_is_refused(source: Source, name: str, value: object) -> None:
    training = Training(made(), source, TEAM)
    state = training.state()
    training.load(state)
    with pytest.raises(ValueError, match=rf"^{name} = .+: the run began with {value}; it goes on as it began$"):
        training.load(state | {name: value})


def test_a_loss_in_test_that_is_no_number_does_not_stop_a_run(source: Source, monkeypatch) -> None:
    monkeypatch.setattr(Training, "score", lambda _: Score(error=90.0, loss=math.inf, n=50))
    assert [epoch.test_loss for epoch in Training(made(), source, TEAM) if epoch is not None] == [None, None]


@pytest.mark.parametrize(("batch", "world"), [(101, 1), (25, 2), (33, 3)])
def test_a_batch_that_does_not_fit_the_data_or_the_processes_is_refused(source: Source, batch: int, world: int) -> None:
    with pytest.raises(ValueError, match=rf"^batch = {batch}: [^\n]+$"):
        Training(made(batch=batch), source, Team(torch.device("cpu"), 0, world))


def test_each_process_needs_an_image_to_test_with() -> None:
    with pytest.raises(ValueError, match=r"^data = synthetic: has 50 test images for 60 processes$"):
        Training(made(batch=60), synthetic(torch.device("cpu"), train=120, test=50, size=16), Team(TEAM.device, 0, 60))


def test_a_compiled_net_learns_the_same_under_the_same_names(source: Source, monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))  # inductor takes a minute
    plain, compiled = (Training(made(placement="none", compile=mode), source, TEAM) for mode in ("off", "default"))
    for training in (plain, compiled):
        ended(training)
    assert compiled.epochs[-1].train_loss == pytest.approx(plain.epochs[-1].train_loss, rel=1e-4)
    assert compiled.epochs[-1].test_loss == pytest.approx(plain.epochs[-1].test_loss, rel=1e-4)
    assert weights(compiled).keys() == weights(plain).keys()
