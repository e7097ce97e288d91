"""PCKh: by hand, against plain loops, and what a truth that is none gets."""

from __future__ import annotations

import pickle
import struct
import zlib

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
scipy_io = pytest.importorskip("scipy.io", reason="needs the pose extra's scipy")

from pose.errors import PoseError  # noqa: E402
from pose.judging import pckh  # noqa: E402
from pose.judging.evaluate import coco_table  # noqa: E402
from tests.pose import mpii_layout  # noqa: E402

TITLES = ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1"]  # behaviour.md 15
HEAD = 100.0  # the diagonal of every head box here: a length of 60, near are 30 pixels, very near 6.6


def truth_of(people=4, **changes):
    """Joints on a grid, all present, heads of 60 x 80."""
    joints = np.arange(people * 32.0).reshape(people, 16, 2) * 3
    boxes = np.zeros((2, 2, people))
    boxes[1] = np.array([[60.0], [80.0]])
    names = np.empty((1, 16), dtype=object)
    names[0] = mpii_layout.NAMES
    variables = {
        "dataset_joints": names,
        "jnt_missing": np.zeros((16, people), np.uint8),
        "pos_gt_src": joints.transpose(1, 2, 0),
        "headboxes_src": boxes,
    }
    return {**variables, **changes}


@pytest.fixture
def read(tmp_path):
    """Saves the variables and reads them as the truth of so many people."""

    def through(variables, people=4):
        scipy_io.savemat(tmp_path / "gt_valid.mat", variables)
        return pckh.read_truth(tmp_path / "gt_valid.mat", people)

    return through


def moved(truth, *moves):
    """The true joints, some of them (person, joint, pixels) moved to the right."""
    found = truth.joints.copy()
    for person, joint, pixels in moves:
        found[person, joint, 0] += pixels
    return found


def test_the_truth_found_is_a_hundred_everywhere_under_the_published_titles(read):
    truth = read(truth_of())
    metrics = pckh.pckh(truth, truth.joints)
    assert list(metrics) == TITLES
    assert set(metrics.values()) == {100.0}
    assert coco_table("pose_resnet", metrics).splitlines()[0] == (
        "| Arch | Head | Shoulder | Elbow | Wrist | Hip | Knee | Ankle | Mean | Mean@0.1 |"
    )
    assert coco_table("pose_resnet", metrics).splitlines()[2].endswith("| 100.000 | 100.000 |")


@pytest.mark.parametrize(("pixels", "head"), [(30.0, 100), (-30.0, 100), (30.01, 75), (500, 75)])
def test_half_a_head_away_is_near_and_a_hair_more_is_not(read, pixels, head):
    truth = read(truth_of())
    metrics = pckh.pckh(truth, moved(truth, (1, 9, pixels)))
    assert metrics["Head"] == head  # of four people
    assert metrics["Mean"] == pytest.approx(100 * (56 - (head != 100)) / 56)  # 14 joints of four people


def test_mean_at_a_tenth_is_at_eleven_hundredths(read):
    truth = read(truth_of())
    for pixels, misses in ((6.0, 0), (6.3, 0), (6.59, 0), (6.61, 1)):  # 0.11 of 60 is 6.6
        metrics = pckh.pckh(truth, moved(truth, (0, 5, pixels)))
        assert metrics["Mean@0.1"] == pytest.approx(100 * (56 - misses) / 56)
        assert metrics["Mean"] == 100


@pytest.mark.parametrize(
    ("title", "joint"),
    [("Head", 9)]
    + [
        (title, joint)
        for title, pair in (("Ankle", (0, 5)), ("Knee", (1, 4)), ("Hip", (2, 3)))
        for joint in pair
    ]
    + [(title, joint) for title, pair in (("Wrist", (10, 15)), ("Elbow", (11, 14))) for joint in pair]
    + [("Shoulder", 12), ("Shoulder", 13)],
)
def test_each_joint_is_in_its_row_with_half_the_weight_where_there_are_two(read, title, joint):
    truth = read(truth_of())
    metrics = pckh.pckh(truth, moved(truth, (0, joint, 99)))
    lower = {name: value for name, value in metrics.items() if value < 100 and not name.startswith("Mean")}
    assert lower == {title: 75.0 if joint == 9 else 87.5}


def test_pelvis_and_thorax_are_in_no_number_and_the_neck_is_in_the_means(read):
    truth = read(truth_of())
    far = moved(truth, *((person, joint, 99) for person in range(4) for joint in (6, 7)))
    assert set(pckh.pckh(truth, far).values()) == {100.0}
    metrics = pckh.pckh(truth, moved(truth, (2, 8, 99)))
    assert {name for name, value in metrics.items() if value < 100} == {"Mean", "Mean@0.1"}


def test_missing_joints_do_not_count_and_a_joint_that_nobody_shows_is_minus_one(read):
    missing = np.zeros((16, 4))
    missing[9] = 1
    missing[0, 1:] = 1
    joints = truth_of()["pos_gt_src"]
    joints[9] = np.nan
    truth = read(truth_of(jnt_missing=missing, pos_gt_src=joints))
    found = np.where(np.isnan(truth.joints), 5, truth.joints)
    found[0, 0] += 99  # the one right ankle that is there
    found[1:, 0] += 99
    metrics = pckh.pckh(truth, found)
    assert (metrics["Head"], metrics["Ankle"]) == (-1.0, 50.0)
    assert metrics["Mean"] == pytest.approx(100 * (56 - 4 - 3 - 1) / (56 - 4 - 3))


def test_one_side_alone_is_the_row(read):
    missing = np.zeros((16, 4))
    missing[10] = 1
    truth = read(truth_of(jnt_missing=missing))
    assert pckh.pckh(truth, moved(truth, (0, 15, 99)))["Wrist"] == 75.0


def test_a_head_of_no_size_has_nothing_near_and_no_warning(read, recwarn):
    boxes = truth_of()["headboxes_src"]
    boxes[1, :, 0] = 0
    truth = read(truth_of(headboxes_src=boxes))
    assert pckh.pckh(truth, truth.joints)["Head"] == 75.0  # 0 / 0 is not near either, as upstream
    assert not recwarn.list


def plain(truth, found):
    """behaviour.md section 12, joint by joint."""

    def share(joints, threshold):
        hits, count = 0, 0
        for joint in joints:
            for person in range(len(found)):
                if truth["jnt_missing"][joint, person]:
                    continue
                (x1, y1), (x2, y2) = truth["headboxes_src"][:, :, person]
                head = 0.6 * ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
                x, y = truth["pos_gt_src"][joint, :, person]
                away = ((found[person, joint, 0] - x) ** 2 + (found[person, joint, 1] - y) ** 2) ** 0.5
                hits, count = hits + (away / head <= threshold), count + 1
        return 100 * hits / count

    called = mpii_layout.NAMES
    sides = {"Shoulder": "sho", "Elbow": "elb", "Wrist": "wri", "Hip": "hip", "Knee": "kne", "Ankle": "ank"}
    table = {"Head": share([called.index("head")], 0.5)}
    for title, word in sides.items():
        table[title] = sum(share([called.index(side + word)], 0.5) for side in "lr") / 2
    meant = [joint for joint, name in enumerate(called) if name not in {"pelv", "thor"}]
    return {**table, "Mean": share(meant, 0.5), "Mean@0.1": share(meant, 0.11)}


def test_the_numbers_are_those_of_plain_loops(read):
    draw = np.random.default_rng(8)
    people = 50
    variables = truth_of(
        people,
        jnt_missing=(draw.random((16, people)) < 0.2).astype(np.uint8),
        pos_gt_src=draw.uniform(1, 900, (16, 2, people)),
        headboxes_src=np.stack([draw.uniform(1, 50, (2, people)), draw.uniform(60, 160, (2, people))]),
    )
    truth = read(variables, people)
    away = draw.standard_normal((people, 16, 2)) * draw.choice([2, 20], (people, 16, 1))
    found = (variables["pos_gt_src"].transpose(2, 0, 1) + away).astype(np.float32)
    ours, theirs = pckh.pckh(truth, found), plain(variables, found)
    assert list(ours) == list(theirs)
    assert list(ours.values()) == pytest.approx(list(theirs.values()), rel=1e-12)
    assert 20 < ours["Mean@0.1"] < ours["Mean"] < 98


@pytest.mark.parametrize("kind", [np.uint8, np.float64, bool])
def test_missing_is_read_from_any_kind_of_number(read, kind):
    missing = np.zeros((16, 4), kind)
    missing[3, 2] = 1
    truth = read(truth_of(jnt_missing=missing))
    assert np.argwhere(~truth.present).tolist() == [[2, 3]]


def names_with(position, name):
    names = truth_of()["dataset_joints"].copy()
    names[0, position] = name
    return names


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"jnt_missing": None}, "has no jnt_missing"),
        ({"pos_gt_src": None, "headboxes_src": None}, "has no pos_gt_src, headboxes_src"),
        ({"jnt_missing": np.zeros((16, 5))}, "holds the truth of 5 people, the annotation list has 4"),
        ({"pos_gt_src": np.zeros((16, 2, 3))}, "holds the truth of 3 people, the annotation list has 4"),
        ({"pos_gt_src": np.zeros((4, 16, 2))}, r"pos_gt_src is \(4, 16, 2\), \(16, 2, 4\) was expected"),
        ({"headboxes_src": np.zeros((4, 4))}, r"headboxes_src is \(4, 4\)"),
        ({"dataset_joints": truth_of()["dataset_joints"][:, :15]}, r"dataset_joints is \(1, 15\)"),
        ({"dataset_joints": names_with(9, "nose")}, "calls joint 10 'nose', not head"),
        ({"dataset_joints": names_with(0, "lank")}, "calls joint 1 'lank', not rank"),
        ({"jnt_missing": np.full((16, 4), 0.5)}, "jnt_missing holds numbers other than 0 and 1"),
        ({"jnt_missing": np.ones((16, 4))}, "no joint of anybody is there"),
        ({"pos_gt_src": np.full((16, 2, 4), np.nan)}, "pos_gt_src holds a number that is not finite"),
        ({"headboxes_src": np.full((2, 2, 4), np.inf)}, "headboxes_src holds a number that is not finite"),
        (
            {"jnt_missing": np.full((16, 4), "x", dtype=object)},
            "jnt_missing holds something other than numbers",
        ),
    ],
)
def test_a_truth_that_is_none_is_named(read, changes, said):
    variables = {key: value for key, value in truth_of(**changes).items() if value is not None}
    with pytest.raises(PoseError, match=rf"gt_valid\.mat.*{said}") as caught:
        read(variables)
    assert caught.value.hint
    assert caught.value.exit_code == 2


def mat(*elements):
    """A MAT 5 file of these (type, bytes) elements."""
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)
    return header + b"".join(struct.pack("<II", kind, len(data)) + data for kind, data in elements)


def huge_matrix():
    """Says that it is jnt_missing of 16 x 4, with four thousand million bytes that do not follow."""
    flags = struct.pack("<IIII", 6, 8, 6, 0)
    shape = struct.pack("<IIii", 5, 8, 16, 4)
    name = struct.pack("<II", 1, 11) + b"jnt_missing".ljust(16, b"\0")
    return flags + shape + name + struct.pack("<II", 9, 2**32 - 8)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text, no MATLAB",
        b"\x89HDF\r\n\x1a\n" + bytes(600),
        b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<HH", 0x0200, 0x4D49) + bytes(400),
        pickle.dumps({"jnt_missing": 1}),
        mat((14, huge_matrix())),
        mat((15, zlib.compress(struct.pack("<II", 14, 2**31) + huge_matrix()))),
        mat((14, b"\xff" * 64)),
        mat((15, b"no zlib")),
        mat((99, b"12345678")),
    ],
    ids=["empty", "text", "hdf5", "7.3", "pickle", "huge", "packed", "noise", "no zlib", "type"],
)
def test_bytes_that_are_no_mat_file_end_in_a_sentence(tmp_path, content):
    file = tmp_path / "gt_valid.mat"
    file.write_bytes(content)
    with pytest.raises(PoseError, match=r"gt_valid\.mat (cannot be read as a \.mat file|has no )"):
        pckh.read_truth(file, 4)


def test_a_truth_cut_off_anywhere_ends_in_a_sentence(tmp_path):
    file = tmp_path / "gt_valid.mat"
    mpii_layout.save(file, truth_of())
    whole = file.read_bytes()
    for length in range(0, len(whole) - 1, 97):
        file.write_bytes(whole[:length])
        with pytest.raises(PoseError, match=r"gt_valid\.mat"):
            pckh.read_truth(file, 4)


def test_a_file_too_large_to_be_one_is_not_read(tmp_path):
    file = tmp_path / "gt_valid.mat"
    with file.open("wb") as stream:
        stream.truncate(65 * 2**20)  # sparse
    with pytest.raises(PoseError, match="68157440 bytes, too many"):
        pckh.read_truth(file, 4)


def test_a_truth_that_is_missing_is_named_with_where_it_belongs(tmp_path):
    with pytest.raises(PoseError, match=r"the truth .*gt_valid\.mat is missing") as caught:
        pckh.read_truth(tmp_path / "gt_valid.mat", 4)
    assert "annot/" in caught.value.hint


def test_the_same_numbers_are_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    found, files = np.arange(64.0).reshape(2, 16, 2), []
    for number in (1, 2):
        monkeypatch.setattr("time.asctime", lambda number=number: f"at {number}")
        files.append(tmp_path / f"{number}.mat")
        pckh.write_found(files[-1], found)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert (scipy_io.loadmat(files[0])["preds"] == found).all()


def test_what_was_found_is_written_whole_and_as_the_public_file(tmp_path):
    found = np.arange(96, dtype=np.float32).reshape(3, 16, 2)
    pckh.write_found(tmp_path / "new" / "pred.mat", found)
    held = scipy_io.loadmat(tmp_path / "new" / "pred.mat")
    np.testing.assert_array_equal(held["preds"], found)
    assert held["preds"].dtype == np.float32
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["pred.mat"]
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseError, match=r"pred\.mat cannot be written"):
        pckh.write_found(tmp_path / "file" / "pred.mat", found)
