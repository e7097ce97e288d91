"""Stage `pred`: the joints of the people in a picture, a folder or a video, drawn and as documents."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose.command.arguments import Arguments
from pose.command.config import Config, as_dict
from pose.command.output import output_folder, picture_folder
from pose.data import pictures
from pose.data.box import is_outside, side_fault
from pose.data.category import Category
from pose.data.crop import box_to_center_scale, require_fixed_point_warp
from pose.errors import FAILED, PoseError
from pose.machines import devices
from pose.machines.computing import computing, peak_memory
from pose.networks import models
from pose.predicting.boxes import Box, Boxed, load_boxes, whole
from pose.predicting.film import Film, film, film_path
from pose.predicting.found import documents
from pose.predicting.people import Seen, find_people, without_doubles
from pose.predicting.skeleton import category_of, require_mirror
from pose.predicting.sources import Frame, Source, frames, open_source
from pose.report import Result, data, note
from pose.stages.test import load_weights
from pose.telling.draw import draw_heat, draw_people
from pose.writing import write_json, write_picture

SMALLEST_DRAWN_SIDE = 480  # smaller pictures are enlarged before they are drawn on

Given = dict[str | int, tuple[Boxed, ...]]
Pictures = Iterator[tuple[Frame, tuple[Boxed, ...]]]


@dataclass(frozen=True)
class How:
    """What the found people are written and drawn by."""

    config: Config
    category: Category
    threshold: float  # of joints that are drawn


def run(arguments: Arguments, result: Result) -> None:
    """Finds, draws and writes the joints in what was named."""
    if not arguments.pictures:
        raise PoseError("no picture was named", "pred --cfg FILE PICTURE [KEY VALUE ...]")
    require_fixed_point_warp()
    config, config_file = arguments.configuration
    seed = arguments.seed()
    result.config, result.seed = as_dict(config), seed
    category = category_of(config)
    require_mirror(config, category)
    threshold = _parse_threshold(arguments.one("--threshold"), config.TEST.IN_VIS_THRE)
    typed = tuple(Boxed(parse_box(t), 1.0, f"--box {t}") for t in arguments.values.get("--box", ()))
    file = arguments.one("--boxes")
    if file is not None and typed:
        raise PoseError("--box and --boxes both say where people are", "give one of them")
    source = open_source(Path(arguments.pictures[0]))
    given = (
        load_boxes(Path(file), source, config.TEST.IMAGE_THRE, category.number) if file is not None else None
    )
    seen = _with_boxes(source, typed, given)
    first = next(seen, None)  # what is wrong with it is said before the long work
    if first is None:
        raise PoseError(f"{source.troubles[0]}; nothing is left of {source.path}", "are the pictures whole?")
    if source.kind == "folder":  # single files are in the record as they are
        result.dataset = _read(source, given, contents=arguments.reads_contents)
    devices.settle(config, seed, deterministic=arguments.deterministic)
    model = models.build(config.MODEL)
    folder = output_folder(config, config_file)
    note(load_weights(model, config, folder, untrained=arguments.untrained))
    used = devices.choose(config)
    result.computing = computing(used)
    with_heat = "--heatmaps" in arguments.values
    pairs = category.joints.flip_pairs
    found = find_people(used.place(model), _again(first, seen), config, used, pairs, with_heat=with_heat)
    if given is not None and category.joints.sigmas:  # MPII's have none
        found = without_doubles(found, config, category.joints.sigmas, note)
    how = How(config, category, threshold)

    out = picture_folder(arguments)
    result.output_dir = str(out.absolute())
    if source.kind == "picture":
        (only,) = found
        _write_one(only, source, out, how, result)
    else:
        _write_many(found, source, out, how, first[0], result)
    result.memory = peak_memory(used)
    if source.troubles:
        for trouble in source.troubles:
            note(trouble)
        count = "some" if source.kind == "video" else len(source.troubles)
        raise PoseError(f"{count} of {source.path} could not be used", "the rest is done", FAILED)


def parse_box(text: str) -> Box:
    """x, y, width, height in the picture's pixels; a corner may lie outside the picture."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    hint = "--box X,Y,WIDTH,HEIGHT in pixels, such as --box 120,40,85,210"
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise PoseError(f"--box {text} is no box", hint)
    box = (numbers[0], numbers[1], numbers[2], numbers[3])
    fault = side_fault(box)
    if fault:
        raise PoseError(f"--box {text} is no box: it {fault}", hint)
    return box


def _parse_threshold(text: str | None, default: float) -> float:
    """`--threshold`: any finite number, or the config's."""
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise PoseError(f"--threshold {text} is no number", "--threshold 0.2; larger ones hide more joints")
    return value


def _with_boxes(source: Source, typed: tuple[Boxed, ...], given: Given | None) -> Pictures:
    """Each picture with its boxes; one outside stops a single picture, else it is told at the end."""
    wanted = None if given is None or source.kind == "video" else frozenset(map(str, given))
    for frame in frames(source, wanted):
        size = frame.picture.shape[0], frame.picture.shape[1]
        if given is not None:
            boxes = given.get(frame.image_id if source.kind == "video" else frame.name, ())
        else:
            boxes = typed or (whole(*size),)
        outside = [boxed for boxed in boxes if is_outside(boxed.box, size)]
        for boxed in outside:
            trouble = f"{boxed.origin} lies outside the picture"
            if source.kind == "picture" or (typed and source.kind == "video"):
                raise PoseError(trouble, f"the picture is {size[1]} wide and {size[0]} high")
            number = f" {frame.image_id}" if source.kind == "video" else ""
            source.troubles.append(f"{trouble} {frame.name}{number}, {size[1]} wide and {size[0]} high")
        yield frame, tuple(boxed for boxed in boxes if boxed not in outside)


def _read(source: Source, given: Given | None, *, contents: bool) -> dict[str, str]:
    """What the record says of a folder's pictures: where they are, and a fingerprint of those with people."""
    names = [name for name in source.names if given is None or name in given]
    said = {
        "root": str(source.path.absolute()),
        "fingerprint": pictures.fingerprint_of(source.path, names),
    }
    if contents:
        said["contents"] = pictures.contents_of(source.path, names)
    return said


def _again(first: tuple[Frame, tuple[Boxed, ...]], others: Pictures) -> Pictures:
    yield first
    yield from others


def _write_one(seen: Seen, source: Source, out: Path, how: How, result: Result) -> None:
    stem = source.path.stem
    drawn, document = out / f"{stem}-pose.jpg", out / f"{stem}-pose.json"
    people = _people(seen, how)
    found = {"picture": str(source.path), "joint_names": list(how.category.joints.names), "people": people}
    write_json(document, {"schema": "pose.people/1", **found})
    write_picture(drawn, _draw(seen, how, zoom=_zoom(seen)))
    for person in people:
        data(f"person at {','.join(f'{side:g}' for side in person['bbox'])}   score {person['score']:.3f}")
    data(f"{drawn}\n{document}")
    result.add_output(drawn)
    result.add_output(document)


def _write_many(
    found: Iterator[Seen], source: Source, out: Path, how: How, first: Frame, result: Result
) -> None:
    """A folder's drawn pictures or the new video, with COCO results and a table of all people."""
    is_video = source.kind == "video"
    stem = source.path.stem if is_video else source.path.absolute().name
    results, table = out / f"{stem}-keypoints.json", out / f"{stem}-keypoints.csv"
    written = [results, table]
    names = _drawn_names(source)
    seen_pictures = 0
    with ExitStack() as open_files:
        document = open_files.enter_context(documents(results, table, how.category.joints.names))
        made: Film | None = None
        if is_video:
            size = (first.picture.shape[0], first.picture.shape[1])
            path = film_path(out, f"{stem}-pose", source.fps, size)
            made = open_files.enter_context(film(path, source.fps, size))
            written.append(path)
        for seen in found:
            for number, person in enumerate(_people(seen, how)):
                document.add(seen.frame.name, seen.frame.image_id, number, person)
            if made is not None:
                made.add(_draw(seen, how, zoom=1))
            else:
                path = out / names[seen.frame.name]
                write_picture(path, _draw(seen, how, zoom=_zoom(seen)))
                written.append(path)
            seen_pictures += 1
    people = "1 person" if document.people == 1 else f"{document.people} people"
    what = f"{'frame' if is_video else 'picture'}{'' if seen_pictures == 1 else 's'}"
    note(f"{people} in {seen_pictures} {what}")
    for path in written:
        data(str(path))
        result.add_output(path)


def _drawn_names(source: Source) -> dict[str, str]:
    """By picture; a.jpg and a.png keep their endings, or one would replace the other."""
    stems = [Path(name).stem for name in source.names]
    times = Counter(stems)
    return {
        name: f"{stem if times[stem] == 1 else name}-pose.jpg"
        for name, stem in zip(source.names, stems, strict=True)
    }


def _draw(seen: Seen, how: How, *, zoom: int) -> NDArray[np.uint8]:
    picture, config = seen.frame.picture, how.config
    if seen.heat:
        crops = [box_to_center_scale(boxed.box, config.MODEL.image_height_width) for boxed in seen.boxes]
        center, scale = (np.array(part) for part in zip(*crops, strict=True))
        picture = draw_heat(picture, np.array(seen.heat), center, scale)
    keypoints = np.array(seen.keypoints).reshape(-1, config.MODEL.NUM_JOINTS, 3)
    return draw_people(
        picture,
        keypoints,
        threshold=how.threshold,
        joints=how.category.joints,
        boxes=[boxed.box for boxed in seen.boxes],
        zoom=zoom,
    )


def _zoom(seen: Seen) -> int:
    return max(1, math.ceil(SMALLEST_DRAWN_SIDE / max(seen.frame.picture.shape[:2])))


def _people(seen: Seen, how: How) -> list[dict[str, Any]]:
    """Each person with the fields of COCO's results."""
    return [
        {
            "category_id": how.category.number,
            "bbox": [float(side) for side in boxed.box],
            "keypoints": [round(float(number), 4) for number in keypoints.reshape(-1)],
            "score": float(score),
        }
        for boxed, keypoints, score in zip(seen.boxes, seen.keypoints, seen.scores(how.config), strict=True)
    ]
