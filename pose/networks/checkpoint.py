"""Weights and checkpoints: the only module that reads or writes them.

Reading executes nothing (`torch_file.py` and its allow-list; torch.load is used nowhere), and what does not
fit a network is reported by name. Knows nothing about configs or training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pose.errors import FAILED, PoseError
from pose.networks.safe_pickle import Refused
from pose.networks.seal import seal
from pose.networks.torch_file import read
from pose.writing import replacing

State = dict[str, Tensor]


class Damaged(PoseError):  # noqa: N818 - says what the file is
    """The file can be read, and is not what was written: cut short, changed, or never a weights file."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The file's dict, on the CPU.

    Raises:
        Damaged: when it is cut short, no weights file, or holds anything but data.
        PoseError: when it is missing or cannot be read, which says nothing about what it holds.
    """
    try:
        content = read(path)
    except FileNotFoundError:
        raise PoseError(f"there is no weights file {path}") from None
    except OSError as error:
        raise PoseError(f"{path} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise PoseError(f"{path} cannot be read: this machine's memory is not enough", "", FAILED) from None
    except Refused as error:
        raise Damaged(f"{path} {error.message}", error.hint) from None
    if not isinstance(content, dict):
        raise PoseError(f"{path} holds a {type(content).__name__}, not weights by name")
    return content


def read_state(path: Path) -> State:
    """Weights by name, whether they were saved alone, inside a checkpoint, or by DataParallel."""
    return state_of(read_checkpoint(path), path)


def state_of(content: Mapping[str, Any], path: Path) -> State:
    """The weights inside a checkpoint's dict, without DataParallel's `module.` in their names."""
    state = content.get("state_dict", content)
    if not isinstance(state, dict) or not state:
        raise PoseError(f"{path} holds no weights", "a state_dict, or a checkpoint with one, was expected")
    strange = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if strange:
        raise PoseError(f"{path} holds more than weights: {_some(strange)}", "save model.state_dict()")
    if all(name.startswith("module.") for name in state):
        return {name[len("module.") :]: value for name, value in state.items()}
    return dict(state)


def load_strictly(model: nn.Module, state: State, path: Path) -> None:
    """Every weight of the model from `state`, and none left over; else a report of what differs."""
    wanted = model.state_dict()
    missing = [name for name in wanted if name not in state]
    left_over = [name for name in state if name not in wanted]
    misshapen = _misshapen(wanted, state)
    if missing or left_over or misshapen:
        found = [
            f"{len(names)} {what} ({_some(names)})"
            for names, what in (
                (missing, "missing"),
                (left_over, "left over"),
                (misshapen, "of another shape"),
            )
            if names
        ]
        raise PoseError(
            f"{path} holds another model's weights: {'; '.join(found)}",
            "the config's MODEL section must describe the network that was saved",
        )
    model.load_state_dict(state)


def load_backbone(model: nn.Module, state: State, path: Path) -> list[str]:
    """What the file has for the model, by name; returns the names that it did not have.

    Left aside are the classifier (`fc.*`) of ImageNet weights, and a last layer for another number of joints.
    A file that has nothing for the model, or a weight of another shape, is an error: training from scratch
    by mistake costs days.
    """
    wanted = model.state_dict()
    last = {name: value for name, value in state.items() if name.startswith("final_layer.")}
    if _misshapen(wanted, last):
        state = {name: value for name, value in state.items() if name not in last}
    misshapen = _misshapen(wanted, state)
    if misshapen:
        raise PoseError(f"{path} is of another network: {len(misshapen)} shapes differ ({_some(misshapen)})")
    shared = {name: value for name, value in state.items() if name in wanted}
    if not shared:
        first = next(iter(state), "none that MODEL.EXTRA.PRETRAINED_LAYERS names")
        raise PoseError(f"{path} has no weight of this network: its first is {first}")
    model.load_state_dict(shared, strict=False)
    return [name for name in wanted if name not in shared and not name.endswith("num_batches_tracked")]


def _misshapen(wanted: Mapping[str, Tensor], state: State) -> list[str]:
    return [
        f"{name} {tuple(state[name].shape)} for {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in state and state[name].shape != value.shape
    ]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def write(path: Path, content: Mapping[str, Any], *, before: Path | None = None) -> None:
    """Writes the file, sealed, or raises a PoseError and leaves the one before, which `before` then names."""
    with replacing(path, before=before) as partial:
        try:
            torch.save(dict(content), partial)
        except RuntimeError as error:  # torch's zip writer reports a full disk so
            raise OSError(0, f"torch could not write it ({error}); is the disk full?") from None
        seal(partial)
