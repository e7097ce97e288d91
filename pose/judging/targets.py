"""Heat maps to learn: one Gaussian per joint, for a whole batch at once on any device.

Cell by cell what the public implementation computes on the CPU one joint at a time
(behaviour.md, section 8), its corner cases included.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor


def heatmap_targets(
    joints: Tensor,
    visible: Tensor,
    image_size: tuple[int, int],
    heatmap_size: tuple[int, int],
    sigma: float,
) -> tuple[Tensor, Tensor]:
    """Targets (B, K, h, w) float32 with peak 1, and weights (B, K, 1) float32.

    `joints` (B, K, 2) are crop pixels, `visible` (B, K) is 0 or 1. A joint whose Gaussian lies wholly
    outside the map gets weight 0; one that is outside but near still counts.
    """
    height, width = heatmap_size
    stride = torch.tensor(
        [image_size[1] / width, image_size[0] / height], dtype=torch.float64, device=joints.device
    )
    reach = int(sigma * 3)
    # Truncation towards zero, not floor: cells just left of and above the map become 0 as well.
    cell = (joints.to(torch.float64) / stride + 0.5).trunc().to(torch.int64)
    first, end = cell - reach, cell + reach + 1
    size = torch.tensor([width, height], device=joints.device)
    outside = ((first >= size) | (end < 0)).any(dim=-1)
    weight = torch.where(outside, torch.zeros_like(visible), visible).to(torch.float32)
    drawn = weight > 0.5

    x_part, x_inside = _offsets(cell[..., 0], width, reach)
    y_part, y_inside = _offsets(cell[..., 1], height, reach)
    squared = y_part[..., :, None] + x_part[..., None, :]
    inside = (y_inside[..., :, None] & x_inside[..., None, :]) & drawn[..., None, None]
    # Looked up by the whole squared distance; a product of two exponentials would differ in the last bit.
    table = _gaussian(reach, sigma, joints.device)
    targets = torch.where(inside, table[squared.clamp(max=len(table) - 1)], table.new_zeros(()))
    return targets, weight[..., None]


def _offsets(cell: Tensor, length: int, reach: int) -> tuple[Tensor, Tensor]:
    """Squared distance of every cell of one axis to the joint's, and whether it is within reach."""
    away = torch.arange(length, device=cell.device) - cell[..., None]
    return away.square().clamp(max=reach * reach), away.abs() <= reach


@functools.lru_cache(maxsize=8)
def _gaussian(reach: int, sigma: float, device: torch.device) -> Tensor:
    """exp(-d / 2 sigma^2) in float32 for every whole squared distance d that a patch holds.

    NumPy's float32 exponential, not torch's: the public implementation's last bit is NumPy's, and so every
    device has the same.
    """
    squared = np.arange(2 * reach * reach + 1, dtype=np.float32)
    return torch.from_numpy(np.exp(-squared / np.float32(2 * sigma**2))).to(device)
