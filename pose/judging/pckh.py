"""MPII's measure, PCKh: the share of joints that are found within half a head's length of the truth.

Reads the truth's .mat file, writes pred.mat, and is the only file that imports scipy, which does both. Pixels
count from 1 in .mat files and in everything here.

*Source:* formula, table and its quirk as leoxiaobin/deep-high-resolution-net.pytorch@6f69e46 has them.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose.data.mpii import Truth
from pose.errors import FAILED, PoseError
from pose.writing import replacing

HEAD_SHARE = 0.6  # of the head box's diagonal: what MPII calls the length of a head
NEAR = 0.5  # heads
# Printed as Mean@0.1: the public implementation takes the twelfth of the thresholds 0, 0.01, 0.02 ...
VERY_NEAR = 0.11
NOBODY = -1.0  # where no one shows the joint: COCO's way to say so
ROWS = {
    "Head": (9,),
    "Shoulder": (12, 13),
    "Elbow": (11, 14),
    "Wrist": (10, 15),
    "Hip": (2, 3),
    "Knee": (1, 4),
    "Ankle": (0, 5),
}
# What the rows' joints are called in the truth's file; pelvis, thorax and neck are in no row.
CALLED = {
    0: "rank",
    1: "rkne",
    2: "rhip",
    3: "lhip",
    4: "lkne",
    5: "lank",
    9: "head",
    10: "rwri",
    11: "relb",
    12: "rsho",
    13: "lsho",
    14: "lelb",
    15: "lwri",
}
MEANT = np.array(
    [joint not in {6, 7} for joint in range(16)]
)  # pelvis and thorax are not in the means either
MAT_TITLE = b"MATLAB 5.0 MAT-file".ljust(116)
KEYS = ("dataset_joints", "jnt_missing", "pos_gt_src", "headboxes_src")
LARGEST_FILE = 64 * 2**20  # bytes; of 2958 people it is one million
FETCH = "it belongs into annot/ beside the lists; fetch it again"


def read_truth(file: Path, people: int) -> Truth:
    """What gt_<set>.mat says of that many people.

    Raises:
        PoseError: naming file and variable, where it is not MPII's, of another set, or not to be read.
    """
    held = _load(file, people)
    names = [str(np.asarray(name).squeeze()).strip()[:20] for name in held["dataset_joints"].reshape(-1)]
    for joint, name in CALLED.items():
        if names[joint] != name:
            raise PoseError(
                f"{file}: dataset_joints calls joint {joint + 1} {names[joint]!r}, not {name}", FETCH
            )
    for key in KEYS[1:]:
        if held[key].dtype.kind not in "biuf":
            raise PoseError(f"{file}: {key} holds something other than numbers", FETCH)
    missing = held["jnt_missing"].T
    if not np.isin(missing, (0, 1)).all():
        raise PoseError(f"{file}: jnt_missing holds numbers other than 0 and 1", FETCH)
    present = missing == 0
    joints = held["pos_gt_src"].astype(np.float64).transpose(2, 0, 1)
    corners = held["headboxes_src"].astype(np.float64)
    for key, used in (("pos_gt_src", joints[present]), ("headboxes_src", corners)):
        if not np.isfinite(used).all():
            raise PoseError(f"{file}: {key} holds a number that is not finite", FETCH)
    if not present[:, MEANT].any():
        raise PoseError(f"{file}: jnt_missing says that no joint of anybody is there", FETCH)
    return Truth(joints, present, HEAD_SHARE * np.linalg.norm(corners[1] - corners[0], axis=0))


def pckh(truth: Truth, found: NDArray[np.floating]) -> dict[str, float]:
    """The published table's numbers, 0 to 100, for joints (N, 16, 2) from 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        heads_away = np.linalg.norm(found - truth.joints, axis=2) / truth.heads[:, None]
    people = truth.present.sum(axis=0)

    def hits(threshold: float) -> NDArray[np.int64]:
        return ((heads_away <= threshold) & truth.present).sum(axis=0)

    def mean(threshold: float) -> float:
        return 100.0 * float(hits(threshold)[MEANT].sum() / people[MEANT].sum())

    near = hits(NEAR)
    rows = {
        name: [100.0 * float(near[joint] / people[joint]) for joint in joints if people[joint]]
        for name, joints in ROWS.items()
    }
    return {
        **{name: sum(sides) / len(sides) if sides else NOBODY for name, sides in rows.items()},
        "Mean": mean(NEAR),
        "Mean@0.1": mean(VERY_NEAR),
    }


def write_found(path: Path, found: NDArray[np.floating]) -> None:
    """`preds` (N, 16, 2) from 1, whole or not at all."""
    with replacing(path) as partial:
        scipy_io().savemat(str(partial), {"preds": found}, appendmat=False)
        with partial.open("r+b") as file:  # scipy writes the time there: the same numbers are the same bytes
            file.write(MAT_TITLE)


def scipy_io() -> ModuleType:
    """Scipy's reader and writer of .mat files; asked for early, environments of older recipes lack it."""
    try:
        from scipy import io  # noqa: PLC0415 - COCO needs none
    except ImportError as error:
        raise PoseError(
            f"MPII's .mat files need scipy, which cannot be loaded: {error}",
            "pip install 'envcheck[pose]' has it",
            FAILED,
        ) from None
    return io


def _load(file: Path, people: int) -> dict[str, NDArray[Any]]:
    """The file's four variables, once its own list of them says that they have the right shapes."""
    io = scipy_io()
    try:
        size = file.stat().st_size
    except OSError as error:
        what = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise PoseError(f"the truth {file} {what}", FETCH) from None
    if size > LARGEST_FILE:
        raise PoseError(f"{file} has {size} bytes, too many for MPII's truth", FETCH)
    shapes: dict[str, tuple[int, ...]] = {"dataset_joints": (1, 16), "jnt_missing": (16, people)}
    shapes |= {"pos_gt_src": (16, 2, people), "headboxes_src": (2, 2, people)}
    try:
        told = {name: shape for name, shape, _ in io.whosmat(str(file), appendmat=False)}
        _compare(file, told, shapes)
        held = io.loadmat(str(file), appendmat=False, variable_names=KEYS)
        return {key: np.asarray(held[key]).reshape(shapes[key]) for key in KEYS}
    except PoseError:
        raise
    except Exception as error:  # noqa: BLE001 - scipy raises anything on hostile or random bytes
        said = " ".join(str(error).split()) or type(error).__name__
        raise PoseError(
            f"{file} cannot be read as a .mat file: {said}", f"{FETCH}; MATLAB writes it with -v7, not -v7.3"
        ) from None


def _compare(file: Path, told: dict[str, tuple[int, ...]], shapes: dict[str, tuple[int, ...]]) -> None:
    absent = [key for key in KEYS if key not in told]
    if absent:
        raise PoseError(f"{file} has no {', '.join(absent)}", FETCH)
    for key, shape in shapes.items():
        if told[key] == shape:
            continue
        if key in KEYS[1:] and told[key][:-1] == shape[:-1]:
            raise PoseError(
                f"{file} holds the truth of {told[key][-1]} people, the annotation list has {shape[-1]}",
                "both must be of the same set",
            )
        raise PoseError(f"{file}: {key} is {told[key]}, {shape} was expected", FETCH)
