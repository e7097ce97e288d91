"""Simple Baseline's network: a ResNet, three deconvolutions, one heat map per joint.

Names and shapes in the state_dict are those of the public pose_resnet weights (torchvision's ResNet names
without fc). Knows nothing about files: weights are read in `checkpoint.py`.

*Source:* Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation and Tracking", ECCV 2018, section 2.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from pose.command.config import Model
from pose.networks.checkpoint import State

STAGE_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
STAGE_PLANES = (64, 128, 256, 512)
# Kernel of a deconvolution that doubles the map -> its (padding, output_padding).
DECONVOLUTION_PADDING = {4: (1, 0), 3: (1, 1), 2: (0, 0)}
INITIAL_DEVIATION = 0.001


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (ResNet-18 and -34)."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = _projection(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, planes, h/stride, w/stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3 (which carries the stride), 1x1 to four times the planes, and a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(inputs, planes * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, 4 * planes, h/stride, w/stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + shortcut)


class PoseResNet(nn.Module):
    """(B, 3, H, W) pictures -> (B, joints, H/4, W/4) heat maps, where three deconvolutions double them."""

    def __init__(
        self,
        layers: int,
        joints: int,
        *,
        deconv_filters: tuple[int, ...] = (256, 256, 256),
        deconv_kernels: tuple[int, ...] = (4, 4, 4),
        deconv_with_bias: bool = False,
        final_kernel: int = 1,
    ) -> None:
        super().__init__()
        block = BasicBlock if layers < 50 else Bottleneck
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for number, (planes, blocks) in enumerate(
            zip(STAGE_PLANES, STAGE_BLOCKS[layers], strict=True), start=1
        ):
            strides = (1 if number == 1 else 2, *(1,) * (blocks - 1))
            widths = (inputs, *(planes * block.expansion,) * blocks)
            stage = [block(wide, planes, stride) for wide, stride in zip(widths, strides, strict=False)]
            self.add_module(f"layer{number}", nn.Sequential(*stage))
            inputs = planes * block.expansion
        self.deconv_layers = _deconvolutions((inputs, *deconv_filters), deconv_kernels, bias=deconv_with_bias)
        self.final_layer = nn.Conv2d(deconv_filters[-1], joints, final_kernel, padding=final_kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Heat maps, not squashed: the loss pulls them to [0, 1]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.final_layer(self.deconv_layers(x))


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """The 1x1 shortcut of a block that changes size or width; None where the input can be added as it is."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def _deconvolutions(widths: tuple[int, ...], kernels: tuple[int, ...], *, bias: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for (inputs, outputs), kernel in zip(pairwise(widths), kernels, strict=True):
        padding, output_padding = DECONVOLUTION_PADDING[kernel]
        layers += [
            nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding, output_padding, bias=bias),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def initialise(model: PoseResNet, *, is_pretrained: bool) -> None:
    """The public initialisation; `is_pretrained` where a file's weights follow."""
    (initialise_head if is_pretrained else initialise_all)(model)


def wanted_of(state: State, settings: Model) -> State:  # noqa: ARG001 - as every network is asked
    """All that a file has."""
    return state


@torch.no_grad()
def initialise_head(model: PoseResNet) -> None:
    """The public initialisation of the head, for a backbone that gets pretrained weights."""
    for module in model.deconv_layers.modules():
        _initialise(module)
    _initialise(model.final_layer)
    model.final_layer.bias.zero_()


@torch.no_grad()
def initialise_all(model: PoseResNet) -> None:
    """The public initialisation without pretrained weights: every convolution N(0, 0.001), BN 1 and 0.

    The final convolution's bias keeps PyTorch's default, as it does there.
    """
    for module in model.modules():
        _initialise(module)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=INITIAL_DEVIATION)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


def build(settings: Model) -> PoseResNet:
    """The network that a checked MODEL section describes, with PyTorch's own initialisation."""
    extra = settings.EXTRA
    return PoseResNet(
        extra.NUM_LAYERS,
        settings.NUM_JOINTS,
        deconv_filters=extra.NUM_DECONV_FILTERS,
        deconv_kernels=extra.NUM_DECONV_KERNELS,
        deconv_with_bias=extra.DECONV_WITH_BIAS,
        final_kernel=extra.FINAL_CONV_KERNEL,
    )
