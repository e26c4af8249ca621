"""A model around a function that may draw."""

from typing import Any

from torch import Tensor, nn

from fullscale.batchnorms import BatchNorm


class Spelled(nn.Module):
    """Noise, perhaps a convolution, BN; `here` tells a function whether it trains, BN apart."""

    def __init__(self, spelling, *, convolved: bool = False, **modules: nn.Module) -> None:
        super().__init__()
        self.spelling, self.here = spelling, nn.Identity()
        self.bn: Any = nn.BatchNorm2d(4)
        self.layer = nn.Conv2d(4, 4, 3) if convolved else nn.Identity()
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        return self.bn(self.layer(self.spelling(self, x)))

    @property
    def drawing(self) -> list[nn.Module]:
        """All of it but the BN."""
        return [module for module in self.children() if not isinstance(module, BatchNorm)]
