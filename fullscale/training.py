"""The computation of a run, step by step, and its whole state: nothing else decides what the next step does."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fullscale import nets
from fullscale.contracts import refusal, told, whole
from fullscale.data import Source
from fullscale.data.order import mixed
from fullscale.evaluate import Score, evaluate
from fullscale.launch import Team
from fullscale.placement import NOISES, place
from fullscale.recipes import MOMENTUM, Recipe


class Diverged(RuntimeError):  # noqa: N818 (it is a finding about the run, told in one line)
    """The loss or a weight is no finite number any more."""


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to: means over the training images as they were seen, and the test set after it.

    Attributes:
        train_error: percent, in training mode, of the weights as they changed.
        test_loss: None where it is no finite number.
        test_error: percent, of the weights at its end, in the precision of the recipe.
    """

    epoch: int
    lr: float
    train_loss: float
    train_error: float
    test_loss: float | None
    test_error: float


def built(recipe: Recipe, classes: int) -> nets.Net:
    """Build a recipe's net with its noise, in the weights that torch's default generator draws."""
    noise = {name: getattr(recipe, name) for name in NOISES}
    net = place(nets.build(recipe.net, classes), recipe.placement, **noise)
    return net.to(memory_format=torch.channels_last) if recipe.channels_last else net


class Training:
    """A net under training.

    Weights are drawn from the recipe's seed, the same for every placement, so that runs are paired. Seeds torch's
    default generators: one instance a process.

    Attributes:
        step: how many have been done, counted over all epochs.
        epochs: what the finished ones came to.

    Raises:
        ValueError: if the recipe does not fit the data or the number of processes.
    """

    def __init__(self, recipe: Recipe, source: Source, team: Team) -> None:
        _require_fit(recipe, source, team)
        self.recipe, self.source, self.team = recipe, source, team
        torch.manual_seed(recipe.seed)
        self.net = built(recipe, source.classes).to(team.device)
        if team.rank:  # the same weights, other masks
            torch.manual_seed(mixed(recipe.seed, team.rank))
        self._compiled = _compiled(self.net, recipe)
        self._forward = team.parallel(self._compiled)
        self._optimizer = torch.optim.SGD(
            self.net.parameters(), recipe.lr, MOMENTUM, weight_decay=recipe.weight_decay, fused=True
        )
        self.step, self.epochs = 0, list[Epoch]()
        self._sums = torch.zeros(3, dtype=torch.float64, device=team.device)  # of loss, errors, images in this epoch

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch, the last one perhaps with fewer images."""
        return -(-self.source.train_count // self.recipe.batch)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.recipe.epochs

    def __iter__(self) -> Iterator[Epoch | None]:
        """Do what is left of the run; yield after each step, and with what it came to after each epoch.

        Raises:
            Diverged: after an epoch, if its loss or a weight is no finite number.
        """
        while (epoch := len(self.epochs)) < self.recipe.epochs:
            start = self.step - epoch * self.steps_per_epoch
            order = (self.recipe.batch, self.recipe.seed, epoch)
            self._forward.train()
            for images, labels in self.source.train_batches(*order, start=start, share=self.team.share):
                self._learn(images, labels)
                yield None
            yield self._finish_epoch()

    def _learn(self, images: Tensor, labels: Tensor) -> None:
        group = self._optimizer.param_groups[0]
        group["lr"] = self.recipe.rate(self.step, self.steps)
        if self.recipe.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        self._optimizer.zero_grad()
        with self._autocast():
            logits = self._forward(images)
            losses = functional.cross_entropy(logits.float(), labels, reduction="sum")
        # Processes' gradients are averaged; the last batch may be shared unequally.
        (losses * self.team.world / self._images_of_step()).backward()
        self._optimizer.step()
        losses = losses.detach().double()
        errors = (logits.argmax(1) != labels).sum().double()
        self._sums += torch.stack([losses, errors, torch.full_like(losses, len(labels))])
        self.step += 1

    def _images_of_step(self) -> int:
        seen = self.step % self.steps_per_epoch * self.recipe.batch
        return min(self.recipe.batch, self.source.train_count - seen)

    @property
    def images(self) -> int:
        """Training images so far, over all epochs and processes."""
        epochs, steps = divmod(self.step, self.steps_per_epoch)
        return epochs * self.source.train_count + steps * self.recipe.batch

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.team.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16")

    def _finish_epoch(self) -> Epoch:
        self.require_finite()
        loss, error = _means(self.team.summed(self._sums))
        score = self.score()
        lr = self.recipe.rate(self.step - 1, self.steps)
        self.epochs.append(Epoch(len(self.epochs) + 1, lr, loss, error, score.finite_loss, score.error))
        self._sums.zero_()
        return self.epochs[-1]

    def so_far(self) -> tuple[float, float]:
        """Return the mean loss and the error in percent over this process's images of this epoch so far."""
        return _means(self._sums)

    def score(self) -> Score:
        """Evaluate the net on the test set, in the precision that it trains in."""
        self.team.share_buffers(self.net)
        with self._autocast():
            own = evaluate(self._compiled, self.source.test_batches(self.recipe.batch, share=self.team.share))
        values = torch.tensor([own.error * own.n, own.loss * own.n, own.n], dtype=torch.float64)
        error, loss, n = self.team.summed(values.to(self.team.device)).tolist()
        return replace(own, error=error / n, loss=loss / n, n=int(n))

    def require_finite(self) -> None:
        """Refuse to go on from, or to keep, what has left the finite numbers.

        Raises:
            Diverged: if the loss of this epoch or a weight has.
        """
        sums = self.team.summed(self._sums)
        weights = [parameter.detach().abs().max().double() for parameter in self.net.parameters()]
        if not bool(torch.stack([*weights, *sums]).isfinite().all()):
            loss, _ = _means(sums)
            when = f"by step {self.step} of {self.steps}, learning rate {self.recipe.rate(self.step - 1, self.steps):g}"
            raise Diverged(f"loss = {loss:g}: training has diverged {when}; a smaller --lr may help, in another folder")

    def state(self) -> dict[str, Any]:
        """Return all that the rest of the run depends on, of all processes."""
        own = {"rng": _rng(self.team.device), "sums": self._sums.cpu()}
        return self._identity() | {
            "step": self.step,
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "net": self.net.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "of_process": self.team.gathered(own),
        }

    def _identity(self) -> dict[str, Any]:
        team = self.team
        run = {"recipe": self.recipe.hash, "data": self.source.checksum}
        return run | {"device": team.device.type, "processes": team.world}

    def load(self, state: dict[str, Any]) -> None:
        """Take over a state of the same recipe, data, kind of device and number of processes.

        Raises:
            ValueError: if it is of others, or no state of a run at all.
        """
        for name, own in self._identity().items():
            if state.get(name) != own:
                raise refusal(name, own, f"the run began with {state.get(name)}; it goes on as it began")
        try:
            self._take_over(state)
        except Exception as error:  # there is no end to what a stranger's file raises
            raise refusal("step", state.get("step"), f"holds no state of this run: {told(error)}") from error

    def _take_over(self, state: Mapping[str, Any]) -> None:
        self.step, self.epochs = whole("step", state["step"], at_least=0), [Epoch(**row) for row in state["epochs"]]
        epoch = len(self.epochs) + 1
        if not self.steps_per_epoch * (epoch - 1) <= self.step <= min(self.steps_per_epoch * epoch, self.steps):
            raise refusal("step", self.step, f"is none of epoch {epoch}")
        self.net.load_state_dict(state["net"])
        self._optimizer.load_state_dict(state["optimizer"])
        own = state["of_process"][self.team.rank]
        self._sums.copy_(own["sums"])
        _set_rng(own["rng"], self.team.device)


def _require_fit(recipe: Recipe, source: Source, team: Team) -> None:
    if recipe.batch > source.train_count:
        raise refusal("batch", recipe.batch, f"must be <= {source.train_count}, the training images there are")
    if recipe.batch % team.world or 0 < source.train_count % recipe.batch < team.world:
        raise refusal("batch", recipe.batch, f"leaves one of {team.world} processes without images, or with fewer")
    if source.test_count < team.world:
        raise refusal("data", recipe.data, f"has {source.test_count} test images for {team.world} processes")


def _means(sums: Tensor) -> tuple[float, float]:
    """Turn sums of loss, errors and images into the mean loss and the error in percent; NaN where there are none."""
    loss, errors, images = sums.tolist()
    return (loss / images, 100 * errors / images) if images else (float("nan"), float("nan"))


def _compiled(net: nn.Module, recipe: Recipe) -> nn.Module:
    if recipe.compile == "off":
        return net
    compiled: Any = torch.compile(net, mode=recipe.compile, dynamic=False)  # typed as a function, which it is no more
    return compiled


def _rng(device: torch.device) -> dict[str, Tensor]:
    of_gpu = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state()} | of_gpu


def _set_rng(states: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
