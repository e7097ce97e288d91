"""How large a network is and how much it computes, counted as the public implementation counts.

It counts a convolution's multiply-adds, and a transposed convolution's as if each cell of its output took all
of the kernel: four times too many at stride 2. Published tables have these figures, so they come first.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

GIGA = 2**30


@dataclass(frozen=True)
class Summary:
    """Counts of one network at one picture size."""

    parameters: int
    counted: int  # multiply-adds for one picture, as published
    true: int  # each transposed convolution by its input
    convolutions: int

    def __str__(self) -> str:
        """A line for the log file."""
        counted, true = self.counted / GIGA, self.true / GIGA
        exact = "" if self.counted == self.true else f" ({true:.2f} where deconvolutions count once)"
        return (
            f"{self.parameters:,} parameters, {self.convolutions} convolutions, "
            f"{counted:.2f} x 2^30 multiply-adds a picture{exact}"
        )


@torch.no_grad()
def summary(model: nn.Module, height_width: tuple[int, int]) -> Summary:
    """Counts while one black picture goes through the network, which stays as it was."""
    counted: list[int] = []
    true: list[int] = []

    def hear(module: nn.Conv2d | nn.ConvTranspose2d, given: tuple[Tensor, ...], out: Tensor) -> None:
        work = module.weight.numel()  # for each place at which the kernel is laid
        counted.append(work * out[0, 0].numel())
        true.append(work * (given[0] if isinstance(module, nn.ConvTranspose2d) else out)[0, 0].numel())

    convolutions = [one for one in model.modules() if isinstance(one, (nn.Conv2d, nn.ConvTranspose2d))]
    handles = [one.register_forward_hook(hear) for one in convolutions]
    was_learning = model.training
    weight = next(model.parameters())
    try:
        model.eval()(torch.zeros(1, 3, *height_width, device=weight.device))
    finally:
        model.train(was_learning)
        for handle in handles:
            handle.remove()
    parameters = sum(one.numel() for one in model.parameters())
    return Summary(parameters, sum(counted), sum(true), len(convolutions))
