"""Stage `export`: the network as an ONNX file, kept only if it computes what torch computes.

It is tried on random numbers, and on real crops: of the picture that was named, else of TEST_SET's people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose.command.arguments import Arguments
from pose.command.config import Config, as_dict
from pose.command.output import MIB, output_folder, picture_folder, stem
from pose.data.dataset import CropDataset
from pose.data.joints import joints_of
from pose.errors import FAILED, PoseError
from pose.judging.datasets import annotated, kind
from pose.judging.inference import DEVIATION, MEAN, normalise
from pose.machines import devices
from pose.networks import models, onnx_file
from pose.predicting.boxes import whole
from pose.predicting.people import crops_of
from pose.predicting.sources import frames, open_source
from pose.report import Result, data, note
from pose.stages.test import load_weights
from pose.writing import replacing

SCHEMA = "pose.onnx/1"
# The largest difference between heat maps, as a share of torch's largest value.
TOLERANCE = 1e-4
REAL_PEOPLE = 8


@dataclass(frozen=True)
class Trial:
    """Crops on which the file is held against torch."""

    name: str
    crops: Tensor  # float32 (N, 3, H, W), normalised
    is_real: bool


def run(arguments: Arguments, result: Result) -> None:
    """Writes <config's name>.onnx, or nothing when it computes something else than torch."""
    onnx_file.require_onnx()
    config, config_file = arguments.configuration
    seed = arguments.seed()
    result.config, result.seed = as_dict(config), seed
    trials = [*_random(config, seed), *_real(arguments, config)]
    devices.settle(config, seed, deterministic=arguments.deterministic)
    model = models.build(config.MODEL)
    note(load_weights(model, config, output_folder(config, config_file), untrained=arguments.untrained))
    path = picture_folder(arguments) / f"{stem(config_file)}.onnx"
    result.output_dir = str(path.parent.absolute())
    with replacing(path) as partial:
        onnx_file.write(model, config.MODEL.image_height_width, partial, describe(config, stem(config_file)))
        found = onnx_file.evaluator(partial)
        lines = [_compared(model, found, trial) for trial in trials]
    size = path.stat().st_size / MIB
    (height, width), (rows, columns) = config.MODEL.image_height_width, config.MODEL.heatmap_height_width
    data(f"{path}   {size:.1f} MiB, opset {onnx_file.OPSET}")
    data(
        f"  {onnx_file.INPUT} (batch, 3, {height}, {width}) float32, {_channels(config)}, normalised; "
        f"{onnx_file.OUTPUT} (batch, {config.MODEL.NUM_JOINTS}, {rows}, {columns})"
    )
    data(f"  the same as torch {torch.__version__} within {TOLERANCE:g}, by {found.name}:")
    for line in lines:
        data(f"    {line}")
    result.add_output(path)


def describe(config: Config, name: str) -> dict[str, Any]:
    """What a decoder must know: the metadata `pose` of the file; pairs are positions in `joints`."""
    joints = joints_of(config.DATASET.DATASET, config.MODEL.NUM_JOINTS)
    return {
        "schema": SCHEMA,
        "config": name,
        "model": config.MODEL.NAME,
        "image_size": list(config.MODEL.IMAGE_SIZE),
        "heatmap_size": list(config.MODEL.HEATMAP_SIZE),
        "channels": _channels(config),
        "scale": 1 / 255,
        "mean": list(MEAN),
        "std": list(DEVIATION),
        "joints": list(joints.names),
        "flip_pairs": [list(pair) for pair in joints.flip_pairs],
        "flip_test": config.TEST.FLIP_TEST,
        "shift_heatmap": config.TEST.SHIFT_HEATMAP,
        "post_process": config.TEST.POST_PROCESS,
    }


def _channels(config: Config) -> str:
    return "rgb" if config.DATASET.COLOR_RGB else "bgr"


def _random(config: Config, seed: int) -> Iterator[Trial]:
    """One crop, and three, for the file was traced with one."""
    generator = torch.Generator().manual_seed(seed)
    for count in (1, 3):
        crops = torch.randn(count, 3, *config.MODEL.image_height_width, generator=generator)
        yield Trial(f"random numbers, a batch of {count}", crops, is_real=False)


def _real(arguments: Arguments, config: Config) -> Iterator[Trial]:
    if arguments.pictures:
        source = open_source(Path(arguments.pictures[0]))
        if source.kind != "picture":
            raise PoseError(f"{source.path}: export looks at one picture", "name one, or none")
        frame = next(frames(source))
        box = whole(frame.picture.shape[0], frame.picture.shape[1])
        crops = [pixels for pixels, _, _ in crops_of(frame.picture, (box,), config)]
        yield Trial(source.path.name, _normalised(crops), is_real=True)
        return
    root, image_set = Path(config.DATASET.ROOT), config.DATASET.TEST_SET
    if not kind(config).annotation_file(root, image_set).is_file():
        note(f"tried on random numbers only: {root} has no {image_set}; a picture can be named")
        return
    people = annotated(config, image_set)
    dataset = CropDataset(
        people.records[:REAL_PEOPLE],
        config.MODEL.image_height_width,
        training=False,
        joints=people.joints,
        rgb=config.DATASET.COLOR_RGB,
    )
    crops = [dataset[position]["image"] for position in range(len(dataset))]
    if crops:
        yield Trial(f"{len(crops)} people of {image_set}", _normalised(crops), is_real=True)


def _normalised(crops: list[NDArray[np.uint8]]) -> Tensor:
    return normalise(torch.from_numpy(np.stack(crops)))


@torch.no_grad()
def _compared(model: nn.Module, other: onnx_file.Evaluator, trial: Trial) -> str:
    """How far the two are apart on the trial's crops.

    Raises:
        PoseError: exit code 1, when that is more than TOLERANCE, or no number.
    """
    ours, theirs = model(trial.crops).numpy(), other.run(trial.crops.numpy())
    difference = float(np.abs(ours - theirs).max() / np.abs(ours).max())
    if not difference <= TOLERANCE:
        raise PoseError(
            f"on {trial.name}, {other.name} computes heat maps that are {difference:.1e} from torch's",
            f"nothing was written; another torch than {torch.__version__} may export it as it is",
            FAILED,
        )
    line = f"{difference:.1e}   {trial.name}"
    if trial.is_real:
        cells = [maps.reshape(*maps.shape[:2], -1).argmax(axis=2) for maps in (ours, theirs)]
        line += f", {np.count_nonzero(cells[0] == cells[1])} of {cells[0].size} joints in the same cell"
    return line
