"""Answers to training images in the four modes."""

import pytest
import torch
from torch import Tensor, nn

from fullscale.evaluate import evaluate
from fullscale.responses import MODES, TEST, TRAIN, Mode, Responses, respond


class Added(nn.Module):
    """Noise without chance: adds in training what it is told to."""

    def __init__(self, what: Tensor) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: Tensor) -> Tensor:
        return x + self.what if self.training else x


def drawn(batches: int = 3, n: int = 20) -> list[tuple[Tensor, Tensor]]:
    seeded = torch.Generator().manual_seed(0)
    return [(torch.randn(n, 6, generator=seeded), torch.randint(3, (n,), generator=seeded)) for _ in range(batches)]


def net(drop: float = 0.5) -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Dropout(drop), nn.BatchNorm1d(6), nn.Linear(6, 3))
    with torch.no_grad():
        made[1].get_buffer("running_var").fill_(0.1)
        made[1].get_buffer("running_mean").fill_(1)
    return made


def answers(batches: list[tuple[Tensor, Tensor]], what: list[list[float]], **options) -> Responses:
    return respond(nn.Sequential(Added(torch.tensor(what)), nn.Identity()), batches, seed=0, **options)


def test_the_modes_are_the_two_switches_and_every_error_belongs_to_its_own():
    assert (TRAIN, TEST) == ((True, True), (False, False))
    assert set(MODES) == {(noise, by_batch) for noise in (True, False) for by_batch in (True, False)}
    quiet = net(drop=0)
    errors = respond(quiet, drawn(), seed=0).errors
    by_moving = evaluate(quiet, drawn()).error
    for module in quiet:
        module.register_buffer("running_mean", None)
        module.register_buffer("running_var", None)  # what BN takes as word to normalise by its batch in test mode
    by_batch = evaluate(quiet, drawn()).error
    assert by_batch != by_moving
    assert errors == {mode: by_batch if mode.by_batch else by_moving for mode in MODES}


def test_noise_alone_changes_the_modes_that_have_it_and_follows_the_seed():
    noisy = net()
    first, again, other = (respond(noisy, drawn(), seed=seed).errors for seed in (0, 0, 1))
    assert first == again
    for mode in MODES:
        quiet = respond(net(drop=0), drawn(), seed=0).errors[mode]
        assert (first[mode] == quiet) == (not mode.noise)
        assert (first[mode] == other[mode]) == (not mode.noise)


def test_flips_and_recoveries_are_counted_apart():
    # Training adds (2, 0) to the logits of four images of class 0, 0, 1, 1.
    images = torch.tensor([[0.0, 1], [1, 0], [0, 1], [1, 0]])
    result = answers([(images, torch.tensor([0, 0, 1, 1]))], [[2.0, 0.0]])
    assert result.errors == dict.fromkeys(MODES, 50.0)
    assert (result.flipped, result.recovered, result.n) == (1, 1, 4)
    (flip,) = result.examples
    assert (flip.index, flip.label) == (0, 0)
    assert (flip.image.tolist(), flip.train_logits.tolist(), flip.test_logits.tolist()) == ([0, 1], [2, 1], [0, 1])
    one_less = torch.tensor([1.0, -1.0]).sigmoid()
    assert flip.drop == pytest.approx((one_less[0] - one_less[1]).item())


def test_the_examples_are_the_largest_drops_of_all_batches_and_the_first_among_equals():
    gaps = [1.0, 3.0, 2.0, 3.0, 2.5, 0.5]
    images, labels = torch.tensor([[0, gap] for gap in gaps]), torch.zeros(6, dtype=torch.int64)
    batches = [(images[:3], labels[:3]), (images[3:], labels[3:])]
    # With 10 added all are right, and nearly sure; without, the wider the gap, the smaller the probability.
    result = answers(batches, [[10.0, 0.0]], keep=4)
    assert [flip.index for flip in result.examples] == [1, 3, 4, 2]
    assert result.flipped == 6
    together = answers([(images, labels)], [[10.0, 0.0]], keep=4)
    assert [flip.index for flip in together.examples] == [1, 3, 4, 2]
    assert answers(batches, [[10.0, 0.0]], keep=0).examples == ()
    assert answers(batches, [[0.0, 0.0]]).flipped == 0


def test_examples_hold_the_image_itself_and_not_the_batch_it_came_in():
    batches = drawn()
    result = respond(net(), batches, seed=0)
    assert result.examples
    for flip in result.examples:
        batch, place = divmod(flip.index, 20)
        images, labels = batches[batch]
        assert torch.equal(flip.image, images[place])
        assert flip.label == labels[place] == flip.train_logits.argmax() != flip.test_logits.argmax()
        assert flip.image.untyped_storage().nbytes() == flip.image.nbytes
    assert result.flipped >= len(result.examples)


def test_train_and_test_mode_are_pytorchs_own():
    noisy, (images, labels) = net(), drawn(1)[0]
    result = respond(noisy, [(images, labels)], seed=5, keep=20)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(5)  # TRAIN draws first
        train, test = noisy.train()(images), noisy.eval()(images)
    flipped = (train.argmax(1) == labels) & (test.argmax(1) != labels)
    assert sorted(flip.index for flip in result.examples) == flipped.nonzero().flatten().tolist()
    for flip in result.examples:
        # net's own BN by batch has moved its statistics by now, and they decide the test mode.
        torch.testing.assert_close(flip.train_logits, train[flip.index])
    assert result.errors[Mode(noise=True, by_batch=True)] == 100 * (train.argmax(1) != labels).double().mean()


def test_progress_is_told_after_every_batch():
    told: list[int] = []
    respond(net(), drawn(), seed=0, progress=told.append)
    assert told == [20, 40, 60]


def test_no_images_and_a_negative_number_of_examples_are_refused():
    with pytest.raises(ValueError, match=r"^batches = 0: there must be at least one$"):
        respond(net(), [], seed=0)
    with pytest.raises(ValueError, match=r"^keep = -1: must be a whole number >= 0$"):
        respond(net(), drawn(), seed=0, keep=-1)
