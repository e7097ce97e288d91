"""Pictures in a zip file: the same numbers as from a folder, and damage named early."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")
torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.data import coco  # noqa: E402
from pose.data.dataset import CropDataset, batches  # noqa: E402
from pose.data.pictures import check_pictures, contents, fingerprint  # noqa: E402
from pose.errors import PoseError  # noqa: E402

SIZE = (64, 32)


def pack(root, inner=""):
    for folder in sorted((root / "images").iterdir()):
        with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(folder.iterdir()):
                packed.write(path, f"{inner and folder.name + '/'}{path.name}")
        shutil.rmtree(folder)


@pytest.fixture
def zipped(people, tmp_path):
    root = tmp_path / "zipped"
    shutil.copytree(people, root)
    pack(root)
    return root


def load(root, image_format="zip"):
    return coco.load_ground_truth(root, "val2017", SIZE, image_format=image_format).records


@pytest.mark.parametrize("inner", ["", "folder"])
@pytest.mark.parametrize("workers", [0, 2])
def test_crops_out_of_a_zip_file_are_the_folder_s(people, tmp_path, inner, workers):
    root = tmp_path / "zipped"
    shutil.copytree(people, root)
    pack(root, inner)
    records = load(root)
    check_pictures(records)
    one = list(batches(CropDataset(records, SIZE, training=True), 2, workers=workers))
    other = list(batches(CropDataset(load(people, "jpg"), SIZE, training=True), 2))
    assert sum(len(batch["image"]) for batch in one) == len(records) > 0
    assert all(torch.equal(a["image"], b["image"]) for a, b in zip(one, other, strict=True))


@pytest.mark.usefixtures("workplace")
def test_a_zipped_dataset_is_trained_and_tested(zipped, pose):
    settings = ("GPUS", "()", "DATASET.ROOT", str(zipped), "DATASET.DATA_FORMAT", "zip")
    code, _, err = pose("train", "--cfg", "small.yaml", *settings, "TRAIN.END_EPOCH", "1")
    assert code == 0, err
    words = ("--cfg", "small.yaml", "--fingerprint", "contents", *settings)
    code, out, err = pose("--run-dir", "run", "test", *words)
    assert code == 0, err
    said = json.loads(Path("run/result.json").read_text(encoding="utf-8"))["dataset"]
    assert said["contents"] == contents(zipped / "images" / "val2017", "zip")
    assert "| pose_resnet |" in out


def test_an_archive_that_is_missing_or_no_zip_file_is_named(zipped):
    file = zipped / "images" / "val2017.zip"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(PoseError, match=r"val2017\.zip cannot be read as a zip file"):
        load(zipped)
    file.unlink()
    with pytest.raises(PoseError, match=r"there is no .*val2017\.zip"):
        load(zipped)


def rewritten(file, change):
    with zipfile.ZipFile(file) as old:
        content = {name: old.read(name) for name in old.namelist()}
    change(content)
    file.unlink()
    with zipfile.ZipFile(file, "w") as new:
        for name, data in content.items():
            new.writestr(name, data)


@pytest.mark.parametrize("what", ["is missing", "is empty"])
def test_a_picture_that_the_archive_lacks_is_named_before_work_starts(zipped, tmp_path, what):
    other = tmp_path / "other"
    shutil.copytree(zipped, other)
    name = load(zipped)[0].path.name
    change = {"is missing": lambda c: c.pop(name), "is empty": lambda c: c.update({name: b""})}[what]
    rewritten(other / "images" / "val2017.zip", change)
    with pytest.raises(PoseError, match=rf"val2017\.zip@/{name} {what}"):
        check_pictures(load(other))


def damaged(file, name):
    with zipfile.ZipFile(file) as packed:
        place = packed.getinfo(name).header_offset + 200
    with file.open("r+b") as stream:  # in place: the archive is open already
        stream.seek(place)
        stream.write(bytes(20))


def test_a_member_with_changed_bytes_is_named(zipped):
    record = load(zipped)[0]
    damaged(zipped / "images" / "val2017.zip", record.path.name)
    with pytest.raises(PoseError, match=rf"val2017\.zip@/{record.path.name} cannot be unpacked"):
        list(batches(CropDataset([record], SIZE, training=False), 1, workers=1))


def test_the_fingerprint_knows_the_members(zipped, tmp_path):
    def changed(change=None):
        root = tmp_path / f"copy{len(list(tmp_path.iterdir()))}"
        shutil.copytree(zipped, root)
        rewritten(root / "images" / "val2017.zip", change or dict.copy)
        return fingerprint([coco.annotation_file(root, "val2017")], coco.image_folder(root, "val2017"), "zip")

    def turned(content):  # the same size, other bytes
        name = next(iter(content))
        content[name] = content[name][::-1]

    assert changed() == changed()
    assert len({changed(), changed(turned), changed(lambda c: c.popitem())}) == 3


def test_the_contents_are_those_of_the_pictures_in_a_folder_or_a_zip_file(zipped, tmp_path):
    folder = tmp_path / "images" / "val2017"
    with zipfile.ZipFile(zipped / "images" / "val2017.zip") as packed:
        packed.extractall(folder)
    whole = hashlib.sha256()
    for picture in sorted(folder.iterdir()):
        whole.update(f"{picture.name}\0{hashlib.sha256(picture.read_bytes()).hexdigest()}\n".encode())
    assert contents(folder, "jpg") == whole.hexdigest()
    assert contents(zipped / "images" / "val2017", "zip") == whole.hexdigest()
    picture.write_bytes(picture.read_bytes()[::-1])  # the same size, other bytes
    assert contents(folder, "jpg") != whole.hexdigest()


def test_a_picture_whose_contents_cannot_be_read_is_named(zipped, tmp_path):
    (tmp_path / "a.jpg").symlink_to("/proc/self/mem")  # a file that answers EIO, to root too
    with pytest.raises(PoseError, match=r"a\.jpg cannot be read: Input/output error"):
        contents(tmp_path, "jpg")
    record = load(zipped)[0]
    damaged(zipped / "images" / "val2017.zip", record.path.name)
    with pytest.raises(PoseError, match=rf"{record.path.name} cannot be unpacked"):
        contents(zipped / "images" / "val2017", "zip")


@pytest.fixture
def check(zipped, small, tmp_path, root):
    """Runs check-data on the archives, in a process that has none of them open: exit code and stdout."""
    (tmp_path / "small.yaml").write_text(small.format(root=zipped), encoding="utf-8")

    def run():
        argv = [sys.executable, "-m", "pose", "check-data", "--cfg", "small.yaml"]
        argv += ["DATASET.DATA_FORMAT", "zip"]
        env = {**os.environ, "PYTHONPATH": str(root)}
        done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
        return done.returncode, done.stdout

    return run


def test_check_data_looks_into_archives(check, zipped):
    assert check() == (0, "0 errors, 0 remarks\n")
    picture = load(zipped)[0].path
    rewritten(zipped / "images" / "val2017.zip", lambda content: content.update({picture.name: b"<html>"}))
    code, out = check()
    assert (code, f"picture cannot be decoded       1   {picture} " in out) == (1, True), out


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda file, name: rewritten(file, lambda content: content.pop(name)), "picture is missing"),
        (damaged, "picture cannot be unpacked"),
        (lambda file, _name: file.unlink(), "zip file of pictures cannot be used"),
        (lambda file, _name: file.write_bytes(file.read_bytes()[:99]), "zip file of pictures cannot be used"),
    ],
)
def test_check_data_tells_what_is_wrong_with_an_archive(check, zipped, spoil, kind):
    spoil(zipped / "images" / "val2017.zip", load(zipped)[0].path.name)
    code, out = check()
    assert (code, out.splitlines()[-1]) == (1, "1 error, 0 remarks"), out
    assert out.startswith(f"error   {kind} ")
