"""MPII from end to end with a tiny network: training, test, prediction, and what is refused before."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")
scipy_io = pytest.importorskip("scipy.io", reason="needs the pose extra's scipy")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from pose.data.joints import MPII  # noqa: E402
from pose.judging import inference  # noqa: E402
from pose.networks import checkpoint  # noqa: E402
from pose.telling.draw import draw_people  # noqa: E402
from tests.pose import mpii_layout  # noqa: E402
from tests.pose.test_pckh import plain  # noqa: E402

KEYS = (
    *("DATASET.DATASET", "mpii", "DATASET.TRAIN_SET", "train", "DATASET.TEST_SET", "valid"),
    *("MODEL.NUM_JOINTS", "16", "GPUS", "()", "TEST.FLIP_TEST", "True", "DATASET.PROB_HALF_BODY", "0.5"),
)
OUT = Path("output") / "mpii" / "pose_resnet" / "small"


def run(pose, stage, root, *more):
    return pose(stage, "--cfg", "small.yaml", *(("--data", str(root)) if root else ()), *KEYS, *more)


@pytest.fixture(scope="module")
def trained(mpii_people, small, place):
    """Two epochs: the folder, and what they printed."""
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    from pose.__main__ import main

    (place / "small.yaml").write_text(small.format(root=mpii_people), encoding="utf-8")
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(StringIO()) as out,
        redirect_stderr(StringIO()) as err,
    ):
        patch.chdir(place)
        code = main(["train", "--cfg", "small.yaml", *KEYS])
    assert code == 0, err.getvalue()
    return place, out.getvalue(), err.getvalue()


@pytest.fixture
def own(mpii_people, small, tmp_path, monkeypatch):
    """A copy that may be spoilt, and small.yaml for it, in the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(mpii_people, tmp_path / "data")
    (tmp_path / "small.yaml").write_text(small.format(root="data"), encoding="utf-8")
    return tmp_path / "data"


def test_a_training_is_measured_by_the_mean(trained):
    place, out, err = trained
    assert {path.name for path in (place / OUT).iterdir() if path.suffix != ".log"} == {
        *("checkpoint.pth", "checkpoint_before.pth", "model_best.pth", "final_state.pth", "pred.mat"),
        *("history.csv", "curves.png", "predictions.jpg"),
    }
    header, *lines = out.splitlines()
    assert header.split()[:4] == ["epoch", "loss", "acc", "Mean"]
    with (place / OUT / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[6:] == [
        *("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1")
    ]
    means = [float(row["Mean"]) for row in rows]
    assert [line.split()[3] for line in lines] == [f"{mean:.2f}" for mean in means]
    content = checkpoint.read_checkpoint(place / OUT / "checkpoint.pth")
    assert (content["perf"], content["best_perf"]) == (means[-1], max(means))
    assert max(means) > 0
    assert "by MPII's centres and sizes" in err


def test_a_test_prints_the_table_of_what_pred_mat_holds(trained, mpii_people, pose, monkeypatch):
    place, _, _ = trained
    monkeypatch.chdir(place)
    code, out, err = run(
        pose, "test", None, "--output", "tested", "TEST.MODEL_FILE", str(OUT / "model_best.pth")
    )
    assert code == 0, err
    file = Path("tested") / OUT.relative_to("output") / "pred.mat"
    found = scipy_io.loadmat(file)["preds"]
    truth = scipy_io.loadmat(mpii_people / "annot" / "gt_valid.mat")
    people = json.loads((mpii_people / "annot" / "valid.json").read_text())
    assert found.shape == (len(people), 16, 2)
    wanted = plain(truth, found)
    titles, _, numbers = out.splitlines()
    assert [cell.strip() for cell in titles.split("|")[2:-1]] == list(wanted)
    assert numbers == "| pose_resnet " + " ".join(f"| {value:.3f}" for value in wanted.values()) + " |"
    assert "accuracy 0." in err  # annotated people: loss and accuracy mean something


def test_the_best_network_s_positions_count_from_one(trained, mpii_people, pose, monkeypatch):
    """The same people through `pred`'s own way of looking: pixels from 0."""
    place, _, _ = trained
    monkeypatch.chdir(place)
    from pose.data.crop import affine_matrix
    from pose.data.mpii import load

    (record, *_) = load(mpii_people, "valid").records
    code, _, err = run(
        pose,
        "test",
        None,
        "--output",
        "again",
        "TEST.POST_PROCESS",
        "False",
        "TEST.MODEL_FILE",
        str(OUT / "final_state.pth"),
    )
    assert code == 0, err
    found = scipy_io.loadmat(Path("again") / OUT.relative_to("output") / "pred.mat")["preds"][0] - 1
    cells = np.c_[found, np.ones(16)] @ affine_matrix(record.center, record.scale, 0.0, (16, 8)).T
    np.testing.assert_allclose(cells, cells.round(), atol=1e-3)  # without post-processing joints lie on cells


def test_a_prediction_names_and_draws_mpii_s_joints(trained, mpii_people, pose, monkeypatch):
    place, _, _ = trained
    monkeypatch.chdir(place)
    picture = min((mpii_people / "images").iterdir())
    code, _, err = run(
        pose, "pred", None, str(picture), "--out", "shown", "--threshold", "-9", "--box", "20,5,40,80"
    )
    assert code == 0, err
    document = json.loads((Path("shown") / f"{picture.stem}-pose.json").read_text())
    assert tuple(document["joint_names"]) == MPII.names
    assert len(document["people"][0]["keypoints"]) == 48
    keypoints = np.array(document["people"][0]["keypoints"]).reshape(1, 16, 3)
    drawn = cv2.imread(str(Path("shown") / f"{picture.stem}-pose.jpg")).astype(float)
    zoom = drawn.shape[0] // cv2.imread(str(picture)).shape[0]
    wanted = draw_people(cv2.imread(str(picture)), keypoints, threshold=-9, joints=MPII, zoom=zoom)
    dots = draw_people(
        cv2.imread(str(picture)), keypoints, threshold=-9, joints=replace(MPII, skeleton=()), zoom=zoom
    )
    assert np.abs(drawn - wanted).mean() < 0.7 * np.abs(drawn - dots).mean()  # JPEG's own noise is in both
    code, _, err = run(pose, "pred", None, str(mpii_people / "images"), "--out", "many")
    assert code == 0, err
    (table,) = Path("many").glob("*-keypoints.csv")
    header = table.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header[8:11] == ["right_ankle_x", "right_ankle_y", "right_ankle_value"]
    assert len(header) == 8 + 48


def test_a_prediction_mirrors_mpii_s_joints(trained, mpii_people, pose, monkeypatch):
    place, _, _ = trained
    monkeypatch.chdir(place)
    original, pairs = inference.heat_maps, []

    def listening(model, crops, config, flip_pairs):
        pairs.append(flip_pairs)
        return original(model, crops, config, flip_pairs)

    monkeypatch.setattr(inference, "heat_maps", listening)
    picture = min((mpii_people / "images").iterdir())
    assert run(pose, "pred", None, str(picture), "--out", "shown", "--heatmaps")[0] == 0
    assert pairs == [MPII.flip_pairs] * 2


@pytest.mark.parametrize(("distance", "code"), [(0.15, 0), (-0.15, 0), (0.25, 1), (-0.25, 1)])
def test_a_test_is_held_against_a_mean_within_a_fifth_of_a_point(trained, pose, monkeypatch, distance, code):
    place, _, _ = trained
    monkeypatch.chdir(place)
    weights = ("TEST.MODEL_FILE", str(OUT / "model_best.pth"), "--output", "held")
    _, out, _ = run(pose, "test", None, *weights)
    mean = float(out.splitlines()[2].split("|")[9])
    found, _, err = run(pose, "test", None, *weights, "--expect", f"{mean + distance:.3f}")
    assert found == code, err
    assert ("Mean" in err.splitlines()[-2]) == bool(code)


def test_an_export_says_and_tries_mpii_s_people(trained, pose, monkeypatch):
    onnx = pytest.importorskip("onnx", reason="needs the pose extra's onnx")
    place, _, _ = trained
    monkeypatch.chdir(place)
    code, out, err = run(pose, "export", None, "--out", "exported")
    assert code == 0, err
    assert "people of valid" in out
    (entry,) = onnx.load("exported/small.onnx").metadata_props
    said = json.loads(entry.value)
    assert (said["joints"], said["flip_pairs"][0]) == (list(MPII.names), [5, 0])


def test_a_resumed_training_keeps_the_best_mean(own, pose):
    for end in ("1", "2"):
        code, _, err = run(pose, "train", None, "TRAIN.END_EPOCH", end, "DATASET.SELECT_DATA", "True")
        assert code == 0, err
        assert "DATASET.SELECT_DATA keeps " in err
        last = checkpoint.read_checkpoint(own.parent / OUT / "checkpoint.pth")
    with (own.parent / OUT / "history.csv").open(encoding="utf-8", newline="") as file:
        means = [float(row["Mean"]) for row in csv.DictReader(file)]
    assert (len(means), last["best_perf"]) == (2, max(means))


def test_a_test_set_is_looked_at_and_not_judged(own, pose):
    entries = json.loads((own / "annot" / "valid.json").read_text())
    bare = [{key: entry[key] for key in ("image", "center", "scale")} for entry in entries]
    (own / "annot" / "test.json").write_text(json.dumps(bare))
    (own / "annot" / "gt_valid.mat").unlink()
    code, out, err = run(pose, "test", None, "--untrained", "DATASET.TEST_SET", "test")
    assert code == 0, err
    assert out.splitlines()[0] == "| Arch | Null |"
    assert out.splitlines()[2] == "| pose_resnet | 0.000 |"
    assert "loss -   accuracy -" in err
    assert scipy_io.loadmat(own.parent / OUT / "pred.mat")["preds"].shape == (len(bare), 16, 2)


@pytest.mark.parametrize("stage", ["train", "test"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: (root / "annot/gt_valid.mat").unlink(), "gt_valid.mat is missing"),
        (lambda root: (root / "annot/gt_valid.mat").write_bytes(b"x" * 500), "cannot be read as a .mat file"),
        (lambda root: (root / "annot/valid.json").unlink(), "annot/valid.json is missing"),
        (lambda root: shutil.rmtree(root / "images"), "there is no picture folder"),
        (lambda root: min((root / "images").glob("*5000*")).unlink(), "is missing"),
        (lambda root: drop_one(root / "annot/valid.json"), "people, the annotation list has"),
    ],
)
def test_what_is_missing_is_named_before_the_work(own, pose, stage, spoil, said):
    spoil(own)
    code, out, err = run(pose, stage, None, *(("--untrained",) if stage == "test" else ()))
    assert (code, out) == (2, "")
    assert said in err
    assert not (own.parent / "output").exists()


def drop_one(file):
    file.write_text(json.dumps(json.loads(file.read_text())[1:]))


@pytest.mark.parametrize(("stage", "image_set"), [("train", "valid"), ("test", "valid"), ("test", "test")])
def test_an_environment_without_scipy_is_told_before_the_work(own, pose, monkeypatch, stage, image_set):
    shutil.copy(own / "annot" / "valid.json", own / "annot" / "test.json")
    words = ("DATASET.TEST_SET", image_set, *(("--untrained",) if stage == "test" else ()))
    monkeypatch.setitem(sys.modules, "scipy", None)  # what an import of it finds then
    code, out, err = run(pose, stage, None, *words)
    assert (code, out) == (1, "")
    assert "MPII's .mat files need scipy" in err
    assert "envcheck[pose]" in err
    assert not (own.parent / "output").exists()


def test_the_fingerprint_knows_list_pictures_and_truth(own, pose, tmp_path):
    def fingerprint():
        code, _, err = pose("--run-dir", "run", "test", "--cfg", "small.yaml", *KEYS, "--untrained")
        assert code == 0, err
        return json.loads((tmp_path / "run" / "result.json").read_text())["dataset"]["fingerprint"]

    prints = [fingerprint(), fingerprint()]
    entries = json.loads((own / "annot/valid.json").read_text())
    mpii_layout.save(own / "annot/gt_valid.mat", {**mpii_layout.truth_of(entries), "note": "other"})
    prints.append(fingerprint())
    picture = min((own / "images").iterdir())
    picture.write_bytes(picture.read_bytes() + b"\0")
    prints.append(fingerprint())
    (own / "annot/valid.json").write_text((own / "annot/valid.json").read_text() + "\n")
    prints.append(fingerprint())
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4
