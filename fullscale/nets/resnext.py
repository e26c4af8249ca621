"""ResNeXt (Xie et al. 2017): ReLU(shortcut(x) + F(x)), where F works in `cardinality` groups of channels.

block     1x1-BN-R, 3x3(stride, groups)-BN-R, 1x1-BN, + shortcut (1x1-BN where the shape changes), R
widths    stage i (from 0) has 256 2^i outputs, and works in cardinality x width x 2^i channels
CIFAR     3x3-BN-R of 64 channels, three stages
ImageNet  7x7/2-BN-R-pool of 64 channels, four stages
"""

from collections.abc import Sequence

from torch import Tensor, nn

from fullscale.nets.parts import Block, Net, bn_relu, convolution, imagenet_stem, relu, residual_stages

STEM, FIRST_OUTPUTS = 64, 256


class Bottleneck(Block):
    """The post-activation bottleneck, with `inner` channels in groups between its 1x1 convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int, cardinality: int, inner: int) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, inner, 1)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = convolution(inner, inner, 3, stride, cardinality)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = convolution(inner, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        out = relu(self.bn1(self.conv1(x)))
        out = relu(self.bn2(self.conv2(out)))
        out = self.conv3(self.before_last_conv(out))
        out = self.bn3(self.before_last_bn(out))
        return relu(out + self.shortcut(x))


def resnext(
    counts: Sequence[int],
    cardinality: int = 8,
    width: int = 64,
    outputs: int = FIRST_OUTPUTS,
    num_classes: int = 10,
) -> Net:
    """Build the CIFAR net of counts[i] blocks in stage i; ResNeXt-29, 8x64d, has 3 in each of three.

    Args:
        counts: see above.
        cardinality: groups of every 3x3 convolution.
        width: channels of a group in the first stage.
        outputs: channels that leave the first stage.
        num_classes: how many outputs.
    """
    stem = nn.Sequential(convolution(3, STEM, 3), *bn_relu(STEM))
    net = _net(stem, counts, cardinality, width, outputs, num_classes)
    nn.init.kaiming_normal_(net.fc.weight)
    return net


def imagenet_resnext(counts: Sequence[int], cardinality: int = 64, width: int = 4, num_classes: int = 1000) -> Net:
    """Build the ImageNet net of counts[i] blocks in stage i; ResNeXt-101, 64x4d, has 3, 4, 23 and 3."""
    return _net(imagenet_stem(STEM), counts, cardinality, width, FIRST_OUTPUTS, num_classes)


def _net(  # noqa: PLR0913, PLR0917 (what both nets choose)
    stem: nn.Module, counts: Sequence[int], cardinality: int, width: int, first_outputs: int, num_classes: int
) -> Net:
    def block(inputs: int, outputs: int, stride: int) -> Bottleneck:
        return Bottleneck(inputs, outputs, stride, cardinality, cardinality * width * outputs // first_outputs)

    stages, channels = residual_stages(block, counts, STEM, first_outputs)
    net = Net(stem, stages, nn.Identity(), channels, num_classes)
    nn.init.zeros_(net.fc.bias)
    return net


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if (inputs, stride) == (outputs, 1):
        return nn.Identity()
    return nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
