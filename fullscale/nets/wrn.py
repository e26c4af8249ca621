"""Wide ResNets (Zagoruyko and Komodakis 2016): pre-activation basic blocks, `widen` times as wide as a ResNet's.

block  BN-R-3x3(stride), BN-R-3x3, + shortcut; a projection sees what the branch sees, the activated input
net    3x3 of 16 channels, three stages of 16, 32 and 64 times `widen`, BN-R
"""

from collections.abc import Sequence

from torch import Tensor, nn

from fullscale.nets.parts import Block, Net, bn_relu, convolution, projection, relu, residual_stages

STEM = 16


class WideBasic(Block):
    """Two 3 x 3 convolutions; the shortcut is the identity or a 1 x 1 convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, outputs, 3, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, 3)
        self.shortcut = projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        active = relu(self.bn1(x))
        out = relu(self.bn2(self.before_last_bn(self.conv1(active))))
        out = self.conv2(self.before_last_conv(out))
        carried = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(active)
        return out + carried


def wrn(counts: Sequence[int], widen: int = 10, num_classes: int = 10) -> Net:
    """Build the net of counts[i] blocks in stage i; WRN-28-10 has 4 in each of three."""
    stages, channels = residual_stages(WideBasic, counts, STEM, STEM * widen)
    net = Net(convolution(3, STEM, 3), stages, nn.Sequential(*bn_relu(channels)), channels, num_classes)
    nn.init.zeros_(net.fc.bias)
    return net
