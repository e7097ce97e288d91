"""Bundles that are not what they say: damaged on their way, cut off, or made to do harm."""

from __future__ import annotations

import json
import random
import tarfile

import pytest

from envcheck.bundle.unpack import record_in, unpack
from envcheck.errors import USAGE, UsageError
from tests.bundle.forged import taken_apart


@pytest.fixture
def refused(file, elsewhere, listener, tmp_path):
    """`refused(change)` changes a bundle; gives what is said when it was refused and left nothing."""

    def look(change):
        forged = taken_apart(file)
        change(forged)
        target = forged.write(tmp_path / "forged.tar")
        with pytest.raises(UsageError) as caught:
            unpack(target, elsewhere, listener)
        assert caught.value.exit_code == USAGE
        assert "forged.tar" in caught.value.message
        assert left_in(elsewhere) == []
        return caught.value.message

    return look


def left_in(cache):
    """Every file but locks; copies of pose are made of what was whole."""
    return sorted(
        str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"
    )


def test_a_bundle_written_by_a_tar_program_is_as_good(file, elsewhere, listener, tmp_path):
    forged = taken_apart(file)
    assert unpack(forged.write(tmp_path / "f.tar"), elsewhere, listener).manifest.recipe


@pytest.mark.parametrize("folder", ["recipe", "wheels", "pose"])
def test_one_flipped_bit_is_found_and_its_member_named(refused, folder):
    def flip(forged):
        path = forged.path(folder)
        content = bytearray(forged.members[path])
        content[len(content) // 2] ^= 1
        forged.members[path] = bytes(content)
        flip.path = path

    said = refused(flip)
    assert f"{flip.path} is damaged" in said


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../evil",
        "pose/../../evil",
        "pose//evil",
        "pose/.hidden",
        "pose/evil\n",
        "pose/e vil",
        "pose/evil\x1b[2J",
        "evil",
        "elsewhere/evil.py",
        "wheels/evil.py",
        "wheels/a/b.whl",
        "recipe",
        "pose/" + "a/" * 20 + "b",
    ],
)
def test_a_member_with_a_name_that_no_bundle_has_is_refused(refused, name):
    def rename(forged):
        forged.rename(forged.path("wheels" if name.startswith("wheels") else "pose"), name)
        forged.members["bundle.json"] = json.dumps(forged.said).encode()
        forged.members = {"bundle.json": forged.members["bundle.json"]}  # no tar need go that far

    assert repr(name)[1:-1][:60] in refused(rename)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_links_devices_and_folders_are_refused(refused, kind):
    def turn(forged):
        path = forged.path("wheels")
        forged.headers[path] = {"type": kind, "linkname": "/etc/passwd"}

    assert "wheels/alpha-1.0-py3-none-any.whl" in refused(turn)


def test_a_member_that_is_not_named_is_refused(refused):
    assert "'pose/more.py'" in refused(lambda forged: forged.members.update({"pose/more.py": b"print()"}))


def test_a_member_that_is_missing_is_named(refused):
    def remove(forged):
        remove.path = list(forged.members)[-1]
        del forged.members[remove.path]

    said = refused(remove)
    assert f"{remove.path} is missing" in said


def test_a_member_that_comes_twice_is_refused(refused):
    def double(forged):
        forged.twice = forged.path("wheels")

    assert "comes twice" in refused(double)


def test_a_member_that_is_named_twice_is_refused(refused):
    def double(forged):
        forged.said["members"].append(dict(forged.said["members"][0]))

    assert "is in it 2 times" in refused(double)


def test_a_file_that_is_a_folder_of_another_is_refused(refused):
    assert "is a file, and" in refused(
        lambda forged: forged.put(f"{forged.path('pose')}/more.py", b"print()")
    )


@pytest.mark.parametrize("size", [1, 1 << 39])
def test_a_size_that_is_not_the_members_is_refused_before_any_room_is_taken(refused, size):
    def lie(forged):
        forged.entry(forged.path("wheels"))["bytes"] = size

    assert f"bundle.json names {size:,}" in refused(lie)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recipe", "../evil"),
        ("recipe", "another"),
        ("pose", "../../evil"),
        ("pose", "0" * 16),
        ("members", []),
        ("members", "none"),
        ("image", {}),
        ("torch", None),
    ],
)
def test_a_manifest_that_fits_nothing_is_refused(refused, key, value):
    def change(forged):
        forged.said[key] = value
        if key == "members":
            forged.members = {}

    refused(change)


def test_a_bundle_of_a_later_version_says_so(refused):
    assert "was written by a later envcheck: it is envcheck.bundle/2" in refused(
        lambda forged: forged.said.update(schema="envcheck.bundle/2")
    )


def test_the_record_of_a_later_version_in_a_bundle_says_so(file, tmp_path):
    forged = taken_apart(file)
    forged.put("record.json", b'{"schema": "envcheck.run/2"}')
    with pytest.raises(UsageError, match=r"record\.json was written by a later envcheck"):
        record_in(forged.write(tmp_path / "later.tar"))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"\xff\xfe{}", b'{"schema": "envcheck.run/1"}', b"[" * 100_000]
)
def test_a_bundle_json_that_is_none_is_refused(refused, text):
    refused(lambda forged: forged.members.update({"bundle.json": text}))


def test_a_huge_bundle_json_is_refused_unread(refused):
    assert "5 MiB, and at most 4" in refused(
        lambda forged: forged.members.update({"bundle.json": bytes(5 << 20)})
    )


def test_a_wheel_that_no_lock_names_is_refused(refused):
    assert "is named by none of its locks" in refused(
        lambda forged: forged.put("wheels/beta-1.0-py3-none-any.whl", b"PK")
    )


@pytest.mark.parametrize(
    "name",
    [
        *("alpha-2.0-py3-none-any.whl", "beta-1.0-py3-none-any.whl", "alpha.whl"),
        *("alpha-1.0-cp27-cp27m-win32.whl", "alpha-1.0-py3-none-manylinux_2_99_x86_64.whl"),
    ],
)
def test_a_wheel_that_is_called_as_another_is_refused(refused, name):
    def rename(forged):
        forged.rename(forged.path("wheels"), f"wheels/{name}")

    assert "is called as no wheel of alpha 1.0" in refused(rename)


def test_a_lock_of_which_nothing_is_said_is_refused(refused):
    said = refused(lambda forged: forged.put("recipe/locks/more.txt", b"alpha==1.0"))
    assert "names no Python for more.txt" in said


@pytest.mark.parametrize("pythons", [[], ["3.x"], ["2.7"]])
def test_pythons_that_it_has_no_lock_for_are_refused(refused, pythons):
    refused(lambda forged: forged.said.update(pythons=pythons))


def test_a_first_header_of_less_than_nothing_is_refused_unread(elsewhere, listener, tmp_path):
    info = tarfile.TarInfo("bundle.json")
    info.size = -(1 << 40)
    (tmp_path / "less.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(UsageError, match="at most 4"):
        unpack(tmp_path / "less.tar", elsewhere, listener)


def test_a_lock_without_its_wheel_is_refused(refused):
    def remove(forged):
        path = forged.path("wheels")
        forged.said["members"].remove(forged.entry(path))
        del forged.members[path]

    assert "the wheel of alpha is not in it" in refused(remove)


def test_a_recipe_or_lock_that_is_none_is_refused_by_name(refused):
    def spoil(forged):
        forged.put(next(path for path in forged.members if path.endswith(".txt")), b"--index-url evil")

    assert "not a pin with one hash" in refused(spoil)


def test_wherever_it_is_cut_off_it_is_refused(file, elsewhere, listener, tmp_path):
    whole = file.read_bytes()
    target = tmp_path / "cut.tar"
    places = random.Random(0).sample(range(len(whole)), 60)  # noqa: S311 - any will do
    for place in (*places, 0, 511, 512, 513, len(whole) - 1, len(whole) - 512, len(whole) - 1024):
        target.write_bytes(whole[:place])
        with pytest.raises(UsageError, match=r"cut\.tar"):
            unpack(target, elsewhere, listener)
        assert left_in(elsewhere) == []


def test_something_behind_its_end_is_refused(file, elsewhere, listener, tmp_path):
    for more in (b"x", bytes(512), file.read_bytes()):
        (tmp_path / "more.tar").write_bytes(file.read_bytes() + more)
        with pytest.raises(UsageError, match="behind its end"):
            unpack(tmp_path / "more.tar", elsewhere, listener)


@pytest.mark.parametrize("content", [b"", b"\0" * 2048, b"PK\x03\x04" * 400, b"x" * 300])
def test_what_is_no_bundle_at_all_says_so(elsewhere, listener, tmp_path, content):
    (tmp_path / "no.tar").write_bytes(content)
    with pytest.raises(UsageError, match=r"no\.tar"):
        unpack(tmp_path / "no.tar", elsewhere, listener)


def test_a_file_that_is_not_there_or_a_folder_says_so(elsewhere, listener, tmp_path):
    for path in (tmp_path / "none.tar", tmp_path):
        with pytest.raises(UsageError, match=str(path)):
            unpack(path, elsewhere, listener)
