"""How fast the real networks train and are measured, against what one would do without, side by side in one run.

    python tests/benchmarks/fullscale_speed.py [--device cpu|cuda] [--root data] [--nets ...] [--compile ...]

1. Images a second in training, by `fullscale.training` and by the program that one would write instead: PyTorch's
   defaults, eager and float32, on torchvision's CIFAR10 class, its transforms and a DataLoader with workers. Same net
   (Dropout-(b), 0.5), same start, same batch, same images. Wanted on a CPU, of small siblings: no slower. Wanted on a
   GPU, of the paper's nets: 3 times as fast (ResNeXt-29: 2 times), and as many images a second as stand beside, 60% of
   what an H200 could do. Ours is timed setting by setting, each with those before it, which tells what each brings.
   The images are CIFAR-10's if its binary files are under --root, or else random bytes, which take as long.
2. On a CPU: seconds of a measuring pass (the test side of `fullscale.measure`) over those of an evaluation pass, the
   net's forward alone, on the same batches. Wanted: 1.3 at most. And of the whole `measure`, which runs the net twice.

The programs take turns, so that a noisy machine hurts all alike; the median round counts. A turn goes on where the
program's last one ended; its first quarter does not count, nor do the first steps of all, which compile. What a
DataLoader prefetches between turns, two batches a worker, favours the plain program where a turn is few steps. The
images are a whole number of batches, and one batch is the test set, so that an epoch's end costs next to nothing.
Threads are PyTorch's default: OMP_NUM_THREADS says otherwise.
"""

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeAlias, get_args

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from fullscale.batchnorms import batchnorms
from fullscale.data import Batch, InMemory, cifar
from fullscale.data.in_memory import Images
from fullscale.data.normalise import Normalise
from fullscale.launch import Team, device_named
from fullscale.measure import measure
from fullscale.recipes import MOMENTUM, Compile, Recipe, recipe
from fullscale.specimen import faithful, specimen, switch
from fullscale.statistics import Halves, Statistics
from fullscale.taps import InputTap
from fullscale.training import Training, built

IMAGES, CLASSES = 49_920, 10  # 390 batches of 128, 780 of 64
TEST_IMAGES = 128
FIRST_STEPS = 3  # a CUDA graph is recorded on the second
PASS = 4  # batches
PLAIN, EVALUATION = "plain PyTorch", "evaluation"


class Wanted(NamedTuple):
    """Against the plain program, and images a second on an H200."""

    ratio: float
    rate: int | None = None


WANTED = {
    "cpu": {
        "preresnet-8": Wanted(1),
        "resnext-11-4x4-32": Wanted(1),
        "wrn-10-2": Wanted(1),
        "densenet-bc-16-12": Wanted(1),
    },
    "cuda": {
        "preresnet-110": Wanted(3, 21_000),
        "densenet-bc-100-12": Wanted(3, 18_000),
        "wrn-28-10": Wanted(3, 10_000),
        "resnext-29": Wanted(2, 6_000),
    },
}
WANTED_OF_A_PASS = 1.3

Program: TypeAlias = Iterator[int]
"""Does a step, or a pass, whenever asked for the next, and yields how many images it took."""


@dataclass(frozen=True)
class Data:
    """The same images for both programs.

    Attributes:
        name: for the output.
        device: to train on.
        workers: of a DataLoader.
    """

    name: str
    images: Images
    device: torch.device
    workers: int

    @cached_property
    def ours(self) -> InMemory:
        """As this package holds them."""
        at, test = self.device, Images(*(part[:TEST_IMAGES] for part in self.images))
        normalise = Normalise(cifar.MEAN, cifar.STD, at)
        return InMemory("cifar10", CLASSES, self.images, test, normalise=normalise, device=at, crop="pixels")

    def loader(self, batch: int) -> DataLoader:
        """Load them as PyTorch's and torchvision's tutorials do."""
        augmented = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
        prepare = transforms.Compose([*augmented, transforms.ToTensor(), transforms.Normalize(cifar.MEAN, cifar.STD)])
        return DataLoader(
            LoadedCIFAR10(self.images, prepare),
            batch,
            shuffle=True,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            persistent_workers=self.workers > 0,
        )


class LoadedCIFAR10(datasets.CIFAR10):
    """Torchvision's own, on images that have been read already."""

    def __init__(self, images: Images, transform: transforms.Compose) -> None:
        self.data = images.pixels.permute(0, 2, 3, 1).contiguous().numpy()
        self.targets = images.labels.tolist()
        self.transform, self.target_transform = transform, None


def images_under(root: Path) -> tuple[str, Images]:
    """Read CIFAR-10 if it is there, or else draw random bytes; say which."""
    if (root / cifar.CIFAR10.folder).is_dir():
        train, _ = cifar.read(cifar.CIFAR10, root)
        return "images of CIFAR-10", train.first(IMAGES)
    pixels = torch.randint(256, (IMAGES, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return "images of random bytes", Images(pixels, torch.arange(IMAGES) % CLASSES)


def run_of(net: str, **settings: Any) -> Recipe:
    """Make a recipe that does not end while it is timed."""
    return recipe(net, "cifar10", "b", 0, drop=0.5, epochs=10_000, **settings)


def drawn(run: Recipe) -> nn.Module:
    """Build the net in the weights that `Training` starts from."""
    torch.manual_seed(run.seed)
    return built(run, CLASSES)


def plain(net: nn.Module, run: Recipe, batches: Iterable[Batch], device: torch.device) -> Program:
    """Train as one would without this package."""
    net.to(device).train()
    optimizer = torch.optim.SGD(net.parameters(), run.lr, MOMENTUM, weight_decay=run.weight_decay)
    while True:
        for images, labels in batches:
            x, y = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
            optimizer.zero_grad()
            functional.cross_entropy(net(x), y).backward()
            optimizer.step()
            yield len(labels)


def ours(training: Training) -> Program:
    """Train as this package does; scored first, which may compile the net's test mode."""
    training.score()
    return (training.recipe.batch for ended in training if ended is None)


def evaluation(net: nn.Module, batches: Sequence[Batch]) -> Program:
    """Pass the batches through the net in test mode."""
    net.eval()
    while True:
        with torch.no_grad():
            for images, _ in batches:
                net(images)
        yield images_of(batches)


def test_side(net: nn.Module, batches: Sequence[Batch]) -> Program:
    """The same, measuring as `measure` does."""
    subject = specimen(net)
    bns = batchnorms(subject)
    statistics, halves = Statistics(bns.values()), Halves(bns.values())
    while True:
        with faithful(subject, 0), InputTap(bns) as tap:
            for images, _ in batches:
                switch(subject, noise=False, by_batch=False)
                halves.update(tap.run(subject, images, statistics))
        yield images_of(batches)


def both_sides(net: nn.Module, batches: Sequence[Batch]) -> Program:
    """All of `measure`."""
    while True:
        yield measure(net, batches, seed=0).images


def images_of(batches: Sequence[Batch]) -> int:
    """How many images a pass takes."""
    return sum(len(labels) for _, labels in batches)


@dataclass(frozen=True)
class Race:
    """Programs on a device take turns of about so many seconds."""

    device: torch.device
    rounds: int
    seconds: float

    def run(self, programs: Mapping[str, Program]) -> dict[str, list[float]]:
        """Return each program's images a second in every round."""
        for program in programs.values():
            for _ in islice(program, FIRST_STEPS):
                pass
        rates: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(self.rounds):
            for name, program in programs.items():
                self.rate(program, self.seconds / 4)
                rates[name].append(self.rate(program, self.seconds))
        return rates

    def rate(self, program: Program, seconds: float) -> float:
        """Images a second of at least one step, counted when the device has done them all."""
        self._wait()
        images, started = 0, time.perf_counter()
        while not images or time.perf_counter() < started + seconds:
            images += next(program)
        self._wait()
        return images / (time.perf_counter() - started)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def ladder(kind: str, modes: Sequence[Compile]) -> dict[str, dict[str, Any]]:
    """Our settings by name, each with those before it; compiling in one mode replaces compiling in another."""
    steps: dict[str, dict[str, Any]] = {"ours, float32": {"channels_last": False}}
    steps["+ channels_last"] = {"channels_last": True}
    if kind == "cuda":
        steps["+ bf16"] = {"channels_last": True, "precision": "bf16"}
    uncompiled = steps[list(steps)[-1]]
    return steps | {f"+ compile {mode}": uncompiled | {"compile": mode} for mode in modes if mode != "off"}


def training(race: Race, data: Data, nets: Sequence[str], modes: Sequence[Compile]) -> None:
    """Print part 1."""
    print(
        f"1. images a second in training: {device_name(race.device)}; {IMAGES:,} {data.name}, {data.workers} workers;"
    )
    print(f"   and over {PLAIN}'s (least to most of {race.rounds} rounds); wanted")
    steps = ladder(race.device.type, modes)
    judged = [name for name in steps if "compile" in name] or list(steps)[-1:]
    for net in nets:
        if modes:
            torch.compiler.reset()  # it gives up on code that it has compiled for many nets
        rates = race.run(trainers(data, net, steps))
        print(f"   {net}, batches of {run_of(net).batch}")
        wanted = told(WANTED[race.device.type].get(net))
        for name, own in rates.items():
            gain = [ours / plain for ours, plain in zip(own, rates[PLAIN], strict=True)]
            print(row(own, gain if name in steps else [], wanted if name in judged else "", name))


def trainers(data: Data, net: str, steps: Mapping[str, dict[str, Any]]) -> dict[str, Program]:
    """Make the programs that train a net."""
    run, team = run_of(net), Team(data.device)
    programs = {PLAIN: plain(drawn(run), run, data.loader(run.batch), data.device)}
    return programs | {name: ours(Training(run_of(net, **own), data.ours, team)) for name, own in steps.items()}


def measuring(race: Race, data: Data, nets: Sequence[str]) -> None:
    """Print part 2."""
    print(f"2. images a second in passes of {PASS} batches, and an {EVALUATION} pass's over them; wanted")
    for name in nets:
        run = run_of(name)
        net = drawn(run).to(memory_format=torch.channels_last)  # as a run's net is opened
        batches = list(islice(data.ours.train_batches(run.batch, run.seed, 0), PASS))
        programs = {EVALUATION: evaluation, "test side of measure": test_side, "measure": both_sides}
        rates = race.run({program: of(net, batches) for program, of in programs.items()})
        print(f"   {name}, batches of {run.batch}")
        for program, own in rates.items():
            cost = [plain / measured for plain, measured in zip(rates[EVALUATION], own, strict=True)]
            wanted = f"<= {WANTED_OF_A_PASS}" if programs[program] is test_side else ""
            print(row(own, cost if program != EVALUATION else [], wanted, program))


def row(rates: Sequence[float], ratios: Sequence[float], wanted: str, name: str) -> str:
    """Show the medians, numbers first."""
    ratio = f"{median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""
    return f"   {median(rates):10,.0f} {ratio:24} {wanted:18} {name}"


def told(wanted: Wanted | None) -> str:
    """Show what is wanted of a net, if anything."""
    if wanted is None:
        return ""
    return f">= {wanted.ratio:g}" + (f", {wanted.rate:,}/s" if wanted.rate else "")


def device_name(device: torch.device) -> str:
    """Show what the figures were taken on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} thread(s)"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line, and complete it for the device."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", help="cpu, cuda or cuda:N; a GPU where there is one")
    parser.add_argument("--root", type=Path, default=Path("data"), help="holds cifar-10-batches-bin, if there is one")
    parser.add_argument("--nets", nargs="+", help="by name; those whose speed is wanted")
    parser.add_argument("--compile", nargs="+", choices=get_args(Compile), help="modes; reduce-overhead on a GPU")
    parser.add_argument("--workers", type=int, help="of the DataLoader; 2 on a CPU, 8 on a GPU")
    parser.add_argument("--rounds", type=int, default=5, help="how many turns each program has")
    parser.add_argument("--seconds", type=float, default=2.0, help="about how long a turn takes")
    given = parser.parse_args(arguments)
    given.device = device_named(given.device)
    on_gpu = given.device.type == "cuda"
    if given.workers is None:
        given.workers = 8 if on_gpu else 2
    given.nets = given.nets or list(WANTED[given.device.type])
    given.compile = given.compile or (["reduce-overhead"] if on_gpu else [])
    return given


def main(arguments: Sequence[str] | None = None) -> None:
    """Run both parts."""
    given = parsed(arguments)
    race = Race(given.device, given.rounds, given.seconds)
    data = Data(*images_under(given.root), given.device, given.workers)
    training(race, data, given.nets, given.compile)
    if given.device.type == "cpu":
        measuring(race, data, given.nets)


if __name__ == "__main__":
    main()
