"""A video written frame by frame, whole or not at all: mp4v in .mp4, else Motion JPEG in .avi."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.errors import FAILED, WRITE_HINT, PoseError
from pose.report import note
from pose.writing import replacing

CODECS = ((".mp4", "mp4v"), (".avi", "MJPG"))


class Film:
    """The open video: every frame has the first one's size."""

    def __init__(self, writer: cv2.VideoWriter) -> None:
        self._writer = writer
        self.frames = 0

    def add(self, picture: NDArray[np.uint8]) -> None:
        """The next frame, BGR."""
        self._writer.write(picture)
        self.frames += 1


def film_path(folder: Path, stem: str, fps: float, size: tuple[int, int]) -> Path:
    """The video's name, with the ending that this OpenCV can write frames of (height, width) in."""
    for suffix, codec in CODECS:
        path = folder / f"{stem}{suffix}"
        with tempfile.TemporaryDirectory() as trial:
            name = str(Path(trial) / f"trial{suffix}")
            writer = cv2.VideoWriter(name, cv2.VideoWriter_fourcc(*codec), fps, size[::-1])
            works = writer.isOpened()
            writer.release()
        if works:
            return path
        note(f"OpenCV here cannot write {codec} in {suffix} of this size")
    raise PoseError(
        "OpenCV here writes neither mp4v nor Motion JPEG", "another build of opencv-python does", 1
    )


@contextmanager
def film(path: Path, fps: float, size: tuple[int, int]) -> Iterator[Film]:
    """The video at that path, which appears when the block ends well and all its frames are in it."""
    codec = dict(CODECS)[path.suffix]
    with replacing(path) as partial:
        work = partial.with_name(f"{partial.name}{path.suffix}")  # OpenCV goes by the ending
        writer = cv2.VideoWriter(str(work), cv2.VideoWriter_fourcc(*codec), fps, size[::-1])
        try:
            made = Film(writer)
            yield made
            writer.release()
            reader = cv2.VideoCapture(str(work))
            kept = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
            reader.release()
            if kept != made.frames:  # VideoWriter says nothing about a full disk
                raise PoseError(f"{path} took {kept} of {made.frames} frames", WRITE_HINT, FAILED)
            work.replace(partial)
        finally:
            writer.release()
            work.unlink(missing_ok=True)
