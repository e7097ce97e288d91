"""Files written whole or not at all: an interruption or a full disk leaves what was there before."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pose.errors import FAILED, WRITE_HINT, PoseError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; moved there when the block ends well, removed otherwise.

    Raises:
        PoseError: exit code 1, when the folder or the disk does not take it.
    """
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        os.close(handle)
        partial = Path(name)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.chmod(0o644)  # mkstemp makes it private
        partial.replace(path)
    except OSError as error:
        raise PoseError(f"{path} cannot be written: {error.strerror or error}", WRITE_HINT, FAILED) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def write_json(path: Path, document: dict[str, Any]) -> None:
    """The document as indented JSON."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def write_picture(path: Path, picture: Any) -> None:  # noqa: ANN401 - a BGR array; annotating it would import NumPy
    """A BGR picture (H, W, 3) uint8 in the format that the name ends in."""
    import cv2  # noqa: PLC0415 - stages without pictures, and --help, need not load it

    encoded = cv2.imencode(path.suffix, picture)[1]
    with replacing(path) as partial:
        partial.write_bytes(encoded.tobytes())
