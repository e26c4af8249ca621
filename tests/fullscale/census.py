"""What a network is made of, counted: parameters, convolutions, BNs, and the multiply-adds of one image."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Census(NamedTuple):
    """A network in numbers.

    Attributes:
        parameters: learned numbers; buffers are none.
        convolutions: how many 2-d convolutions, those of shortcuts and transitions too.
        bns: how many 2-d BNs.
        multiply_adds: of the convolutions and fully connected layers, for ONE image.
    """

    parameters: int
    convolutions: int
    bns: int
    multiply_adds: int


def census(net: nn.Module, size: int) -> Census:
    """Count a network on images of size x size pixels, without computing any.

    A forward pass on the meta device, in test mode, tells the shapes. The net keeps its mode, hooks, and buffers.
    """
    return Census(
        sum(parameter.numel() for parameter in net.parameters()),
        sum(isinstance(module, nn.Conv2d) for module in net.modules()),
        sum(isinstance(module, nn.BatchNorm2d) for module in net.modules()),
        _multiply_adds(net, torch.empty(1, 3, size, size, device="meta")),
    )


def _multiply_adds(net: nn.Module, image: Tensor) -> int:
    counted = 0

    def count(module: Any, _: object, output: Tensor) -> None:
        nonlocal counted
        counted += output.numel() * module.weight[0].numel()

    modes = {module: module.training for module in net.modules()}
    hooks = [module.register_forward_hook(count) for module in modes if isinstance(module, nn.Conv2d | nn.Linear)]
    shapes = {name: tensor.to("meta") for name, tensor in net.state_dict().items()}
    try:
        with torch.no_grad():
            functional_call(net.eval(), shapes, image)
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return counted
