"""Pre-activation ResNets (He et al. 2016): x + F(x), where every convolution of F follows a BN and a ReLU.

basic       BN-R-3x3(stride), BN-R-3x3
bottleneck  BN-R-1x1, BN-R-3x3(stride), BN-R-1x1, four times as wide as its middle
CIFAR       3x3, three stages of widths 16, 32, 64 (x 4 in bottlenecks), BN-R; a projection sees the block's raw input
ImageNet    7x7/2-BN-R-pool, four stages of widths 64, 128, 256, 512 (x 4), BN-R; a projection sees what the branch
            sees, the activated input, and the first block leaves its activation to the stem
"""

from collections.abc import Sequence

from torch import Tensor, nn

from fullscale.nets.parts import Block, Net, bn_relu, convolution, imagenet_stem, projection, relu, residual_stages


class PreActivation(Block):
    """What all blocks share: they activate, then branch; `shortcut` is the identity or a 1 x 1 convolution.

    Attributes:
        projects_activated: whether that convolution sees the activated input, as the branch does, or the raw one.
    """

    projects_activated = False
    bn1: nn.Module
    shortcut: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        active = relu(self.bn1(x))
        activated = self.projects_activated and not isinstance(self.shortcut, nn.Identity)
        return self.branch(active) + self.shortcut(active if activated else x)

    def branch(self, active: Tensor) -> Tensor:
        """Map the activated input to what is added to the shortcut."""
        raise NotImplementedError


class Basic(PreActivation):
    """Two 3 x 3 convolutions."""

    expansion = 1

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, outputs, 3, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, 3)
        self.shortcut = projection(inputs, outputs, stride)

    def branch(self, active: Tensor) -> Tensor:
        """3x3, (a), BN-R, (b), 3x3."""
        out = relu(self.bn2(self.before_last_bn(self.conv1(active))))
        return self.conv2(self.before_last_conv(out))


class Bottleneck(PreActivation):
    """1 x 1, 3 x 3 and 1 x 1 convolutions."""

    expansion = 4

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        width = outputs // self.expansion
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, width, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3, stride)
        self.bn3 = nn.BatchNorm2d(width)
        self.conv3 = convolution(width, outputs, 1)
        self.shortcut = projection(inputs, outputs, stride)

    def branch(self, active: Tensor) -> Tensor:
        """1x1, BN-R, 3x3, (a), BN-R, (b), 1x1."""
        out = self.conv2(relu(self.bn2(self.conv1(active))))
        out = relu(self.bn3(self.before_last_bn(out)))
        return self.conv3(self.before_last_conv(out))


class ImageNetBottleneck(Bottleneck):
    """The same, but a projection sees the activated input."""

    projects_activated = True


def preresnet(counts: Sequence[int], block: type[Basic | Bottleneck] = Bottleneck, num_classes: int = 10) -> Net:
    """Build the CIFAR net of counts[i] blocks in stage i, 16 channels in its stem and 16 * 2^i in stage i."""
    stages, channels = residual_stages(block, counts, 16, 16 * block.expansion)
    return Net(convolution(3, 16, 3), stages, nn.Sequential(*bn_relu(channels)), channels, num_classes)


def imagenet_preresnet(counts: Sequence[int], width: int = 64, num_classes: int = 1000) -> Net:
    """Build the ImageNet net of counts[i] bottlenecks in stage i; ResNet-200 has 3, 24, 36 and 3 of width 64."""
    stages, channels = residual_stages(ImageNetBottleneck, counts, width, width * Bottleneck.expansion)
    stages[0][0].bn1 = nn.Identity()  # after the stem's ReLU its own changes nothing
    net = Net(imagenet_stem(width), stages, nn.Sequential(*bn_relu(channels)), channels, num_classes)
    nn.init.zeros_(net.fc.bias)
    return net
