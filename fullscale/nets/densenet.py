"""DenseNet-BC (Huang et al. 2017): every block appends `growth` channels to all that came before.

block       BN-R-1x1 to 4 growth, BN-R-3x3 to growth, concatenated after the input
transition  BN-R-1x1 to half of the channels, 2 x 2 average pooling
net         3x3 to 2 growth, dense stages with transitions between them, BN-R
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fullscale.nets.parts import Block, Net, bn_relu, convolution, relu


class DenseBlock(Block):
    """One layer pair of a dense stage."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, 4 * growth, 1)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = convolution(4 * growth, growth, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (n, inputs, h, w) to (n, inputs + growth, h, w)."""
        out = self.conv1(relu(self.bn1(x)))
        out = relu(self.bn2(self.before_last_bn(out)))
        return torch.cat([x, self.conv2(self.before_last_conv(out))], dim=1)


def densenet_bc(counts: Sequence[int], growth: int = 12, num_classes: int = 10) -> Net:
    """Build the net of counts[i] blocks in stage i; DenseNet-BC-100 has 16 in each of three."""
    channels = 2 * growth
    stem, stages = convolution(3, channels, 3), []
    for index, count in enumerate(counts):
        if index:
            stages.append(_transition(channels))
            channels //= 2
        stages.append(nn.Sequential(*(DenseBlock(channels + growth * k, growth) for k in range(count))))
        channels += growth * count
    return Net(stem, stages, nn.Sequential(*bn_relu(channels)), channels, num_classes)


def _transition(inputs: int) -> nn.Sequential:
    return nn.Sequential(*bn_relu(inputs), convolution(inputs, inputs // 2, 1), nn.AvgPool2d(2))
