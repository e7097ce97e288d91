"""Where `pred`'s pictures come from: a picture, a folder of them, or a video, one frame at a time.

Knows files and OpenCV's readers; knows no person, no network, and writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.command.arguments import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from pose.data.dataset import read_picture
from pose.errors import PoseError
from pose.report import note

DRAWN = "-pose.jpg"  # what pred itself writes is no picture to look for people in


@dataclass(frozen=True)
class Frame:
    """One decoded picture: a file's, or a video's frame with its number from 0."""

    name: str
    image_id: int
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class Source:
    """What was named on the command line. `names` are the pictures'; a video has none."""

    path: Path
    kind: str  # picture, folder or video
    names: tuple[str, ...] = ()
    fps: float = 0.0
    promised: int = 0  # the frames that the video's header counts; 0 where it does not say
    troubles: list[str] = field(default_factory=list)  # what had to be left out, filled by frames()

    def image_ids(self) -> tuple[int, ...]:
        """The digits in the pictures' names where all have some and none share them; else 1, 2, 3 ..."""
        found = [digits(name) for name in self.names]
        plain = [number for number in found if number is not None]
        if len(set(plain)) == len(found):
            return tuple(plain)
        return tuple(range(1, len(found) + 1))


def digits(name: str) -> int | None:
    """The last run of digits in a picture's name, as COCO_val2014_000000000139.jpg has its id."""
    runs = re.findall(r"[0-9]{1,18}", Path(name).stem)
    return int(runs[-1]) if runs else None


def open_source(path: Path) -> Source:
    """What lies at the path; whole pictures are read later.

    Raises:
        PoseError: when nothing is there, the folder holds no picture, or the video cannot be opened.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise PoseError(
            f"there is no picture {path}", "a picture, a folder of pictures or a video was expected"
        )
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        return Source(path, "picture", (path.name,))
    video = cv2.VideoCapture(str(path.absolute()))
    try:
        if not video.isOpened():
            raise PoseError(f"video {path} cannot be opened", "is it whole, and a kind that OpenCV reads?")
        fps, promised = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
    finally:
        video.release()
    if not 0 < fps <= 1000:
        note(f"video {path} does not say its frame rate: 25 a second are written")
        fps = 25.0
    return Source(path, "video", fps=fps, promised=int(promised) if 0 < promised < 2**40 else 0)


def _folder(path: Path) -> Source:
    try:
        names = sorted(entry.name for entry in path.iterdir() if entry.is_file())
    except OSError as error:
        raise PoseError(f"cannot list {path}: {error.strerror}") from error
    pictures = [n for n in names if Path(n).suffix.lower() in PICTURE_SUFFIXES and not n.startswith(".")]
    own = [name for name in pictures if name.endswith(DRAWN)]
    if own:
        note(f"{len(own)} drawn pictures (*{DRAWN}) in {path} are passed over")
    wanted = tuple(name for name in pictures if not name.endswith(DRAWN))
    if not wanted:
        raise PoseError(f"there is no picture in the folder {path}", "JPEG or PNG files were expected in it")
    return Source(path, "folder", wanted)


def frames(source: Source, wanted: frozenset[str] | None = None) -> Iterator[Frame]:
    """The pictures in the order of their names, or the video's frames; `wanted` names those to read.

    A folder's picture that cannot be read, and frames that a video lacks, are told in `source.troubles`.
    """
    if source.kind == "video":
        yield from _video_frames(source)
        return
    folder = source.path if source.kind == "folder" else source.path.parent
    for name, image_id in zip(source.names, source.image_ids(), strict=True):
        if wanted is not None and name not in wanted:
            continue
        try:
            picture = read_picture(folder / name)
        except PoseError as error:
            if source.kind == "picture":
                raise
            source.troubles.append(error.message)
            continue
        yield Frame(name, image_id, picture)


def _video_frames(source: Source) -> Iterator[Frame]:
    video = cv2.VideoCapture(str(source.path.absolute()))
    number = 0
    try:
        while True:
            good, picture = video.read()
            if not good:
                break
            yield Frame(source.path.name, number, picture)
            number += 1
    finally:
        video.release()
    if number == 0:
        raise PoseError(f"video {source.path} has no frame that can be read", "is it whole?")
    if number < source.promised:
        note(f"video {source.path} ends early: {number} of {source.promised} frames were read")
