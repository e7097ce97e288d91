"""A jointed body in three dimensions: its proportions, its range of poses, and where its points are.

Knows no colours and no pixels (paint.py does). Lengths are shares of the standing height, angles
degrees. The viewer's frame: x to the right, y down, z towards the viewer; a body with yaw 0 faces the
viewer, so that its left side is at positive x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
Range = tuple[float, float]
Matrix = NDArray[np.float64]
Point = NDArray[np.float64]


@dataclass(frozen=True)
class Build:
    """Proportions of one person, as shares of the standing height."""

    shoulder: float  # half the distance between the shoulder joints
    hip: float
    torso: float
    neck: float
    head: float  # half the head's width
    upper_arm: float
    forearm: float
    thigh: float
    shin: float
    girth: float  # limb thickness, 1 = average


@dataclass(frozen=True)
class Figure:
    """One posed body: named points (3,) in the viewer's frame, and the frames of head and torso."""

    build: Build
    points: dict[str, Point]
    head: Matrix
    torso: Matrix


# A person at rest, and what each pose changes. A trailing 1 or 2 means one side and the other, which
# side is first being drawn anew each time; without it both sides draw from the range on their own.
REST: dict[str, Range] = {
    "lean": (-4, 12),  # torso forward
    "tilt": (-7, 7),  # torso sideways
    "twist": (-14, 14),  # shoulders against hips
    "turn": (-45, 45),  # head sideways
    "nod": (-15, 20),  # head down
    "raise": (-20, 30),  # upper arm forward, 180 is up
    "spread": (4, 24),  # upper arm sideways
    "inward": (-10, 50),  # forearm's plane turned towards the body
    "elbow": (5, 55),
    "swing": (-8, 14),  # thigh forward
    "straddle": (0, 10),  # thigh sideways
    "outward": (0, 25),  # knee and toes turned out
    "knee": (0, 14),
}
POSES: dict[str, Mapping[str, Range]] = {
    "standing": {},
    "walking": (
        {"swing1": (12, 38), "knee1": (5, 30), "swing2": (-28, -6), "knee2": (5, 55)}
        | {"raise1": (-35, -8), "raise2": (8, 40), "elbow": (10, 60)}
    ),
    "running": (
        {"swing1": (35, 85), "knee1": (50, 110), "swing2": (-35, 0), "knee2": (15, 80), "lean": (5, 25)}
        | {"raise1": (-60, -20), "raise2": (10, 60), "elbow": (70, 115)}
    ),
    "arms up": {"raise": (115, 178), "spread": (0, 35), "elbow": (0, 75), "inward": (-40, 40)},
    "waving": {"spread1": (70, 150), "inward1": (-110, -60), "elbow1": (15, 115)},
    "hands on hips": {"spread": (35, 60), "inward": (70, 100), "elbow": (75, 110)},
    "reaching": {"raise1": (55, 115), "elbow1": (0, 45), "spread1": (-15, 40)},
    "arms wide": {"spread": (60, 120), "elbow": (0, 60), "inward": (-90, 60)},
    "sitting": (
        {"swing": (65, 100), "knee": (55, 105), "straddle": (0, 22), "lean": (-12, 28)}
        | {"raise": (5, 55), "elbow": (30, 95)}
    ),
    "bending": {"lean": (38, 92), "knee": (0, 35), "raise": (15, 105), "nod": (-35, 20)},
    "squatting": (
        {"swing": (80, 125), "knee": (90, 140), "lean": (18, 50), "straddle": (5, 35)} | {"raise": (20, 95)}
    ),
    "kneeling": {"swing1": (70, 100), "knee1": (70, 105), "swing2": (-12, 15), "knee2": (75, 115)},
    "kicking": {"swing1": (35, 100), "knee1": (0, 50), "lean": (-25, 8), "spread": (15, 75)},
    "free": (
        {"lean": (-15, 60), "tilt": (-22, 22), "twist": (-35, 35), "turn": (-70, 70), "nod": (-30, 30)}
        | {"raise": (-55, 175), "spread": (0, 110), "inward": (-90, 90), "elbow": (0, 135)}
        | {"swing": (-30, 105), "straddle": (0, 45), "outward": (-15, 45), "knee": (0, 125)}
    ),
}
# How often each pose is drawn, against the others: people mostly stand and walk.
HOW_OFTEN: dict[str, float] = (
    {"standing": 3, "walking": 3, "waving": 2, "hands on hips": 2, "reaching": 2, "arms wide": 2}
    | {"arms up": 2, "running": 1, "kicking": 1, "sitting": 1, "bending": 0.6, "squatting": 0.5}
    | {"kneeling": 0.5, "free": 0.8}
)
# Head points as shares of half the head's width, in the head's own frame.
HEAD_POINTS: dict[str, tuple[float, float, float]] = {
    "nose": (0.0, 0.16, 1.08),
    "left_eye": (0.38, -0.14, 0.90),
    "right_eye": (-0.38, -0.14, 0.90),
    "left_ear": (0.98, 0.06, -0.05),
    "right_ear": (-0.98, 0.06, -0.05),
}
HEAD_HEIGHT = 1.28  # half the head's height over half its width


def sample_build(draw: np.random.Generator) -> Build:
    """A grown-up of any build, or now and then a child: larger head, shorter limbs."""
    child = draw.random() < 0.15

    def about(mean: float, spread: float) -> float:
        return mean * (1 + spread * float(np.clip(draw.standard_normal(), -2, 2)))

    return Build(
        shoulder=about(0.108 if child else 0.116, 0.08),
        hip=about(0.064, 0.10),
        torso=about(0.275, 0.05),
        neck=about(0.045, 0.15),
        head=about(0.074 if child else 0.058, 0.06),
        upper_arm=about(0.155 if child else 0.168, 0.06),
        forearm=about(0.132 if child else 0.146, 0.06),
        thigh=about(0.215 if child else 0.238, 0.05),
        shin=about(0.205 if child else 0.230, 0.05),
        girth=about(1.0, 0.13),
    )


def sample_pose(draw: np.random.Generator) -> str:
    """The name of a pose, the everyday ones more often."""
    weights = np.array(list(HOW_OFTEN.values()))
    return str(draw.choice(list(HOW_OFTEN), p=weights / weights.sum()))


def sample_angles(draw: np.random.Generator, pose: str) -> dict[str, float]:
    """Angles of one pose: body-wide ones by name, the limbs' as "<name>.left" and "<name>.right"."""
    first = SIDES[int(draw.integers(2))]
    changes = POSES[pose]
    angles = {}
    for name, rest in REST.items():
        if name in {"lean", "tilt", "twist", "turn", "nod"}:
            angles[name] = float(draw.uniform(*changes.get(name, rest)))
            continue
        for side in SIDES:
            own = changes.get(f"{name}{1 if side == first else 2}", changes.get(name, rest))
            angles[f"{name}.{side}"] = float(draw.uniform(*own))
    return angles


def sample_view(draw: np.random.Generator) -> Matrix:
    """How the body stands to the viewer: facing it, turned by up to a right angle, a little tilted."""
    return _about_z(draw.normal(0, 5)) @ _about_x(draw.normal(-6, 7)) @ _about_y(draw.normal(0, 30))


def pose_figure(build: Build, angles: dict[str, float], view: Matrix) -> Figure:
    """The body's points: the pelvis is the origin, lengths are shares of the standing height."""
    points: dict[str, Point] = {"pelvis": np.zeros(3)}
    torso = view @ _about_y(angles["twist"]) @ _about_z(angles["tilt"]) @ _about_x(-angles["lean"])
    points["neck"] = torso @ (0, -build.torso, 0)
    head = torso @ _about_y(angles["turn"]) @ _about_x(angles["nod"])
    points["head"] = points["neck"] + torso @ (0, -build.neck, 0) + head @ (0, -build.head * 1.15, 0)
    for name, share in HEAD_POINTS.items():
        points[name] = points["head"] + head @ np.array(share) * build.head
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        arm = torso @ _about_z(-sign * angles[f"spread.{side}"]) @ _about_x(angles[f"raise.{side}"])
        arm = arm @ _about_y(-sign * angles[f"inward.{side}"])
        forearm = arm @ _about_x(angles[f"elbow.{side}"])
        shoulder = points["neck"] + torso @ (sign * build.shoulder, 0.012, 0)
        points[f"{side}_shoulder"] = shoulder
        points[f"{side}_elbow"] = shoulder + arm @ (0, build.upper_arm, 0)
        points[f"{side}_wrist"] = points[f"{side}_elbow"] + forearm @ (0, build.forearm, 0)
        points[f"{side}_hand"] = points[f"{side}_wrist"] + forearm @ (0, 0.042, 0)

        thigh = view @ _about_z(-sign * angles[f"straddle.{side}"]) @ _about_x(angles[f"swing.{side}"])
        thigh = thigh @ _about_y(sign * angles[f"outward.{side}"])
        shin = thigh @ _about_x(-angles[f"knee.{side}"])
        points[f"{side}_hip"] = view @ (sign * build.hip, 0.0, 0)
        points[f"{side}_knee"] = points[f"{side}_hip"] + thigh @ (0, build.thigh, 0)
        points[f"{side}_ankle"] = points[f"{side}_knee"] + shin @ (0, build.shin, 0)
        points[f"{side}_heel"] = points[f"{side}_ankle"] + shin @ (0, 0.026, -0.018)
        points[f"{side}_toe"] = points[f"{side}_ankle"] + shin @ (0, 0.034, 0.085)
    return Figure(build, points, head, torso)


def _about_x(degrees: float) -> Matrix:
    s, c = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _about_y(degrees: float) -> Matrix:
    s, c = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _about_z(degrees: float) -> Matrix:
    s, c = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
