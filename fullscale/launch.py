"""The processes of one run: one by itself, or those that torchrun started, one a GPU."""

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from fullscale.contracts import refusal, whole
from fullscale.data import Share

Made = TypeVar("Made")

THREADS_AT_MOST = 1024
GRACE = 5.0
"""seconds"""
PATIENCE = timedelta(hours=2)
"""For the first process, which may have to fetch a data set, or to list a million files."""


@dataclass(frozen=True)
class Team:
    """This process among those of the run.

    Attributes:
        rank: its number; 0 writes the files and talks.
        world: how many there are.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes the files and talks."""
        return self.rank == 0

    @property
    def share(self) -> Share:
        """Its part of every batch."""
        return Share(self.rank, self.world)

    def largest(self, value: int) -> int:
        """Return the largest of all processes' values, so that all decide alike."""
        if self.world == 1:
            return value
        of_all = torch.tensor(value)  # on the CPU: a GPU need not be waited for
        distributed.all_reduce(of_all, distributed.ReduceOp.MAX)
        return int(of_all.item())

    def summed(self, values: Tensor) -> Tensor:
        """Return the sum over all processes of values: (k,)."""
        if self.world == 1:
            return values
        of_all = values.clone()
        distributed.all_reduce(of_all)
        return of_all

    def gathered(self, value: Any) -> list[Any]:
        """Return the values of all processes, by rank."""
        if self.world == 1:
            return [value]
        of_all: list[Any] = [None] * self.world
        distributed.all_gather_object(of_all, value)
        return of_all

    def by_first(self, make: Callable[[], Made]) -> Made | None:
        """Let the first process make something while the others wait; where it raises, they leave without a word."""
        made, raised = None, None
        if self.first:
            try:
                made = make()
            except Exception as error:
                raised = error
        failed, *_ = self.gathered(raised is not None)
        if raised is not None:
            raise raised
        if failed:
            time.sleep(GRACE)  # torchrun ends all as soon as one has left: let the first tell why before
            raise SystemExit(1)
        return made

    def first_then_others(self, make: Callable[[], Made]) -> Made:
        """Let the first process make something, and when it is done the others."""
        made = self.by_first(make)
        return cast("Made", made) if self.first else make()

    def parallel(self, net: nn.Module) -> nn.Module:
        """Wrap a net so that the processes' gradients are averaged."""
        if self.world == 1:
            return net
        return DistributedDataParallel(net, device_ids=[self.device.index] if self.device.type == "cuda" else None)

    def share_buffers(self, net: nn.Module) -> None:
        """Give all processes the first one's BN statistics: those of its own share of the batches."""
        if self.world > 1:
            for buffer in net.buffers():
                distributed.broadcast(buffer, 0)


@contextlib.contextmanager
def team(device: str | None) -> Iterator[Team]:
    """Join the processes that torchrun started, if it did; else be the only one.

    Args:
        device: "cpu" or "cuda", or one GPU as "cuda:1"; a GPU where there is one if None. Under torchrun each process
            takes the GPU of its own local rank.

    Raises:
        ValueError: if the device is not there.
    """
    chosen = device_named(device)
    if chosen.type == "cuda":
        torch.backends.cudnn.benchmark = True  # batches have the same shape all the time
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Team(chosen)
        return
    if chosen.type == "cuda":
        chosen = device_named(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(chosen)
    backend = "cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo"
    # DDP imports it, and the defaults of its functions are the group of that moment. A group that is there by then
    # outlives this team, and one of its threads may abort a process that has ended well.
    importlib.import_module("torch.distributed.nn.functional")
    distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Team(chosen, distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()


def device_named(name: str | None) -> torch.device:
    """Find a device: "cpu", "cuda" or "cuda:N"; a GPU where there is one if None.

    Raises:
        ValueError: if it is not on this machine.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise refusal("device", name, "must be cpu, cuda or cuda:N") from None
    if device.type != "cuda" and name != "cpu":
        raise refusal("device", name, "must be cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise refusal("device", name, f"is not on this machine, which has {torch.cuda.device_count()} GPUs")
    return device


def require_threads(threads: int) -> int:
    """Return `threads`.

    Raises:
        ValueError: if it is no whole number in 1 .. 1024.
    """
    if whole("threads", threads, at_least=1) > THREADS_AT_MOST:
        raise refusal("threads", threads, f"must be <= {THREADS_AT_MOST}")
    return threads
