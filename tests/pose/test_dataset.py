"""Samples: a literal walk through behaviour.md, section 7, and what workers may not change."""

from __future__ import annotations

from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
cv2 = pytest.importorskip("cv2", reason="needs the pose extra")
torch = pytest.importorskip("torch", reason="needs the pose extra")


from pose.data import dataset as module  # noqa: E402
from pose.data.crop import box_to_center_scale  # noqa: E402
from pose.data.dataset import CropDataset, batches, half_body, mirror, read_picture, shuffled  # noqa: E402
from pose.data.joints import COCO  # noqa: E402
from pose.data.record import Record  # noqa: E402
from pose.errors import PoseError  # noqa: E402

SIZE = (64, 48)


def write_picture(path: Path, size=(90, 120), seed=0):
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return path


def record_of(path, *, labelled=17, box=(20, 10, 60, 70)):
    draw = np.random.default_rng(5)
    visible = np.zeros(17, dtype=np.float32)
    visible[:labelled] = 1
    center, scale = box_to_center_scale(box, SIZE)
    joints = np.round(draw.uniform((20, 10), (80, 80), (17, 2))) * visible[:, None]
    return Record(7, path, np.float32(box), center, scale, joints, visible, 1.0, 900.0)


@pytest.fixture
def record(tmp_path):
    return record_of(write_picture(tmp_path / "7.jpg"))


def training_set(*records, **changes):
    settings = {"training": True, "flip": True, "scale_factor": 0.3, "rotation_factor": 40, "seed": 3}
    return CropDataset(records, SIZE, **{**settings, **changes})


class Rolls:
    """A generator whose numbers are given, and which fails when they are drawn in another order."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self):
        kind, number = self.numbers.pop(0)
        assert kind == "uniform"
        return number

    def standard_normal(self):
        kind, number = self.numbers.pop(0)
        assert kind == "normal"
        return number


@pytest.fixture
def rolls(monkeypatch):
    def set_up(*numbers):
        given = Rolls(*numbers)
        monkeypatch.setattr(module.np.random, "default_rng", lambda _key: given)
        return given

    return set_up


def test_without_training_the_crop_is_the_box_and_nothing_is_drawn_at_random(record):
    item = CropDataset([record], SIZE, training=False)[0]
    assert item["image"].shape == (*SIZE, 3)
    assert item["image"].dtype == np.uint8
    np.testing.assert_array_equal(item["center"], record.center)
    # The box's own centre lies in the crop's middle; scale 1.25 * its height over 64 pixels.
    box_center = record.box_xywh[:2] + record.box_xywh[2:] / 2
    pixels = (record.joints - box_center) * 48 / (200 * record.scale[0]) + (24, 32)
    np.testing.assert_allclose(item["joints"], pixels, atol=1e-4)


def test_draws_come_in_the_public_implementation_s_order(record, rolls):
    given = rolls(
        *[("uniform", 0.9), ("normal", 0.5), ("uniform", 0.6), ("normal", -0.25), ("uniform", 0.51)]
    )
    item = training_set(record, half_body_probability=0.3)[0]
    assert given.numbers == []
    np.testing.assert_array_equal(item["scale"], record.scale * np.float32(1 + 0.5 * 0.3))
    # Rotation -10 degrees about the centre, no mirror: the crop turns the picture by +10.
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pixels = (record.joints - record.center) @ turn.T * 48 / (200 * item["scale"][0]) + (24, 32)
    np.testing.assert_allclose(item["joints"], pixels, atol=1e-3)


def test_the_half_body_draw_is_taken_at_probability_zero_too_but_not_with_few_joints(tmp_path, rolls):
    path = write_picture(tmp_path / "7.jpg")
    nine, eight = record_of(path, labelled=9), record_of(path, labelled=8)
    rest = [("normal", 0.0), ("uniform", 0.61), ("uniform", 0.9)]
    given = rolls(("uniform", 0.0), *rest)
    training_set(nine)[0]
    assert given.numbers == []
    given = rolls(*rest)
    training_set(eight)[0]
    assert given.numbers == []


@pytest.mark.parametrize(("roll", "factor"), [(9, 1.3), (-9, 0.7), (0.2, 1.06)])
def test_the_scale_is_clipped_at_its_factor_and_the_rotation_at_twice_its(record, rolls, roll, factor):
    rolls(("uniform", 0.9), ("normal", roll), ("uniform", 0.0), ("normal", roll), ("uniform", 0.9))
    item = training_set(record, rotation_factor=0)[0]
    np.testing.assert_allclose(item["scale"], record.scale * factor, rtol=1e-6)
    rolls(("uniform", 0.9), ("normal", 0), ("uniform", 0.0), ("normal", 9), ("uniform", 0.9))
    turned = training_set(record, rotation_factor=20)[0]["joints"]
    rolls(("uniform", 0.9), ("normal", 0), ("uniform", 0.0), ("normal", 1), ("uniform", 0.9))
    np.testing.assert_array_equal(turned, training_set(record, rotation_factor=40)[0]["joints"])


def test_a_mirrored_sample_is_the_sample_of_the_mirrored_picture(tmp_path, record, rolls):
    numbers = [("uniform", 0.9), ("normal", 0.1), ("uniform", 0.5), ("normal", 0.4)]
    rolls(*numbers, ("uniform", 0.5))
    mirrored = training_set(record)[0]
    picture = cv2.flip(read_picture(record.path), 1)
    path = tmp_path / "mirrored.png"
    cv2.imwrite(str(path), picture)
    joints = record.joints.copy()
    joints[:, 0] = 120 - joints[:, 0] - 1
    for left, right in COCO.flip_pairs:
        joints[[left, right]] = joints[[right, left]]
    center = np.float32([120 - record.center[0] - 1, record.center[1]])
    other = Record(7, path, record.box_xywh, center, record.scale, joints, record.visible, 1.0, None)
    rolls(*numbers, ("uniform", 0.51))
    plain = training_set(other)[0]
    np.testing.assert_array_equal(mirrored["image"], plain["image"])
    np.testing.assert_array_equal(mirrored["joints"], plain["joints"])


def test_mirroring_swaps_visibility_too_and_zeroes_what_is_not_labelled():
    joints, visible = np.full((17, 2), 10.0), np.ones(17, dtype=np.float32)
    visible[5] = 0
    joints, visible, _ = mirror(joints, visible, np.float32([50, 50]), 100)
    assert visible[6] == 0
    assert visible[5] == 1
    assert joints[6].tolist() == [0, 0]
    assert joints[5].tolist() == [89, 10]


def test_a_half_body_is_the_mean_of_its_joints_and_their_extent_times_one_and_a_half():
    joints, visible = np.zeros((17, 2)), np.zeros(17, dtype=np.float32)
    joints[5], joints[6], joints[9] = (10, 10), (70, 10), (40, 40)
    visible[[5, 6, 9]] = 1
    center, scale = half_body(joints, visible, SIZE, upper_wanted=True)
    assert center.tolist() == [40, 20]
    # 60 across grows to 80 high; in units of 200, times 1.5.
    np.testing.assert_allclose(scale, [60 / 200 * 1.5, 80 / 200 * 1.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("upper", "lower", "upper_wanted", "chosen"),
    [
        (3, 3, True, "upper"),
        (3, 3, False, "lower"),
        (2, 3, True, "lower"),
        (3, 2, False, "upper"),
        (2, 2, True, "upper"),
        (1, 2, True, None),
    ],
)
def test_which_half_is_taken(upper, lower, upper_wanted, chosen):
    visible = np.zeros(17, dtype=np.float32)
    visible[:upper] = 1
    visible[11 : 11 + lower] = 1
    joints = np.where(np.arange(17)[:, None] < 11, 10.0, 500.0) + np.arange(34).reshape(17, 2)
    half = half_body(joints, visible, SIZE, upper_wanted=upper_wanted)
    found = None if half is None else ("upper" if half[0][0] < 250 else "lower")
    assert found == chosen


def test_the_upper_half_is_taken_for_a_normal_number_under_one_half(record, rolls):
    rest = [("normal", 0.0), ("uniform", 0.61), ("uniform", 0.9)]
    rolls(("uniform", 0.29), ("normal", 0.49), *rest)
    upper = training_set(record, half_body_probability=0.3)[0]["center"]
    np.testing.assert_allclose(upper, record.joints[:11].mean(axis=0), rtol=1e-5)
    rolls(("uniform", 0.29), ("normal", 0.51), *rest)
    lower = training_set(record, half_body_probability=0.3)[0]["center"]
    np.testing.assert_allclose(lower, record.joints[11:].mean(axis=0), rtol=1e-5)


def test_unlabelled_joints_keep_their_numbers_unless_mirrored(tmp_path, rolls):
    record = record_of(write_picture(tmp_path / "7.jpg"), labelled=5)
    rolls(("normal", 0.0), ("uniform", 0.9), ("uniform", 0.9))
    np.testing.assert_array_equal(training_set(record)[0]["joints"][5:], record.joints[5:])


def test_rgb_turns_the_channels_around(record):
    bgr = CropDataset([record], SIZE, training=False)[0]["image"]
    rgb = CropDataset([record], SIZE, training=False, rgb=True)[0]["image"]
    np.testing.assert_array_equal(rgb, bgr[..., ::-1])


def epoch_of(dataset, epoch, **settings):
    dataset.set_epoch(epoch)
    order = shuffled(len(dataset), 3, epoch)
    return [{k: v.clone() for k, v in b.items()} for b in batches(dataset, 4, order=order, **settings)]


def equal(one, other):
    return all(torch.equal(a[key], b[key]) for a, b in zip(one, other, strict=True) for key in a)


def test_neither_workers_nor_earlier_epochs_change_an_epoch_s_samples(tmp_path):
    records = [record_of(write_picture(tmp_path / f"{i}.jpg", seed=i)) for i in range(6)]
    straight = training_set(*records)
    epoch_of(straight, 0)
    second = epoch_of(straight, 1)
    assert equal(second, epoch_of(training_set(*records), 1, workers=2))
    assert not equal(second, epoch_of(straight, 0))
    assert not equal(second, epoch_of(training_set(*records, seed=4), 1))


def test_the_same_person_is_drawn_differently_in_every_epoch(record):
    crops = training_set(record)
    first = crops[0]["scale"]
    crops.set_epoch(1)
    assert not np.array_equal(crops[0]["scale"], first)
    crops.set_epoch(0)
    np.testing.assert_array_equal(crops[0]["scale"], first)


def test_the_last_short_batch_is_kept(tmp_path):
    records = [record_of(write_picture(tmp_path / f"{i}.jpg", seed=i)) for i in range(6)]
    loader = batches(training_set(*records), 4)
    assert len(loader) == 2
    assert [len(batch["index"]) for batch in loader] == [4, 2]


def test_one_picture_of_many_people_is_decoded_once(tmp_path, monkeypatch):
    path, reads = write_picture(tmp_path / "7.jpg"), []
    real = module.read_picture
    monkeypatch.setattr(module, "read_picture", lambda p: reads.append(p) or real(p))
    crops = CropDataset([record_of(path)] * 5, SIZE, training=False, picture_cache_mib=0)
    assert len([crops[i] for i in range(5)]) == 5
    assert reads == [path]


def test_the_cache_forgets_the_picture_that_was_not_asked_for_longest(tmp_path):
    paths = [write_picture(tmp_path / f"{i}.jpg", size=(400, 500), seed=i) for i in range(3)]
    cache = module.PictureCache(limit_mib=1)  # one picture is 0.57 MiB
    for path in paths:
        cache.read(path)
    assert list(cache.pictures) == paths[2:]
    assert cache.size == 400 * 500 * 3


def test_exif_orientation_is_ignored(tmp_path):
    path = write_picture(tmp_path / "7.jpg", size=(30, 50))
    plain = path.read_bytes()
    # APP1 with one IFD entry: orientation 6, a quarter turn.
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    path.write_bytes(plain[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + plain[2:])
    assert cv2.imread(str(path)).shape == (50, 30, 3)  # OpenCV itself would turn it
    assert read_picture(path).shape == (30, 50, 3)


def damage(path, kind):
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "text": b"not a picture"}[kind])


@pytest.mark.parametrize("kind", ["cut", "empty", "text"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_reaches_the_main_process_as_one_sentence(record, kind, workers):
    damage(record.path, kind)
    with pytest.raises(PoseError, match=r"picture .*7\.jpg") as caught:
        list(batches(training_set(record), 2, workers=workers))
    assert "Traceback" not in str(caught.value)
    assert "\n" not in caught.value.message


def test_a_picture_that_is_gone_is_named(record):
    record.path.unlink()
    with pytest.raises(PoseError, match=r"cannot read picture .*7\.jpg"):
        read_picture(record.path)


def test_a_jpeg_without_its_end_is_cut_off_even_where_opencv_would_fill_it_up(record):
    whole = record.path.read_bytes()
    record.path.write_bytes(whole[:-2])
    with pytest.raises(PoseError, match="is cut off"):
        read_picture(record.path)


def test_bytes_after_a_jpeg_s_end_do_no_harm(record):
    whole = read_picture(record.path)
    record.path.write_bytes(record.path.read_bytes() + b"\x00" * 20)
    np.testing.assert_array_equal(read_picture(record.path), whole)


def test_every_real_picture_passes_as_whole(shared):
    pictures = sorted((shared / "data" / "coco-mini" / "images").rglob("*.jpg"))
    assert len(pictures) == 60
    for path in pictures:
        read_picture(path)
