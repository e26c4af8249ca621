"""Descriptions of experiments and of sweeps, built from few words."""

from typing import Any

UNITS = {"kind": "units", "d": 4, "mean": 0.0, "variance": 1.0}
MAPS = {"kind": "maps", "channels": 4, "size": [6, 5], "mean": 0.5, "variance": 1}
BN = {"kind": "batch-norm"}
RELU = {"kind": "relu"}


def experiment(*layers: object, inputs: object = None, **measure: object) -> dict[str, Any]:
    """An experiment, on independent units where no inputs are told."""
    return {"inputs": inputs or UNITS, "layers": list(layers), "measure": measure}


def dropout(retain: object) -> dict[str, Any]:
    return {"kind": "dropout", "retain": retain}


def linear(units: object, **more: object) -> dict[str, Any]:
    return {"kind": "linear", "units": units, **more}


def convolution(channels: int, kernel: object = 1, **more: object) -> dict[str, Any]:
    """A convolution, 1 x 1 where no kernel is told."""
    return {"kind": "convolution", "channels": channels, "kernel": kernel, **more}


def repeated(times: int, *layers: object) -> dict[str, Any]:
    return {"kind": "repeat", "times": times, "layers": list(layers)}


def residual(*branch: object, **more: object) -> dict[str, Any]:
    """A residual block, whose shortcut is the identity where none is told."""
    return {"kind": "residual", "branch": list(branch), **more}


def nested(deep: int) -> dict[str, Any]:
    """A ReLU in so many residual blocks, one inside the other."""
    return RELU if deep == 0 else residual(nested(deep - 1))


def template(*keys: str) -> dict[str, Any]:
    """A sweep before it says of what: a Dropout for each key, which stands for its retain ratio."""
    return {"layers": [dropout(f"${key}") for key in keys]}


def grid(**keys: object) -> dict[str, Any]:
    """A sweep over every combination."""
    return template(*keys) | {"grid": keys}


def draws(points: object = 5, **keys: object) -> dict[str, Any]:
    """A sweep over random points."""
    return template(*keys) | {"draws": {"points": points, **keys}}
