"""What a container is shown, on folders that are really there."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from envcheck.engine.containers import Mount
from envcheck.environments.mounts import mounts, taken
from envcheck.errors import UsageError


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with `wd`, the working directory, and `data` and `out` beside it."""
    base = tmp_path.resolve()
    for name in ("wd/inner", "data/images/train", "out/inner/deep"):
        (base / name).mkdir(parents=True)
    monkeypatch.chdir(base / "wd")
    return base


def shown(working_directory, *, reads=(), writes=(), mentions=(), own=False):
    """What is shown at its own place: `rw:PATH`; elsewhere `rw:SOURCE -> PATH`."""
    paths = {"reads": map(Path, reads), "writes": map(Path, writes), "mentions": map(Path, mentions)}
    found = mounts(working_directory, own=own, **paths)
    return [
        f"{'rw' if one.writable else 'ro'}:{one.source}"
        + (f" -> {one.target}" if one.target != one.source else "")
        for one in found
    ]


def test_the_working_directory_is_there_to_be_read(place):
    found = mounts(place / "wd", reads=(), writes=())
    assert found == (Mount(str(place / "wd"), str(place / "wd"), writable=False),)


def test_a_command_of_its_own_may_write_the_working_directory(place):
    assert shown(place / "wd", own=True) == [f"rw:{place}/wd"]


def test_what_is_written_inside_of_what_is_read_is_a_mount_of_its_own(place):
    found = shown(place / "wd", writes=[place / "wd/inner"])
    assert found == [f"ro:{place}/wd", f"rw:{place}/wd/inner"]


def test_what_is_read_inside_of_what_is_written_is_none(place):
    """A checkpoint there is replaced by renaming, which a mount would forbid."""
    (place / "out/model.pth").touch()
    found = shown(place / "wd", reads=[place / "out/model.pth"], writes=[place / "out"])
    assert found == [f"rw:{place}/out", f"ro:{place}/wd"]


def test_what_is_written_below_a_path_that_is_read_below_one_that_is_written_is_shown_once(place):
    found = shown(place / "wd", reads=[place / "out/inner"], writes=[place / "out", place / "out/inner/deep"])
    assert found == [f"rw:{place}/out", f"ro:{place}/wd"]


def test_what_is_read_and_written_is_written(place):
    found = shown(place / "wd", reads=[place / "out"], writes=[place / "out"])
    assert found == [f"rw:{place}/out", f"ro:{place}/wd"]


def test_a_relative_path_is_one_of_the_working_directory(place, monkeypatch):
    (place / "big").mkdir()
    (place / "data/big").symlink_to(place / "big")
    monkeypatch.chdir("/")
    found = shown(place / "wd", reads=["../data"], writes=["../out"])
    assert found == [f"ro:{place}/big", f"ro:{place}/data", f"rw:{place}/out", f"ro:{place}/wd"]


def test_the_parent_of_a_link_is_that_of_its_target_and_hides_nothing_of_the_same_name(place):
    (place / "out/link").symlink_to(place / "data/images")
    for name in ("out/weights", "data/weights"):
        (place / name).touch()
    found = shown(place / "wd", reads=["../out/link/../weights"])
    assert found == [f"ro:{place}/data/weights", f"ro:{place}/wd"]


def test_a_folder_whose_name_only_begins_alike_is_another(place):
    (place / "wd-2").mkdir()
    found = shown(place / "wd", reads=[place / "wd-2"])
    assert found == [f"ro:{place}/wd", f"ro:{place}/wd-2"]


def test_a_single_file_is_shown_alone(place):
    (place / "data/weights.pth").touch()
    (place / "data/secret.txt").touch()
    found = shown(place / "wd", reads=[place / "data/weights.pth"])
    assert found == [f"ro:{place}/data/weights.pth", f"ro:{place}/wd"]


def test_what_is_not_there_is_left_for_the_command_to_miss(place):
    (place / "wd/dangling").symlink_to(place / "nowhere")
    found = shown(place / "wd", reads=[place / "absent", "absent", place / "wd/dangling"])
    assert found == [f"ro:{place}/wd"]


def test_a_linked_working_directory_is_where_it_was_named_and_where_it_lies(place):
    (place / "link").symlink_to(place / "wd")
    assert shown(place / "link") == [f"ro:{place}/wd -> {place}/link", f"ro:{place}/wd"]


def test_linked_data_is_where_it_was_named_and_where_it_lies(place):
    (place / "named").symlink_to(place / "data")
    found = shown(place / "wd", reads=[place / "named"])
    assert found == [f"ro:{place}/data", f"ro:{place}/data -> {place}/named", f"ro:{place}/wd"]


def test_a_link_inside_of_the_working_directory_needs_its_target_alone(place):
    (place / "wd/data").symlink_to(place / "data")
    assert shown(place / "wd", reads=["data"]) == [f"ro:{place}/data", f"ro:{place}/wd"]


def test_a_linked_output_can_be_written_under_both_names(place):
    (place / "wd/out").symlink_to(place / "out")
    assert shown(place / "wd", writes=["out"]) == [
        f"rw:{place}/out",
        f"ro:{place}/wd",
        f"rw:{place}/out -> {place}/wd/out",
    ]


def test_folders_that_a_dataset_links_to_are_shown(place):
    (place / "big/val").mkdir(parents=True)
    (place / "data/images/val").symlink_to(place / "big/val")
    found = shown(place / "wd", reads=[place / "data"])
    assert found == [f"ro:{place}/big/val", f"ro:{place}/data", f"ro:{place}/wd"]


def linked(place, names) -> list[str]:
    (place / "big").mkdir()
    (place / "big/secret").touch()
    for name in names:
        (place / f"big/{name}.jpg").touch()
        (place / f"data/images/train/{name}.jpg").symlink_to(place / f"big/{name}.jpg")
    return shown(place / "wd", reads=[place / "data"])


def test_a_few_files_that_a_dataset_links_to_are_shown_and_nothing_beside_them(place):
    found = linked(place, "ab")
    assert found == [f"ro:{place}/big/a.jpg", f"ro:{place}/big/b.jpg", f"ro:{place}/data", f"ro:{place}/wd"]


def test_many_pictures_that_a_dataset_links_to_are_shown_by_their_folder(place):
    found = linked(place, map(str, range(17)))
    assert found == [f"ro:{place}/big", f"ro:{place}/data", f"ro:{place}/wd"]


def test_a_link_to_a_socket_or_to_somebodys_home_shows_neither(place, monkeypatch):
    monkeypatch.setenv("HOME", str(place / "home"))
    (place / "home").mkdir()
    (place / "data/home").symlink_to(place / "home")
    (place / "data/run").symlink_to("/run")
    with socket.socket(socket.AF_UNIX) as engine, tempfile.TemporaryDirectory() as short:
        engine.bind(f"{short}/s")
        (place / "data/engine.sock").symlink_to(f"{short}/s")
        assert shown(place / "wd", reads=[place / "data"]) == [f"ro:{place}/data", f"ro:{place}/wd"]


def test_a_link_within_the_dataset_or_to_nothing_adds_nothing(place):
    (place / "data/images/alias").symlink_to(place / "data/images/train")
    (place / "data/images/none").symlink_to(place / "absent/none")
    assert shown(place / "wd", reads=[place / "data"]) == [f"ro:{place}/data", f"ro:{place}/wd"]


@pytest.mark.parametrize(
    "target", ["/usr/bin/env", "/usr/local/bin", "/usr/bin", "/usr/lib", "/etc/passwd", "/", "/proc/self"]
)
def test_a_link_into_the_system_is_followed_to_the_images_own(place, target):
    """A virtual environment in the folder: its python is a link to the system's."""
    (place / "wd/venv/bin").mkdir(parents=True)
    (place / "wd/venv/bin/python").symlink_to(target)
    assert shown(place / "wd", reads=["."]) == [f"ro:{place}/wd"]


@pytest.mark.parametrize(
    "path",
    ["/", "/usr", "/usr/bin", "/etc", "/opt", "/proc", "/dev/shm", "/sys", "/proc/self", "/tmp"],  # noqa: S108
)
def test_a_place_that_the_container_has_taken_is_refused(place, path):
    for words in ({"reads": [path]}, {"writes": [path]}):
        with pytest.raises(UsageError, match="cannot be shown inside a container") as caught:
            shown(place / "wd", **words)
        assert "--in venv" in caught.value.hint
    with pytest.raises(UsageError):
        shown(Path(path))


def test_what_a_word_may_mean_is_shown_unless_the_image_has_it_itself(place):
    (place / "elsewhere").mkdir(exist_ok=True)
    mentions = ["/", "/tmp", "/usr", "/usr/bin/env", "/etc", str(place / "elsewhere"), "absent"]  # noqa: S108
    assert shown(place / "wd", mentions=mentions) == [f"ro:{place}/elsewhere", f"ro:{place}/wd"]


def test_why_a_path_cannot_be_shown_is_said_beforehand(place):
    assert taken(place) == ""
    assert taken(Path("/tmp")) == "/tmp cannot be shown inside, which has its own"  # noqa: S108


def test_a_place_inside_of_the_images_environment_is_refused(place, monkeypatch):
    monkeypatch.setattr("os.path.lexists", lambda _: True)
    for path in ("/opt/envcheck/x", "/opt/pose/data"):
        with pytest.raises(UsageError, match=path):
            shown(place / "wd", reads=[path])
    assert "ro:/opt/envcheckers" in shown(place / "wd", reads=["/opt/envcheckers"])


def test_a_link_to_a_taken_place_is_refused_by_the_name_of_what_is_taken(place):
    (place / "all").symlink_to("/usr")
    with pytest.raises(UsageError, match=r"^/usr cannot"):
        shown(place / "wd", reads=[place / "all"])
