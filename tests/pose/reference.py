"""The public implementation's way from an annotation file to COCO's table, person by person, joint by joint.

Written from behaviour.md, sections 5, 7, 10 and 11, for tests to hold pose against: plain, slow, and sharing
nothing with it but NumPy and pycocotools.
"""

from __future__ import annotations

import contextlib
import io
import json
import math

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SIGMAS = [0.026] + [0.025] * 2 + [0.035] * 2 + [0.079] * 2 + [0.072] * 2 + [0.062] * 2
SIGMAS += [0.107] * 2 + [0.087] * 2 + [0.089] * 2


def center_and_scale(box, width, height):
    """Section 5: the middle of the box; its sides over 200, at the crop's aspect and a quarter longer."""
    x, y, w, h = box
    center = np.array([x + w * 0.5, y + h * 0.5], dtype=np.float32)
    if w > h * width / height:
        h = w * height / width
    else:
        w = h * width / height
    scale = np.array([w / 200, h / 200], dtype=np.float32)
    return center, scale * np.float32(1.25)


def people_of_the_truth(document, width, height):
    """Section 5: (image id, centre, scale, box score, joints (17, 3)) of each person, in the file's order."""
    people = []
    for image in document["images"]:
        for person in document["annotations"]:
            if person["image_id"] != image["id"] or person["iscrowd"]:
                continue
            x, y, w, h = person["bbox"]
            left, top = max(0, x), max(0, y)
            right = min(image["width"] - 1, left + max(0, w - 1))
            bottom = min(image["height"] - 1, top + max(0, h - 1))
            if person["area"] <= 0 or right < left or bottom < top or max(person["keypoints"]) == 0:
                continue
            center, scale = center_and_scale((left, top, right - left, bottom - top), width, height)
            people.append((image["id"], center, scale, 1.0, np.reshape(person["keypoints"], (17, 3))))
    return people


def people_of_a_detector(detections, threshold, width, height):
    """Section 5: the same of detected boxes, which nothing clips."""
    return [
        (entry["image_id"], *center_and_scale(entry["bbox"], width, height), entry["score"], None)
        for entry in detections
        if entry["category_id"] == 1 and entry["score"] >= threshold
    ]


def affine(center, scale, degrees, width, height):
    """Section 7: the matrix (2, 3) that maps three float32 points of the picture to three of the crop."""
    half = 0.5 * float(np.float32(scale[0]) * np.float32(200))
    turn = math.radians(degrees)
    x, y = (float(value) for value in center)
    start = np.array([x, y], dtype=np.float32)
    up = np.array([x + half * math.sin(turn), y - half * math.cos(turn)], dtype=np.float32)
    middle = np.array([width / 2, height / 2], dtype=np.float32)
    above = np.array([width / 2, height / 2 - width / 2], dtype=np.float32)
    picture, crop = [start, up], [middle, above]
    for points in (picture, crop):
        x, y = points[0] - points[1]
        points.append(points[1] + np.array([-y, x], dtype=np.float32))
    equations = np.array([[*point, 1.0] for point in np.float64(picture)])
    return np.linalg.solve(equations, np.float64(crop)).T


def cells(maps, *, post_process):
    """Section 10: where one person's joints lie in maps (K, h, w), in cells (K, 2), and the values (K,)."""
    joints, height, width = maps.shape
    places, values = np.zeros((joints, 2)), np.zeros(joints, dtype=np.float32)
    for joint in range(joints):
        best = int(np.argmax(maps[joint]))
        values[joint] = maps[joint].flat[best]
        px, py = (best % width, best // width) if values[joint] > 0 else (0, 0)
        places[joint] = px, py
        if post_process and 1 < px < width - 1 and 1 < py < height - 1:
            right_and_left = maps[joint, py, px + 1] - maps[joint, py, px - 1]
            below_and_above = maps[joint, py + 1, px] - maps[joint, py - 1, px]
            places[joint] += 0.25 * np.sign([right_and_left, below_and_above])
    return places, values


def decode(maps, center, scale, *, post_process):
    """Section 10: the joints (K, 2) of one person's maps (K, h, w) in the picture, and the values (K,)."""
    places, values = cells(maps, post_process=post_process)
    matrix = affine(center, scale, 0, maps.shape[2], maps.shape[1])
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    return np.array([(back @ [x, y, 1])[:2] for x, y in places], dtype=np.float32), values


def similarity(one, other, area_of_one, area_of_other):
    """Section 11: the mean over all joints of exp(-d^2 / variance / area / 2)."""
    area = (area_of_one + area_of_other) / 2 + np.spacing(1)
    total = 0.0
    for joint, sigma in enumerate(SIGMAS):
        dx, dy = np.float64(one[joint, :2]) - np.float64(other[joint, :2])
        total += math.exp(-(dx**2 + dy**2) / (2 * sigma) ** 2 / area / 2)
    return total / len(SIGMAS)


def suppressed(keypoints, scores, areas, threshold):
    """Section 11, OKS-NMS: the positions that stay, the best first."""
    waiting = [int(position) for position in np.argsort(scores)[::-1]]
    kept = []
    while waiting:
        best = waiting.pop(0)
        kept.append(best)
        waiting = [
            other
            for other in waiting
            if similarity(keypoints[best], keypoints[other], areas[best], areas[other]) <= threshold
        ]
    return kept


def softly_suppressed(keypoints, scores, areas, threshold):
    """Section 11, SOFT_NMS: at most twenty, each lowering those like it before the next best is taken."""
    waiting = {int(position): float(scores[position]) for position in np.argsort(scores)[::-1]}
    kept = []
    while waiting and len(kept) < 20:
        best = max(waiting, key=lambda position: waiting[position])
        kept.append(best)
        del waiting[best]
        for other in waiting:
            alike = similarity(keypoints[best], keypoints[other], areas[best], areas[other])
            waiting[other] *= math.exp(-(alike**2) / threshold)
    return kept


def results(people, maps, *, in_vis_threshold, oks_threshold, soft_nms, post_process):
    """Sections 10 and 11: the entries of the results file that matter to COCO."""
    found = []
    for (image_id, center, scale, box_score, _), of_person in zip(people, maps, strict=True):
        points, values = decode(of_person, center, scale, post_process=post_process)
        sure = [float(value) for value in values if value > in_vis_threshold]
        score = box_score * (sum(sure) / len(sure) if sure else 0.0)
        area = float(np.float64(scale[0]) * 200 * np.float64(scale[1]) * 200)
        found.append((image_id, np.column_stack([points, values]), score, area))
    entries = []
    for image_id in dict.fromkeys(one[0] for one in found):
        here = [one for one in found if one[0] == image_id]
        keypoints, scores, areas = ([one[part] for one in here] for part in (1, 2, 3))
        keep = softly_suppressed if soft_nms else suppressed
        entries += [
            {
                "image_id": image_id,
                "category_id": 1,
                "keypoints": [float(number) for number in keypoints[position].reshape(-1)],
                "score": scores[position],
            }
            for position in keep(keypoints, scores, areas, oks_threshold)
        ]
    return entries


def table(annotation_file, entries, arch):
    """Section 11: COCO's ten numbers as they are printed."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotation_file))
        evaluation = COCOeval(truth, truth.loadRes(json.loads(json.dumps(entries))), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = ["AP", "Ap .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)"]
    lines = ["| Arch " + "".join(f"| {name} " for name in names) + "|", "|---" * 11 + "|"]
    numbers = "".join(f"| {number:.3f} " for number in evaluation.stats)
    return "\n".join([*lines, f"| {arch} {numbers}|"])
