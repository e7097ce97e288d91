"""The public implementation's published figures, and whether a run may be held against them.

A config is known by its values, not by its file's name: network, size of the crops, joints and dataset. What
else moves the figures are the conditions of the published tests. Knows nothing about files or networks.

*Source:* the README of leoxiaobin/deep-high-resolution-net.pytorch@6f69e46, and for MPII at 384x384 that of
microsoft/human-pose-estimation.pytorch@49f3f44.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose.command.config import Config, as_dict

COCO_METRICS = ("AP", "Ap .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")
MPII_METRICS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1")

# (network, height, width) -> the figures in the order of the metrics above.
COCO = {
    ("ResNet-50", 256, 192): (0.704, 0.886, 0.783, 0.671, 0.772, 0.763, 0.929, 0.834, 0.721, 0.824),
    ("ResNet-50", 384, 288): (0.722, 0.893, 0.789, 0.681, 0.797, 0.776, 0.932, 0.838, 0.728, 0.846),
    ("ResNet-101", 256, 192): (0.714, 0.893, 0.793, 0.681, 0.781, 0.771, 0.934, 0.840, 0.730, 0.832),
    ("ResNet-101", 384, 288): (0.736, 0.896, 0.803, 0.699, 0.811, 0.791, 0.936, 0.851, 0.745, 0.858),
    ("ResNet-152", 256, 192): (0.720, 0.893, 0.798, 0.687, 0.789, 0.778, 0.934, 0.846, 0.736, 0.839),
    ("ResNet-152", 384, 288): (0.743, 0.896, 0.811, 0.705, 0.816, 0.797, 0.937, 0.858, 0.751, 0.863),
    ("HRNet-W32", 256, 192): (0.744, 0.905, 0.819, 0.708, 0.810, 0.798, 0.942, 0.865, 0.757, 0.858),
    ("HRNet-W32", 384, 288): (0.758, 0.906, 0.825, 0.720, 0.827, 0.809, 0.943, 0.869, 0.767, 0.871),
    ("HRNet-W48", 256, 192): (0.751, 0.906, 0.822, 0.715, 0.818, 0.804, 0.943, 0.867, 0.762, 0.864),
    ("HRNet-W48", 384, 288): (0.763, 0.908, 0.829, 0.723, 0.834, 0.812, 0.942, 0.871, 0.767, 0.876),
}
MPII = {
    ("ResNet-50", 256, 256): (96.4, 95.3, 89.0, 83.2, 88.4, 84.0, 79.6, 88.5, 34.0),
    ("ResNet-101", 256, 256): (96.9, 95.9, 89.5, 84.4, 88.4, 84.5, 80.7, 89.1, 34.0),
    ("ResNet-152", 256, 256): (97.0, 95.9, 90.0, 85.0, 89.2, 85.3, 81.3, 89.6, 35.0),
    ("HRNet-W32", 256, 256): (97.1, 95.9, 90.3, 86.4, 89.1, 87.1, 83.3, 90.3, 37.7),
}
MPII_LARGE = {  # of which only the two means are known
    ("ResNet-50", 384, 384): (89.066, 38.046),
    ("ResNet-101", 384, 384): (90.003, 38.860),
    ("ResNet-152", 384, 384): (90.200, 39.433),
}

DETECTIONS = "COCO_val2017_detections_AP_H_56_person.json"
COCO_PICTURES = 5000  # of val2017
MARK = " *"  # behind a row that is not comparable, and before the note that says why
TRUE_BOXES = "the published figures are with detected boxes; true boxes give about .02 more"


@dataclass(frozen=True)
class Difference:
    """One thing in which a run is not the published test, and the change that would make it so."""

    what: str
    change: str


@dataclass(frozen=True)
class Published:
    """One published row: what it is of, key by key, and under which conditions."""

    name: str
    metrics: Mapping[str, float]
    model: Mapping[str, Any]
    conditions: Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """The published row of a run's config, and what is different about the run."""

    row: Published
    differences: tuple[Difference, ...]

    @property
    def note(self) -> str:
        """One line for the person at the screen."""
        if self.differences:
            return f"* not comparable with {self.row.name} as published: {listed(self.differences)}"
        return f"published: {self.row.name}, under the same conditions"

    def apart(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """How much more each metric is than the published one; of those that both have."""
        return {
            name: metrics[name] - figure
            for name, figure in self.row.metrics.items()
            if metrics.get(name, -1.0) >= 0  # COCO says -1 where there is nobody of that size
        }

    def document(self, metrics: Mapping[str, float]) -> dict[str, Any]:
        """What result.json says."""
        return {
            "name": self.row.name,
            "metrics": dict(self.row.metrics),
            "differences": self.apart(metrics),
            "not_comparable": [difference.what for difference in self.differences],
        }


def known(config: Config, pictures: int | None = None, *, untrained: bool = False) -> Known | None:
    """The published row of this config, or None; `pictures` is how many its TEST_SET has, if counted yet."""
    row, unlike = nearest(config)
    if unlike:
        return None
    found = [*_unlike(config, row.conditions)]
    if config.DATASET.DATASET == "coco" and pictures not in {None, COCO_PICTURES}:
        what = f"the set has {pictures} pictures, COCO's val2017 {COCO_PICTURES}"
        found.append(Difference(what, "--data DIR with all of them"))
    if untrained and not config.TEST.MODEL_FILE:
        found.append(Difference("the weights are random", "TEST.MODEL_FILE FILE instead of --untrained"))
    return Known(row, tuple(found))


def nearest(config: Config) -> tuple[Published, tuple[Difference, ...]]:
    """The row whose model is most like the config's, and in what it is not the same."""
    pairs = [(row, _unlike(config, row.model)) for row in rows()]
    return min(pairs, key=lambda pair: len(pair[1]))


def rows() -> tuple[Published, ...]:
    """Every published row."""
    whole = (
        (COCO, "coco", COCO_METRICS),
        (MPII, "mpii", MPII_METRICS),
        (MPII_LARGE, "mpii", MPII_METRICS[-2:]),
    )
    return tuple(
        _row(network, (width, height), dataset, dict(zip(names, figures, strict=True)))
        for table, dataset, names in whole
        for (network, height, width), figures in table.items()
    )


def listed(differences: tuple[Difference, ...]) -> str:
    """All of them in one sentence's part."""
    return ", ".join(difference.what for difference in differences)


def _row(network: str, size: tuple[int, int], dataset: str, metrics: Mapping[str, float]) -> Published:
    is_coco = dataset == "coco"
    kind, _, number = network.partition("-")
    is_resnet = kind == "ResNet"
    model = {
        "MODEL.NAME": "pose_resnet" if is_resnet else "pose_hrnet",
        "DATASET.DATASET": dataset,
        "MODEL.NUM_JOINTS": 17 if is_coco else 16,
        "MODEL.IMAGE_SIZE": size,
        **(_resnet(int(number)) if is_resnet else _hrnet(int(number.removeprefix("W")))),
    }
    conditions: dict[str, Any] = {
        "DATASET.TEST_SET": "val2017" if is_coco else "valid",
        "DATASET.COLOR_RGB": not is_resnet,
        "TEST.FLIP_TEST": True,
        "TEST.POST_PROCESS": True,
        "TEST.SHIFT_HEATMAP": True,
    }
    if is_coco:
        conditions |= {
            "TEST.USE_GT_BBOX": False,
            "TEST.COCO_BBOX_FILE": DETECTIONS,
            "TEST.IMAGE_THRE": 0.0,
            "TEST.IN_VIS_THRE": 0.2,
            "TEST.OKS_THRE": 0.9,
            "TEST.SOFT_NMS": False,
            "TEST.OKS_SIGMAS": (),
        }
    where = "COCO val2017" if is_coco else "MPII's validation set"
    return Published(f"{network} at {size[1]}x{size[0]} on {where}", metrics, model, conditions)


def _resnet(layers: int) -> dict[str, Any]:
    return {
        "MODEL.EXTRA.NUM_LAYERS": layers,
        "MODEL.EXTRA.NUM_DECONV_LAYERS": 3,
        "MODEL.EXTRA.NUM_DECONV_FILTERS": (256, 256, 256),
        "MODEL.EXTRA.NUM_DECONV_KERNELS": (4, 4, 4),
        "MODEL.EXTRA.DECONV_WITH_BIAS": False,
        "MODEL.EXTRA.FINAL_CONV_KERNEL": 1,
    }


def _hrnet(width: int) -> dict[str, Any]:
    keys: dict[str, Any] = {"MODEL.EXTRA.FINAL_CONV_KERNEL": 1}
    for branches, modules in ((2, 1), (3, 4), (4, 3)):
        stage = f"MODEL.EXTRA.STAGE{branches}"
        keys |= {
            f"{stage}.NUM_MODULES": modules,
            f"{stage}.NUM_BLOCKS": (4,) * branches,
            f"{stage}.NUM_CHANNELS": tuple(width * 2**branch for branch in range(branches)),
        }
    return keys


def _unlike(config: Config, wanted: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The keys whose value is another one."""
    tree = as_dict(config)
    return tuple(
        _difference(key, _value(tree, key), right)
        for key, right in wanted.items()
        if _judged(key, _value(tree, key)) != right
    )


def _value(tree: Any, key: str) -> Any:  # noqa: ANN401 - any of a config's values
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _judged(key: str, value: Any) -> Any:  # noqa: ANN401 - as above
    """Of the detector's file the name counts, wherever it lies."""
    return Path(value).name if key == "TEST.COCO_BBOX_FILE" else value


def _difference(key: str, value: Any, right: Any) -> Difference:  # noqa: ANN401 - as above
    remark = f"; {TRUE_BOXES}" if key == "TEST.USE_GT_BBOX" else ""
    if key == "TEST.COCO_BBOX_FILE":
        right = str(Path(value).parent / right)
    return Difference(
        f"{key} is {value!r} (published: {right!r}{remark})", f"{key} {shlex.quote(str(right))}"
    )
