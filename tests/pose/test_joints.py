"""Datasets whose joints are not COCO's: what follows from names, and a run from end to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")
pytest.importorskip("pycocotools", reason="needs the pose extra")
pytest.importorskip("torch", reason="needs the pose extra")

from pose.data import coco  # noqa: E402
from pose.data.dataset import CropDataset, half_body, mirror  # noqa: E402
from pose.data.joints import COCO, joints_named  # noqa: E402
from pose.judging.evaluate import coco_metrics, results_of  # noqa: E402
from pose.judging.oks import oks_matrix  # noqa: E402

# COCO's joints 0, 9, 10, 15 and 16 under other names.
NAMES, TAKEN = ("head", "l_hand", "R_hand", "foot_left", "foot_right"), (0, 9, 10, 15, 16)
SIGMAS = (0.03, 0.06, 0.06, 0.09, 0.09)
OWN = ("MODEL.NUM_JOINTS", "5", "TEST.OKS_SIGMAS", "(0.03, 0.06, 0.06, 0.09, 0.09)")


def renamed(root, image_set):
    """The set's annotations, cut down to five joints and without the fields that COCO's files add."""
    file = root / "annotations" / f"person_keypoints_{image_set}.json"
    document = json.loads(file.read_text())
    document["categories"] = [
        {"id": 4, "name": "worker", "keypoints": list(NAMES), "skeleton": [[1, 2], [1, 3]]}
    ]
    for entry in document["annotations"]:
        table = np.array(entry["keypoints"]).reshape(-1, 3)[list(TAKEN)]
        entry.update(category_id=4, keypoints=table.reshape(-1).tolist())
        del entry["num_keypoints"], entry["iscrowd"]
    file.write_text(json.dumps(document))


@pytest.fixture(scope="module")
def workers(people, tmp_path_factory):
    root = tmp_path_factory.mktemp("workers") / "own"
    shutil.copytree(people, root)
    for image_set in ("train2017", "val2017"):
        renamed(root, image_set)
    return root


def test_pairs_body_and_weights_follow_from_the_names():
    joints = joints_named(("Left_Paw", "rear", "right_paw", "elbow_r", "ELBOW_L", "l_eye", "left_tail"))
    assert set(map(frozenset, joints.flip_pairs)) == {frozenset((0, 2)), frozenset((3, 4))}
    assert joints.upper_body == (3, 4, 5)  # a rear is no ear
    assert joints.weights == (1, 1, 1, 1.2, 1.2, 1, 1)
    assert joints.sigmas == (pytest.approx(1.138 / 17),) * 7  # the mean of the seventeen
    assert joints_named(COCO.names) is COCO
    found = joints_named(("hat", *COCO.names))
    assert (found.sigmas[1:], found.weights[1:]) == (COCO.sigmas, COCO.weights)
    assert found.flip_pairs == tuple((a + 1, b + 1) for a, b in COCO.flip_pairs)
    assert found.upper_body == tuple(joint + 1 for joint in COCO.upper_body)


def test_perfect_joints_score_one_and_own_tolerances_decide_how_much_a_miss_costs(workers):
    def ap(sigmas, miss):
        loaded = coco.load_ground_truth(workers, "val2017", (64, 48), sigmas=sigmas)
        records = loaded.records
        keypoints = np.stack([np.concatenate([r.joints + miss, np.ones((5, 1))], axis=1) for r in records])
        results = results_of(
            keypoints,
            np.stack([r.center for r in records]),
            np.stack([r.scale for r in records]),
            np.ones(len(records)),
            [r.image_id for r in records],
            category_id=4,
            in_vis_threshold=0.2,
            oks_threshold=0.99,
            sigmas=loaded.joints.sigmas,
        )
        return coco_metrics(loaded, results)["AP"]

    assert ap(SIGMAS, 0) == 1.0
    assert ap((0.5,) * 5, 2) == 1.0
    assert ap((0.001,) * 5, 2) == 0.0


def test_similarity_uses_the_tolerances_given():
    poses = np.zeros((2, 2, 2))
    poses[1, 1, 0] = 6
    by_hand = (1 + np.exp(-36 / ((2 * 0.1) ** 2 * 900 * 2))) / 2
    assert oks_matrix(poses, np.full(2, 900.0), (0.05, 0.1))[0, 1] == pytest.approx(by_hand)


def test_mirror_and_half_body_use_the_dataset_s_own_joints(workers):
    loaded = coco.load_ground_truth(workers, "train2017", (64, 48))
    joints = np.arange(10.0).reshape(5, 2)
    visible = np.ones(5, dtype=np.float32)
    turned, _, _ = mirror(joints, visible, np.float32([5, 5]), 20, loaded.joints.flip_pairs)
    np.testing.assert_array_equal(turned[:, 1], [1, 5, 3, 9, 7])
    center, _ = half_body(joints, visible, (64, 48), upper_wanted=True, upper_body=loaded.joints.upper_body)
    np.testing.assert_array_equal(center, [2, 3])  # of head and hands
    settings = {"training": True, "half_body_probability": 1.0, "half_body_min_joints": 1, "seed": 1}
    nameless = joints_named(("a", "b", "c", "d", "e"))
    record = loaded.records[0]
    whole = {**settings, "joints": nameless, "scale_factor": 0.0, "flip": False}
    np.testing.assert_array_equal(CropDataset([record], (64, 48), **whole)[0]["center"], record.center)


def test_five_joints_are_trained_and_tested_from_end_to_end(workers, workplace, pose):
    own = ("DATASET.ROOT", str(workers), "TEST.FLIP_TEST", "True", "LOSS.USE_DIFFERENT_JOINTS_WEIGHT", "True")
    train = ("train", "--cfg", "small.yaml", "GPUS", "()", *own)
    code, _, err = pose(*train)
    assert code == 2
    assert "names 5 joints, MODEL.NUM_JOINTS is 17" in err
    assert "MODEL.NUM_JOINTS 5" in err
    code, out, err = pose(*train, *OWN, "TRAIN.END_EPOCH", "1")
    assert code == 0, err
    assert "OKS_SIGMAS" not in err
    (results,) = workplace.rglob("keypoints_val2017_results_0.json")
    assert {len(person["keypoints"]) for person in json.loads(results.read_text())} == {15}
    code, out, err = pose("test", "--cfg", "small.yaml", "GPUS", "()", *own, *OWN[:2])
    assert code == 0, err
    assert "| pose_resnet |" in out
    assert "OKS_SIGMAS is not given: 0.067" in err


@pytest.mark.usefixtures("workplace")
def test_a_prediction_of_joints_that_only_an_annotation_file_names_has_dots_and_no_mirror(people, pose):
    picture = min((people / "images" / "val2017").iterdir())
    words = ("pred", "--cfg", "small.yaml", str(picture), "--untrained", "MODEL.NUM_JOINTS", "5")
    code, out, err = pose(*words)
    assert code == 0, err
    document = json.loads(Path(out.splitlines()[-1]).read_text(encoding="utf-8"))
    assert document["joint_names"] == ["joint_1", "joint_2", "joint_3", "joint_4", "joint_5"]
    assert len(document["people"][0]["keypoints"]) == 15
    code, _, err = pose(*words, "TEST.FLIP_TEST", "True")
    assert code == 2
    assert "which of the 5 joints change places in a mirror" in err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keypoints": ["a", "A"]}, "names a joint twice"),
        ({"keypoints": "abc"}, "is not a list of names"),
        ({"skeleton": [[0, 1]]}, "goes beyond the 5 joints, counted from 1"),
    ],
)
def test_an_odd_category_is_named(workers, tmp_path, changes, said):
    shutil.copytree(workers, tmp_path / "own")
    file = tmp_path / "own" / "annotations" / "person_keypoints_val2017.json"
    document = json.loads(file.read_text())
    document["categories"][0].update(changes)
    file.write_text(json.dumps(document))
    with pytest.raises(coco.PoseError, match=rf"val2017\.json: categories\[0\].*{said}"):
        coco.load_ground_truth(tmp_path / "own", "val2017", (64, 48))


def test_tolerances_that_do_not_fit_are_refused(workers):
    with pytest.raises(coco.PoseError, match=r"OKS_SIGMAS has 2 numbers, .*val2017\.json names 5 joints"):
        coco.load_ground_truth(workers, "val2017", (64, 48), sigmas=(0.1, 0.1))
