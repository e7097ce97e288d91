"""HRNet: parallel branches at 1/4, 1/8, 1/16 and 1/32 of the picture that exchange what they see.

Names and shapes in the state_dict are those of the public pose_hrnet weights. Knows nothing about files:
weights are read in `checkpoint.py`.

*Source:* Sun, Xiao, Liu, Wang, "Deep High-Resolution Representation Learning for Human Pose Estimation", CVPR
2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from pose.command.config import Model
from pose.networks.checkpoint import State
from pose.networks.resnet import INITIAL_DEVIATION, BasicBlock, Bottleneck

STEM = 64
LAYER1_BLOCKS = 4
STAGES = ("STAGE2", "STAGE3", "STAGE4")


@dataclass(frozen=True)
class StageShape:
    """How many modules a stage has; blocks and channels of each of its branches, the finest first."""

    modules: int
    blocks: tuple[int, ...]
    channels: tuple[int, ...]


class Exchange(nn.Module):
    """Branches of basic blocks, then every branch becomes the sum of all, brought to its size and width."""

    def __init__(self, blocks: Sequence[int], channels: Sequence[int], *, outputs: int) -> None:
        """`outputs`: how many branches, from the finest on, are summed up and handed on."""
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width, 1) for _ in range(count)))
            for count, width in zip(blocks, channels, strict=True)
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_bridge(channels, source, target) for source in range(len(channels)))
            for target in range(outputs)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """One map (B, channels, h, w) per branch -> as many as there are outputs."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for bridges in self.fuse_layers:
            parts = [x if bridge is None else bridge(x) for bridge, x in zip(bridges, maps, strict=True)]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            fused.append(self.relu(total))
        return fused


class PoseHRNet(nn.Module):
    """(B, 3, H, W) pictures -> (B, joints, H/4, W/4) heat maps."""

    def __init__(self, stages: tuple[StageShape, ...], joints: int, *, final_kernel: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.conv2 = nn.Conv2d(STEM, STEM, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(STEM)
        self.relu = nn.ReLU(inplace=True)
        wide = STEM * Bottleneck.expansion
        self.layer1 = nn.Sequential(
            *(Bottleneck(wide if number else STEM, STEM, 1) for number in range(LAYER1_BLOCKS))
        )
        before: tuple[int, ...] = (wide,)
        for number, stage in enumerate(stages):
            self.add_module(f"transition{number + 1}", _transition(before, stage.channels))
            branches, is_last = len(stage.channels), number == len(stages) - 1
            # Of the last stage's last module only the finest branch is used, and only it has weights.
            outputs = [branches] * (stage.modules - 1) + [1 if is_last else branches]
            exchanges = [Exchange(stage.blocks, stage.channels, outputs=count) for count in outputs]
            self.add_module(f"stage{number + 2}", nn.Sequential(*exchanges))
            before = stage.channels
        self.stages = len(stages)
        self.final_layer = nn.Conv2d(before[0], joints, final_kernel, padding=final_kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Heat maps, not squashed: the loss pulls them to [0, 1]."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        maps = [self.layer1(x)]
        for number in range(1, self.stages + 1):
            transition, stage = getattr(self, f"transition{number}"), getattr(self, f"stage{number + 1}")
            # As in the public implementation, whatever a transition changes it takes from the coarsest map.
            maps = [
                maps[branch] if step is None else step(maps[-1]) for branch, step in enumerate(transition)
            ]
            maps = stage(maps)
        return self.final_layer(maps[0])


def _bridge(channels: Sequence[int], source: int, target: int) -> nn.Module | None:
    """From one branch's size and width to another's; None where nothing is to change."""
    if source == target:
        return None
    if source > target:
        return nn.Sequential(
            nn.Conv2d(channels[source], channels[target], 1, bias=False),
            nn.BatchNorm2d(channels[target]),
            nn.Upsample(scale_factor=2 ** (source - target), mode="nearest"),
        )
    widths = (*(channels[source],) * (target - source), channels[target])
    halvings = [_convolution(a, b, 2) for a, b in pairwise(widths)]
    halvings[-1] = halvings[-1][:2]  # what is summed may be negative: no ReLU at the end
    return nn.Sequential(*halvings)


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """One step per branch: to a new width, None where it stays, halvings for branches that are new."""
    steps: list[nn.Module | None] = []
    for branch, width in enumerate(after):
        if branch < len(before):
            steps.append(None if before[branch] == width else _convolution(before[branch], width, 1))
        else:
            widths = (*(before[-1],) * (branch + 1 - len(before)), width)
            steps.append(nn.Sequential(*(_convolution(a, b, 2) for a, b in pairwise(widths))))
    return nn.ModuleList(steps)


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


@torch.no_grad()
def initialise(model: PoseHRNet, *, is_pretrained: bool) -> None:  # noqa: ARG001 - all of it, whatever follows
    """The public initialisation: every convolution N(0, 0.001) with bias 0, BN 1 and 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=INITIAL_DEVIATION)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def build(settings: Model) -> PoseHRNet:
    """The network that a checked MODEL section describes, with PyTorch's own initialisation."""
    extra = settings.EXTRA
    shapes = tuple(_shape(extra[name]) for name in STAGES)
    return PoseHRNet(shapes, settings.NUM_JOINTS, final_kernel=extra.FINAL_CONV_KERNEL)


def wanted_of(state: State, settings: Model) -> State:
    """The layers that EXTRA.PRETRAINED_LAYERS names, or all."""
    layers = settings.EXTRA.get("PRETRAINED_LAYERS", ("*",))
    if layers[:1] == ("*",):
        return state
    return {name: value for name, value in state.items() if name.partition(".")[0] in layers}


def _shape(stage: Any) -> StageShape:  # noqa: ANN401 - Extra, whose keys the YAML decides
    return StageShape(stage.NUM_MODULES, stage.NUM_BLOCKS, stage.NUM_CHANNELS)
