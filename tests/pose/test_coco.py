"""Records from annotation and detection files, and what bad files get."""

from __future__ import annotations

import json

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")

from pose.data import coco  # noqa: E402
from pose.data.crop import affine_matrix, map_points  # noqa: E402
from pose.data.detections import load_detections  # noqa: E402
from pose.data.joints import COCO  # noqa: E402
from pose.data.pictures import check_pictures, fingerprint  # noqa: E402
from pose.errors import PoseError  # noqa: E402

SIZE = (256, 192)


def keypoints(labelled=17, flag=2):
    return [
        number
        for joint in range(17)
        for number in ((10 + joint, 20, flag) if joint < labelled else (0, 0, 0))
    ]


def person(**changes):
    entry = {
        "id": 1,
        "image_id": 7,
        "category_id": 1,
        "bbox": [10, 20, 31, 41],
        "area": 500.0,
        "iscrowd": 0,
        "keypoints": keypoints(),
        "num_keypoints": 17,
    }
    return {**entry, **changes}


@pytest.fixture
def dataset(tmp_path):
    """Writes a set of one 100 x 80 picture (two, if asked) with the given annotations, and loads it."""

    def write(*annotations, images=None, image_set="val2017", load=True, **document):
        images = images or [{"id": 7, "width": 100, "height": 80, "file_name": "000000000007.jpg"}]
        (tmp_path / "images" / image_set).mkdir(parents=True, exist_ok=True)
        for image in images:
            (tmp_path / "images" / image_set / image.get("file_name", "x")).write_bytes(b"jpeg")
        content = {
            "images": images,
            "annotations": list(annotations),
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.names)}],
            **document,
        }
        file = coco.annotation_file(tmp_path, image_set)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content))
        return coco.load_ground_truth(tmp_path, image_set, SIZE) if load else tmp_path

    return write


def test_the_box_loses_a_pixel_on_each_side_and_the_person_gets_centre_and_scale(dataset):
    (record,) = dataset(person()).records
    # x2 = 10 + 30, y2 = 20 + 40; width 30 = 0.75 * 40 already has the crop's aspect.
    assert record.box_xywh.tolist() == [10, 20, 30, 40]
    assert record.center.tolist() == [25, 40]
    np.testing.assert_array_equal(record.scale, np.float32([30 / 200, 40 / 200]) * np.float32(1.25))
    assert (record.image_id, record.score, record.area) == (7, 1.0, 500.0)


def test_a_box_that_leaves_the_picture_is_clipped_to_its_last_pixel(dataset):
    (record,) = dataset(person(bbox=[-5, 60, 300, 50])).records
    # x1 = 0, x2 = min(99, 0 + 299); y2 = min(79, 60 + 49)
    assert record.box_xywh.tolist() == [0, 60, 99, 19]


@pytest.mark.parametrize("flag", [1, 2])
def test_hidden_joints_count_like_seen_ones_and_unlabelled_ones_do_not(dataset, flag):
    (record,) = dataset(person(keypoints=keypoints(3, flag=flag))).records
    assert record.visible.tolist() == [1, 1, 1] + [0] * 14
    assert record.joints[2].tolist() == [12, 20]


@pytest.mark.parametrize(
    "change",
    [
        {"iscrowd": 1},
        {"area": 0},
        {"keypoints": [0] * 51},
        {"bbox": [120, 20, 30, 40]},  # right of the picture
        {"category_id": 2},
    ],
    ids=["crowd", "no area", "no joint", "outside", "no person"],
)
def test_nobody_to_learn_from_is_left_out(dataset, change):
    assert dataset(person(**change), person(id=2)).records[0].image_id == 7
    assert len(dataset(person(**change), person(id=2)).records) == 1


def test_people_come_in_the_order_of_the_pictures_and_then_of_the_annotations(dataset):
    images = [{"id": i, "width": 100, "height": 80, "file_name": f"{i}.jpg"} for i in (9, 7)]
    loaded = dataset(person(bbox=[1, 1, 9, 9]), person(image_id=9), person(bbox=[2, 1, 9, 9]), images=images)
    assert [(r.image_id, int(r.box_xywh[0])) for r in loaded.records] == [(9, 10), (7, 1), (7, 2)]


def test_pictures_with_nobody_count_as_the_set_s(dataset):
    images = [{"id": i, "width": 100, "height": 80, "file_name": f"{i}.jpg"} for i in (9, 7, 8)]
    assert dataset(person(), person(id=2), images=images).picture_count == 3


def test_the_entry_s_own_file_name_wins_where_that_file_exists(dataset):
    named = dataset(person(), images=[{"id": 7, "width": 100, "height": 80, "file_name": "beach.jpg"}])
    assert named.records[0].path.name == "beach.jpg"


@pytest.mark.parametrize("file_name", ["gone.jpg", "../annotations/person_keypoints_val2017.json", __file__])
def test_any_other_file_name_falls_back_to_twelve_digits(dataset, file_name):
    root = dataset(person(), load=False)
    file = coco.annotation_file(root, "val2017")
    content = json.loads(file.read_text())
    content["images"][0]["file_name"] = file_name
    file.write_text(json.dumps(content))
    assert coco.load_ground_truth(root, "val2017", SIZE).records[0].path.name == "000000000007.jpg"


def test_sets_of_2014_have_their_prefix_and_test_sets_their_own_files(dataset, tmp_path):
    old = dataset(
        person(),
        image_set="val2014",
        images=[{"id": 7, "width": 100, "height": 80, "file_name": "COCO_val2014_000000000007.jpg"}],
    )
    assert old.records[0].path == tmp_path / "images/val2014/COCO_val2014_000000000007.jpg"
    assert coco.annotation_file(tmp_path, "test-dev2017").name == "image_info_test-dev2017.json"
    assert coco.image_folder(tmp_path, "test-dev2017").name == "test2017"


def test_detections_keep_their_boxes_unclipped_and_lose_low_scores_other_classes_and_other_pictures(
    dataset, tmp_path
):
    loaded = dataset(person())
    box = {"image_id": 7, "category_id": 1, "bbox": [-10, 0, 60, 160], "score": 0.5}
    file = tmp_path / "boxes.json"
    others = [{"score": 0.49}, {"category_id": 3}, {"image_id": 8}]
    file.write_text(json.dumps([box, *({**box, **other} for other in others)]))
    found = load_detections(file, loaded, 0.5, SIZE)
    (record,) = found.records
    assert found.elsewhere == 1
    assert record.center.tolist() == [20, 80]
    assert record.score == 0.5
    assert record.visible.tolist() == [1] * 17
    assert not record.joints.any()


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (
            [{"image_id": 8}, {"image_id": 9}],
            "2 are of pictures that .*val2017.json does not list, the first of 8",
        ),
        ([{"category_id": 0}], "1 is of another category than 1, the first of 0"),
        ([{"score": 0.25}] * 3, "3 are below a score of 0.5, the first at 0.25"),
        (
            [{"category_id": 2, "score": 0.1}, {"score": 0.2, "image_id": 8}, {"image_id": 8}],
            "1 is of .*category .* of 2; 1 is below .* at 0.2; 1 is of pictures .* of 8",
        ),
        ([], "it lists none"),
    ],
)
def test_a_detection_file_without_a_usable_box_says_why_and_is_not_an_ap_of_zero(
    dataset, tmp_path, others, said
):
    file = tmp_path / "boxes.json"
    box = {"image_id": 7, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 1}
    file.write_text(json.dumps([{**box, **other} for other in others]))
    with pytest.raises(PoseError, match=rf"no box of .*boxes\.json can be used: {said}$"):
        load_detections(file, dataset(person()), 0.5, SIZE)


def test_the_largest_and_smallest_boxes_that_are_taken_give_crops_of_finite_numbers(dataset, tmp_path):
    """A thousand times the picture's 100 pixels, a hundredth of one; the warp back inverts the warp."""
    file = tmp_path / "boxes.json"
    box = {"image_id": 7, "category_id": 1, "score": 1}
    sizes = [[0, 0, 100_000, 100_000], [99, 79, 0.01, 0.01]]
    file.write_text(json.dumps([{**box, "bbox": size} for size in sizes]))
    for record in load_detections(file, dataset(person()), 0.5, SIZE).records:
        there, back = (affine_matrix(record.center, record.scale, 0, SIZE, inverse=i) for i in (False, True))
        (corner,) = map_points(map_points(np.array([[10.0, 20.0]]), back), there)
        np.testing.assert_allclose(corner, [10, 20], atol=0.1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bbox": [1, 2, 0, 9]}, "has a side of 0 pixels"),
        ({"bbox": [1, 2, 9, -3]}, "has a side of -3 pixels"),
        ({"bbox": [1, 2, 1e-30, 9]}, r"has a side of 1e-30 pixels; 0\.01 is the least"),
        ({"bbox": [1, 2, 9, 1e300]}, r"has a side of 1e\+300 pixels; 100000 is the most"),
        ({"bbox": [-100001, 2, 100101, 9]}, r"has a side of 100101 pixels"),
        ({"bbox": [1, 2, float("nan"), 3]}, "not a finite number"),
        ({"score": float("nan")}, '"score" is not a finite number: nan'),
        ({"score": "0.9"}, '"score" is not a finite number'),
        ({"bbox": [100, 2, 9, 9]}, "outside the picture of 100 x 80 pixels"),
        ({"bbox": [1, 80, 9, 9]}, "outside the picture"),
        ({"bbox": [-9, 2, 9, 9]}, "outside the picture"),
        ({"bbox": [1, -9, 9, 9]}, "outside the picture"),
        ({"image_id": None}, '"image_id" is no whole number: None'),
        ({"image_id": "abc"}, "\"image_id\" is no whole number: 'abc'"),
        ({"image_id": 7.5}, r'"image_id" is no whole number: 7\.5'),
        ({"category_id": "person"}, '"category_id" is no whole number'),
    ],
)
def test_a_detected_box_that_cannot_be_looked_at_is_named_by_file_and_entry(dataset, tmp_path, wrong, said):
    loaded, file = dataset(person()), tmp_path / "boxes.json"
    good = {"image_id": 7, "category_id": 1, "bbox": [99, 79, 9, 9], "score": 1}
    file.write_text(json.dumps([good, {**good, "bbox": [-8, -8, 9, 9]}]))
    assert len(load_detections(file, loaded, 0.0, SIZE).records) == 2  # both reach into the picture
    file.write_text(json.dumps([good, {**good, **wrong}]))
    with pytest.raises(PoseError, match=rf"boxes\.json: \[1\] .*{said}"):
        load_detections(file, loaded, 0.0, SIZE)


def test_a_detection_file_of_numbers_is_told_what_it_is(dataset, tmp_path):
    file = tmp_path / "boxes.json"
    file.write_text("[1, 2]")
    with pytest.raises(PoseError, match=r"boxes\.json: \[0\] cannot be read: 1 is no object"):
        load_detections(file, dataset(person()), 0.0, SIZE)


def test_a_missing_annotation_file_is_named(tmp_path):
    with pytest.raises(PoseError, match=r"person_keypoints_val2017\.json is missing"):
        coco.load_ground_truth(tmp_path, "val2017", SIZE)


def test_a_missing_picture_folder_is_named(dataset):
    root = dataset(person(), load=False)
    (root / "images").rename(root / "pictures")
    with pytest.raises(PoseError, match=r"no picture folder .*images/val2017"):
        coco.load_ground_truth(root, "val2017", SIZE)


def test_malformed_json_is_named_with_its_line(dataset):
    root = dataset(person(), load=False)
    coco.annotation_file(root, "val2017").write_text('{"images": [')
    with pytest.raises(PoseError, match=r"person_keypoints_val2017\.json is not valid JSON: .*line 1"):
        coco.load_ground_truth(root, "val2017", SIZE)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"annotations": [person(), {"image_id": 7}]}, r'annotations\[1\] has no field "category_id"'),
        ({"annotations": [person(image_id=8)]}, r"annotations\[0\] names picture 8"),
        ({"annotations": [person(bbox=[1, 2, 3])]}, r'annotations\[0\] .*"bbox" is not a list of 4'),
        ({"annotations": [person(bbox=[1, 2, 3, "x"])]}, r"annotations\[0\] cannot be read"),
        ({"annotations": [person(keypoints=[1, 2, 2])]}, r'"keypoints" is not a list of 51'),
        ({"annotations": [person(bbox=[1, 2, 3, float("nan")])]}, r"not a finite number"),
        ({"annotations": [person(area="500")]}, r'"area" is not a finite number: \'500\''),
        ({"annotations": [person(image_id="7")]}, r'annotations\[0\] .*"image_id" is no whole number: \'7\''),
        ({"annotations": [person(image_id=7.5)]}, r'"image_id" is no whole number: 7\.5'),
        ({"annotations": [person(category_id="1", iscrowd=1)]}, r'"category_id" is no whole number'),
        ({"categories": [{"id": "1"}]}, r'categories\[0\] .*"id" is no whole number'),
        ({"images": [{"id": "7", "width": 100, "height": 80}]}, r'images\[0\] .*"id" is no whole number'),
        ({"annotations": [person(iscrowd="no")]}, r'annotations\[0\] .*"iscrowd" is neither 0 nor 1: \'no\''),
        ({"annotations": [person(iscrowd=None)]}, r'"iscrowd" is neither 0 nor 1: None'),
        ({"annotations": {}}, r'no list "annotations"'),
        ({"annotations": ["x"]}, r"annotations\[0\] cannot be read: 'x' is no object"),
        ({"categories": []}, r"categories\[0\] cannot be read"),
        ({"categories": [{"id": 1, "keypoints": ["nose"]}]}, r"\"keypoints\" is not a list of 3 numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_entry_is_named_by_file_and_place(dataset, broken, sentence):
    with pytest.raises(PoseError, match=sentence) as caught:
        dataset(person(), **broken)
    assert "person_keypoints_val2017.json" in caught.value.message


CROWD = person(id=2, iscrowd=1, keypoints=[0] * 51, num_keypoints=0)


@pytest.mark.parametrize(
    ("crowd", "sentence"),
    [
        ({key: value for key, value in CROWD.items() if key != "area"}, 'has no field "area"'),
        ({key: value for key, value in CROWD.items() if key != "bbox"}, 'has no field "bbox"'),
        ({**CROWD, "area": None}, '"area" is not a finite number'),
        ({**CROWD, "bbox": [1, 2, 3]}, '"bbox" is not a list of 4'),
        ({**CROWD, "keypoints": [1, 2, 2]}, '"keypoints" is not a list of 51'),
    ],
)
def test_what_coco_s_evaluation_asks_of_a_crowd_is_asked_of_the_evaluated_set_alone(dataset, crowd, sentence):
    root = dataset(person(), crowd, load=False)
    assert len(coco.load_ground_truth(root, "val2017", SIZE).records) == 1
    with pytest.raises(PoseError, match=rf"val2017\.json: annotations\[1\] .*{sentence}"):
        coco.load_ground_truth(root, "val2017", SIZE, evaluated=True)


def test_a_crowd_that_leaves_out_what_can_be_filled_in_is_no_error(dataset):
    kept = ("image_id", "category_id", "bbox", "area", "iscrowd")
    others = {"image_id": 7, "category_id": 2, "iscrowd": 1}  # not people: nobody asks
    root = dataset(person(), {key: CROWD[key] for key in kept}, others, load=False)
    assert len(coco.load_ground_truth(root, "val2017", SIZE, evaluated=True).records) == 1


def test_a_joint_too_few_is_blamed_on_the_count_and_not_on_the_skeleton(dataset):
    names = list(COCO.names)[:16]
    category = {"id": 1, "keypoints": names, "skeleton": [[16, 17]]}
    root = dataset(person(), categories=[category], load=False)
    with pytest.raises(PoseError, match=r"val2017\.json names 16 joints, MODEL\.NUM_JOINTS is 17"):
        coco.load_ground_truth(root, "val2017", SIZE, joint_count=17)
    with pytest.raises(PoseError, match=r'"skeleton" goes beyond the 16 joints'):
        coco.load_ground_truth(root, "val2017", SIZE, joint_count=16)


def test_a_file_of_another_kind_is_named(dataset):
    root = dataset(person(), load=False)
    coco.annotation_file(root, "val2017").write_text("[]")
    with pytest.raises(PoseError, match="holds a list"):
        coco.load_ground_truth(root, "val2017", SIZE)


@pytest.mark.parametrize(("damage", "what"), [("unlink", "is missing"), ("truncate", "is empty")])
def test_a_picture_that_is_missing_or_empty_is_named_before_work_starts(dataset, damage, what):
    loaded = dataset(person())
    check_pictures(loaded.records)
    path = loaded.records[0].path
    path.unlink() if damage == "unlink" else path.write_bytes(b"")
    with pytest.raises(PoseError, match=f"{path.name} {what}"):
        check_pictures(loaded.records)


def fingerprint_of(root):
    return fingerprint([coco.annotation_file(root, "val2017")], coco.image_folder(root, "val2017"), "jpg")


def test_the_fingerprint_changes_with_the_annotations_and_with_a_picture_s_size_only(dataset):
    root = dataset(person(), load=False)
    first = fingerprint_of(root)
    assert fingerprint_of(root) == first
    picture = root / "images" / "val2017" / "000000000007.jpg"
    picture.write_bytes(b"longer than before")
    second = fingerprint_of(root)
    dataset(person(area=501.0), load=False)
    picture.write_bytes(b"longer than before")
    assert len({first, second, fingerprint_of(root)}) == 3


def test_the_real_validation_people_are_the_ones_counted_by_hand(shared):
    root = shared / "data" / "coco-mini"
    loaded = coco.load_ground_truth(root, "val2017", SIZE)
    check_pictures(loaded.records)
    # The data's README: 68 persons in 32 pictures, though 79 pictures are listed.
    assert len(loaded.records) == 68
    assert len({record.path for record in loaded.records}) == 32
    assert len(loaded.pictures) == 79
