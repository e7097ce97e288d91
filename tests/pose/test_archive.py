"""Pictures in a zip file: the same numbers as from a folder, and damage named early."""

from __future__ import annotations

import shutil
import zipfile

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")
torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose import coco  # noqa: E402
from pose.dataset import CropDataset, batches  # noqa: E402
from pose.errors import PoseError  # noqa: E402
from pose.pictures import check_pictures, fingerprint  # noqa: E402

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
    code, out, err = pose("test", "--cfg", "small.yaml", *settings)
    assert code == 0, err
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


def test_a_member_with_changed_bytes_is_named(zipped):
    record = load(zipped)[0]
    file = zipped / "images" / "val2017.zip"
    with zipfile.ZipFile(file) as packed:
        place = packed.getinfo(record.path.name).header_offset + 200
    data = bytearray(file.read_bytes())
    data[place : place + 20] = bytes(20)
    with file.open("r+b") as stream:  # in place: the archive is open already
        stream.write(data)
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
