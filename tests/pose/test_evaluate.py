"""Scores, the results file, COCO's numbers and their table."""

from __future__ import annotations

import json

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")
pytest.importorskip("pycocotools", reason="needs the pose extra")
torch = pytest.importorskip("torch", reason="needs the pose extra")

from pycocotools.coco import COCO  # noqa: E402
from pycocotools.cocoeval import COCOeval  # noqa: E402

from pose.command.published import COCO_METRICS  # noqa: E402
from pose.data import coco  # noqa: E402
from pose.data.dataset import CropDataset, batches  # noqa: E402
from pose.errors import PoseError  # noqa: E402
from pose.judging.decode import decode  # noqa: E402
from pose.judging.evaluate import coco_metrics, coco_table, person_scores, results_of, write_results  # noqa: E402
from pose.judging.targets import heatmap_targets  # noqa: E402

SETTINGS = {"category_id": 1, "in_vis_threshold": 0.2, "oks_threshold": 0.9}


def some_people(count):
    draw = np.random.default_rng(4)
    keypoints = draw.uniform(0, 300, (count, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 0.5
    box = np.full((count, 2), 1.0, dtype=np.float32)
    return keypoints, box, box


def test_a_person_s_score_is_the_box_s_times_the_mean_of_the_values_above_the_threshold():
    values = np.array([[0.2, 0.4, 0.8], [0.1, 0.2, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(person_scores(values, np.array([0.5, 0.9]), 0.2), [0.5 * 0.6, 0], rtol=1e-6)


def test_pictures_come_in_order_of_first_appearance_and_their_people_best_first():
    keypoints, center, scale = some_people(4)
    boxes = np.array([0.2, 0.9, 0.3, 0.8])
    results = results_of(keypoints, center, scale, boxes, [9, 4, 9, 4], **SETTINGS)
    assert [(r["image_id"], round(r["score"], 3)) for r in results] == [
        (9, 0.15),
        (9, 0.1),
        (4, 0.45),
        (4, 0.4),
    ]
    assert results[0]["keypoints"] == [float(v) for v in keypoints[2].reshape(-1)]


def test_doubles_are_judged_by_the_padded_box_s_area():
    keypoints, center, _ = some_people(1)
    keypoints, center = keypoints.repeat(2, axis=0), center.repeat(2, axis=0)
    keypoints[1, :, 0] += 8

    def left(scale_of_both):
        scale = np.full((2, 2), scale_of_both, dtype=np.float32)
        return len(results_of(keypoints, center, scale, np.ones(2), [1, 1], **SETTINGS))

    # 8 pixels are far apart for boxes of 100 x 100 and the same pose for boxes of 1000 x 1000.
    assert left(0.5) == 2
    assert left(5.0) == 1


def test_the_results_file_has_the_public_implementation_s_fields_sorted_and_indented(tmp_path):
    keypoints, center, scale = some_people(1)
    results = results_of(keypoints, center, scale, np.ones(1), [42], **SETTINGS)
    path = tmp_path / "new" / "keypoints_val2017_results_0.json"
    write_results(path, results)
    text = path.read_text()
    assert text.startswith('[\n    {\n        "category_id": 1,\n        "center": [\n            1.0,')
    (entry,) = json.loads(text)
    assert list(entry) == ["category_id", "center", "image_id", "keypoints", "scale", "score"]
    assert [len(entry[key]) for key in ("center", "keypoints", "scale")] == [2, 51, 2]
    assert list(path.parent.iterdir()) == [path]


def test_a_results_file_that_cannot_be_written_is_named_and_fails_the_step(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseError, match=r"results\.json cannot be written") as caught:
        write_results(tmp_path / "file" / "results.json", [])
    assert caught.value.exit_code == 1
    assert "--output DIR" in caught.value.hint


def small_set(tmp_path, image_set="val2017"):
    """One picture with one person whose joints lie on a grid."""
    joints = [number for joint in range(17) for number in (10 + 4 * joint, 20 + 3 * joint, 2)]
    person = {"id": 1, "image_id": 7, "category_id": 1, "bbox": [5, 10, 90, 60], "area": 3000.0}
    document = {
        "images": [{"id": 7, "width": 100, "height": 80, "file_name": "7.jpg"}],
        "annotations": [{**person, "iscrowd": 0, "keypoints": joints, "num_keypoints": 17}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(coco.COCO.names)}],
    }
    file = coco.annotation_file(tmp_path, image_set)
    file.parent.mkdir()
    file.write_text(json.dumps(document))
    folder = coco.image_folder(tmp_path, image_set)
    folder.mkdir(parents=True)
    (folder / "7.jpg").write_bytes(b"jpeg")
    return coco.load_ground_truth(tmp_path, image_set, (64, 48))


def test_the_truth_handed_in_scores_one_and_nothing_found_scores_zero(tmp_path, capsys):
    loaded = small_set(tmp_path)
    (record,) = loaded.records
    keypoints = np.concatenate([record.joints, np.ones((17, 1))], axis=1)[None]
    results = results_of(keypoints, record.center[None], record.scale[None], np.ones(1), [7], **SETTINGS)
    metrics = coco_metrics(loaded, results)
    assert list(metrics) == list(COCO_METRICS)
    assert (metrics["AP"], metrics["AR"]) == pytest.approx((1, 1))
    assert metrics["AP (L)"] == -1  # there is no large person: COCO's own way to say so
    assert coco_metrics(loaded, [])["AP"] == 0
    assert capsys.readouterr().out == ""


def test_a_test_set_has_no_truth_to_be_held_against(tmp_path):
    loaded = small_set(tmp_path, "test-dev2017")
    assert coco_metrics(loaded, [{"image_id": 7}]) == {"Null": 0.0}


def test_the_table_is_the_public_implementation_s():
    metrics = dict(
        zip(COCO_METRICS, [0.704, 0.886, 0.783, 0.671, 0.772, 0.763, 0.929, 0.834, 0.721, 0.824], strict=True)
    )
    assert coco_table("pose_resnet", metrics).splitlines() == [
        "| Arch | AP | Ap .5 | AP .75 | AP (M) | AP (L) | AR | AR .5 | AR .75 | AR (M) | AR (L) |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        "| pose_resnet | 0.704 | 0.886 | 0.783 | 0.671 | 0.772 | 0.763 | 0.929 | 0.834 | 0.721 | 0.824 |",
    ]


def test_a_long_name_is_cut_to_eight_letters():
    assert coco_table("a_name_of_sixteen", {"AP": 0.5}).splitlines()[2] == "| a_name_o... | 0.500 |"
    assert coco_table("fifteen_letters", {"AP": 0.5}).splitlines()[2].startswith("| fifteen_letters |")


def found_nearly(loaded, pixels):
    """The set's people, each joint some pixels off, the last one of all not found."""
    draw = np.random.default_rng(6)
    records = loaded.records[:-1]
    keypoints = np.stack([np.concatenate([r.joints, np.ones((17, 1))], axis=1) for r in records])
    keypoints[..., :2] += draw.normal(0, pixels, (len(records), 17, 2))
    return results_of(
        keypoints,
        np.stack([record.center for record in records]),
        np.stack([record.scale for record in records]),
        draw.uniform(0.5, 1, len(records)),
        [record.image_id for record in records],
        **SETTINGS,
    )


def as_pycocotools_says(file, results):
    """The ten numbers of a file that has every field, by pycocotools alone."""
    truth = COCO(str(file))
    evaluation = COCOeval(truth, truth.loadRes(json.loads(json.dumps(results))), "keypoints")
    evaluation.params.catIds = [1]
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return dict(zip(COCO_METRICS, map(float, evaluation.stats), strict=True))


def changed_copy(root, folder, change):
    """The validation set of a folder below another one, its annotations changed."""
    (folder / "annotations").mkdir(parents=True)
    (folder / "images").symlink_to(root / "images")
    document = json.loads(coco.annotation_file(root, "val2017").read_text())
    change(document["annotations"])
    coco.annotation_file(folder, "val2017").write_text(json.dumps(document))
    return folder


def count_from_0(annotations):
    for number, entry in enumerate(annotations):
        entry["id"] = number


def without_ids(annotations):
    for entry in annotations:
        del entry["id"]


@pytest.mark.parametrize("change", [lambda _: None, count_from_0, without_ids], ids=["own", "from 0", "none"])
@pytest.mark.parametrize("source", ["drawn", "coco-mini"])
def test_the_annotations_ids_have_no_say_in_the_numbers(source, change, people, request, tmp_path):
    root = people if source == "drawn" else request.getfixturevalue("shared") / "data" / "coco-mini"
    results = found_nearly(coco.load_ground_truth(root, "val2017", (64, 48)), 1 if source == "drawn" else 4)
    expected = as_pycocotools_says(coco.annotation_file(root, "val2017"), results)  # whose ids are above 0
    assert 0 < expected["AP"] < 1
    loaded = coco.load_ground_truth(changed_copy(root, tmp_path / "own", change), "val2017", (64, 48))
    assert coco_metrics(loaded, results) == expected


def test_what_a_crowd_leaves_out_is_what_coco_s_crowds_say(people, tmp_path):
    """Found people in a crowd's region count neither for nor against: COCO gives it 51 zeros and 0."""
    loaded = coco.load_ground_truth(people, "val2017", (64, 48))
    (image_id, *_) = [record.image_id for record in loaded.records]
    crowd = {"image_id": image_id, "category_id": 1, "bbox": [0, 0, 96, 96], "area": 9216, "iscrowd": 1}
    whole = {**crowd, "id": 10**6, "keypoints": [0] * 51, "num_keypoints": 0}
    results = found_nearly(loaded, 1)
    stranger = {**results[0], "image_id": image_id, "score": 2.0}  # in the crowd, nobody else's
    stranger["keypoints"] = [number for joint in range(17) for number in (40 + joint, 60, 1)]
    results.append(stranger)
    full = changed_copy(people, tmp_path / "full", lambda annotations: annotations.append(whole))
    expected = as_pycocotools_says(coco.annotation_file(full, "val2017"), results)
    assert expected != as_pycocotools_says(coco.annotation_file(people, "val2017"), results)
    short = changed_copy(people, tmp_path / "short", lambda annotations: annotations.append(crowd))
    assert coco_metrics(coco.load_ground_truth(short, "val2017", (64, 48)), results) == expected


@pytest.mark.parametrize("post_process", [False, True])
@pytest.mark.parametrize(
    ("image_size", "heatmap_size", "sigma", "published"),
    [((256, 192), (64, 48), 2, 0.982), ((384, 288), (96, 72), 3, 0.983)],
)
def test_perfect_heat_maps_of_real_people_reach_the_known_ceiling(
    shared, image_size, heatmap_size, sigma, published, post_process
):
    # behaviour.md section 17: the unmodified public implementation's own figures for these 68 people.
    loaded = coco.load_ground_truth(shared / "data" / "coco-mini", "val2017", image_size)
    found = []
    for batch in batches(CropDataset(loaded.records, image_size, training=False), 16):
        maps, _ = heatmap_targets(batch["joints"], batch["visible"], image_size, heatmap_size, sigma)
        joints, values = decode(maps, batch["center"], batch["scale"], post_process=post_process)
        found.append(torch.cat([joints, values[..., None]], dim=2).numpy())
    records = loaded.records
    results = results_of(
        np.concatenate(found),
        np.stack([record.center for record in records]),
        np.stack([record.scale for record in records]),
        np.ones(len(records)),
        [record.image_id for record in records],
        **SETTINGS,
    )
    assert round(coco_metrics(loaded, results)["AP"], 3) == published
