"""The configuration: the public implementation's tree and defaults, frozen, and how it is filled.

Order of effect: defaults <- YAML <- KEY VALUE list <- options <- path joins. What a value may be is
`config_values.py`'s affair, how a YAML file is found and read `config_file.py`'s, what a file of the older
layout means `config_older.py`'s, which combinations make sense `config_checks.py`'s.

*Source:* keys, defaults and order as leoxiaobin/deep-high-resolution-net.pytorch@6f69e46 has them; ours
alone are EVAL_EVERY, CHECKPOINT_MINUTES and SCALE_LR of TRAIN, and TEST.OKS_SIGMAS. Keys that the public
implementation never reads are kept, so that its files load.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from pose.command import config_older
from pose.command.config_checks import check
from pose.command.config_file import find_config, read_yaml
from pose.command.config_values import Origin, Setting, assign
from pose.errors import PoseError


class Extra(Mapping[str, Any]):
    """MODEL.EXTRA: whatever the YAML says about one model; read-only, keys also as attributes."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = {k: Extra(v) if isinstance(v, Mapping) else v for k, v in (values or {}).items()}

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - the YAML decides
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, key: str) -> Any:  # noqa: ANN401 - the YAML decides
        if key == "_values":  # while being unpickled
            raise AttributeError(key)
        try:
            return self._values[key]
        except KeyError:
            raise AttributeError(key) from None


@dataclass(frozen=True)
class Cudnn:
    """How cuDNN chooses its kernels."""

    BENCHMARK: bool = True
    DETERMINISTIC: bool = False
    ENABLED: bool = True


@dataclass(frozen=True)
class Model:
    """IMAGE_SIZE and HEATMAP_SIZE are (width, height) here, as the public files write them."""

    NAME: str = "pose_hrnet"
    INIT_WEIGHTS: bool = True
    PRETRAINED: str = ""
    NUM_JOINTS: int = 17
    TAG_PER_JOINT: bool = True
    TARGET_TYPE: str = "gaussian"
    IMAGE_SIZE: tuple[int, ...] = (256, 256)
    HEATMAP_SIZE: tuple[int, ...] = (64, 64)
    SIGMA: int = 2
    EXTRA: Extra = field(default_factory=Extra)

    @property
    def image_height_width(self) -> tuple[int, int]:
        """IMAGE_SIZE in this package's own order."""
        return self.IMAGE_SIZE[1], self.IMAGE_SIZE[0]

    @property
    def heatmap_height_width(self) -> tuple[int, int]:
        """HEATMAP_SIZE in this package's own order."""
        return self.HEATMAP_SIZE[1], self.HEATMAP_SIZE[0]


@dataclass(frozen=True)
class Loss:
    """With USE_OHKM only each person's TOPK joints of the greatest loss teach; there both keys do nothing."""

    USE_OHKM: bool = False
    TOPK: int = 8
    USE_TARGET_WEIGHT: bool = True
    USE_DIFFERENT_JOINTS_WEIGHT: bool = False


@dataclass(frozen=True)
class Dataset:
    """Where the pictures are and how they are varied."""

    ROOT: str = ""
    DATASET: str = "mpii"
    TRAIN_SET: str = "train"
    TEST_SET: str = "valid"
    DATA_FORMAT: str = "jpg"
    HYBRID_JOINTS_TYPE: str = ""
    SELECT_DATA: bool = False
    FLIP: bool = True
    SCALE_FACTOR: float = 0.25
    ROT_FACTOR: int = 30
    PROB_HALF_BODY: float = 0.0
    NUM_JOINTS_HALF_BODY: int = 8
    COLOR_RGB: bool = False


@dataclass(frozen=True)
class Train:
    """WD, MOMENTUM and NESTEROV act on sgd only; RESUME, CHECKPOINT and the GAMMAs on nothing.

    EVAL_EVERY is ours: every so many epochs the model is evaluated and kept; small sets have short epochs.
    CHECKPOINT_MINUTES is ours: inside an epoch a checkpoint is written every so many minutes; 0.0: never.
    SCALE_LR is ours: with fewer GPUs than GPUS names, LR shrinks as the batch does (linear scaling).
    """

    LR: float = 0.001
    LR_FACTOR: float = 0.1
    LR_STEP: tuple[int, ...] = (90, 110)
    OPTIMIZER: str = "adam"
    MOMENTUM: float = 0.9
    WD: float = 0.0001
    NESTEROV: bool = False
    GAMMA1: float = 0.99
    GAMMA2: float = 0.0
    BEGIN_EPOCH: int = 0
    END_EPOCH: int = 140
    RESUME: bool = False
    CHECKPOINT: str = ""
    BATCH_SIZE_PER_GPU: int = 32
    SHUFFLE: bool = True
    EVAL_EVERY: int = 1
    CHECKPOINT_MINUTES: float = 10.0
    SCALE_LR: bool = False


@dataclass(frozen=True)
class Evaluation:
    """The TEST section; NMS_THRE and BBOX_THRE are accepted and without effect.

    OKS_SIGMAS is ours: one tolerance per joint, in the annotation file's order; () takes COCO's, and for
    joints that COCO does not name the mean of COCO's.
    """

    BATCH_SIZE_PER_GPU: int = 32
    FLIP_TEST: bool = False
    POST_PROCESS: bool = False
    SHIFT_HEATMAP: bool = False
    USE_GT_BBOX: bool = False
    IMAGE_THRE: float = 0.1
    NMS_THRE: float = 0.6
    SOFT_NMS: bool = False
    OKS_THRE: float = 0.5
    OKS_SIGMAS: tuple[float, ...] = ()
    IN_VIS_THRE: float = 0.0
    COCO_BBOX_FILE: str = ""
    BBOX_THRE: float = 1.0
    MODEL_FILE: str = ""


@dataclass(frozen=True)
class Debug:
    """Which pictures of every PRINT_FREQ-th batch are drawn, where DEBUG says so (debug_pictures.py)."""

    DEBUG: bool = False
    SAVE_BATCH_IMAGES_GT: bool = False
    SAVE_BATCH_IMAGES_PRED: bool = False
    SAVE_HEATMAPS_GT: bool = False
    SAVE_HEATMAPS_PRED: bool = False


@dataclass(frozen=True)
class Config:
    """The whole tree; `cfg.MODEL.IMAGE_SIZE` as everywhere in the public implementation."""

    OUTPUT_DIR: str = ""
    LOG_DIR: str = ""
    DATA_DIR: str = ""
    GPUS: tuple[int, ...] = (0,)
    WORKERS: int = 4
    PRINT_FREQ: int = 20
    AUTO_RESUME: bool = False
    PIN_MEMORY: bool = True
    RANK: int = 0
    CUDNN: Cudnn = field(default_factory=Cudnn)
    MODEL: Model = field(default_factory=Model)
    LOSS: Loss = field(default_factory=Loss)
    DATASET: Dataset = field(default_factory=Dataset)
    TRAIN: Train = field(default_factory=Train)
    TEST: Evaluation = field(default_factory=Evaluation)
    DEBUG: Debug = field(default_factory=Debug)


@dataclass(frozen=True)
class Options:
    """The options that set config keys; None where not given. The first three are the public ones."""

    model_dir: str | None = None
    log_dir: str | None = None
    data_dir: str | None = None
    data: str | None = None
    output: str | None = None


def load(cfg: str, overrides: tuple[str, ...] = (), options: Options | None = None) -> tuple[Config, Path]:
    """The checked configuration and the YAML file it came from.

    `overrides` is the flat KEY VALUE list.

    Raises:
        PoseError: naming the file and line, or the override, that is wrong, and what would be right.
    """
    options = options or Options()
    path = find_config(cfg)
    tree = as_dict(Config())
    settings = read_yaml(path)
    older = config_older.is_older(settings)
    for setting in config_older.converted(settings, path) if older else settings:
        assign(tree, setting, open_extra=True)
    for setting in _pair_up(overrides):
        _refuse_doubles(setting.key, options)
        assign(tree, setting, open_extra=False)
    _apply_options(tree, options)
    _join_paths(tree, "COCO_BBOX_FILE" if older else "MODEL_FILE")
    config = _freeze(Config, tree)
    check(config, path)
    return config, path


def _pair_up(overrides: tuple[str, ...]) -> tuple[Setting, ...]:
    """The flat KEY VALUE list as settings."""
    if len(overrides) % 2:
        raise PoseError(
            f"{overrides[-1]}: a value is missing; overrides are pairs of KEY VALUE",
            f"{overrides[-1]} VALUE; a value with blanks needs quotes",
        )
    pairs = zip(overrides[::2], overrides[1::2], strict=True)
    return tuple(Setting(key, value, Origin("command line")) for key, value in pairs)


def as_dict(section: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the dataclasses above, or Extra
    """A nested plain dict, as JSON and YAML can hold it."""
    if isinstance(section, Extra):
        return {key: as_dict(value) if isinstance(value, Extra) else value for key, value in section.items()}
    values = {item.name: getattr(section, item.name) for item in fields(section)}
    return {
        key: as_dict(value) if is_dataclass(value) or isinstance(value, Extra) else value
        for key, value in values.items()
    }


def known_keys() -> frozenset[str]:
    """Every dotted key of the tree, sections included."""
    return frozenset(_dotted(as_dict(Config()), ""))


def _dotted(tree: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in tree.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{key}.")


def _refuse_doubles(key: str, options: Options) -> None:
    for option, given, its_key in (
        ("--data", options.data, "DATASET.ROOT"),
        ("--output", options.output, "OUTPUT_DIR"),
    ):
        if given is not None and key == its_key:
            raise PoseError(f"{option} and {key} both say where: {option} sets {key}", "give one of the two")


def _apply_options(tree: dict[str, Any], options: Options) -> None:
    if options.output is not None and options.model_dir is not None:
        raise PoseError("--output and --modelDir both set OUTPUT_DIR", "give one of the two")
    given = {
        "OUTPUT_DIR": options.output if options.output is not None else options.model_dir,
        "LOG_DIR": options.log_dir,
        "DATA_DIR": options.data_dir,
    }
    tree.update({key: value for key, value in given.items() if value is not None})
    if options.data is not None:  # typed by a person: as it stands, whatever DATA_DIR says
        tree["DATASET"]["ROOT"] = str(Path(options.data).absolute())


def _join_paths(tree: dict[str, Any], of_test: str) -> None:
    """Puts DATA_DIR before ROOT, PRETRAINED and one key of the TEST section.

    The public implementation also joins an empty PRETRAINED, which makes a folder of "no weights"; not here.
    """
    base = tree["DATA_DIR"]
    tree["DATASET"]["ROOT"] = os.path.join(base, tree["DATASET"]["ROOT"])  # noqa: PTH118 - '' must stay ''
    for section, key in (("MODEL", "PRETRAINED"), ("TEST", of_test)):
        if tree[section][key]:
            tree[section][key] = os.path.join(base, tree[section][key])  # noqa: PTH118 - as written


def _freeze(kind: Any, tree: Mapping[str, Any]) -> Any:  # noqa: ANN401 - one of the dataclasses above
    return kind(**{item.name: _frozen(item.default_factory, tree[item.name]) for item in fields(kind)})


def _frozen(section: object, value: Any) -> Any:  # noqa: ANN401 - a section's dict, or a value
    if section is Extra:
        return Extra(value)
    return _freeze(section, value) if is_dataclass(section) else value
