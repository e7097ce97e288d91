"""What one kind of skeleton calls its joints, and what follows from the names.

COCO's seventeen and MPII's sixteen are constants; a dataset's own joints get theirs from the annotation
file's names. Knows nothing about files, people or pixels.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "right", "middle"]


@dataclass(frozen=True)
class Joints:
    """One kind of skeleton; all numbers are positions in `names`."""

    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]  # (left, right): what changes places in a mirror
    sigmas: tuple[float, ...]  # how far annotators disagree, as a share of the person's size; OKS's alone
    skeleton: tuple[tuple[int, int], ...]
    upper_body: tuple[int, ...]  # empty where the names do not tell: then no half body is cut out
    weights: tuple[float, ...]  # what USE_DIFFERENT_JOINTS_WEIGHT looks at: far joints are harder

    def side(self, joint: int) -> Side:
        """Whose it is, as the person has it."""
        lefts, rights = ([pair[which] for pair in self.flip_pairs] for which in (0, 1))
        return "left" if joint in lefts else "right" if joint in rights else "middle"


COCO = Joints(
    names=(
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
        *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    flip_pairs=tuple((left, left + 1) for left in range(1, 17, 2)),
    # Source: COCO's keypoint evaluation page; the same values stand in pycocotools.
    sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
    skeleton=(
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
        *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
    ),
    upper_body=tuple(range(11)),
    weights=(1.0,) * 7 + (1.2, 1.2, 1.5, 1.5, 1.0, 1.0, 1.2, 1.2, 1.5, 1.5),
)
# Source: the order of the public annotation lists, and what mirrors and halves the body in
# leoxiaobin/deep-high-resolution-net.pytorch@6f69e46; the limbs are ours.
MPII = Joints(
    names=(
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("pelvis", "thorax", "upper_neck", "head_top"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    ),
    flip_pairs=((5, 0), (4, 1), (3, 2), (15, 10), (14, 11), (13, 12)),
    sigmas=(),
    skeleton=(
        *((0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9)),
        *((10, 11), (11, 12), (12, 7), (7, 13), (13, 14), (14, 15)),
    ),
    upper_body=tuple(range(7, 16)),
    weights=(1.0,) * 16,  # the public implementation has COCO's alone
)
KNOWN = {"coco": COCO, "mpii": MPII}
# For joints that COCO does not name and whose tolerance nobody gave: the mean of COCO's, 0.067.
USUAL_SIGMA = sum(COCO.sigmas) / len(COCO.sigmas)

UPPER_WORDS = frozenset(("head", "nose", "eye", "ear", "neck", "shoulder", "elbow", "wrist", "hand"))
WEIGHT_OF_WORD = {"elbow": 1.2, "knee": 1.2, "wrist": 1.5, "ankle": 1.5}
# Whole words, or grown together with the rest: leftshoulder, lshoulder, shoulderleft.
SIDES: dict[str, Side] = {"left": "left", "l": "left", "right": "right", "r": "right"}
GROWN = (r"(?P<side>left|right|l|r)(?P<rest>.+)", r"(?P<rest>.+)(?P<side>left|right)")


def joints_named(
    names: Sequence[str],
    skeleton: Sequence[tuple[int, int]] = (),
    sigmas: Sequence[float] = (),
) -> Joints:
    """The joints of these names; COCO's own names are COCO's joints, short of given `sigmas`."""
    if tuple(names) == COCO.names:
        return dataclasses.replace(COCO, sigmas=tuple(sigmas)) if sigmas else COCO
    known = dict(zip(COCO.names, COCO.sigmas, strict=True))
    pairs = _flip_pairs(names)
    paired = {joint for pair in pairs for joint in pair}
    words = [
        frozenset(_sided(name)[1] if position in paired else _words(name))
        for position, name in enumerate(names)
    ]
    return Joints(
        names=tuple(names),
        flip_pairs=pairs,
        sigmas=tuple(sigmas) or tuple(known.get(name, USUAL_SIGMA) for name in names),
        skeleton=tuple(skeleton),
        upper_body=tuple(position for position, of in enumerate(words) if of & UPPER_WORDS),
        weights=tuple(max((WEIGHT_OF_WORD.get(word, 1.0) for word in of), default=1.0) for of in words),
    )


def joints_of(dataset: str, count: int) -> Joints:
    """What a network finds that learnt so many joints of that kind of dataset.

    Joints of one's own are named in their annotation file alone: here they have numbers, and neither sides
    nor limbs.
    """
    known = KNOWN[dataset]
    return known if len(known.names) == count else joints_named([f"joint_{n + 1}" for n in range(count)])


def without_sigma(joints: Joints) -> tuple[str, ...]:
    """The joints whose tolerance COCO does not know."""
    return tuple(name for name in joints.names if name not in COCO.names)


def without_partner(joints: Joints) -> tuple[str, ...]:
    """The joints whose names say a side, while no other differs from them in that alone."""
    paired = {joint for pair in joints.flip_pairs for joint in pair}
    return tuple(
        name
        for position, name in enumerate(joints.names)
        if position not in paired and not SIDES.keys().isdisjoint(_words(name))
    )


def _words(name: str) -> tuple[str, ...]:
    """In small letters: what spaces, signs, digits and a capital within a word part; numbers are words."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(re.findall(r"[^\W\d_]+|\d+", parted.lower()))


def _sided(name: str) -> tuple[Side, tuple[str, ...]]:
    """The side that the name says, and its words without it, "" in the place of a side that is a word."""
    words = _words(name)
    said = [SIDES[word] for word in words if word in SIDES]
    if said:
        return said[0], tuple("" if word in SIDES else word for word in words)
    for pattern, at in zip(GROWN, (0, -1), strict=True):
        match = re.fullmatch(pattern, words[at]) if words else None
        if match:
            rest = (match["rest"], *words[1:]) if at == 0 else (*words[:-1], match["rest"])
            return SIDES[match["side"]], rest
    return "middle", words


def _flip_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    sided = [_sided(name) for name in names]
    rights = {rest: position for position, (side, rest) in enumerate(sided) if side == "right"}
    pairs = []
    for left, (side, rest) in enumerate(sided):
        if side == "left" and rest in rights:
            pairs.append((left, rights.pop(rest)))
    return tuple(pairs)
