"""Zips, honest and hostile."""

from __future__ import annotations

import stat
import zipfile
from types import SimpleNamespace

import pytest

from envcheck.data.unpack import unpack
from envcheck.errors import EnvcheckError
from tests.data.conftest import zipped

FILES = {"set/a.txt": b"a", "set/deep/b.txt": b"bb" * 5000, "c.txt": b""}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "place"


@pytest.fixture
def call(tmp_path, place):
    place.mkdir()

    def call(data: bytes, limit_mib=1):
        archive = tmp_path / "some.zip"
        archive.write_bytes(data)
        return unpack(archive, place, place / ".staging", limit_mib=limit_mib, update=lambda _news: None)

    return call


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_files_come_to_their_place_with_their_sizes(call, place, packing):
    assert call(zipped(FILES, compression=packing)) == {"set/a.txt": 1, "set/deep/b.txt": 10000, "c.txt": 0}
    assert contents(place) == FILES
    assert not (place / ".staging").exists()


def test_what_is_there_already_is_kept_where_it_is_the_same(call, place):
    (place / "set").mkdir()
    (place / "set" / "a.txt").write_bytes(b"a")
    (place / "set" / "mine.txt").write_bytes(b"mine")
    call(zipped(FILES))
    assert contents(place) == {**FILES, "set/mine.txt": b"mine"}


def test_another_file_of_the_same_name_is_not_replaced_and_nothing_moves(call, place):
    (place / "set" / "deep").mkdir(parents=True)
    (place / "set" / "deep" / "b.txt").write_bytes(b"xx" * 5000)
    with pytest.raises(EnvcheckError, match=r"set/deep/b\.txt is there already"):
        call(zipped(FILES))
    assert contents(place) == {"set/deep/b.txt": b"xx" * 5000}


def test_what_an_interrupted_unpacking_left_is_not_taken_for_the_archives(call, place):
    (place / ".staging" / "set").mkdir(parents=True)
    (place / ".staging" / "set" / "half.txt").write_bytes(b"half")
    call(zipped(FILES))
    assert contents(place) == FILES


@pytest.mark.parametrize(
    "name", ["../out.txt", "set/../../out.txt", "/out.txt", "..\\out.txt", "set\\..\\out.txt"]
)
def test_a_file_outside_of_the_archive_is_refused_before_anything_is_written(call, place, tmp_path, name):
    with pytest.raises(EnvcheckError, match="outside of itself"):
        call(zipped({"good.txt": b"", name: b"evil"}))
    assert contents(place) == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["place", "some.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_a_device_is_refused(call, tmp_path, place, kind):
    member = zipfile.ZipInfo("set/link")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(EnvcheckError, match="a link or a device"):
        call((tmp_path / "link.zip").read_bytes())
    assert contents(place) == {}


def test_a_bomb_is_refused_by_what_it_claims(call, place):
    bomb = zipped({"zeros": bytes(5 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    with pytest.raises(EnvcheckError, match="more than 1 MiB"):
        call(bomb)
    assert contents(place) == {}


def test_a_bomb_that_claims_less_is_cut_off_there(call, place):
    bomb = bytearray(zipped({"zeros": bytes(5 << 20)}, compression=zipfile.ZIP_DEFLATED))
    size = (5 << 20).to_bytes(4, "little")
    while (at := bomb.find(size)) >= 0:
        bomb[at : at + 4] = (1000).to_bytes(4, "little")
    with pytest.raises(EnvcheckError, match="cannot be unpacked"):
        call(bytes(bomb))
    assert contents(place) == {}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_there_twice_is_refused(call, tmp_path):
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a.txt", "one")
        archive.writestr("a.txt", "two")
    with pytest.raises(EnvcheckError, match=r"'a\.txt' twice"):
        call((tmp_path / "twice.zip").read_bytes())


def test_packings_that_unpack_a_block_whole_are_refused(call):
    with pytest.raises(EnvcheckError, match="not read here"):
        call(zipped({"a.txt": b"a"}, compression=zipfile.ZIP_BZIP2))


def test_an_encrypted_file_is_refused(call):
    data = bytearray(zipped({"a.txt": b"a"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(EnvcheckError, match="not read here"):
        call(bytes(data))


@pytest.mark.parametrize("damage", ["content", "end"])
def test_a_damaged_archive_leaves_nothing(call, place, damage):
    data = zipped({"a.txt": b"aaaa", "b.txt": b"bbbb"})
    data = data.replace(b"bbbb", b"bxbb") if damage == "content" else data[:-30]
    with pytest.raises(EnvcheckError, match=r"some\.zip cannot be unpacked"):
        call(data)
    assert contents(place) == {}
    assert not (place / ".staging").exists()


def test_a_disk_without_room_for_what_is_inside_is_told_before_it_is_full(call, place, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    with pytest.raises(EnvcheckError, match=r"Unpacking some\.zip needs 3 MiB and .* has 1 MiB free"):
        call(zipped({"zeros": bytes(3 << 20)}), limit_mib=9)
    assert contents(place) == {}
