import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import BatchNorm, Dropout, Equicorrelated, Stack

BOUND = 200.0  # MB
STATUS = Path("/proc/self/status")
ROOT = Path(__file__).parents[2]

# The high-water mark of this program alone: getrusage's maxrss starts with that of the process that started it.
PRELUDE = """
import json, re, sys
import numpy as np
from simulator import *

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1000

def filters(out, d, k=3):
    return Convolution(np.ones((out, d, k, k)) / (d * k * k), padding=k // 2)

def inside(depth):
    block = [filters(16, 16)]
    for _ in range(depth):
        block = [filters(16, 16), Residual(block)]
    return block

def around(depth):
    block = [filters(16, 16)]
    for _ in range(depth):
        block = [Residual([*block, ReLU()], [filters(16, 16, 1)])]
    return block

units = Equicorrelated(512, 0.5, 1.0, 0.2, dtype="float32")
one = Equicorrelated(1, 0.0, 1.0, 0.0)
maps = FeatureMaps(16, 8, 0.5, 1.0, 0.2, 0.5, dtype="float32")
heavy = FeatureMaps(16, 8, 0.5, 1.0, 0.2, 0.5, "student-t", 9)
layers = {
    "units": lambda: (units, [Dropout(0.5), Linear(np.ones((64, 512))), BatchNorm(64)]),
    "one": lambda: (one, [Uout(0.5), BatchNorm(1)]),
    "maps": lambda: (maps, [GaussianDropout(0.5), filters(16, 16), BatchNorm(16), ReLU(), BatchNorm(16)]),
    "heavy": lambda: (heavy, [Uout(0.5), BatchNorm(16), AveragePool(2), Dropout(0.5), BatchNorm(16)]),
    "inside": lambda: (maps, [Dropout(0.5), *inside(8), BatchNorm(16)]),
    "around": lambda: (maps, [Dropout(0.5), *around(5), BatchNorm(16)]),
    "weights": lambda: (units, [Dropout(0.5), Linear(np.ones((2048, 512))), Linear(np.ones((8, 2048))), BatchNorm(8)]),
    "kept": lambda: (Equicorrelated(16, 0.0, 1.0, 0.0, dtype="float32"), [Dropout(0.5), BatchNorm(16)]),
}
rng = np.random.default_rng(0)
"""
LARGEST = """
inputs, row = layers[sys.argv[1]]()
stack, threads = Stack(row), int(sys.argv[2])
try:
    stack.measure(inputs, rng, batch=10**9, threads=threads)
    refused = ""
except ValueError as error:
    refused = str(error)
largest = int(re.search(r"<= (\\d+)", refused)[1])
before = peak()
stack.measure(inputs, rng, replicas=2 * threads, batches=1, batch=largest, threads=threads)
try:
    stack.measure(inputs, rng, batch=largest + 1, threads=threads)
    again = ""
except ValueError as error:
    again = str(error)
print(json.dumps({"refused": refused, "again": again, "before": before, "peak": peak()}))
"""
GROWING = """
inputs, row = layers[sys.argv[1]]()
stack, peaks = Stack(row), []
for options in json.loads(sys.argv[2]):
    stack.measure(inputs, rng, threads=2, **options)
    peaks.append(peak())
print(json.dumps(peaks))
"""
CASE = """
peaks = []
for samples in json.loads(sys.argv[2]):
    measure_case(sys.argv[1], one if sys.argv[1] == "a" else units, Dropout(0.5),
                 None if sys.argv[1] == "a" else np.ones(512), samples, rng, threads=2)
    peaks.append(peak())
print(json.dumps(peaks))
"""
needs_status = pytest.mark.skipif(not STATUS.exists(), reason="the high-water mark of memory is read from /proc")


def run(program: str, *arguments: str) -> Any:
    command = [sys.executable, "-c", PRELUDE + program, *arguments]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    return json.loads(shown)


@needs_status
@pytest.mark.parametrize(
    ("stack", "threads"),
    [
        ("units", 2),
        ("one", 1),
        ("maps", 2),
        ("maps", 16),
        ("heavy", 2),
        ("inside", 2),
        ("inside", 16),
        ("around", 3),
        ("weights", 16),
    ],
)
def test_a_batch_that_would_not_fit_is_refused_and_the_largest_that_does_runs(stack: str, threads: int):
    told = run(LARGEST, stack, str(threads))
    for refused in (told["refused"], told["again"]):
        assert re.fullmatch(
            r"batch = \d+: must be <= \d+ for this stack with threads = \d+; it would take \d+ MB of 100", refused
        )
    assert told["before"] + 10 < told["peak"] < BOUND


@needs_status
@pytest.mark.parametrize(
    ("stack", "little", "more"),
    [
        ("units", {"replicas": 2, "batches": 4}, {"replicas": 20, "batches": 4}),
        ("units", {"replicas": 2, "batches": 4}, {"replicas": 2, "batches": 40}),
        ("kept", {"replicas": 2, "batches": 100}, {"replicas": 2, "batches": 1000}),
        ("maps", {"replicas": 4, "batches": 2, "batch": 256}, {"replicas": 4, "batches": 20, "batch": 256}),
    ],
)
def test_a_stack_takes_no_more_memory_for_ten_times_the_samples(stack: str, little: dict, more: dict):
    once, tenfold = run(GROWING, stack, json.dumps([little, more]))
    assert tenfold < BOUND
    assert tenfold < once + 20  # what was kept and freed at other times; ten times the inputs would be 80 and more


@needs_status
@pytest.mark.parametrize(("case", "samples"), [("a", 1_000_000), ("b", 10_000)])
def test_a_case_takes_no_more_memory_for_ten_times_the_samples(case: str, samples: int):
    once, tenfold = run(CASE, case, json.dumps([samples, 10 * samples]))
    assert tenfold < once + 10
    assert tenfold < BOUND / 2


@needs_status
def test_inputs_are_kept_by_all_threads_together():
    little = {"replicas": 32, "batches": 30, "batch": 4096}  # 7.9 MB a replica
    program = GROWING.replace("threads=2", "threads=32")
    (peak,) = run(program, "kept", json.dumps([little]))
    assert peak < BOUND


def test_a_batch_that_fits_one_thread_but_not_more_is_told_for_how_many():
    stack, inputs = Stack([Dropout(0.5), BatchNorm(8)]), Equicorrelated(8, 0.0, 1.0, 0.0)
    batches = []
    for threads in (1, 2, 10, None):  # None leaves cores idle where the memory asks for it
        with pytest.raises(ValueError, match=f"with threads = {threads or 1};") as refused:
            stack.measure(inputs, np.random.default_rng(0), batch=10**7, threads=threads)
        batches.append(int(re.findall(r"<= (\d+)", str(refused.value))[0]))
    assert batches == pytest.approx([batches[0], batches[0] / 2, batches[0] / 10, batches[0]], abs=1)
