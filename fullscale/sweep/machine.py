"""How many processes this machine bears, and on which devices."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from fullscale.contracts import refusal, whole
from fullscale.launch import device_named
from fullscale.recipes import Recipe
from fullscale.sweep.cost import memory


def devices(jobs: int | None, device: str | None, recipes: Sequence[Recipe]) -> tuple[str, ...]:
    """Return the device of each process.

    Args:
        jobs: processes; where None, one a GPU, and one on a CPU, whose cores share a run.
        device: "cpu", "cuda" for all GPUs, or one as "cuda:1"; GPUs where there are some if None.
        recipes: any of which a process may have to train.

    Raises:
        ValueError: if the device is not there, or its memory does not suffice for so many.
    """
    chosen = device_named(device)
    if chosen.type == "cpu":
        places = ["cpu"]
    else:
        named = device is not None and ":" in device
        places = [str(chosen)] if named else [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    count = len(places) if jobs is None else whole("jobs", jobs, at_least=1)
    dealt = tuple(places[job % len(places)] for job in range(count))
    if jobs is not None and recipes:
        _require_memory(dealt, max(map(memory, {(own.net, own.batch): own for own in recipes}.values())))
    return dealt


def _require_memory(dealt: Sequence[str], need: int) -> None:
    free = {place: _free(place) for place in set(dealt)}
    fit = sum(max(0, bytes_ // need) for bytes_ in free.values())
    if any(dealt.count(place) * need > free[place] for place in free):
        told = f"{need / 2**30:.1f} GiB for the largest of its nets, and {sum(free.values()) / 2**30:.1f} GiB are free"
        raise refusal("jobs", len(dealt), f"must be <= {max(1, fit)}: each needs some {told}")


def _free(place: str) -> int:
    """Bytes that are free on a device, or that this machine can give."""
    if place != "cpu":
        return torch.cuda.mem_get_info(torch.device(place))[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
