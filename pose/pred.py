"""Stage `pred`: the joints of the people in one picture, drawn on it and as JSON beside it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pose import devices, inference, resnet
from pose.arguments import Arguments
from pose.coco import FLIP_PAIRS, JOINT_NAMES, Record
from pose.config import Config, as_dict
from pose.crop import box_to_center_scale
from pose.dataset import CropDataset, batches, read_picture
from pose.draw import draw_people
from pose.errors import PoseError
from pose.evaluate import person_scores
from pose.output import output_folder, picture_folder
from pose.report import Result, data, note
from pose.test import load_weights
from pose.writing import write_json, write_picture

SMALLEST_DRAWN_SIDE = 480  # smaller pictures are enlarged before they are drawn on

Box = tuple[float, float, float, float]


def run(arguments: Arguments, result: Result) -> None:
    """Finds, draws and writes the joints in one picture."""
    if not arguments.pictures:
        raise PoseError("no picture was named", "pred --cfg FILE PICTURE [KEY VALUE ...]")
    config, config_file = arguments.configuration
    seed = arguments.seed()
    result.config, result.seed = as_dict(config), seed
    boxes = tuple(parse_box(text) for text in arguments.values.get("--box", ()))
    path = Path(arguments.pictures[0])
    if not path.is_file():
        raise PoseError(f"there is no picture {path}", "a JPEG or PNG file was expected")
    picture = read_picture(path)
    boxes = tuple(inside(box, picture.shape[:2]) for box in boxes) or ((0.0, 0.0, *picture.shape[1::-1]),)
    devices.settle(config, seed, deterministic=arguments.deterministic)
    model = resnet.build(config.MODEL)
    folder = output_folder(config, config_file)
    note(load_weights(model, config, folder, untrained=arguments.untrained))
    used = devices.choose(config)
    records = tuple(_record(box, path, config) for box in boxes)
    keypoints = _find(used.place(model), records, config, used)
    scores = person_scores(keypoints[..., 2], np.ones(len(records)), config.TEST.IN_VIS_THRE)

    out = picture_folder(arguments)
    drawn, document = out / f"{path.stem}-pose.jpg", out / f"{path.stem}-pose.json"
    people = [_person(*each) for each in zip(boxes, keypoints, scores, strict=True)]
    found = {"picture": str(path), "joint_names": list(JOINT_NAMES), "people": people}
    write_json(document, {"schema": "pose.people/1", **found})
    zoom = max(1, math.ceil(SMALLEST_DRAWN_SIDE / max(picture.shape[:2])))
    write_picture(drawn, draw_people(picture, keypoints, threshold=config.TEST.IN_VIS_THRE, zoom=zoom))
    for box, score in zip(boxes, scores, strict=True):
        data(f"person at {','.join(f'{side:g}' for side in box)}   score {score:.3f}")
    data(f"{drawn}\n{document}")
    result.output_dir = str(out.absolute())
    result.add_output(drawn)
    result.add_output(document)


def parse_box(text: str) -> Box:
    """x, y, width, height in the picture's pixels; a corner may lie outside the picture."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)) or min(numbers[2:]) <= 0:
        raise PoseError(
            f"--box {text} is no box", "--box X,Y,WIDTH,HEIGHT in pixels, such as --box 120,40,85,210"
        )
    return numbers[0], numbers[1], numbers[2], numbers[3]


def inside(box: Box, size: tuple[int, ...]) -> Box:
    """The box, if some of it lies in the picture of (height, width)."""
    x, y, width, height = box
    if x >= size[1] or y >= size[0] or x + width <= 0 or y + height <= 0:
        raise PoseError(
            f"--box {','.join(f'{side:g}' for side in box)} lies outside the picture",
            f"the picture is {size[1]} wide and {size[0]} high",
        )
    return box


def _record(box: Box, path: Path, config: Config) -> Record:
    center, scale = box_to_center_scale(box, config.MODEL.image_height_width)
    joints = config.MODEL.NUM_JOINTS
    return Record(
        image_id=0,
        path=path,
        box_xywh=np.array(box, dtype=np.float32),
        center=center,
        scale=scale,
        joints=np.zeros((joints, 2)),
        visible=np.zeros(joints, dtype=np.float32),
        score=1.0,
        area=None,
    )


def _find(
    model: nn.Module, records: tuple[Record, ...], config: Config, used: devices.Devices
) -> NDArray[np.float32]:
    dataset = CropDataset(
        records, config.MODEL.image_height_width, training=False, rgb=config.DATASET.COLOR_RGB
    )
    loader = batches(dataset, config.TEST.BATCH_SIZE_PER_GPU)
    found = inference.find(model, loader, config, used.main, FLIP_PAIRS, has_truth=False)
    return found.keypoints


def _person(box: Box, keypoints: NDArray[np.float32], score: float) -> dict[str, Any]:
    """One person with the fields of COCO's results."""
    return {
        "category_id": 1,
        "bbox": [float(side) for side in box],
        "keypoints": [round(float(number), 4) for number in keypoints.reshape(-1)],
        "score": float(score),
    }
