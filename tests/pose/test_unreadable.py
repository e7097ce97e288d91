"""A picture that cannot be read in the middle of a test: the others count, and it is named at the end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")
pytest.importorskip("pycocotools", reason="needs the pose extra")

import numpy as np  # noqa: E402

from pose.judging import inference  # noqa: E402

RESULTS = Path("output/coco/pose_resnet/small/results/keypoints_val2017_results_0.json")
TEST = ("test", "--cfg", "small.yaml", "--untrained", "TEST.BATCH_SIZE_PER_GPU", "2")


@pytest.fixture
def own(people, small, tmp_path, monkeypatch):
    """A copy of the drawn people that may be spoilt, and small.yaml for it: the pictures of its test set."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(people, "data")
    Path("small.yaml").write_text(small.format(root="data"), encoding="utf-8")
    return sorted(Path("data/images/val2017").iterdir())


def people_in(picture):
    truth = json.loads(Path("data/annotations/person_keypoints_val2017.json").read_text(encoding="utf-8"))
    return sum(person["image_id"] == int(picture.stem) for person in truth["annotations"])


def results():
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def people_of(entries):
    return {(entry["image_id"], *entry["center"]): entry["keypoints"] for entry in entries}


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("damage", [b"<html>not found</html>", b"\xff\xd8 and no end"])
def test_the_others_are_measured_and_the_picture_is_named_at_the_end(own, pose, workers, damage):
    assert pose(*TEST)[0] == 0
    whole, missing = results(), int(own[1].stem)
    assert any(entry["image_id"] == missing for entry in whole)
    own[1].write_bytes(damage)
    code, out, err = pose("--run-dir", "run", *TEST, "WORKERS", workers)
    assert code == 1
    assert "| pose_resnet |" in out
    assert f"picture {own[1]} " in err
    assert f"the {people_in(own[1])} people in what could not be read count as not found" in err
    assert f"error: picture {own[1]} " in err
    # The same seed, the same random network: everybody else is found where they were.
    expected = people_of(one for one in whole if one["image_id"] != missing)
    assert people_of(results()).keys() == expected.keys()
    for person, keypoints in people_of(results()).items():  # another batch, another order of float32 sums
        assert keypoints == pytest.approx(expected[person], abs=1e-4)
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert "AP" in result["metrics"]
    (sentence,) = result["unreadable"]
    assert f"picture {own[1]} " in sentence
    (log,) = RESULTS.parent.parent.glob("*_valid.log")
    assert sentence in log.read_text(encoding="utf-8").splitlines()


def test_of_several_the_first_is_in_the_error_and_all_are_in_the_log(own, pose):
    for picture in own[1:]:
        picture.write_bytes(b"no picture")
    code, _, err = pose(*TEST)
    last = next(line for line in err.splitlines() if line.startswith("error: "))
    assert (code, f"picture {own[1]} " in last, f"(and {len(own) - 2} more of the test" in last) == (
        1,
        True,
        True,
    )
    (log,) = RESULTS.parent.parent.glob("*_valid.log")
    named = log.read_text(encoding="utf-8")
    assert all(f"picture {picture} " in named for picture in own[1:])


def test_where_no_picture_can_be_read_there_is_nothing_to_measure(own, pose):
    for picture in own:
        picture.write_bytes(b"no picture")
    code, out, err = pose(*TEST)
    assert (code, out) == (2, "")
    assert f"error: picture {own[0]} cannot be decoded" in err


def test_a_training_goes_on_and_shows_the_others(own, pose):
    own[0].write_bytes(b"no picture")
    code, _, err = pose("train", "--cfg", "small.yaml", "TRAIN.END_EPOCH", "1")
    assert code == 0, err
    assert f"not in these numbers: picture {own[0]} cannot be decoded" in err
    assert int(own[0].stem) not in {entry["image_id"] for entry in results()}
    assert Path("output/coco/pose_resnet/small/predictions.jpg").is_file()


@pytest.mark.usefixtures("own")
def test_a_picture_to_learn_from_stops_the_training(pose):
    picture = min(Path("data/images/train2017").iterdir())
    picture.write_bytes(b"no picture")
    code, _, err = pose("train", "--cfg", "small.yaml", "TRAIN.END_EPOCH", "1")
    assert (code, f"picture {picture} cannot be decoded" in err) == (2, True)


def test_mpii_counts_them_as_missed(mpii_people, small, tmp_path, pose, monkeypatch):
    loadmat = pytest.importorskip("scipy.io", reason="needs the pose extra's scipy").loadmat
    monkeypatch.chdir(tmp_path)
    shutil.copytree(mpii_people, "data")
    Path("small.yaml").write_text(small.format(root="data"), encoding="utf-8")
    keys = ("DATASET.DATASET", "mpii", "DATASET.TEST_SET", "valid", "MODEL.NUM_JOINTS", "16")

    def found_exactly(_model, crops, _config, _pairs):
        maps = torch.zeros(len(crops), 16, 16, 8)
        maps[:, :, 8, 4] = 1
        return maps

    monkeypatch.setattr(inference, "heat_maps", found_exactly)
    entries = json.loads(Path("data/annot/valid.json").read_text(encoding="utf-8"))
    spoilt = entries[0]["image"]
    Path("data/images", spoilt).write_bytes(b"no picture")
    code, out, err = pose(*TEST, *keys)
    assert (code, spoilt in err, "| pose_resnet |" in out) == (1, True, True)
    found = loadmat("output/mpii/pose_resnet/small/pred.mat")["preds"]
    unread = [entry["image"] == spoilt for entry in entries]
    assert np.isnan(found).all(axis=(1, 2)).tolist() == unread
    assert any(unread)
    assert not np.isnan(found[~np.array(unread)]).any()
