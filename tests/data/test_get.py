"""A small dataset and small weights, from a real server into a folder."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import filelock
import pytest
import yaml

from envcheck.data import catalogue
from envcheck.data.download import Patience
from envcheck.data.get import get
from envcheck.data.plan import plan
from envcheck.errors import EnvcheckError, RetryError, UsageError
from tests.data.conftest import ARCHIVES, LABELS, PICTURES, WEIGHTS, contents, laid_out, noise, sha256, zipped
from tests.data.server import Fault

QUICK = Patience(tries=2, wait_s=0.0, silence_s=5.0)


@pytest.fixture
def bring(shelf, listener):  # noqa: ARG001 - the catalogue is put in its place
    def call(name="small", *only, to=None, mirror=None, keep=False):
        return get(plan(name, only, to, mirror, keep=keep), listener, QUICK)

    return call


def states(got):
    return {part.name: (part.state, part.files) for part in got.parts}


def test_a_dataset_comes_into_the_layout_that_the_configs_expect(bring):
    got = bring()
    assert contents("data/small") == laid_out()
    assert states(got) == {"labels": ("fetched", 2), "val2017": ("fetched", 20)}
    assert got.next == "envcheck run check-data --data data/small"
    left = sorted(path.name for path in Path("data/small").rglob(".envcheck/*"))
    assert left == ["labels.json", "lock", "lock", "val2017.json"]


def test_a_second_call_asks_nobody(bring, site, listener):
    bring()
    site.asked.clear()
    listener.steps.clear()
    assert states(bring()) == {"labels": ("here", 2), "val2017": ("here", 20)}
    assert (site.asked, listener.steps) == ([], [])


def test_a_part_alone_can_be_had_and_the_rest_later(bring, site):
    assert states(bring("small", "val2017")) == {"val2017": ("fetched", 20)}
    assert [one.path for one in site.gets()] == ["/zips/val2017.zip"]
    assert states(bring()) == {"labels": ("fetched", 2), "val2017": ("here", 20)}


def test_another_folder_can_be_named_and_is_named_in_what_comes_next(bring, tmp_path):
    got = bring(to=tmp_path / "big disk")
    assert contents(tmp_path / "big disk") == laid_out()
    assert got.next == f"envcheck run check-data --data '{tmp_path}/big disk'"


def test_a_mirror_has_the_same_files_below_another_address(bring, serve, site):
    files = {f"/coco{path}": data for path, data in site.files.items()}
    mirror = serve(type(site)(files))
    bring(mirror=f"{mirror.url}/coco/")
    assert contents("data/small") == laid_out()
    assert site.asked == []


def test_a_mirror_with_other_bytes_is_refused(bring, serve, site):
    false = bytearray(site.files["/annotations/labels.zip"])
    false[40] ^= 1
    mirror = serve(type(site)({**site.files, "/annotations/labels.zip": bytes(false)}))
    with pytest.raises(EnvcheckError, match="its SHA-256 is"):
        bring(mirror=mirror.url)
    assert contents("data/small") == {}


def test_kept_archives_lie_where_zipped_pictures_are_looked_for(bring):
    bring(keep=True)
    archives = {"labels.zip": "/annotations/labels.zip", "images/val2017.zip": "/zips/val2017.zip"}
    assert contents("data/small") == {**laid_out(), **{a: ARCHIVES[b] for a, b in archives.items()}}


def test_an_archive_of_ones_own_is_unpacked_and_stays(bring, site):
    own = Path("data/small/images/val2017.zip")
    own.parent.mkdir(parents=True)
    own.write_bytes(ARCHIVES["/zips/val2017.zip"])
    bring()
    assert [one.path for one in site.asked] == ["/annotations/labels.zip"] * 2
    assert own.read_bytes() == ARCHIVES["/zips/val2017.zip"]
    assert len(contents("data/small/images/val2017")) == 20


@pytest.mark.parametrize("size", [5, None])
def test_another_archive_in_its_place_is_not_touched(bring, size):
    own = Path("data/small/images/val2017.zip")
    own.parent.mkdir(parents=True)
    own.write_bytes(b"x" * (size or len(ARCHIVES["/zips/val2017.zip"])))
    before = own.read_bytes()
    with pytest.raises(EnvcheckError, match=r"images/val2017\.zip is another file"):
        bring("small", "val2017")
    assert contents("data/small") == {"images/val2017.zip": before}


def test_an_archive_of_another_size_is_told_before_anybody_is_asked(bring, site):
    Path("data/small/images").mkdir(parents=True)
    Path("data/small/images/val2017.zip").write_bytes(b"short")
    with pytest.raises(EnvcheckError, match="one of 42,502 bytes is expected"):
        bring()
    assert site.asked == []


def test_what_others_have_brought_is_kept_and_called_unchecked(bring):
    for name in PICTURES:
        path = Path("data/small/images") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"somebody's")
    assert states(bring()) == {"labels": ("fetched", 2), "val2017": ("found", 20)}
    assert contents("data/small/images/val2017") == {Path(name).name: b"somebody's" for name in PICTURES}


def test_a_set_that_others_have_brought_in_part_is_made_whole_without_replacing_anything(bring):
    first = Path("data/small/images") / next(iter(PICTURES))
    first.parent.mkdir(parents=True)
    first.write_bytes(PICTURES[next(iter(PICTURES))])
    (first.parent / "mine.txt").write_bytes(b"mine")
    assert states(bring())["val2017"] == ("fetched", 20)
    assert contents("data/small") == {**laid_out(), "images/val2017/mine.txt": b"mine"}


def test_files_that_have_gone_are_brought_again(bring, site):
    bring()
    site.asked.clear()
    lost = Path("data/small/images") / next(iter(PICTURES))
    lost.unlink()
    assert states(bring()) == {"labels": ("here", 2), "val2017": ("fetched", 20)}
    assert contents("data/small") == laid_out()


def test_a_file_that_somebody_has_changed_is_named_and_left(bring, site):
    bring()
    site.asked.clear()
    changed = Path("data/small/annotations/person_keypoints_val2017.json")
    changed.write_text('{"mine": 1}')
    with pytest.raises(EnvcheckError, match=r"person_keypoints_val2017\.json is another file"):
        bring()
    assert changed.read_text() == '{"mine": 1}'
    assert site.asked == []


def test_a_receipt_for_another_archive_counts_for_nothing(bring, shelf, written, site):
    bring("small", "labels")
    newer = zipped({**LABELS, "annotations/new.json": b"new"})
    site.files["/annotations/labels.zip"] = newer
    written[0]["parts"][0].update(size=len(newer), sha256=sha256(newer), holds={"annotations/new.json": 1})
    shelf.write_text(yaml.safe_dump({"datasets": written}, sort_keys=False), encoding="utf-8")
    assert states(bring("small", "labels")) == {"labels": ("fetched", 3)}


def test_a_download_that_broke_goes_on_at_the_next_call(bring, site):
    site.faults, site.always = [Fault(cut=20_000, lengthless=True)], Fault(status=503)
    with pytest.raises(RetryError):
        bring("small", "val2017")
    part = Path("data/small/images/.envcheck/val2017.zip.part")
    assert part.read_bytes() == ARCHIVES["/zips/val2017.zip"][:20_000]
    assert contents("data/small") == {}
    site.always = None
    site.asked.clear()
    bring("small", "val2017")
    (asked,) = site.gets()
    assert asked.headers["Range"] == "bytes=20000-"
    assert len(contents("data/small/images/val2017")) == 20


@pytest.mark.parametrize("moment", ["extract", "move"])
def test_an_unpacking_that_was_stopped_is_made_again_without_the_network(bring, site, monkeypatch, moment):
    calls = []

    def stop(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    owner, name = (zipfile.ZipFile, "extract") if moment == "extract" else (Path, "replace")
    real = getattr(owner, name)
    if moment == "move":  # the folder is there: file by file
        Path("data/small/images/val2017").mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stop)
        with pytest.raises(KeyboardInterrupt):
            bring("small", "val2017")
    assert len(contents("data/small/images/val2017")) < 20
    assert not list(Path("data/small").rglob("*.unpacking"))
    site.asked.clear()
    assert states(bring("small", "val2017")) == {"val2017": ("fetched", 20)}
    assert site.asked == []
    assert contents("data/small/images") == PICTURES


def test_a_file_that_the_server_lacks_is_known_before_the_first_is_fetched(bring, site):
    del site.files["/zips/val2017.zip"]
    with pytest.raises(EnvcheckError, match=r"val2017\.zip cannot be had: the server says 404 Not Found"):
        bring()
    assert site.gets() == []
    assert not Path("data").exists()


def test_too_small_a_disk_is_told_before_anything_is_asked_or_made(bring, site, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2 << 20))
    with pytest.raises(EnvcheckError, match=r"small needs 3 MiB and .*work has 2 MiB free") as caught:
        bring()
    assert "--to DIR" in caught.value.hint
    assert (caught.value.exit_code, site.asked, Path("data").exists()) == (1, [], False)


def sized(rows, tmp_path, monkeypatch):
    parts = [
        {"name": f"p{n}", "path": f"p{n}{end}", "size": size << 20, "sha256": "00", "unpacked_mib": unpacked}
        for n, (end, size, unpacked) in enumerate(rows)
    ]
    dataset = {
        "name": "sized",
        "summary": "",
        "folder": str(tmp_path / "to"),
        "base": "http://127.0.0.1",
        "parts": parts,
        "afterwards": [],
    }
    file = tmp_path / "sized.yaml"
    file.write_text(yaml.safe_dump({"datasets": [dataset]}), encoding="utf-8")
    monkeypatch.setattr(catalogue, "FILE", file)


@pytest.mark.parametrize(
    ("rows", "keep", "mib"),
    [
        ([(".zip", 100, 300)], False, 400),
        ([(".zip", 100, 300), (".zip", 10, 20)], False, 400),  # the first archive has gone by then
        ([(".zip", 10, 20), (".zip", 100, 300)], False, 420),
        ([(".zip", 100, 300), (".zip", 10, 20)], True, 430),
        ([(".pth", 100, 0), (".pth", 10, 0)], False, 110),  # weights stay
    ],
)
def test_room_is_counted_for_the_fullest_moment(rows, keep, mib, tmp_path, monkeypatch):
    sized(rows, tmp_path, monkeypatch)
    assert plan("sized", (), None, None, keep=keep).rooms() == {tmp_path: mib}


def test_what_has_arrived_needs_no_more_room(tmp_path, monkeypatch):
    sized([(".zip", 100, 300)], tmp_path, monkeypatch)
    part = tmp_path / "to" / ".envcheck" / "p0.zip.part"
    part.parent.mkdir(parents=True)
    with part.open("wb") as file:
        file.truncate(40 << 20)
    assert list(plan("sized", (), None, None).rooms().values()) == [360]


def test_two_who_fetch_into_one_folder_do_not_meet(bring):
    workshop = Path("data/small/.envcheck")
    workshop.mkdir(parents=True)
    with filelock.FileLock(workshop / "lock"), pytest.raises(RetryError, match="Another envcheck"):
        bring("small", "labels")


def test_weights_lie_under_their_names_and_are_hashed_again_at_the_next_call(bring, site):
    assert states(bring("weights")) == {"net": ("fetched", 1)}
    (name,) = contents("models")
    assert contents("models") == {name: WEIGHTS}
    site.asked.clear()
    assert states(bring("weights")) == {"net": ("here", 1)}
    Path("models", name).write_bytes(noise(3000, seed=5))
    with pytest.raises(EnvcheckError, match=f"{name} is another file: its SHA-256 is"):
        bring("weights")
    Path("models", name).write_bytes(b"half")
    with pytest.raises(EnvcheckError, match=r"one of 3,000 bytes is expected"):
        bring("weights")
    assert Path("models", name).read_bytes() == b"half"
    assert site.asked == []


@pytest.mark.parametrize(
    ("name", "only", "message", "hint"),
    [
        ("smal", (), "There is no dataset 'smal'", "Did you mean small?"),
        ("x", (), "There is no dataset 'x'", "There are: small, weights"),
        ("small", ("val2016",), "small has no part 'val2016'", "Did you mean val2017?"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest(bring, name, only, message, hint):
    with pytest.raises(UsageError) as caught:
        bring(name, *only)
    assert (caught.value.message, caught.value.hint) == (message, hint)
