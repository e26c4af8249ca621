"""Python's and NumPy's own generators: a model may draw from them, too, and that is seen by their state alone."""

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def sealed() -> Iterator[set[str]]:
    """Let both begin anew inside, always alike, and go on outside as if nobody had drawn.

    Yields:
        A set that in the end names those that were drawn from.
    """
    drawn: set[str] = set()
    outside = random.getstate(), np.random.get_state()
    random.seed(0)
    np.random.seed(0)
    begun = _states()
    try:
        yield drawn
    finally:
        now = _states()
        drawn.update(name for name in begun if begun[name] != now[name])
        random.setstate(outside[0])
        np.random.set_state(outside[1])


def _states() -> dict[str, bytes]:
    states = {"random": random.getstate(), "numpy.random": np.random.get_state()}
    return {name: pickle.dumps(state) for name, state in states.items()}
