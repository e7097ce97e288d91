"""Where a COCO dataset keeps its files: names alone, opening none."""

from __future__ import annotations

from pathlib import Path

# The boxes of the detector that `synth` pretends to have, beside annotations/ and images/.
DRAWN_DETECTIONS = "person_detection_results/COCO_val2017_detections_drawn_person.json"


def annotation_file(root: Path, image_set: str) -> Path:
    """Where COCO keeps the set's annotations; test sets only list their pictures."""
    kind = "image_info" if "test" in image_set else "person_keypoints"
    return root / "annotations" / f"{kind}_{image_set}.json"


def image_folder(root: Path, image_set: str) -> Path:
    """Where COCO keeps the set's pictures; all test sets share test2017's."""
    return root / "images" / ("test2017" if "test" in image_set else image_set)
