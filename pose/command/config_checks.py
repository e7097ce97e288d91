"""Which well-typed values make sense: ranges, sizes that must agree, what is built and what is not.

Raises before any work; knows nothing about files, torch or the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose.data.joints import MPII
from pose.errors import PoseError

if TYPE_CHECKING:
    from pose.command.config import Config, Model

BLOCKS = {18: "Basic", 34: "Basic", 50: "Bottleneck", 101: "Bottleneck", 152: "Bottleneck"}
RESNET_KEYS = (
    "FINAL_CONV_KERNEL",
    "DECONV_WITH_BIAS",
    "NUM_DECONV_LAYERS",
    "NUM_DECONV_FILTERS",
    "NUM_DECONV_KERNELS",
    "NUM_LAYERS",
)
HRNET_STAGES = ("STAGE2", "STAGE3", "STAGE4")
STAGE_KEYS = ("NUM_MODULES", "NUM_BRANCHES", "BLOCK", "NUM_BLOCKS", "NUM_CHANNELS", "FUSE_METHOD")


def check(config: Config, path: Path) -> None:
    """Nothing, or a PoseError about the first value that cannot work."""
    _choices(config)
    _ranges(config)
    _minutes(config)
    _mpii(config)
    cells = MODELS[config.MODEL.NAME](config.MODEL.EXTRA, path)
    _sizes(config.MODEL, cells)


def _choices(config: Config) -> None:
    for key, value, choices in (
        ("MODEL.NAME", config.MODEL.NAME, tuple(MODELS)),
        ("MODEL.TARGET_TYPE", config.MODEL.TARGET_TYPE, ("gaussian",)),
        ("DATASET.DATASET", config.DATASET.DATASET, ("coco", "mpii")),
        ("DATASET.DATA_FORMAT", config.DATASET.DATA_FORMAT, ("jpg", "png", "jpeg", "zip")),
        ("TRAIN.OPTIMIZER", config.TRAIN.OPTIMIZER, ("adam", "sgd")),
    ):
        if value not in choices:
            raise PoseError(
                f"{key}: {value!r} is not built in this version", f"{key} {' or '.join(map(str, choices))}"
            )


def _mpii(config: Config) -> None:
    """Its joints are always the same."""
    joints, right = config.MODEL.NUM_JOINTS, len(MPII.names)
    if config.DATASET.DATASET == "mpii" and joints != right:
        raise PoseError(
            f"MODEL.NUM_JOINTS: MPII's people have {right} joints, not {joints}",
            f"MODEL.NUM_JOINTS {right}; DATASET.DATASET coco is COCO's layout",
        )


def _minutes(config: Config) -> None:
    minutes = config.TRAIN.CHECKPOINT_MINUTES
    if not 0.0 <= minutes < float("inf"):
        raise PoseError(
            f"TRAIN.CHECKPOINT_MINUTES: {minutes} is no number of minutes",
            "TRAIN.CHECKPOINT_MINUTES 10.0, or 0.0 for none inside an epoch",
        )


def _ranges(config: Config) -> None:
    _each("GPUS", config.GPUS, 0)
    _each("TRAIN.LR_STEP", config.TRAIN.LR_STEP, 0)
    _each("MODEL.IMAGE_SIZE", config.MODEL.IMAGE_SIZE, 1)
    _each("MODEL.HEATMAP_SIZE", config.MODEL.HEATMAP_SIZE, 1)
    for key, value, least in (
        ("WORKERS", config.WORKERS, 0),
        ("PRINT_FREQ", config.PRINT_FREQ, 1),
        ("MODEL.NUM_JOINTS", config.MODEL.NUM_JOINTS, 1),
        ("MODEL.SIGMA", config.MODEL.SIGMA, 1),
        ("TRAIN.BEGIN_EPOCH", config.TRAIN.BEGIN_EPOCH, 0),
        ("TRAIN.END_EPOCH", config.TRAIN.END_EPOCH, 0),
        ("TRAIN.EVAL_EVERY", config.TRAIN.EVAL_EVERY, 1),
        ("TRAIN.BATCH_SIZE_PER_GPU", config.TRAIN.BATCH_SIZE_PER_GPU, 1),
        ("TEST.BATCH_SIZE_PER_GPU", config.TEST.BATCH_SIZE_PER_GPU, 1),
    ):
        if value < least:
            raise PoseError(f"{key}: {value} is too small", f"{key} {least} is the least")
    if not 0.0 < config.TRAIN.LR < float("inf"):
        raise PoseError(f"TRAIN.LR: {config.TRAIN.LR} cannot teach anything", "TRAIN.LR 0.001")
    joints = config.MODEL.NUM_JOINTS
    if config.LOSS.USE_OHKM and not 1 <= config.LOSS.TOPK <= joints:
        raise PoseError(
            f"LOSS.TOPK: {config.LOSS.TOPK} of {joints} joints (MODEL.NUM_JOINTS) cannot be the hardest",
            f"LOSS.TOPK {max(1, joints // 2)}",
        )
    if config.TRAIN.MOMENTUM < 0 or config.TRAIN.WD < 0:
        raise PoseError(
            "TRAIN.MOMENTUM and TRAIN.WD cannot be negative", "TRAIN.MOMENTUM 0.9 TRAIN.WD 0.0001"
        )
    if config.TRAIN.OPTIMIZER == "sgd" and config.TRAIN.NESTEROV and not config.TRAIN.MOMENTUM:
        raise PoseError("TRAIN.NESTEROV: it needs a momentum", "TRAIN.MOMENTUM 0.9")
    for sigma in config.TEST.OKS_SIGMAS:
        if type(sigma) not in {int, float} or not 0 < sigma < float("inf"):
            raise PoseError(
                f"TEST.OKS_SIGMAS: {sigma!r} is no tolerance",
                "they are above 0, one per joint",
            )
    if config.TEST.OKS_THRE <= 0.0 and config.TEST.SOFT_NMS:
        raise PoseError("TEST.OKS_THRE: soft NMS divides by it, it must be above 0", "TEST.OKS_THRE 0.9")


def _each(key: str, values: tuple[Any, ...], least: int) -> None:
    for value in values:
        if type(value) is not int or value < least:
            raise PoseError(f"{key}: {value!r} inside {values!r} is not an integer of at least {least}")


def _resnet_extra(extra: Any, path: Path) -> int:  # noqa: ANN401 - Extra, whose keys the YAML decides
    """How many cells 32 pixels become: one, doubled by each deconvolution."""
    missing = [key for key in RESNET_KEYS if key not in extra]
    if missing:
        raise PoseError(
            f"{path}: MODEL.EXTRA lacks {', '.join(missing)}", "a bundled ResNet file shows all six"
        )
    if extra.NUM_LAYERS not in BLOCKS:
        raise PoseError(
            f"MODEL.EXTRA.NUM_LAYERS: there is no ResNet-{extra.NUM_LAYERS}",
            f"MODEL.EXTRA.NUM_LAYERS {', '.join(map(str, BLOCKS))}",
        )
    _final_kernel(extra)
    if type(extra.DECONV_WITH_BIAS) is not bool:
        raise PoseError(
            "MODEL.EXTRA.DECONV_WITH_BIAS: must be True or False", "MODEL.EXTRA.DECONV_WITH_BIAS False"
        )
    layers = extra.NUM_DECONV_LAYERS
    if type(layers) is not int or not 1 <= layers <= 5:
        raise PoseError(
            f"MODEL.EXTRA.NUM_DECONV_LAYERS: {layers!r} must be 1 to 5", "MODEL.EXTRA.NUM_DECONV_LAYERS 3"
        )
    for key in ("NUM_DECONV_FILTERS", "NUM_DECONV_KERNELS"):
        values = extra[key]
        if not isinstance(values, tuple) or len(values) != layers:
            raise PoseError(f"MODEL.EXTRA.{key}: {values!r} must have NUM_DECONV_LAYERS = {layers} entries")
        _each(f"MODEL.EXTRA.{key}", values, 1)
    if any(kernel not in {2, 3, 4} for kernel in extra.NUM_DECONV_KERNELS):
        raise PoseError("MODEL.EXTRA.NUM_DECONV_KERNELS: a deconvolution's kernel is 2, 3 or 4")
    return 2**layers


def _final_kernel(extra: Any) -> None:  # noqa: ANN401 - as above
    if extra.FINAL_CONV_KERNEL not in {1, 3}:
        raise PoseError("MODEL.EXTRA.FINAL_CONV_KERNEL: must be 1 or 3", "MODEL.EXTRA.FINAL_CONV_KERNEL 1")


def _hrnet_extra(extra: Any, path: Path) -> int:  # noqa: ANN401 - as above
    """How many cells 32 pixels become: a quarter as many."""
    missing = [key for key in ("FINAL_CONV_KERNEL", *HRNET_STAGES) if key not in extra]
    missing += [
        f"{name}.{key}"
        for name in HRNET_STAGES
        if isinstance(extra.get(name), Mapping)
        for key in STAGE_KEYS
        if key not in extra[name]
    ]
    if missing:
        lacking = f"MODEL.EXTRA lacks {', '.join(missing)}, which MODEL.NAME pose_hrnet needs"
        raise PoseError(f"{path}: {lacking}", "a bundled HRNet file shows all")
    _final_kernel(extra)
    for branches, name in enumerate(HRNET_STAGES, start=2):
        _stage(extra[name], f"MODEL.EXTRA.{name}", branches)
    _widths_that_stay(extra)
    layers = extra.get("PRETRAINED_LAYERS", ("*",))
    if not isinstance(layers, tuple) or not layers or not all(isinstance(layer, str) for layer in layers):
        raise PoseError("MODEL.EXTRA.PRETRAINED_LAYERS: must be names of layers, or '*' for all")
    return 8


def _widths_that_stay(extra: Any) -> None:  # noqa: ANN401 - as above
    """A branch that goes on keeps its width, unless it was the coarsest: transitions start from that one."""
    for before, after in pairwise(HRNET_STAGES):
        widths = extra[before].NUM_CHANNELS
        if extra[after].NUM_CHANNELS[: len(widths) - 1] != widths[:-1]:
            shown = f"{extra[after].NUM_CHANNELS} must begin like {before}'s {widths}"
            raise PoseError(
                f"MODEL.EXTRA.{after}.NUM_CHANNELS: {shown}",
                "only the last branch that is carried on may change its width",
            )


def _stage(stage: Any, key: str, branches: int) -> None:  # noqa: ANN401 - as above
    """One stage of HRNet: each has a branch more than the one before, all of basic blocks, fused by sums."""
    if not isinstance(stage, Mapping):
        raise PoseError(f"{key}: must be a section with {', '.join(STAGE_KEYS)}")
    _each(f"{key}.NUM_MODULES", (stage["NUM_MODULES"],), 1)
    for name, right in (("NUM_BRANCHES", branches), ("BLOCK", "BASIC"), ("FUSE_METHOD", "SUM")):
        if stage[name] != right:
            raise PoseError(
                f"{key}.{name}: {stage[name]!r} is not built, only {right}", f"{key}.{name} {right}"
            )
    for name in ("NUM_BLOCKS", "NUM_CHANNELS"):
        values = stage[name]
        if not isinstance(values, tuple) or len(values) != branches:
            raise PoseError(f"{key}.{name}: {values!r} must have NUM_BRANCHES = {branches} entries")
        _each(f"{key}.{name}", values, 1)


def _sizes(model: Model, cells: int) -> None:
    """The heat map must be what the network makes of the picture: so many cells of 32 pixels."""
    image, heatmap = model.IMAGE_SIZE, model.HEATMAP_SIZE
    if len(image) != 2 or any(side % 32 for side in image) or sum(image) <= 64:
        raise PoseError(
            f"MODEL.IMAGE_SIZE: {image} must be (width, height), both multiples of 32, at least (32, 64)",
            "MODEL.IMAGE_SIZE '(192, 256)'",
        )
    expected = tuple(side // 32 * cells for side in image)
    if heatmap != expected:
        raise PoseError(
            f"MODEL.HEATMAP_SIZE: {heatmap} is not what the network makes of a picture of {image}",
            f"MODEL.HEATMAP_SIZE '{expected}'",
        )


# By MODEL.NAME: what checks MODEL.EXTRA and knows the heat map's size. What builds them is `models.MODELS`.
MODELS: Mapping[str, Callable[[Any, Path], int]] = {"pose_resnet": _resnet_extra, "pose_hrnet": _hrnet_extra}
