"""From the bytes of an image to the numbers that a network sees."""

import torch
from torch import Tensor

Channels = tuple[float, float, float]


class Normalise:
    """(x / 255 - mean) / std for each channel, to the bit what torchvision's ToTensor and Normalize make of x.

    Args:
        mean: of red, green and blue, on the scale of 0 to 1.
        std: likewise.
        device: where the pixels will be.
    """

    def __init__(self, mean: Channels, std: Channels, device: torch.device) -> None:
        self._mean = torch.tensor(mean, dtype=torch.float32, device=device).view(3, 1, 1)
        self._std = torch.tensor(std, dtype=torch.float32, device=device).view(3, 1, 1)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Map pixels: (n, 3, h, w) uint8 to float32; a new tensor."""
        return pixels.to(torch.float32).div_(255).sub_(self._mean).div_(self._std)
