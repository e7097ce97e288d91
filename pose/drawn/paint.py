"""People painted onto a canvas, far parts first, and which of their joints can be seen there.

Poses come from figure.py, scenes are composed in synth.py. What tells left from right is what tells it
in a photograph: faces, hair, toes, shirt fronts, and which limb covers which. No colour belongs to a
side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pose.data.joints import COCO
from pose.drawn.canvas import SKINS, Brush, Canvas, Colour, Place, sample_colour, toned
from pose.drawn.figure import SIDES, Figure, Side
from pose.drawn.head import paint_head

Step = tuple[float, Callable[[], None]]  # depth, and what to paint there

_LIMBS = ("upper_arm", "forearm", "hand", "thigh", "shin", "foot")
_PARTS = ("torso", "hips", "neck", "head", "hair", *(f"{side}_{limb}" for side in SIDES for limb in _LIMBS))
PART = {name: number for number, name in enumerate(_PARTS, start=1)}
# Depths of limbs against the trunk's, so that a body that stands straight is dressed as people are.
OVER_THE_SHIRT, UNDER_THE_SHIRT = 0.02, 0.03
MEETING = {
    "shoulder": ("upper_arm",),
    "elbow": ("upper_arm", "forearm"),
    "wrist": ("forearm", "hand"),
    "hip": ("thigh",),
    "knee": ("thigh", "shin"),
    "ankle": ("shin", "foot"),
}
HAIRS: tuple[Colour, ...] = (
    *((24, 22, 22), (34, 40, 54), (44, 62, 92), (70, 104, 150), (110, 160, 205), (52, 78, 160)),
    (150, 150, 152),
)


@dataclass(frozen=True)
class Look:
    """What one person wears and how the hair falls."""

    skin: Colour
    hair: Colour
    top: Colour
    bottom: Colour
    shoes: Colour
    accent: Colour  # prints, stripes, hats, bags
    sleeves: Literal["long", "short", "none"]
    legs: Literal["long", "short", "skirt"]
    pattern: Literal["plain", "stripes", "print", "zip"]
    haircut: Literal["bald", "short", "long"]
    hat: bool
    backpack: bool
    looseness: float  # the clothes' thickness over the body's


def sample_look(draw: np.random.Generator) -> Look:
    """Anything that people wear."""

    def shade(colour: Colour) -> Colour:
        return toned(colour, draw.uniform(0.88, 1.12))

    return Look(
        skin=shade(SKINS[int(draw.integers(len(SKINS)))]),
        hair=shade(HAIRS[int(draw.integers(len(HAIRS)))]),
        top=sample_colour(draw),
        bottom=sample_colour(draw),
        shoes=sample_colour(draw),
        accent=sample_colour(draw),
        sleeves=draw.choice(["long", "short", "none"], p=[0.45, 0.42, 0.13]),
        legs=draw.choice(["long", "short", "skirt"], p=[0.62, 0.26, 0.12]),
        pattern=draw.choice(["plain", "stripes", "print", "zip"], p=[0.4, 0.2, 0.2, 0.2]),
        haircut=draw.choice(["bald", "short", "long"], p=[0.1, 0.55, 0.35]),
        hat=draw.random() < 0.15,
        backpack=draw.random() < 0.12,
        looseness=draw.uniform(1.05, 1.35),
    )


def paint_person(canvas: Canvas, figure: Figure, look: Look, place: Place, person: int) -> None:
    """Paint one figure and note its pixels as `person`'s (1 to 254)."""
    brush = Brush(canvas, figure, place, person)
    trunk = brush.depth("left_hip", "right_hip", "neck")
    steps: list[Step] = [
        (trunk, lambda: _paint_trunk(brush, look)),
        (brush.depth("head"), lambda: _paint_head(brush, look)),
    ]
    for side in SIDES:
        steps += _arm(brush, look, side) + _leg(brush, look, side)
    if look.legs == "skirt":
        steps.append(
            (
                brush.depth("left_hip", "right_hip", "left_knee", "right_knee"),
                lambda: _paint_skirt(brush, look),
            )
        )
    # What hangs on the back comes right before what it covers, or right after.
    seen_from_behind = figure.torso[2, 2] < 0
    if look.haircut == "long":
        covered = (trunk, brush.depth("head"))
        depth = max(covered) + 0.001 if seen_from_behind else min(covered) - 0.001
        steps.append((depth, lambda: _paint_long_hair(brush, look)))
    if look.backpack:
        depth = trunk + 0.001 if seen_from_behind else trunk - 0.001
        steps.append((depth, lambda: _paint_backpack(brush, look)))
    for _, paint in sorted(steps, key=lambda step: step[0]):
        paint()


def visible_joints(
    canvas: Canvas, figure: Figure, place: Place, person: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """COCO's joints (17, 2) in pixels and their visibility (17,): 0 outside, 1 hidden, 2 seen."""
    height, width = canvas.owner.shape[:2]
    pixels = place.project(np.array([figure.points[name] for name in COCO.names]))
    seen = np.zeros(len(COCO.names), dtype=np.int64)
    for joint, (x, y) in enumerate(np.rint(pixels).astype(int).tolist()):
        if 0 <= x < width and 0 <= y < height:
            around = canvas.owner[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, 2)
            showing = _parts_showing(figure, COCO.names[joint])
            seen[joint] = 2 if any(who == person and part in showing for who, part in around.tolist()) else 1
    return pixels, seen


def _parts_showing(figure: Figure, joint: str) -> set[int]:
    """The parts on which a joint can be seen: those that meet in it, unless it is on their far side."""
    side, _, kind = joint.partition("_")
    depth = figure.points[joint][2]
    if kind not in MEETING:  # nose, eyes, ears
        before = depth - figure.points["head"][2]
        return {PART["head"]} if before > (-0.4 if kind == "ear" else 0.1) * figure.build.head else set()
    parts = {PART[f"{side}_{limb}"] for limb in MEETING[kind]}
    if kind in {"shoulder", "hip"}:
        middle = figure.points["neck" if kind == "shoulder" else "pelvis"][2]
        return parts if depth < middle - 0.05 else parts | {PART["torso"], PART["hips"]}
    return parts


def _arm(brush: Brush, look: Look, side: Side) -> list[Step]:
    joints, girth = brush.figure.points, brush.figure.build.girth
    shoulder, elbow, wrist, hand = (
        joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand")
    )
    bare, sleeved = (look.skin, girth), (look.top, girth * look.looseness)
    upper, upper_girth = bare if look.sleeves == "none" else sleeved
    lower, lower_girth = sleeved if look.sleeves == "long" else bare

    def upper_arm() -> None:
        radii = (0.031 * upper_girth, 0.025 * upper_girth)
        brush.limb(shoulder, elbow, radii, upper, PART[f"{side}_upper_arm"])

    def forearm() -> None:
        brush.limb(wrist, hand, (0.017 * girth, 0.020 * girth), look.skin, PART[f"{side}_hand"])
        brush.limb(elbow, wrist, (0.025 * lower_girth, 0.018 * lower_girth), lower, PART[f"{side}_forearm"])

    return [
        (brush.depth(f"{side}_shoulder", f"{side}_elbow") + OVER_THE_SHIRT, upper_arm),
        (brush.depth(f"{side}_elbow", f"{side}_wrist") + OVER_THE_SHIRT, forearm),
    ]


def _leg(brush: Brush, look: Look, side: Side) -> list[Step]:
    joints, girth = brush.figure.points, brush.figure.build.girth
    hip, knee, ankle, heel, toe = (
        joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "heel", "toe")
    )
    bare, clothed = (look.skin, girth), (look.bottom, girth * (1 + look.looseness) / 2)
    upper, upper_girth = bare if look.legs == "skirt" else clothed
    lower, lower_girth = clothed if look.legs == "long" else bare

    def thigh() -> None:
        brush.limb(hip, knee, (0.050 * upper_girth, 0.036 * upper_girth), upper, PART[f"{side}_thigh"])

    def shin() -> None:
        brush.limb(heel, toe, (0.022, 0.017), look.shoes, PART[f"{side}_foot"])
        brush.limb(knee, ankle, (0.035 * lower_girth, 0.022 * lower_girth), lower, PART[f"{side}_shin"])

    return [
        (brush.depth(f"{side}_hip", f"{side}_knee") - UNDER_THE_SHIRT, thigh),
        (brush.depth(f"{side}_knee", f"{side}_ankle") - UNDER_THE_SHIRT, shin),
    ]


def _paint_skirt(brush: Brush, look: Look) -> None:
    joints, width = brush.figure.points, 0.052 * brush.figure.build.girth
    hips = [joints[f"{side}_hip"] for side in SIDES]
    hems = [hip + (joints[f"{side}_knee"] - hip) * 0.62 for side, hip in zip(SIDES, hips, strict=True)]
    brush.block([(point, width) for point in hips + hems], look.bottom, PART["hips"])


def _paint_trunk(brush: Brush, look: Look) -> None:
    """Hips and trunk, and the shirt's markings: the front shows other ones than the back."""
    joints, girth = brush.figure.points, brush.figure.build.girth
    left, down, ahead = brush.figure.torso.T
    thick = 0.030 + 0.022 * girth
    hips = [joints["left_hip"], joints["right_hip"]]
    shoulders = [joints["left_shoulder"], joints["right_shoulder"]]
    belt = [hip - down * 0.045 for hip in hips]
    chest = joints["neck"] + down * 0.07
    waist = joints["pelvis"] - down * 0.05
    brush.block([*((hip, 0.050 * girth) for hip in hips), (waist, thick)], look.bottom, PART["hips"])
    depth_of_chest = [(chest + ahead * 0.035, 0.045), (chest - ahead * 0.025, 0.045)]
    corners = [(shoulder, 0.036 * look.looseness) for shoulder in shoulders] + [(end, thick) for end in belt]
    brush.block(corners + depth_of_chest, look.top, PART["torso"])

    if look.pattern == "stripes":
        for share in (0.15, 0.35, 0.55, 0.75):
            a, b = (top + (end - top) * share for top, end in zip(shoulders, belt, strict=True))
            brush.patch(np.array([a, b, b + down * 0.022, a + down * 0.022]), look.accent)
    if ahead[2] > 0.25:  # the front is in sight
        front, neck = chest + ahead * 0.08, joints["neck"]
        collar = [neck + left * 0.032, neck - left * 0.032, chest + ahead * 0.07 - down * 0.03]
        brush.patch(np.array(collar), look.skin)
        if look.pattern == "print":
            corners = [front + left * x + down * y for x in (-0.045, 0.045) for y in (0.01, 0.08)]
            brush.patch(np.array(corners), look.accent)
        if look.pattern == "zip":
            bottom = joints["pelvis"] - down * 0.04 + ahead * 0.07
            ends = [end + left * x for end in (front, bottom) for x in (-0.007, 0.007)]
            brush.patch(np.array(ends), look.accent)


def _paint_head(brush: Brush, look: Look) -> None:
    joints = brush.figure.points
    brush.limb(joints["neck"], joints["head"], (0.029, 0.027), look.skin, PART["neck"])
    hair = None if look.haircut == "bald" else look.hair
    hat = look.accent if look.hat else None
    paint_head(brush, look.skin, hair, hat, part=PART["head"], hat_part=PART["hair"])


def _paint_long_hair(brush: Brush, look: Look) -> None:
    figure = brush.figure
    top = figure.points["head"] + figure.head @ (0, 0.5, -0.75) * figure.build.head
    bottom = figure.points["neck"] + figure.torso @ (0, 0.09, -0.055)
    brush.limb(top, bottom, (figure.build.head * 1.05, 0.045), look.hair, PART["hair"])


def _paint_backpack(brush: Brush, look: Look) -> None:
    figure = brush.figure
    middle = (figure.points["neck"] + figure.points["pelvis"]) / 2
    corners = [middle + figure.torso @ (x, y, -0.09) for x in (-0.055, 0.055) for y in (-0.13, 0.07)]
    brush.block([(corner, 0.035) for corner in corners], look.accent, PART["torso"])
