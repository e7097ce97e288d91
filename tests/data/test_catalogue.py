"""The catalogue that envcheck ships, held against the configs."""

from __future__ import annotations

from pathlib import Path

import yaml

from envcheck.data import catalogue


def ours():
    return [catalogue.find_dataset(name) for name in ("coco2017", "imagenet-weights")]


def test_our_weights_are_named_by_their_digests_as_torch_hub_reads_them():
    for part in ours()[1].parts:
        assert part.file_name == f"{part.name}-{part.sha256[:8]}.pth"


def test_every_file_that_the_configs_name_is_fetched_or_said_to_be_elsewhere(root):
    coco, weights = ours()
    fetched = {f"{weights.folder}/{part.file_name}" for part in weights.parts}
    configs = sorted((root / "pose" / "experiments" / "coco").rglob("*.yaml"))
    assert len(configs) >= 12
    for config in configs:
        written = yaml.safe_load(config.read_text(encoding="utf-8"))
        pretrained = written["MODEL"]["PRETRAINED"]
        if pretrained and pretrained not in fetched:
            assert Path(pretrained).name in " ".join(weights.afterwards)
        if Path(written["DATASET"]["ROOT"]) == Path(coco.folder):
            boxes = Path(written["TEST"]["COCO_BBOX_FILE"]).relative_to(coco.folder)
            assert boxes.parts[0] in " ".join(coco.afterwards)
            for name in (written["DATASET"]["TRAIN_SET"], written["DATASET"]["TEST_SET"]):
                holds = [path for part in coco.parts for path in part.holds]
                assert f"images/{name}" in holds
                assert f"annotations/person_keypoints_{name}.json" in holds
