"""The options of the stage `synth`, read without what drawing needs, so that `--help` answers anywhere."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pose.command.needs import Needs, absolute

DEFAULT_SIZE = (240, 320)  # (height, width)


@dataclass(frozen=True)
class SynthOptions:
    """What to draw, and where."""

    out: Path
    seed: int
    train: int  # people
    val: int
    size: tuple[int, int]  # (height, width)


def read(argv: Sequence[str]) -> SynthOptions:
    """The parsed command line; argparse answers `--help`, and wrong options with exit code 2."""
    about = "draw people into COCO's own layout"
    # Whole names only, as in every stage: `--check` then knows a call for help when it sees one.
    parser = argparse.ArgumentParser("pose synth", description=about, allow_abbrev=False)
    parser.add_argument(
        "--out", "--output", type=Path, required=True, metavar="DIR", help="where the dataset goes"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same bytes (default 0)")
    parser.add_argument(
        "--train", type=int, default=1500, metavar="N", help="people to learn from (default 1500)"
    )
    parser.add_argument("--val", type=int, default=200, metavar="N", help="people to test on (default 200)")
    parser.add_argument(
        "--size", type=_size, default=DEFAULT_SIZE, metavar="WxH", help="picture size (320x240)"
    )
    options = parser.parse_args(argv)
    if options.train < 1 or options.val < 1 or options.seed < 0:
        parser.error("--train and --val must be at least 1, --seed at least 0")
    return SynthOptions(**vars(options))


def needs_of(options: SynthOptions) -> Needs:
    """The dataset's folder, which is all that drawing writes into."""
    return Needs(writes=(absolute(options.out),))


def _size(text: str) -> tuple[int, int]:
    """(height, width) of "WxH"."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, such as 320x240") from None
    if not (64 <= width <= 1280 and 64 <= height <= 1280):
        raise argparse.ArgumentTypeError("each side must be between 64 and 1280 pixels")
    return height, width
