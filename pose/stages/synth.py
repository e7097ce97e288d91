"""Drawn people in COCO's own layout: pictures, annotations and a detector's boxes, same seed, same bytes.

    python -m pose synth --out DIR [--seed N] [--train N] [--val N] [--size WxH]

Composes scenes and writes files; bodies come from figure.py, paint from paint.py and scenery.py.
Every picture depends on (seed, set, its number) alone: a longer training set starts with the shorter one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.command.hold import hold
from pose.command.synth_options import DEFAULT_SIZE, SynthOptions
from pose.data.coco_files import DRAWN_DETECTIONS
from pose.data.joints import COCO
from pose.drawn.canvas import Canvas, Place
from pose.drawn.figure import Figure, pose_figure, sample_angles, sample_build, sample_pose, sample_view
from pose.drawn.paint import paint_person, sample_look, visible_joints
from pose.drawn.scenery import Box, develop, paint_background, paint_obstacle
from pose.errors import FAILED, WRITE_HINT, PoseError
from pose.report import Result, data, note

TRAIN_SET, VAL_SET = "train2017", "val2017"
FIRST_ID = {TRAIN_SET: 1, VAL_SET: 500_001}
MOST_COVERED = 0.4  # of a person's box by the next one, so that somebody is left to find
PARTS = ("annotations", "images", "person_detection_results")
# Inside of the dataset's folder: beside it nothing may be writable, or another disk. What is being drawn; the
# same when it is whole; and the parts of the one that was there.
DRAWING, DRAWN, FORMER = ".part", ".whole", ".former"
LEAST_INSIDE = 0.85  # of a person's box within the picture


@dataclass(frozen=True)
class Scene:
    """One finished picture and the annotations of its people, without ids."""

    image: NDArray[np.uint8]
    people: tuple[dict[str, Any], ...]


def _draw_scene(draw: np.random.Generator, size: tuple[int, int], most_people: int) -> Scene:
    """A picture of one to three people, the nearer ones before the farther."""
    canvas = Canvas(paint_background(draw, size))
    wanted = min(most_people, int(draw.choice([1, 2, 3], p=[0.70, 0.23, 0.07])))
    placed: list[tuple[Figure, Place]] = []
    for _ in range(wanted):
        figure = pose_figure(sample_build(draw), sample_angles(draw, sample_pose(draw)), sample_view(draw))
        place = _find_place(draw, figure, placed, size)
        if place is not None:
            placed.append((figure, place))
            paint_person(canvas, figure, sample_look(draw), place, len(placed))
    if draw.random() < 0.15:
        paint_obstacle(draw, canvas, _box(*placed[int(draw.integers(len(placed)))]))
    people = [
        _annotation(canvas, figure, place, number) for number, (figure, place) in enumerate(placed, start=1)
    ]
    return Scene(develop(draw, canvas.image), tuple(person for person in people if person is not None))


def _find_place(
    draw: np.random.Generator,
    figure: Figure,
    placed: Sequence[tuple[Figure, Place]],
    size: tuple[int, int],
) -> Place | None:
    """A place that leaves enough of everybody in sight, or None after a few tries."""
    height, width = size
    origin = _box(figure, Place(0, 0, 1))
    for _ in range(12):
        # The standing height, whatever the pose; now and then somebody close who does not fit.
        tall = height * (draw.uniform(0.45, 1.05) if draw.random() < 0.92 else draw.uniform(1.05, 1.7))
        centre = draw.uniform((0.1 * width, 0.25 * height), (0.9 * width, 0.75 * height))
        if placed and draw.random() < 0.5:  # close to the one before
            x, y, w, h = _box(*placed[-1])
            centre = np.array([x + w / 2 + draw.choice([-1, 1]) * w * draw.uniform(0.35, 1), y + h / 2])
        place = Place(
            centre[0] - (origin[0] + origin[2] / 2) * tall,
            centre[1] - (origin[1] + origin[3] / 2) * tall,
            tall,
        )
        box = _box(figure, place)
        inside = overlap(box, (0, 0, width, height)) / (box[2] * box[3])
        covers = [overlap(box, other) / (other[2] * other[3]) for other in (_box(*pair) for pair in placed)]
        if inside >= LEAST_INSIDE and max(covers, default=0) <= MOST_COVERED:
            return place
    return place if not placed else None


def _box(figure: Figure, place: Place) -> Box:
    """The box around a figure's points, in pixels; flesh and clothes reach a little farther."""
    pixels = np.array([place.project(point) for point in figure.points.values()])
    (x, y), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    return float(x), float(y), float(right - x), float(bottom - y)


def overlap(a: Box, b: Box) -> float:
    """The area that two boxes share."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def _annotation(canvas: Canvas, figure: Figure, place: Place, number: int) -> dict[str, Any] | None:
    """COCO's entry for one person, from the pixels that are left of it; None if none are."""
    mask = (canvas.owner[..., 0] == number).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = [
        polygon for contour in contours if len(polygon := cv2.approxPolyDP(contour, 0.7, closed=True)) > 2
    ]
    joints, seen = visible_joints(canvas, figure, place, number)
    if not polygons or not seen.any():
        return None
    x, y, width, height = cv2.boundingRect(mask)
    keypoints = np.concatenate([joints.round(1), seen[:, None]], axis=1) * (seen[:, None] > 0)
    return {
        "segmentation": [polygon.reshape(-1).tolist() for polygon in polygons],
        "num_keypoints": int((seen > 0).sum()),
        "area": int(mask.sum()),
        "iscrowd": 0,
        "keypoints": [value + 0.0 for value in keypoints.reshape(-1).tolist()],
        "bbox": [x, y, width, height],
        "category_id": 1,
    }


def write_dataset(
    out: Path, *, seed: int, train: int, val: int, size: tuple[int, int] = DEFAULT_SIZE
) -> None:
    """Write `train` and `val` people; a dataset that is there is replaced when the new one is whole."""
    partial = out / DRAWING
    try:
        recover(out)
        shutil.rmtree(partial, ignore_errors=True)
        for image_set, count in ((TRAIN_SET, train), (VAL_SET, val)):
            annotations = _write_set(partial, image_set, seed, count, size)
        boxes = detections(annotations, seed, size)
        _write_json(partial / DRAWN_DETECTIONS, boxes)
        shutil.rmtree(out / FORMER, ignore_errors=True)
        partial.rename(out / DRAWN)  # from here on it is whole
        _exchange(out)
    except OSError as error:
        what = f"cannot write {error.filename or out}: {error.strerror}"
        raise PoseError(what, WRITE_HINT, FAILED) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def recover(out: Path) -> None:
    """Finishes the exchange of a dataset for a new one in which a process was killed; says so."""
    if (out / DRAWN).is_dir():
        note(f"{out}: the dataset that was drawn last is whole, and is put in place")
        _exchange(out)
    else:
        shutil.rmtree(out / FORMER, ignore_errors=True)


def _exchange(out: Path) -> None:
    """Puts the drawn dataset in place of the one that is there.

    Annotations go first and come last: without them no picture counts, so that nobody takes a mixture of the
    two for a dataset wherever this is killed.
    """
    drawn, former = out / DRAWN, out / FORMER
    former.mkdir(exist_ok=True)
    waiting = [part for part in PARTS if (drawn / part).exists()]
    for part in waiting:
        if (out / part).exists():
            (out / part).rename(former / part)
    for part in reversed(waiting):
        (drawn / part).rename(out / part)
    drawn.rmdir()
    shutil.rmtree(former, ignore_errors=True)


def _write_set(
    out: Path, image_set: str, seed: int, count: int, size: tuple[int, int]
) -> list[dict[str, Any]]:
    folder = out / "images" / image_set
    folder.mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, scene in _scenes(image_set, seed, count, size):
        name = f"{image_id:012d}.jpg"
        encoded = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        (folder / name).write_bytes(encoded.tobytes())
        images.append({"id": image_id, "file_name": name, "height": size[0], "width": size[1]})
        for person in scene.people:
            annotations.append({**person, "id": len(annotations) + 1, "image_id": image_id})
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(COCO.names),
        "skeleton": [[a + 1, b + 1] for a, b in COCO.skeleton],
    }
    document = {
        "info": {"description": "people drawn by pose synth", "seed": seed},
        "images": images,
        "annotations": annotations,
        "categories": [category],
    }
    _write_json(out / "annotations" / f"person_keypoints_{image_set}.json", document)
    return annotations


def _scenes(image_set: str, seed: int, count: int, size: tuple[int, int]) -> Iterator[tuple[int, Scene]]:
    """Scenes with their picture ids until they hold `count` people, exactly."""
    image_id = FIRST_ID[image_set]
    left = count
    while left > 0:
        scene = _draw_scene(np.random.default_rng((seed, image_id)), size, most_people=left)
        if scene.people:
            yield image_id, scene
        left -= len(scene.people)
        image_id += 1


def detections(
    annotations: Sequence[dict[str, Any]], seed: int, size: tuple[int, int]
) -> list[dict[str, Any]]:
    """Boxes as a good detector finds them: inexact, a few missed, a few doubled, a few of nobody."""
    draw = np.random.default_rng((seed, 20_170))
    boxes = []

    def found(image_id: int, box: NDArray[np.float64], score: float) -> None:
        entry = {"image_id": image_id, "category_id": 1, "bbox": [round(float(v), 2) for v in box]}
        boxes.append({**entry, "score": round(float(np.clip(score, 0.01, 0.999)), 4)})

    for person in annotations:
        box = np.array(person["bbox"], dtype=np.float64)
        image_id = person["image_id"]
        if draw.random() < 0.97:
            wobble = draw.normal(0, 0.03, 4)
            found(image_id, _shaken(box, wobble), 0.97 - 2.5 * np.abs(wobble).mean() - draw.exponential(0.04))
        if draw.random() < 0.08:
            found(image_id, _shaken(box, draw.normal(0, 0.12, 4)), draw.uniform(0.05, 0.4))
        if draw.random() < 0.15:
            corner = draw.uniform((0, 0), (size[1] * 0.8, size[0] * 0.7))
            found(
                image_id,
                np.array([*corner, *(draw.uniform(0.1, 0.5, 2) * size[0])]),
                draw.uniform(0.05, 0.35),
            )
    return boxes


def _shaken(box: NDArray[np.float64], wobble: NDArray[np.float64]) -> NDArray[np.float64]:
    """The box (x, y, w, h) with its centre and its sides off by shares of its size."""
    sides = box[2:] * np.exp(wobble[2:])
    return np.concatenate([box[:2] + box[2:] / 2 + wobble[:2] * box[2:] - sides / 2, sides])


def _write_json(path: Path, document: Any) -> None:  # noqa: ANN401 - JSON is anything
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def run(options: SynthOptions, result: Result) -> None:
    """Run the stage `synth`."""
    with hold(options.out, "synth", result.run_dir):
        write_dataset(options.out, seed=options.seed, train=options.train, val=options.val, size=options.size)
    result.seed = options.seed
    data(str(options.out))
