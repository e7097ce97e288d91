"""MPII's lists as records: the public arithmetic by hand, mirrors and halves of its bodies, and bad lists."""

from __future__ import annotations

import json
import zipfile

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
cv2 = pytest.importorskip("cv2", reason="needs the pose extra")
pytest.importorskip("torch", reason="needs the pose extra")

from pose.data import mpii  # noqa: E402
from pose.data.crop import affine_matrix  # noqa: E402
from pose.data.dataset import CropDataset, batches, half_body, mirror  # noqa: E402
from pose.data.joints import COCO, MPII, joints_of  # noqa: E402
from pose.data.pictures import check_pictures  # noqa: E402
from pose.errors import PoseError  # noqa: E402

JOINTS = [[10.0 + joint, 40.0 + 2 * joint] for joint in range(16)]
ENTRY = {
    "image": "000000012.jpg",
    "center": [30.0, 60.0],
    "scale": 0.5,
    "joints": JOINTS,
    "joints_vis": [1] * 16,
}


@pytest.fixture
def listed(tmp_path):
    """Writes a list of entries (changes of ENTRY, or whole) and loads it."""

    def write(*changes, image_set="valid", load=True):
        for folder in ("annot", "images"):
            (tmp_path / folder).mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "images" / "000000012.jpg"), np.full((90, 80, 3), 128, np.uint8))
        entries = [{**ENTRY, **change} if isinstance(change, dict) else change for change in changes]
        (tmp_path / "annot" / f"{image_set}.json").write_text(json.dumps(entries))
        return mpii.load(tmp_path, image_set) if load else tmp_path

    return write


def test_the_centre_moves_down_the_size_grows_and_pixels_count_from_zero(listed):
    loaded = listed({})
    (record,) = loaded.records
    assert record.center.tolist() == [29.0, 66.5]  # 60 + 15 * 0.5 - 1
    assert record.scale.tolist() == [0.625, 0.625]  # 0.5 * 1.25, no aspect
    assert (record.center.dtype, record.scale.dtype) == (np.float64, np.float64)
    assert record.joints.tolist() == [[x - 1, y - 1] for x, y in JOINTS]
    assert (record.image_id, record.score, record.path.name) == (12, 1.0, "000000012.jpg")
    assert (loaded.joints, loaded.truth) == (MPII, None)
    check_pictures(loaded.records)


def test_a_centre_at_minus_one_is_neither_moved_nor_padded(listed):
    (record,) = listed({"center": [-1, 60.0]}).records
    assert (record.center.tolist(), record.scale.tolist()) == ([-2.0, 59.0], [0.5, 0.5])


def test_everybody_is_kept_in_the_list_s_order_and_joints_that_are_missing_are_not_visible(listed):
    loaded = listed({"joints_vis": [0] * 16}, {"joints_vis": [1, 0] * 8, "center": [1, 2]}, {})
    assert [int(record.visible.sum()) for record in loaded.records] == [0, 8, 16]
    assert loaded.records[1].visible.tolist() == [1, 0] * 8
    assert loaded.picture_count == 1


def test_a_test_set_s_people_have_no_joints(listed):
    bare = {key: ENTRY[key] for key in ("image", "center", "scale")}
    assert listed(bare, image_set="test").is_test
    for entry in (bare, ENTRY):  # and what stands there is not believed
        (record,) = listed(entry, image_set="test").records
        assert (record.joints.tolist(), record.visible.tolist()) == ([[0, 0]] * 16, [0] * 16)


def test_five_real_people_are_cropped_as_plain_arithmetic_says(shared, tmp_path):
    folder = shared / "data" / "mpii-mini"
    (tmp_path / "annot").mkdir()
    entries = json.loads((folder / "test_mpii.json").read_text())
    (tmp_path / "annot" / "valid.json").write_text(json.dumps(entries))
    (tmp_path / "images").symlink_to(folder)
    records = mpii.load(tmp_path, "valid").records
    assert len(records) == 5
    for sample, entry in zip(
        CropDataset(records, (256, 256), training=False, joints=MPII), entries, strict=False
    ):
        size = entry["scale"] * 1.25 * 200  # the crop's side in the picture
        x, y = entry["center"][0] - 1, entry["center"][1] + 15 * entry["scale"] - 1
        seen = np.array(entry["joints_vis"]) > 0
        wanted = (np.array(entry["joints"]) - 1 - (x, y)) * 256 / size + 128
        np.testing.assert_allclose(sample["joints"][seen], wanted[seen], atol=2e-3)  # float32 point pairs
        assert (sample["joints"][seen] > 0).all()
        assert (sample["joints"][seen] < 256).all()
        source = np.float32([[x, y], [x, y - size / 2], [x - size / 2, y - size / 2]])
        target = np.float32([[128, 128], [128, 0], [0, 0]])
        matrix = cv2.getAffineTransform(source, target)
        picture = cv2.imread(str(folder / entry["image"]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        np.testing.assert_array_equal(sample["image"], cv2.warpAffine(picture, matrix, (256, 256)))


def test_mpii_s_scale_stays_a_double_until_the_points_are_paired():
    scale = np.array([0.31282820705176295] * 2)
    top = 500 - scale[0] * 200 * 0.5
    assert np.float32(top) != np.float32(500 - np.float32(scale[0]) * np.float32(200) * 0.5)
    source = np.float32([[500, 500], [500, top], [0, top]])
    source[2, 0] = source[1, 0] - (source[0, 1] - source[1, 1])
    target = np.float32([[16, 32], [16, 16], [0, 16]])
    ours = affine_matrix(np.array([500.0, 500.0]), scale, 0.0, (64, 32))
    np.testing.assert_array_equal(ours, cv2.getAffineTransform(source, target))


def test_a_mirror_swaps_the_sides_and_leaves_the_middle():
    # behaviour.md section 6.
    assert {frozenset(pair) for pair in MPII.flip_pairs} == {
        frozenset(pair) for pair in ((0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13))
    }
    joints = np.arange(32.0).reshape(16, 2)
    turned, _, _ = mirror(joints, np.ones(16, np.float32), np.float32([5, 5]), 100, MPII.flip_pairs)
    by_name = dict(zip(MPII.names, turned[:, 1], strict=True))
    for name, (_, y) in zip(MPII.names, joints, strict=True):
        other = name.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")
        assert by_name[other] == y


def test_limbs_join_a_side_to_itself_or_to_the_middle_and_reach_every_joint():
    assert {joint for limb in MPII.skeleton for joint in limb} == set(range(16))
    other = {joint: opposite for pair in MPII.flip_pairs for joint, opposite in (pair, pair[::-1])}
    limbs = {frozenset(limb) for limb in MPII.skeleton}
    assert {frozenset(other.get(joint, joint) for joint in limb) for limb in limbs} == limbs
    for a, b in MPII.skeleton:
        assert len({MPII.side(a), MPII.side(b)} - {"middle"}) <= 1
    assert [MPII.side(joint) for joint in (0, 5, 6, 9, 10, 15)] == [
        "right",
        "left",
        "middle",
        "middle",
        "right",
        "left",
    ]
    assert [COCO.side(joint) for joint in (0, 1, 16)] == ["middle", "left", "right"]


def test_a_network_s_joints_are_known_by_dataset_and_number():
    assert (joints_of("mpii", 16), joints_of("coco", 17)) == (MPII, COCO)
    own = joints_of("coco", 3)
    assert (own.names, own.flip_pairs, own.skeleton) == (("joint_1", "joint_2", "joint_3"), (), ())


def test_half_bodies_are_cut_from_mpii_s_people_too(listed):
    """The public implementation's MPII people have no aspect, and it stops there."""
    (record,) = listed({}).records
    upper, _ = half_body(
        record.joints, record.visible, (64, 64), upper_wanted=True, upper_body=MPII.upper_body
    )
    np.testing.assert_allclose(upper, [20.0, 61.0])  # joints 7 to 15 on average: 10 + 11 - 1, 40 + 22 - 1
    settings = {"training": True, "joints": MPII, "scale_factor": 0.0, "flip": False, "seed": 0}
    cut = CropDataset([record] * 20, (64, 64), half_body_probability=1.0, **settings)
    ys = {round(float(sample["center"][1])) for sample in (cut[number] for number in range(20))}
    assert ys == {61, 45}  # of 7 to 15, and of 0 to 6: 40 + 6 - 1
    whole = CropDataset([record] * 20, (64, 64), half_body_probability=-1.0, **settings)
    assert {float(whole[number]["center"][1]) for number in range(20)} == {66.5}


def test_batches_of_varied_people_hold_one_kind_of_number(listed):
    (record,) = listed({}).records
    varied = CropDataset([record] * 20, (64, 64), training=True, joints=MPII, half_body_probability=0.5)
    samples = [varied[number] for number in range(20)]
    assert {(s["center"].dtype, s["scale"].dtype) for s in samples} == {(np.dtype(np.float64),) * 2}
    (kinds,) = (
        {str(batch[key].dtype) for key in ("center", "scale")} for batch in batches(varied, 20, workers=1)
    )
    assert kinds == {"torch.float64"}


def test_pictures_in_a_zip_file_are_read_with_and_without_its_folder(listed):
    root = listed({}, load=False)
    plain = CropDataset(mpii.load(root, "valid").records, (64, 64), training=False, joints=MPII)[0]
    for inner in ("", "images/"):
        with zipfile.ZipFile(root / "images.zip", "w") as packed:
            packed.write(root / "images" / "000000012.jpg", f"{inner}000000012.jpg")
        records = mpii.load(root, "valid", image_format="zip").records
        assert "images.zip@/" in str(records[0].path)
        from pose.data import archive

        archive._open.cache_clear()  # noqa: SLF001 - one archive of that name per run, elsewhere
        zipped = CropDataset(records, (64, 64), training=False, joints=MPII)[0]
        np.testing.assert_array_equal(zipped["image"], plain["image"])
        archive._open.cache_clear()  # noqa: SLF001


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": 0}, '"scale" is not above 0'),
        ({"scale": float("nan")}, '"scale" is not above 0'),
        ({"scale": 10**400}, "cannot be read"),
        ({"center": [1]}, '"center" is not a list of 2 numbers'),
        ({"center": [1, float("inf")]}, "not a finite number"),
        ({"joints": JOINTS[:15]}, '"joints" is not a list of 16 points'),
        ({"joints": [*JOINTS[:15], [1]]}, '"joints" is not a list of 2 numbers'),
        ({"joints_vis": [1] * 15}, '"joints_vis" is not a list of 16 numbers'),
        ({"joints_vis": [2] * 16}, '"joints_vis" holds numbers other than 0 and 1'),
        ({"image": "../../secret.jpg"}, "names nothing below images/"),
        ({"image": "/etc/passwd"}, "names nothing below images/"),
        ({"image": "a\0b"}, "names nothing below images/"),
        ({"image": 7}, "names nothing below images/"),
        (3, "cannot be read"),
    ],
)
def test_a_bad_entry_is_named_by_file_and_place(listed, change, said):
    with pytest.raises(PoseError, match=r"annot/valid\.json: \[1\] ") as caught:
        listed({}, change)
    assert said in caught.value.message


@pytest.mark.parametrize("field", ["image", "center", "scale", "joints", "joints_vis"])
def test_a_field_that_is_missing_is_named(listed, field):
    root = listed(load=False)
    entry = {key: value for key, value in ENTRY.items() if key != field}
    (root / "annot" / "valid.json").write_text(json.dumps([entry]))
    with pytest.raises(PoseError, match=rf'valid\.json: \[0\] has no field "{field}"'):
        mpii.load(root, "valid")


def test_a_list_of_nobody_or_none_at_all_is_refused(listed):
    with pytest.raises(PoseError, match="lists nobody"):
        listed()
    root = listed(load=False)
    (root / "annot" / "valid.json").write_text("{}")
    with pytest.raises(PoseError, match="holds a dict, the annotation list is a list"):
        mpii.load(root, "valid")
    (root / "annot" / "valid.json").write_text("[" * 100_000)
    with pytest.raises(PoseError, match="not valid JSON"):
        mpii.load(root, "valid")
    with pytest.raises(PoseError, match=r"the annotation list .*annot/train\.json is missing") as caught:
        mpii.load(root, "train")
    assert "annot/ and images/" in caught.value.hint
