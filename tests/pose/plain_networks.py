"""The two networks in functions alone: what is where, only the names in the weights say.

Written from behaviour.md, section 4, for tests to hold pose's modules against.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def make_learnt(model):
    """Statistics and biases that a fresh network does not have, so that none can be forgotten unseen."""
    draw = torch.Generator().manual_seed(1)
    for name, value in model.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.1, generator=draw)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=draw)


class Layers:
    """A state dict's layers by their names."""

    def __init__(self, state):
        self.state = state

    def has(self, prefix):
        return any(name.startswith(f"{prefix}.") for name in self.state)

    def norm(self, x, name):
        parts = [self.state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *parts, training=False, eps=1e-5)

    def conv(self, x, name, bn, stride=1):
        weight = self.state[f"{name}.weight"]
        return self.norm(functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2), bn)

    def block(self, x, name, stride=1):
        """Two 3x3 convolutions, or 1x1, 3x3, 1x1: the stride is that of the first 3x3."""
        shortcut = x
        if self.has(f"{name}.downsample"):
            shortcut = self.conv(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        is_bottleneck = self.has(f"{name}.conv3")
        strides = (1, stride) if is_bottleneck else (stride, 1)
        y = functional.relu(self.conv(x, f"{name}.conv1", f"{name}.bn1", strides[0]))
        y = self.conv(y, f"{name}.conv2", f"{name}.bn2", strides[1])
        if is_bottleneck:
            y = self.conv(functional.relu(y), f"{name}.conv3", f"{name}.bn3")
        return functional.relu(y + shortcut)

    def halvings(self, x, name, *, last_is_cut):
        count = 0
        while self.has(f"{name}.{count}"):
            x = self.conv(x, f"{name}.{count}.0", f"{name}.{count}.1", stride=2)
            count += 1
            if self.has(f"{name}.{count}") or not last_is_cut:
                x = functional.relu(x)
        return x


def resnet(state, x):
    """Heat maps (B, K, H / 4, W / 4) of a ResNet with three deconvolutions of kernel 4."""
    of = Layers(state)
    x = functional.max_pool2d(functional.relu(of.conv(x, "conv1", "bn1", 2)), 3, stride=2, padding=1)
    for layer in (1, 2, 3, 4):
        number = 0
        while of.has(f"layer{layer}.{number}"):
            x = of.block(x, f"layer{layer}.{number}", stride=2 if layer > 1 and number == 0 else 1)
            number += 1
    for position in (0, 3, 6):
        x = functional.conv_transpose2d(x, state[f"deconv_layers.{position}.weight"], stride=2, padding=1)
        x = functional.relu(of.norm(x, f"deconv_layers.{position + 1}"))
    return functional.conv2d(x, state["final_layer.weight"], state["final_layer.bias"])


def hrnet(state, x):
    """Heat maps (B, K, H / 4, W / 4) of an HRNet with 1, 4 and 3 modules of four blocks a branch."""
    of = Layers(state)
    x = functional.relu(of.conv(x, "conv1", "bn1", 2))
    x = functional.relu(of.conv(x, "conv2", "bn2", 2))
    for number in range(4):
        x = of.block(x, f"layer1.{number}")
    maps = [x]
    for stage, modules in ((2, 1), (3, 4), (4, 3)):
        maps = [_entered(of, maps, f"transition{stage - 1}", branch) for branch in range(stage)]
        for module in range(modules):
            name = f"stage{stage}.{module}"
            for branch in range(stage):
                for number in range(4):
                    maps[branch] = of.block(maps[branch], f"{name}.branches.{branch}.{number}")
            targets = 1 if (stage, module) == (4, 2) else stage
            maps = [_fused(of, maps, f"{name}.fuse_layers.{target}", target) for target in range(targets)]
    return functional.conv2d(maps[0], state["final_layer.weight"], state["final_layer.bias"])


def _entered(of, maps, transition, branch):
    """What a branch of a stage begins with: the map of the stage before, or what is made of its last one."""
    name = f"{transition}.{branch}"
    if not of.has(name):
        return maps[branch]
    if f"{name}.0.weight" in of.state:
        return functional.relu(of.conv(maps[-1], f"{name}.0", f"{name}.1"))
    return of.halvings(maps[-1], name, last_is_cut=False)


def _fused(of, maps, name, target):
    total = 0
    for source, part in enumerate(maps):
        if source > target:
            finer = of.conv(part, f"{name}.{source}.0", f"{name}.{source}.1")
            finer = finer.repeat_interleave(2 ** (source - target), 2)
            total = total + finer.repeat_interleave(2 ** (source - target), 3)
        elif source < target:
            total = total + of.halvings(part, f"{name}.{source}", last_is_cut=True)
        else:
            total = total + part
    return functional.relu(total)
