"""What the demo works with, and where, told without what drawing and learning need."""

from __future__ import annotations

from pathlib import Path

from pose.command.arguments import Arguments
from pose.data.coco_files import DRAWN_DETECTIONS

SHORT, LONG = "experiments/drawn/res18_96x64.yaml", "experiments/drawn/res18_128x96_long.yaml"


def folder(arguments: Arguments) -> Path:
    """Where everything goes."""
    named = arguments.one("--out") or arguments.one("--output")
    return Path(named) if named else (arguments.run_dir or Path()) / "pose-demo"


def people_folder(arguments: Arguments) -> Path:
    """Where the drawn people go."""
    return folder(arguments) / "people"


def stage_arguments(arguments: Arguments) -> Arguments:
    """What the demo's training and test are called with."""
    people = people_folder(arguments)
    values = {
        "--cfg": LONG if "--long" in arguments.values else SHORT,
        "--data": str(people),
        "--output": str(folder(arguments)),
        "--seed": str(arguments.seed()),
    }
    return Arguments(
        "demo",
        {name: (value,) for name, value in values.items()},
        # Everything goes into one folder, whatever a config in the bundled one's place says.
        overrides=("TEST.COCO_BBOX_FILE", str(people / DRAWN_DETECTIONS), "LOG_DIR", ""),
    )
