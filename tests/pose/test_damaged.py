"""A checkpoint that is not whole is recognised wherever it was hurt; the one before is used, aloud."""

from __future__ import annotations

import errno
import json
import os
import shutil
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from pose import writing  # noqa: E402
from pose.errors import PoseError  # noqa: E402
from pose.networks import checkpoint  # noqa: E402
from pose.stages import keep  # noqa: E402

OUT = Path("coco") / "pose_resnet" / "small"
TRAIN = ("--run-dir", "run", "train", "--cfg", "small.yaml")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A small weights file's path and bytes."""
    path = tmp_path_factory.mktemp("sealed") / "w.pth"
    checkpoint.write(path, {"a": torch.arange(40.0), "epoch": 3})
    return path, path.read_bytes()


def refused(sealed, content):
    path = sealed[0].with_name("hurt.pth")
    path.write_bytes(content)
    with pytest.raises(PoseError, match=r"hurt\.pth"):
        checkpoint.read_checkpoint(path)


def test_the_digest_stands_in_the_zips_comment_and_is_of_all_bytes_before_it(sealed):
    import hashlib

    path, content = sealed
    with zipfile.ZipFile(path) as archive:
        comment = archive.comment
    assert comment == b"sha256:" + hashlib.sha256(content[: -len(comment)]).hexdigest().encode()


@pytest.mark.parametrize("weights_only", [True, False])
def test_torch_reads_a_file_with_a_digest(sealed, weights_only):
    content = torch.load(sealed[0], weights_only=weights_only)
    assert torch.equal(content["a"], torch.arange(40.0))


def test_every_flipped_bit_of_the_ends_is_recognised_and_any_of_the_middle(sealed):
    _, content = sealed
    ends = [*range(200), *range(len(content) - 400, len(content))]
    for place in ends:
        hurt = bytearray(content)
        hurt[place] ^= 1 << place % 8
        refused(sealed, bytes(hurt))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_a_flipped_bit_anywhere_is_recognised(sealed, data):
    hurt = bytearray(sealed[1])
    bit = data.draw(st.integers(0, 8 * len(hurt) - 1))
    hurt[bit // 8] ^= 1 << bit % 8
    refused(sealed, bytes(hurt))


def test_a_file_that_was_cut_anywhere_is_recognised_its_digest_included(sealed):
    _, content = sealed
    for length in (*range(0, len(content), 53), *range(len(content) - 120, len(content))):
        refused(sealed, content[:length])


@pytest.mark.parametrize("more", [b"\0", b"x" * 50, b"PK\x05\x06" + bytes(18)])
def test_a_file_that_grew_is_recognised(sealed, more):
    refused(sealed, sealed[1] + more)


def test_a_file_without_a_digest_is_held_by_its_zips_own_checks(tmp_path):
    path = tmp_path / "older.pth"
    torch.save({"a": torch.ones(3)}, path)
    assert checkpoint.read_checkpoint(path)["a"].tolist() == [1, 1, 1]


def test_the_same_weights_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        checkpoint.write(tmp_path / name / "w.pth", {"a": torch.ones(3)})
    assert (tmp_path / "one/w.pth").read_bytes() == (tmp_path / "two/w.pth").read_bytes()


# -- going on -------------------------------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


@pytest.fixture(scope="module")
def two_epochs(place, people, small):
    """A folder after two of three epochs, and the whole run beside it."""
    from pose.__main__ import main

    here = Path.cwd()
    os.chdir(place)
    try:
        Path("small.yaml").write_text(small.format(root=people), encoding="utf-8")
        assert main([*TRAIN, "--output", "two", "TRAIN.END_EPOCH", "2"]) == 0
        shutil.copytree("two", "whole")
        assert main([*TRAIN, "--output", "whole", "TRAIN.END_EPOCH", "3"]) == 0
    finally:
        os.chdir(here)
    return place


@pytest.fixture
def hurt(two_epochs, tmp_path, monkeypatch):
    """A copy of the folder after two epochs, in the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(two_epochs / "two", "output")
    shutil.copy(two_epochs / "small.yaml", "small.yaml")
    return tmp_path / "output" / OUT


def final(folder):
    return (folder / "final_state.pth").read_bytes()


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_the_checkpoint_before_is_gone_on_from_and_both_are_named(two_epochs, hurt, pose, damage):
    damage(hurt / "checkpoint.pth")
    damaged = (hurt / "checkpoint.pth").read_bytes()
    code, out, err = pose(*TRAIN, "TRAIN.END_EPOCH", "3")
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()] == ["epoch", "2/3", "3/3"]
    (said,) = (line for line in err.splitlines() if "the one before" in line)
    assert f"{OUT}/checkpoint.pth is" in said
    assert f"{OUT}/checkpoint_before.pth, is gone on from" in said
    assert (hurt / "checkpoint_damaged.pth").read_bytes() == damaged
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert (result["resumed_from"], result["damaged"]) == (1, [said])
    assert final(hurt) == final(two_epochs / "whole" / OUT)


def test_a_checkpoint_that_is_gone_is_said_and_the_one_before_is_gone_on_from(two_epochs, hurt, pose):
    (hurt / "checkpoint.pth").unlink()
    code, _, err = pose(*TRAIN, "TRAIN.END_EPOCH", "3")
    assert code == 0, err
    assert f"there is no weights file output/{OUT}/checkpoint.pth; the one before" in err
    assert final(hurt) == final(two_epochs / "whole" / OUT)


def test_where_both_are_damaged_nothing_begins_from_scratch(hurt, pose):
    for name in ("checkpoint.pth", "checkpoint_before.pth"):
        flip(hurt / name)
    code, out, err = pose(*TRAIN, "TRAIN.END_EPOCH", "3")
    assert (code, out) == (2, "")
    (line,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert "checkpoint.pth is cut short or damaged" in line
    assert "checkpoint_before.pth is cut short or damaged" in line
    assert "hint:  AUTO_RESUME False starts anew" in err
    assert {path.name for path in hurt.glob("*.pth")} >= {"checkpoint.pth", "checkpoint_before.pth"}


def test_a_damaged_one_without_one_before_is_refused(hurt, pose):
    (hurt / "checkpoint_before.pth").unlink()
    flip(hurt / "checkpoint.pth")
    code, _, err = pose(*TRAIN, "TRAIN.END_EPOCH", "3")
    assert code == 2
    assert "AUTO_RESUME False starts anew" in err
    assert "no checkpoint_before.pth beside it" in err


def test_one_that_cannot_be_read_is_not_called_damaged_and_stays_where_it_is(hurt, pose):
    (hurt / "checkpoint.pth").unlink()
    (hurt / "checkpoint.pth").mkdir()
    code, _, err = pose(*TRAIN, "TRAIN.END_EPOCH", "3")
    assert code == 2
    assert "checkpoint.pth cannot be read: Is a directory" in err
    assert (hurt / "checkpoint.pth").is_dir()
    assert not (hurt / "checkpoint_damaged.pth").exists()


def test_where_memory_is_not_enough_to_read_it_nothing_is_called_damaged(hurt, pose, monkeypatch):
    def none(*_, **__):
        raise MemoryError

    monkeypatch.setattr(torch, "frombuffer", none)
    code, _, err = pose(*TRAIN, "TRAIN.END_EPOCH", "3")
    assert code == 1
    assert "checkpoint.pth cannot be read: this machine's memory is not enough" in err
    assert not (hurt / "checkpoint_damaged.pth").exists()


def test_a_second_damaged_one_replaces_no_first(hurt, pose):
    (hurt / "checkpoint_damaged.pth").write_text("first")
    flip(hurt / "checkpoint.pth")
    damaged = (hurt / "checkpoint.pth").read_bytes()
    code, _, err = pose(*TRAIN, "TRAIN.END_EPOCH", "3")
    assert code == 0, err
    assert "it is kept as checkpoint_damaged-2.pth" in err
    assert (hurt / "checkpoint_damaged.pth").read_text() == "first"
    assert (hurt / "checkpoint_damaged-2.pth").read_bytes() == damaged


def test_a_run_that_starts_anew_never_has_another_runs_checkpoint_before_its_own(hurt, pose):
    code, _, err = pose(*TRAIN, "TRAIN.END_EPOCH", "1", "AUTO_RESUME", "False")
    assert code == 0, err
    assert not (hurt / "checkpoint_before.pth").exists()
    assert checkpoint.read_checkpoint(hurt / "checkpoint.pth")["epoch"] == 1


def test_the_room_asked_for_is_for_three_checkpoints_less_what_lies_there(tmp_path):
    model = torch.nn.Linear(1000, 1000)
    weights = 4 * 1_001_000
    assert keep.room(model, tmp_path / "nowhere") == weights * 11
    (tmp_path / "checkpoint.pth").write_bytes(bytes(3 * weights))
    assert keep.room(model, tmp_path) == weights * 8
    assert keep.room(model, tmp_path, anew=True) == weights * 11  # that one is put away
    os.link(tmp_path / "checkpoint.pth", tmp_path / "checkpoint_before.pth")  # two names, one file
    assert keep.room(model, tmp_path) == weights * 8


# -- whole files ----------------------------------------------------------------------------------------


def test_the_file_before_keeps_its_bytes_under_the_other_name(tmp_path):
    path, before = tmp_path / "a.pth", tmp_path / "b.pth"
    for text in ("one", "two", "three"):
        with writing.replacing(path, before=before) as partial:
            partial.write_text(text)
    assert (path.read_text(), before.read_text()) == ("three", "two")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.pth", "b.pth"]


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o007, 0o660)])
def test_a_file_is_open_to_whom_the_umask_lets(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        checkpoint.write(tmp_path / "a.pth", {"a": torch.ones(1)})
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (tmp_path / "a.pth").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_where_there_are_no_links_the_file_before_is_a_copy(tmp_path, monkeypatch, number):
    def linkless(*_names):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", linkless)
    test_the_file_before_keeps_its_bytes_under_the_other_name(tmp_path)


def test_a_second_name_of_the_same_file_is_left_as_it_is(tmp_path):
    path, before = tmp_path / "a.pth", tmp_path / "b.pth"
    path.write_text("one")
    writing.link(path, before)
    writing.link(path, before)
    assert before.samefile(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.pth", "b.pth"]


def test_a_file_and_its_folder_are_synced_in_that_order(tmp_path, monkeypatch):
    synced, sync, replace = [], os.fsync, Path.replace

    def noted(handle):
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        sync(handle)

    def renamed(path, target):
        synced.append("renamed")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", renamed)
    with writing.replacing(tmp_path / "a.json") as partial:
        partial.write_text("{}")
    assert synced == [partial, "renamed", tmp_path]


@pytest.mark.parametrize(("number", "fails"), [(errno.EROFS, True), (errno.EIO, True), (errno.EINVAL, False)])
def test_a_folder_that_a_failed_disk_cannot_sync_is_an_error_and_one_that_none_can_is_not(
    tmp_path, monkeypatch, number, fails
):
    def synced(handle):
        if Path(f"/proc/self/fd/{handle}").readlink() == tmp_path:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", synced)
    expected = pytest.raises(PoseError, match=r"a\.json cannot be written") if fails else nullcontext()
    with expected, writing.replacing(tmp_path / "a.json") as partial:
        partial.write_text("{}")


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    for name in (".checkpoint.pth-ab12_9zz", ".history.csv-00000000"):
        (tmp_path / name).write_text("half")
    kept = {"checkpoint.pth", ".hidden", ".run.json", "a.pth-abcd1234", ".note-2.txt", ".b.pth-ABCD1234"}
    for name in kept:
        (tmp_path / name).write_text("whole")
    left = tmp_path / ".checkpoint_before.pth-abcdefgh"
    left.mkdir()
    (left / "checkpoint_before.pth").write_text("a link that was not made")
    writing.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept
