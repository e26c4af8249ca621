"""Repairing a model's BN statistics: as they are without noise, or with a lighter one; into a new state dict."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from fullscale.batchnorms import BatchNorm, keeps_statistics
from fullscale.contracts import refusal
from fullscale.doctor.calls import BATCH_NORMS
from fullscale.doctor.patient import Patient, copied, is_to_be_made, samples, started
from fullscale.doctor.shares import all_but_channels
from fullscale.doctor.stack import Stack
from fullscale.noise import Uout
from fullscale.progress import Progress, unheard
from fullscale.specimen import faithful
from fullscale.statistics import Pooled

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def repaired(
    model: nn.Module, batches: Iterable[Any], *, uout: float | None = None, seed: int = 0, progress: Progress = unheard
) -> dict[str, Tensor]:
    """Return a model's state dict with BN statistics re-estimated by BNs that normalise by their batch.

    That is the reading of Table 3's "-A" that converges: statistics replaced while a net runs on the old ones, all at
    once, compound with depth (see `fullscale.adjust`). Each BN gets the POOLED mean and UNBIASED variance of the pass.

    Args:
        model: stays as it is. Its frozen BNs keep their statistics, as do those that are not called.
        batches: as for `examine`, of training data; gone through once.
        uout: None to re-estimate without noise, in test mode; else the beta of Uout in place of every Dropout layer, to
            re-estimate in train mode: where to go on training from, if Dropout is to be replaced by Uout.
        seed: of Uout.
        progress: is told after each batch how many samples are done.

    Raises:
        ValueError: if there are no batches, no BN was called that keeps statistics, the model cannot be copied or run,
            or has lazy modules; with `uout`, if it has no Dropout layer, or beta lies outside of its domain.
    """
    require_weights(model)
    first, given = started(batches)
    with torch.inference_mode(mode=False), faithful(model, seed):
        patient = Patient(model if uout is None else with_uout(model, uout), first)
        statistics = _statistics(patient, given, noisy=uout is not None, progress=progress)
    return _state(model, statistics)


def with_uout(model: nn.Module, beta: float) -> nn.Module:
    """Return a copy of a model with Uout in place of every Dropout layer (Section 5), 1d, 2d and 3d included.

    One that has several paths gets one Uout. Dropout of p = 0 is no noise and stays; Dropout that is called as a
    function cannot be replaced like this.

    Raises:
        ValueError: if there is none, beta lies outside of its domain, or the model has lazy modules or cannot be
            copied.
    """
    require_weights(model)
    replaced = copied(model)
    layers: dict[nn.Module, Uout] = {
        module: Uout(beta).train(module.training)
        for module in replaced.modules()
        if isinstance(module, DROPOUTS) and module.p > 0
    }
    if not layers:
        raise refusal("model", type(model).__name__, "has no Dropout layer that Uout could take the place of")
    if replaced in layers:
        return layers[replaced]
    for name, module in list(replaced.named_modules(remove_duplicate=False)):
        if module in layers:
            parent, _, child = name.rpartition(".")
            setattr(replaced.get_submodule(parent), child, layers[module])
    return replaced


def require_weights(model: nn.Module) -> None:
    """Refuse a model that has not all of its weights.

    Raises:
        ValueError: if it has lazy modules.
    """
    if is_to_be_made(model):
        raise refusal("model", type(model).__name__, "has lazy modules: there is nothing yet to repair or to replace")


class _Statistics(TorchDispatchMode):
    """While it is entered, pools every BN's input by itself."""

    def __init__(self, stack: Stack, bns: dict[str, BatchNorm]) -> None:
        super().__init__()
        self.pooled: dict[str, Pooled] = {}
        self._stack, self._bns = stack, bns

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        if func.overloadpacket in BATCH_NORMS and self._stack.bn and self._stack.path in self._bns:
            x = args[0]
            var, mean = torch.var_mean(x, all_but_channels(x), correction=0)
            pooled = self.pooled.setdefault(self._stack.path, Pooled(mean.double()))
            pooled.update(mean.double(), var.double(), torch.full_like(pooled.mean, x.numel() // x.shape[1]))
        return func(*args, **(kwargs or {}))


def _statistics(patient: Patient, batches: Iterable[Any], *, noisy: bool, progress: Progress) -> dict[str, Pooled]:
    bns = {name: bn for name, bn in patient.bns.items() if keeps_statistics(bn) and not patient.frozen(bn)}
    reading, images = _Statistics(patient.stack, bns), 0
    patient.train() if noisy else patient.without_noise()
    for batch in batches:
        patient.run(batch, reading)
        images += samples(batch)
        progress(images)
    if not reading.pooled:
        raise refusal("model", type(patient.model).__name__, "calls no BN whose statistics could be re-estimated")
    return reading.pooled


def _state(model: nn.Module, statistics: dict[str, Pooled]) -> dict[str, Tensor]:
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    inner = getattr(model, "_orig_mod", model)
    first_names = {module: name for name, module in inner.named_modules()}
    prefix = "" if inner is model else "_orig_mod."
    for name, module in inner.named_modules(remove_duplicate=False):  # a shared BN stands in the state more than once
        pooled = statistics.get(first_names[module])
        if pooled is not None and isinstance(module, BatchNorm):
            state[f"{prefix}{name}.running_mean"].copy_(pooled.mean)
            state[f"{prefix}{name}.running_var"].copy_(pooled.unbiased)
    return state
