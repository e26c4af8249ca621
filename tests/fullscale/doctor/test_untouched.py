"""The doctor takes nothing and leaves nothing: the model, its surroundings, time and memory."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary

from fullscale.doctor import examine, repaired, with_uout
from fullscale.nets import build
from fullscale.noise import Uout
from fullscale.placement import place

DOCTORS: dict[str, Callable[..., Any]] = {
    "examine": examine,
    "repaired": repaired,
    "repaired with Uout": lambda model, batches: repaired(model, batches, uout=0.3),
}
X = torch.randn(16, 4, 8, 8, generator=torch.Generator().manual_seed(0))


class Subject(nn.Module):
    """Counts, draws from every generator, writes on its input, keeps what it sees; may fail at a pass."""

    def __init__(self, failure: BaseException | None = None, at: int = 0) -> None:
        super().__init__()
        self.conv, self.bn, self.frozen = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.drop, self.uout = nn.Dropout(0.3), Uout(0.4, torch.Generator().manual_seed(5))
        self.register_buffer("counter", torch.zeros(()))
        self.seen: list[Tensor] = []
        self.failure, self.at, self.passes = failure, at, 0

    def forward(self, x: Tensor) -> Tensor:
        self.counter += 1
        self.passes += 1
        x += random.random() + np.random.rand()  # noqa: S311
        self.seen.append(x)
        x = self.frozen(self.uout(self.bn(self.conv(nn.functional.silu(self.drop(x))))))
        if self.failure is not None and self.passes >= self.at:
            raise self.failure
        return x


def subject(*failure: Any) -> Subject:
    model = Subject(*failure).train()
    model(X.clone().mul_(2)) if not failure else None
    model.seen.clear()
    model.frozen.eval()
    model.conv.weight.requires_grad = False
    model.bn.weight.grad = torch.ones(4)
    model.bn.register_forward_hook(lambda *_: None)
    model.conv.register_forward_pre_hook(lambda *_: None)
    model.register_full_backward_hook(lambda *_: None)
    return model


def state(model: Any) -> dict[str, Any]:
    """All that could be seen to change, as bytes and as the same objects."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers()), "grad": model.bn.weight.grad}
    modules = dict(model.named_modules())
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_hooks_always_called")
    return {
        "bits": {name: (id(each), each.detach().numpy().tobytes(), each._version) for name, each in tensors.items()},
        "gradients": [each.requires_grad for each in tensors.values()],
        "modes": {name: module.training for name, module in modules.items()},
        "hooks": {(name, kind): dict(getattr(module, kind)) for name, module in modules.items() for kind in hooks},
        "attributes": {name: sorted(vars(module)) for name, module in modules.items()},
        "tracking": [model.bn.track_running_stats, model.bn.momentum, model.frozen.track_running_stats],
        "own": (len(model.seen), model.passes, model.uout.generator.get_state().numpy().tobytes()),
    }


def surroundings() -> dict[str, Any]:
    backends: Any = torch.backends
    places = [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn, backends.mkldnn.matmul]
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
        "python": random.getstate(),
        "autograd": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")),
        "defaults": (torch.get_default_dtype(), torch.get_num_threads(), torch.get_default_device()),
        "flags": (torch.are_deterministic_algorithms_enabled(), backends.cudnn.benchmark, backends.cudnn.deterministic),
        "precision": [place.fp32_precision for place in places],
        "modes": _get_current_dispatch_mode(),
    }


@pytest.mark.parametrize("doctor", DOCTORS.values(), ids=DOCTORS)
def test_the_model_its_input_and_all_around_come_back_as_they_were(doctor):
    model, x = subject(), X.clone()
    before = state(model), surroundings()
    doctor(model, [x, (x, x)])
    assert (state(model), surroundings()) == before
    assert torch.equal(x, X)
    model(x)
    assert state(model)["bits"] != before[0]["bits"]  # a pass of its own would be noticed
    assert state(model)["own"] != before[0]["own"]
    assert surroundings()["numpy"] != before[1]["numpy"]
    assert surroundings()["python"] != before[1]["python"]
    assert surroundings()["torch"] != before[1]["torch"]


@pytest.mark.parametrize("at", [1, 2, 5])
@pytest.mark.parametrize("failure", [RuntimeError("in the midst"), KeyboardInterrupt()], ids=["error", "ctrl-c"])
@pytest.mark.parametrize("doctor", DOCTORS.values(), ids=DOCTORS)
def test_after_a_failure_in_the_midst_too(doctor, failure, at):
    model, x = subject(failure, at), X.clone()
    before = state(model), surroundings()
    with pytest.raises((ValueError, KeyboardInterrupt)) as raised:
        doctor(model, [x] * 6)
    assert isinstance(raised.value, KeyboardInterrupt) == isinstance(failure, KeyboardInterrupt)
    assert (state(model), surroundings()) == before
    assert torch.equal(x, X)


def test_after_batches_or_a_progress_that_fail_too() -> None:
    def batches() -> Iterator[Tensor]:
        yield X.clone()
        raise OSError("no more data")

    def progress(images: int) -> None:
        raise InterruptedError(images)

    model = subject()
    before = state(model), surroundings()
    with pytest.raises(OSError, match="no more data"):
        examine(model, batches())
    with pytest.raises(InterruptedError):
        examine(model, [X], progress=progress)
    assert (state(model), surroundings()) == before


def test_every_layer_in_inference_or_with_gradients_the_mode_stays() -> None:
    for mode in (torch.no_grad(), torch.enable_grad(), torch.inference_mode()):
        with mode:
            before = surroundings()["autograd"]
            examine(nn.Sequential(nn.Dropout(), nn.BatchNorm2d(4)), [X])
            assert surroundings()["autograd"] == before


def test_a_model_with_uout_is_another() -> None:
    model = subject()
    before = state(model), surroundings()
    other = with_uout(model, 0.5)
    assert (state(model), surroundings()) == before
    assert isinstance(other.drop, Uout)
    assert not {id(each) for each in model.parameters()} & {id(each) for each in other.parameters()}


def test_the_same_seed_gives_the_same_report_wherever_the_generators_stand() -> None:
    model = nn.Sequential(nn.Dropout(0.4), nn.SiLU(), nn.Dropout(0.2), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
    first = examine(model, [X, X], seed=3)
    torch.manual_seed(9)
    random.seed(9)
    np.random.seed(9)
    assert examine(model, [X, X], seed=3) == first
    assert examine(model, [X, X], seed=4) != first


@pytest.mark.parametrize("name", ["wrn-10-2", "densenet-bc-16-12", "preresnet-8"])
def test_where_all_is_exact_it_costs_three_forward_passes(name):
    net, batches = place(build(name), "a", drop=0.5).train(), [torch.randn(16, 3, 32, 32)]
    assert all(row.exact for row in examine(net, batches).rows)
    assert multiplications(examine, net, batches) == 3 * multiplications(passed, net, batches) > 0


def multiplications(call: Callable[..., Any], *args: Any) -> int:
    """How many a call makes, in products and convolutions, and as many additions."""
    with FlopCounterMode(display=False) as counter:
        call(*args)
    return counter.get_total_flops()


def passed(net: nn.Module, batches: list[Tensor]) -> None:
    with torch.no_grad():
        for x in batches:
            net(x)


class Held(TorchDispatchMode):
    """Counts the bytes of the storages that operators made and that live.

    Attributes:
        peak: the most at one time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._living = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                storage = leaf.untyped_storage()
                self._living[storage] = storage.nbytes()
        self.peak = max(self.peak, sum(self._living.values()))
        return out


def held(call: Callable[..., Any], *args: Any) -> int:
    with Held() as counted:
        call(*args)
    return counted.peak


def chain(blocks: int, bend: type[nn.Module]) -> nn.Module:
    """Many layers of noise, each behind a BN, all activations alike."""
    parts = [nn.Dropout(0.3), bend(), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)]
    return nn.Sequential(*(copy.deepcopy(part) for _ in range(blocks) for part in parts)).train()


@pytest.mark.parametrize("bend", [nn.ReLU, nn.SiLU], ids=["exact", "probed"])
def test_activations_are_not_kept_beyond_a_layer(bend):
    batches = [torch.randn(16, 8, 24, 24)]
    activation = batches[0].numel() * 4
    shallow, deep = (held(examine, chain(blocks, bend), batches) for blocks in (3, 12))
    assert all(row.exact == (bend is nn.ReLU) for row in examine(chain(3, bend), batches).rows)
    assert deep - shallow < activation
    assert held(passed, chain(3, bend), batches) < shallow
    assert held(keeping, chain(12, bend), batches) > held(keeping, chain(3, bend), batches) + 9 * activation


def keeping(net: Any, batches: list[Tensor]) -> list[Tensor]:
    """Do what the doctor must not."""
    kept = [*batches]
    with torch.no_grad():
        for layer in net:
            kept.append(layer(kept[-1]))
    return kept
