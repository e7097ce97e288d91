"""From heat maps to joints: flip averaging's mirror, the argmax, the quarter step, the way back.

Works on whole batches on the maps' device; only the per-person matrices are made on the CPU, with the
same code that made the crops. Points are (x, y), maps (B, K, h, w).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pose.data.crop import affine_matrix


def flip_back(heatmaps: Tensor, pairs: Sequence[tuple[int, int]], *, shift: bool) -> Tensor:
    """Maps of the mirrored input, mirrored back with left and right joints swapped.

    `shift` moves them one cell to the right (the first column stays): mirroring an input whose width
    is a multiple of the stride leaves the maps that far off.
    """
    order = list(range(heatmaps.shape[1]))
    for left, right in pairs:
        order[left], order[right] = right, left
    back = heatmaps[:, order].flip(-1)
    return torch.cat([back[..., :1], back[..., :-1]], dim=-1) if shift else back


def peaks(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """The cell (B, K, 2) int64 of each map's first maximum, and its value (B, K).

    A map without a positive value has its joint at (0, 0).
    """
    values, flat = heatmaps.flatten(2).max(dim=-1)
    width = heatmaps.shape[-1]
    cells = torch.stack([flat % width, torch.div(flat, width, rounding_mode="floor")], dim=-1)
    return torch.where((values > 0)[..., None], cells, torch.zeros_like(cells)), values


def decode(heatmaps: Tensor, center: Tensor, scale: Tensor, *, post_process: bool) -> tuple[Tensor, Tensor]:
    """Joints (B, K, 2) float32 in picture pixels, and the maps' values (B, K).

    `center` and `scale` (B, 2) are those of the crop. `post_process` steps a quarter cell towards the
    higher neighbour, except on the two outermost cells of each side.
    """
    cells, values = peaks(heatmaps)
    points = cells.to(torch.float64)
    if post_process:
        points = points + 0.25 * _uphill(heatmaps, cells)
    size = (heatmaps.shape[2], heatmaps.shape[3])
    pairs = zip(center.cpu().numpy(), scale.cpu().numpy(), strict=True)
    matrices = np.stack([affine_matrix(c, s, 0.0, size, inverse=True) for c, s in pairs])
    to_picture = torch.from_numpy(matrices).to(heatmaps.device)[:, None]  # (B, 1, 2, 3)
    x, y = points[..., :1], points[..., 1:]
    joints = to_picture[..., 0] * x + to_picture[..., 1] * y + to_picture[..., 2]
    return joints.to(torch.float32), values


def _uphill(heatmaps: Tensor, cells: Tensor) -> Tensor:
    """Sign (-1, 0, 1) of the central difference at each cell in x and y; 0 near the border."""
    height, width = heatmaps.shape[2:]
    x, y = cells[..., 0], cells[..., 1]
    inner = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    flat = heatmaps.flatten(2)
    at = torch.where(inner, y * width + x, torch.full_like(x, width + 1))

    def value(offset: int) -> Tensor:
        return flat.gather(2, (at + offset)[..., None])[..., 0]

    slope = torch.stack([value(1) - value(-1), value(width) - value(-width)], dim=-1)
    return torch.sign(slope).to(torch.float64) * inner[..., None]


def pck_accuracy(output: Tensor, target: Tensor) -> tuple[float, int]:
    """Share of joints whose argmax lies near the target's, and the number of joints it is a mean over."""
    return pck_share(*pck_counts(output, target))


def pck_counts(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Of each joint (K,), in how many people its argmax lies near the target's, and in how many it counts.

    "Near" is under half of a tenth of the map; like the public implementation, x is measured against
    the height and y against the width. Joints whose target lies in the first two rows or columns of
    cells do not count.
    """
    found, _ = peaks(output)
    wanted, _ = peaks(target)
    tenth = torch.tensor(output.shape[2:], dtype=torch.float64, device=output.device) / 10
    distance = torch.linalg.vector_norm((found - wanted).to(torch.float64) / tenth, dim=-1)
    counted = (wanted > 1).all(dim=-1)
    return ((distance < 0.5) & counted).sum(dim=0), counted.sum(dim=0)


def pck_share(near: Tensor, people: Tensor) -> tuple[float, int]:
    """The mean over the joints that count in anybody, and how many these are; see `pck_counts`."""
    share = near.to(torch.float64) / people.clamp(min=1)
    joints = int((people > 0).sum())
    return (float(share.sum()) / joints if joints else 0.0), joints
