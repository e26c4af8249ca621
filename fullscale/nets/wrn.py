"""Wide ResNets (Zagoruyko and Komodakis 2016): pre-activation basic blocks, `widen` times as wide as a ResNet's.

block  BN-R-3x3(stride), BN-R-3x3, + shortcut; a projection sees what the branch sees, the activated input
net    3x3 of 16 channels, three stages of 16, 32 and 64 times `widen`, BN-R
"""

from collections.abc import Sequence

from torch import nn

from fullscale.nets.parts import Net, bn_relu, convolution, residual_stages
from fullscale.nets.preresnet import Basic

STEM = 16


class WideBasic(Basic):
    """PreResNet's basic block, but a projection sees the activated input."""

    projects_activated = True


def wrn(counts: Sequence[int], widen: int = 10, num_classes: int = 10) -> Net:
    """Build the net of counts[i] blocks in stage i; WRN-28-10 has 4 in each of three."""
    stages, channels = residual_stages(WideBasic, counts, STEM, STEM * widen)
    net = Net(convolution(3, STEM, 3), stages, nn.Sequential(*bn_relu(channels)), channels, num_classes)
    nn.init.zeros_(net.fc.bias)
    return net
