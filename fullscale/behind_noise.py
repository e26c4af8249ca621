"""Convolutions right behind noise: what the law says of what comes out of them, with their own weights or with others.

Right behind: at most a ReLU lies between, and no other signal is added or put beside it there.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from torch import Tensor, nn

from fullscale.doctor.report import Linear, Report
from fullscale.doctor.shares import Convolution, unbiased


class Layer(NamedTuple):
    """A convolution that takes in noise.

    Attributes:
        linear: as Eq. 10 sees it.
        s2: variance of the noise over its mean squared.
    """

    module: nn.Conv2d
    linear: Linear
    s2: float

    @property
    def eq10(self) -> float:
        """Var_Test / Var_Train of what comes out, by Eq. 10."""
        return self.linear.eq10(self.s2)


def layers_behind(report: Report, net: nn.Module) -> dict[str, Layer]:
    """Return the convolutions of a net behind noise, a number for each element, and before a BN, by name."""
    found: dict[str, Layer] = {}
    for way in (way for row in report.rows for way in row.ways):
        linear, source = way.linear, report.source(way.source)
        if linear and linear.name and source.sharing == "element":
            module = net.get_submodule(linear.name)
            if isinstance(module, nn.Conv2d):
                found.setdefault(linear.name, Layer(module, linear, source.s2 or 0.0))
    return found


class Behind:
    """Listens to layers while it is entered, which must be the law's regime: no noise, BN normalising by its batch.

    Args:
        layers: by name.
        reweighed: makes weights of a layer's own, of the same shape; by name.
    """

    def __init__(self, layers: Mapping[str, Layer], reweighed: Mapping[str, Callable[[Tensor], Tensor]]) -> None:
        self._layers = layers
        self._convolutions = {
            name: {way: _convolution(layer.module, weights(layer.module.weight)) for way, weights in reweighed.items()}
            for name, layer in layers.items()
        }
        self._sums = {(name, way): [0.0, 0.0] for name in layers for way in reweighed}
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        self._handles = [
            layer.module.register_forward_pre_hook(self._hearing(name)) for name, layer in self._layers.items()
        ]
        return self

    def __exit__(self, *raised: Any) -> None:
        for handle in self._handles:
            handle.remove()

    def law(self, name: str, way: str) -> float:
        """Return Var_Test / Var_Train of what a layer gives with such weights, by the law.

        Of the mean over channels and batches, UNBIASED by batch.
        """
        without, added = self._sums[name, way]
        return without / (without + self._layers[name].s2 * added)

    def _hearing(self, name: str) -> Any:
        def hear(_: nn.Module, args: tuple[Tensor]) -> None:
            for way, convolution in self._convolutions[name].items():
                share = convolution.share(args[0], "element")
                sums = self._sums[name, way]
                sums[0] += unbiased(convolution(args[0], convolution.weight)).mean().item()
                sums[1] += 0.0 if share is None else share.mean().item()

        return hear


def _convolution(layer: nn.Conv2d, weight: Tensor) -> Convolution:
    """Return a layer's geometry with some weights."""
    return Convolution(
        weight,
        [*layer.stride],
        [int(side) for side in layer.padding],
        [*layer.dilation],
        transposed=False,
        output_padding=[0, 0],
        groups=layer.groups,
    )
