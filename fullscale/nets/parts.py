"""What all networks share: the frame of a net, blocks with slots for noise, and He's convolutions."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)


class Block(nn.Module):
    """A residual or dense block with two slots for noise: empty, that is the identity, until something is placed.

    Attributes:
        before_last_bn: right before the block's last BN, the place of Dropout-(a) (Section 4).
        before_last_conv: between a ReLU and the block's last convolution, the place of Dropout-(b).
    """

    def __init__(self) -> None:
        super().__init__()
        self.before_last_bn: nn.Module = nn.Identity()
        self.before_last_conv: nn.Module = nn.Identity()


class Net(nn.Module):
    """Stem, stages of blocks, what ends them, global average pooling, classifier.

    Module order is execution order, shortcuts after their branches: `modules()` yields BNs as a batch meets them.

    Args:
        stem: everything before the first block.
        stages: in the order of execution.
        end: what follows the last block and precedes the pooling.
        channels: how many leave `end`.
        num_classes: how many outputs.

    Attributes:
        before_classifier: a slot for noise, empty until something is placed: after the pooling, with no BN to follow.
    """

    def __init__(
        self, stem: nn.Module, stages: Sequence[nn.Module], end: nn.Module, channels: int, num_classes: int
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.Sequential(*stages)
        self.end = end
        self.before_classifier: nn.Module = nn.Identity()
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images x: (n, 3, h, w) to logits: (n, num_classes)."""
        maps = self.end(self.stages(self.stem(x)))
        pooled = F.adaptive_avg_pool2d(maps, 1).flatten(1)
        return self.fc(self.before_classifier(pooled))


def convolution(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A size x size convolution without bias, padded by size // 2, its weights N(0, 2 / (size^2 outputs))."""
    conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False)
    nn.init.normal_(conv.weight, std=math.sqrt(2 / (size * size * outputs)))
    return conv


def relu(x: Tensor) -> Tensor:
    """max(x, 0) IN PLACE: for the output of a BN or of a sum, which no backward pass needs; never for a BN's input."""
    return F.relu(x, inplace=True)


def bn_relu(channels: int) -> tuple[nn.BatchNorm2d, nn.ReLU]:
    """BN and the ReLU of its output, for a chain."""
    return nn.BatchNorm2d(channels), nn.ReLU(inplace=True)


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """A bare 1 x 1 convolution where a block changes the shape, else the identity."""
    return nn.Identity() if (inputs, stride) == (outputs, 1) else convolution(inputs, outputs, 1, stride)


def imagenet_stem(channels: int) -> nn.Sequential:
    """A 7 x 7 convolution, BN, ReLU, max pooling: a fourth of the height and of the width are left."""
    return nn.Sequential(
        convolution(3, channels, 7, stride=2), *bn_relu(channels), nn.MaxPool2d(3, stride=2, padding=1)
    )


def residual_stages(
    block: Callable[[int, int, int], Block], counts: Sequence[int], inputs: int, outputs: int
) -> tuple[list[nn.Sequential], int]:
    """Make stages of counts[0], counts[1], ... blocks, each from the second on half as large and twice as wide.

    Args:
        block: makes one from its inputs, its outputs (channels) and its stride.
        counts: of blocks in each stage.
        inputs: channels that leave the stem.
        outputs: channels that leave the first stage.

    Returns:
        The stages, and how many channels leave the last.
    """
    stages = []
    for index, count in enumerate(counts):
        width, stride = outputs << index, 2 if index else 1
        first = block(inputs, width, stride)
        stages.append(nn.Sequential(first, *(block(width, width, 1) for _ in range(count - 1))))
        inputs = width
    return stages, inputs
