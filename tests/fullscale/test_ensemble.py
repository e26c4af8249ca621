"""Monte-Carlo averaging against weight scaling."""

import math

import pytest
import torch
from torch import Tensor, nn

from fullscale.ensemble import Ensemble, ensemble, sample_group
from fullscale.evaluate import evaluate


class Scripted(nn.Module):
    """Answers in training with one table of logits after the other, and in test with its input."""

    def __init__(self, *tables: Tensor) -> None:
        super().__init__()
        self.tables = list(tables)

    def forward(self, x: Tensor) -> Tensor:
        return self.tables.pop(0) if self.training else x


def drawn(batches: int = 3, n: int = 20) -> list[tuple[Tensor, Tensor]]:
    seeded = torch.Generator().manual_seed(0)
    return [(torch.randn(n, 6, generator=seeded), torch.randint(3, (n,), generator=seeded)) for _ in range(batches)]


def net(drop: float = 0.5) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 30), nn.BatchNorm1d(30), nn.ReLU(), nn.Dropout(drop), nn.Linear(30, 3))


def test_the_least_difference_between_probabilities_decides():
    logits, labels = torch.tensor([[0.0, 2e-16]]), torch.tensor([1])
    assert sample_group(Scripted(logits), [(torch.zeros(1, 2), labels)], samples=1, seed=0).tolist() == [0]
    assert sample_group(Scripted(logits), [(torch.zeros(1, 2), 1 - labels)], samples=1, seed=0).tolist() == [100]


def test_probabilities_are_averaged_and_neither_logits_nor_votes():
    # The first sample is sure of class 1, the next leans to class 0 by a little, and the last by much.
    logits = torch.tensor([[[0.0, 6.0]], [[0.2, 0.0]], [[5.0, 0.0]]])
    errors = sample_group(Scripted(*logits), [(torch.zeros(1, 2), torch.tensor([1]))], samples=3, seed=0)

    def averaged(values: Tensor) -> list[float]:
        return (100.0 * (values.cumsum(0)[:, 0].argmax(1) != 1)).tolist()

    assert errors.tolist() == averaged(logits.softmax(2)) == [0, 0, 100]
    assert averaged(logits) == [0, 0, 0]  # the controls
    assert averaged(nn.functional.one_hot(logits.argmax(2), 2)) == [0, 100, 100]


def test_the_error_after_k_samples_counts_images_over_all_batches():
    right, wrong = torch.tensor([[5.0, 0.0]]), torch.tensor([[0.0, 5.0]])
    tables = [torch.cat([right] * 3), torch.cat([wrong] * 3), wrong, 2 * right]
    batches = [(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)), (torch.zeros(1, 2), torch.tensor([0]))]
    errors = sample_group(Scripted(*tables), batches, samples=2, seed=0)
    assert errors[0] == 25
    assert errors[1] == 0  # the first batch ties, which goes to class 0


@pytest.mark.parametrize("drop", [0.0, 0.5])
def test_without_noise_every_k_is_weight_scaling_exactly(drop: float):
    noisy = net(drop)
    together = ensemble(noisy, drawn, samples=4, seeds=[0, 1])
    scaling = evaluate(noisy, drawn()).error
    assert together.weight_scaling == scaling
    same = torch.equal(together.errors, torch.full((2, 4), scaling, dtype=torch.float64))
    assert same == (drop == 0)


def test_a_group_is_the_same_alone_and_is_its_seeds():
    noisy = net()
    together = ensemble(noisy, drawn, samples=5, seeds=[3, 8])
    assert together.errors.shape == (2, 5)
    assert torch.equal(sample_group(noisy, iter(drawn()), samples=5, seed=8), together.errors[1])
    assert not torch.equal(together.errors[0], together.errors[1])


def test_bn_keeps_to_its_moving_statistics():
    noisy = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.0), nn.Linear(6, 3))
    with torch.no_grad():
        noisy[0].get_buffer("running_mean").fill_(2)
    batches = drawn()
    one_by_one = [(images[k : k + 1], labels[k : k + 1]) for images, labels in batches for k in range(len(labels))]
    whole = sample_group(noisy, batches, samples=1, seed=0)
    assert torch.equal(whole, sample_group(noisy, one_by_one, samples=1, seed=0))


def test_many_samples_converge_on_the_exact_average_over_all_masks():
    torch.manual_seed(0)
    noisy = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 2))
    images = torch.randn(200, 4)
    masks = torch.cartesian_prod(*[torch.tensor([0.0, 2.0])] * 4)
    with torch.no_grad():
        exact = torch.stack([noisy[1](mask * images).double().softmax(1) for mask in masks]).mean(0)
    samples = 4000
    # A probability lies in [0, 1], and so has a standard error of at most 1/2 / sqrt(samples).
    clear = (exact[:, 0] - 0.5).abs() > 6 * 0.5 / math.sqrt(samples)
    batches = [(images[clear], exact[clear].argmax(1))]
    errors = sample_group(noisy, batches, samples=samples, seed=0)
    assert errors[-1] == 0
    assert errors[0] > 0  # the control
    assert clear.sum() > 100


def test_mean_and_deviation_are_over_groups():
    result = Ensemble(torch.tensor([[10.0, 8], [14, 8], [12, 5]]), 9)
    assert result.mean.tolist() == [12, 7]
    torch.testing.assert_close(result.std, torch.tensor([2, math.sqrt(3)]))
    assert Ensemble(torch.tensor([[10.0, 8]]), 9).std.isnan().all()


def test_progress_counts_each_image_once_a_group():
    told: list[int] = []
    ensemble(net(), drawn, samples=2, seeds=[0, 1], progress=told.append)
    assert told == [20, 40, 60, 80, 100, 120]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ensemble(net(), drawn, samples=0, seeds=[0]), "samples = 0: must be a whole number >= 1"),
        (lambda: ensemble(net(), drawn, samples=1, seeds=[]), r"seeds = \[\]: there must be .*each but once"),
        (lambda: ensemble(net(), drawn, samples=1, seeds=[1, 1]), r"seeds = \[1, 1\]: there must be .*each but once"),
        (lambda: ensemble(net(), list, samples=1, seeds=[0]), "batches = 0: there must be at least one"),
    ],
)
def test_what_does_not_make_an_ensemble_is_refused(call, message: str):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()
