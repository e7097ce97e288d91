"""The networks by MODEL.NAME: how one is built, and how its weights begin."""

from __future__ import annotations

from torch import nn

from pose.command.config import Model
from pose.networks import hrnet, resnet
from pose.networks.checkpoint import State

MODELS = {"pose_resnet": resnet, "pose_hrnet": hrnet}


def build(settings: Model) -> nn.Module:
    """The network that a checked MODEL section describes, with PyTorch's own initialisation."""
    return MODELS[settings.NAME].build(settings)


def initialise(model: nn.Module, *, is_pretrained: bool) -> None:
    """The public initialisation; `is_pretrained` where a file's weights follow."""
    if isinstance(model, hrnet.PoseHRNet):
        hrnet.initialise(model)
    elif is_pretrained:
        resnet.initialise_head(model)
    else:
        resnet.initialise_all(model)


def wanted_of(state: State, settings: Model) -> State:
    """What a network takes of pretrained weights: HRNet its EXTRA.PRETRAINED_LAYERS, else all."""
    layers = settings.EXTRA.get("PRETRAINED_LAYERS", ("*",))
    if settings.NAME != "pose_hrnet" or layers[:1] == ("*",):
        return state
    return {name: value for name, value in state.items() if name.partition(".")[0] in layers}
