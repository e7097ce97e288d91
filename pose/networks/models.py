"""The networks by MODEL.NAME: how one is built, and how its weights begin.

A network is a module with the functions of `Network`. To add one: write it, and name it in MODELS here and in
`config_checks.py`, which says without torch what its MODEL.EXTRA may hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import nn

from pose.command.config import Model
from pose.networks import hrnet, resnet
from pose.networks.checkpoint import State


class Network(Protocol):
    """One MODEL.NAME."""

    def build(self, settings: Model) -> nn.Module:
        """The network that a checked MODEL section describes, with PyTorch's own initialisation."""

    def initialise(self, model: nn.Module, *, is_pretrained: bool) -> None:
        """The public initialisation; `is_pretrained` where a file's weights follow."""

    def wanted_of(self, state: State, settings: Model) -> State:
        """What it takes of pretrained weights."""


MODELS: Mapping[str, Network] = {"pose_resnet": resnet, "pose_hrnet": hrnet}


def build(settings: Model) -> nn.Module:
    """The section's network."""
    return MODELS[settings.NAME].build(settings)


def initialise(model: nn.Module, settings: Model, *, is_pretrained: bool) -> None:
    """Its weights as they begin."""
    MODELS[settings.NAME].initialise(model, is_pretrained=is_pretrained)


def wanted_of(state: State, settings: Model) -> State:
    """What it takes of pretrained weights."""
    return MODELS[settings.NAME].wanted_of(state, settings)
