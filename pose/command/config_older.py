"""Files of microsoft/human-pose-estimation.pytorch: recognised as a whole, and read as what they mean there.

Its keys get the names that they have here, and what such a file leaves out has the defaults of there, so that
it trains and tests the same. What cannot be read so is refused: the Caffe style, another network of which the
weights have the same names, and files that mix both layouts.

*Source:* keys, defaults and path joins as microsoft/human-pose-estimation.pytorch@49f3f44 has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pose.command.config_file import read_yaml
from pose.command.config_values import MOVED, OLDER, Origin, Setting
from pose.errors import PoseError

if TYPE_CHECKING:
    from pose.command.config import Config

STYLE = "MODEL.STYLE"
SIZES = ("MODEL.IMAGE_SIZE", "MODEL.HEATMAP_SIZE")  # one number is a square there
DEFAULTS = {
    "MODEL.NAME": "pose_resnet",
    "MODEL.NUM_JOINTS": 16,
    "TEST.POST_PROCESS": True,
    "TEST.SHIFT_HEATMAP": True,
    "TEST.IMAGE_THRE": 0.0,
    "TEST.NMS_THRE": 1.0,
}
EXTRA_DEFAULTS = {  # a file's EXTRA replaces them all
    "MODEL.EXTRA.NUM_LAYERS": 50,
    "MODEL.EXTRA.DECONV_WITH_BIAS": False,
    "MODEL.EXTRA.NUM_DECONV_LAYERS": 3,
    "MODEL.EXTRA.NUM_DECONV_FILTERS": (256, 256, 256),
    "MODEL.EXTRA.NUM_DECONV_KERNELS": (4, 4, 4),
    "MODEL.EXTRA.FINAL_CONV_KERNEL": 1,
}
# Keys that such a file cannot have.
NEWER = frozenset(
    (
        *("AUTO_RESUME", "PIN_MEMORY", "RANK", "MODEL.TAG_PER_JOINT", "LOSS.USE_OHKM", "LOSS.TOPK"),
        *("LOSS.USE_DIFFERENT_JOINTS_WEIGHT", "DATASET.PROB_HALF_BODY", "DATASET.NUM_JOINTS_HALF_BODY"),
        *("DATASET.COLOR_RGB", "TRAIN.EVAL_EVERY", "TRAIN.CHECKPOINT_MINUTES", "TRAIN.SCALE_LR"),
        *("TEST.SOFT_NMS", "TEST.OKS_SIGMAS"),
        *(key for key in MOVED.values() if key),
    )
)


@dataclass(frozen=True)
class Reading:
    """What one setting of such a file is here; None where it says what is so anyway."""

    there: Setting
    here: Setting | None

    @property
    def is_change(self) -> bool:
        """Whether key or value are written in another way here."""
        return self.there != self.here


def is_older(settings: Sequence[Setting]) -> bool:
    """Whether the file has a key that only that implementation has."""
    return any(setting.key in MOVED for setting in settings)


def converted(settings: Sequence[Setting], path: Path) -> tuple[Setting, ...]:
    """The file's settings with the names that they have here, its layout's defaults first.

    Raises:
        PoseError: for the Caffe style; for a file that also has keys of the newer layout, with all changes
            that are to be made.
    """
    readings = _readings(settings)
    defaults = _defaults(settings, path)
    newer = [setting for setting in settings if _is_newer(setting)]
    if newer:
        there = next(reading.there for reading in readings if reading.there.key in MOVED)
        changes = [_change(reading, settings) for reading in readings if reading.is_change]
        if defaults:
            changes.append(f"where its defaults are meant, {', '.join(map(_written, defaults))}")
        raise PoseError(
            f"{path} mixes two layouts: {_at(there)} is {OLDER}'s, {_at(newer[0])} is not", "; ".join(changes)
        )
    return (*defaults, *(reading.here for reading in readings if reading.here is not None))


def layout_notes(config: Config, path: Path) -> Iterator[str]:
    """What was read as what, for the person at the screen; nothing for a file of the usual layout."""
    settings = read_yaml(path)
    if not is_older(settings):
        return
    yield f"{path} has {OLDER}'s layout and is read as such:"
    for reading in _readings(settings):
        if reading.is_change:
            here = _written(reading.here) if reading.here else "left out: that is the style built here"
            yield f"  {_written(reading.there)} is {here}"
    defaults = _defaults(settings, path)
    if defaults:
        yield f"  its defaults hold: {', '.join(map(_written, defaults))}"
    if config.DATA_DIR:
        yield "  as there, DATA_DIR goes before TEST.COCO_BBOX_FILE and not before TEST.MODEL_FILE"
    folder = f"{config.MODEL.NAME}/{path.name.split('.')[0]}"
    yield f"  runs of every depth go to one folder, {folder}: --output DIR keeps them apart"


def _readings(settings: Sequence[Setting]) -> tuple[Reading, ...]:
    return tuple(Reading(setting, _here(setting)) for setting in settings)


def _here(setting: Setting) -> Setting | None:
    key, value = MOVED.get(setting.key, setting.key), setting.value
    if setting.key == STYLE:
        if str(value).lower() == "caffe":
            raise setting.error(
                "the Caffe style is another network, its stride stands in the 1x1 convolutions: not built",
                "its weights would load here and find wrong joints; MODEL.STYLE pytorch is built",
            )
        return None
    if key == "GPUS" and isinstance(value, str) and value.replace(",", "").isdecimal():
        value = tuple(int(number) for number in value.split(",") if number)
    if key in SIZES and type(value) is int:
        value = (value, value)
    return replace(setting, key=key, value=value)


def _defaults(settings: Sequence[Setting], path: Path) -> tuple[Setting, ...]:
    """Of what the file leaves out, the defaults that are others there."""
    given = {setting.key for setting in settings}
    has_extra = any(key.startswith("MODEL.EXTRA.") for key in given)
    wanted = DEFAULTS if has_extra else {**DEFAULTS, **EXTRA_DEFAULTS}
    return tuple(Setting(key, value, Origin(str(path))) for key, value in wanted.items() if key not in given)


def _is_newer(setting: Setting) -> bool:
    is_hrnet = setting.key.startswith("MODEL.EXTRA.STAGE") or setting.value == "pose_hrnet"
    return setting.key in NEWER or is_hrnet


def _change(reading: Reading, settings: Sequence[Setting]) -> str:
    """What is to be done about it in a file of the usual layout."""
    there, here = reading.there, reading.here
    if here is None or (here.key != there.key and any(other.key == here.key for other in settings)):
        return f"leave out {_at(there)}"
    return f"{_written(here)} instead of {_at(there)}"


def _written(setting: Setting) -> str:
    return f"{setting.key}: {setting.value!r}"


def _at(setting: Setting) -> str:
    return f"{setting.key} (line {setting.origin.line})"
