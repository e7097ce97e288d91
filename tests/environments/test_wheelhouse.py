from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from envcheck.environments.held import let_go
from envcheck.environments.wheelhouse import Wheelhouse
from envcheck.errors import EnvcheckError, UsageError
from envcheck.recipes import read_lock
from tests.wheels import make_wheel, pin_of


@pytest.fixture
def house(tmp_path) -> Wheelhouse:
    return Wheelhouse(tmp_path / "cache")


def write_lock(tmp_path: Path, *lines: str) -> Path:
    lock = tmp_path / "lock.txt"
    lock.write_text("# a comment\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return lock


def fetch(house, pins, tmp_path, listener, download_mib=0):
    recipe = SimpleNamespace(tag="cpu", size=SimpleNamespace(download_mib=download_mib))
    house.fetch(pins, python=Path(sys.executable), recipe=recipe, log=tmp_path / "log.txt", watch=listener)


def test_a_line_without_hash_is_named_by_file_and_line(tmp_path):
    lock = write_lock(tmp_path, "alpha==1.0")
    with pytest.raises(UsageError, match=r"lock\.txt:2: not a pin with one hash"):
        read_lock(lock)


PIN = f"alpha==1.0 --hash=sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((PIN, PIN.replace("alpha", "Alpha")), r"lock\.txt:3: Alpha is pinned already, at .*lock\.txt:2"),
        ((PIN.replace("1.0", "one"),), r"lock\.txt:2: 'one' is no version"),
        (("# Complete, 2 wheels: install.", PIN), r"lock\.txt says that it names 2 wheels, and names 1"),
        (("# Complete, 0 wheels: install.", PIN), r"lock\.txt says that it names 0 wheels, and names 1"),
    ],
)
def test_a_lock_that_was_edited_is_refused_where_it_was(tmp_path, lines, said):
    with pytest.raises(UsageError, match=said):
        read_lock(write_lock(tmp_path, *lines))


def test_a_lock_that_is_no_text_is_refused(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_bytes(PIN.encode("utf-16"))
    with pytest.raises(UsageError, match="not UTF-8"):
        read_lock(lock)


@pytest.mark.parametrize("other", ["alpha==2.0", "beta==1.0"])
def test_a_digest_beside_another_pin_is_refused_with_file_and_line(tmp_path, index, house, listener, other):
    pin = pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl"))
    fetch(house, read_lock(write_lock(tmp_path, pin)), tmp_path, listener)
    pins = read_lock(write_lock(tmp_path, pin.replace("alpha==1.0", other)))
    with pytest.raises(UsageError, match=r"lock\.txt:2: the digest beside .* is that of alpha-1\.0"):
        fetch(house, pins, tmp_path, listener)


def test_wheels_are_fetched_once_and_found_by_their_hash(tmp_path, index, house, listener):
    pins = read_lock(
        write_lock(
            tmp_path,
            pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl")),
            pin_of(make_wheel(index, "beta-1.0-py3-none-any.whl")),
        )
    )
    fetch(house, pins, tmp_path, listener)
    assert house.missing(pins) == ()
    for wheel in index.glob("*.whl"):
        wheel.unlink()
    fetch(house, pins, tmp_path, listener)
    assert [step for step in listener.steps if step.startswith("fetch")] == [
        "fetch alpha 1.0 and 1 more wheels"
    ]


def test_a_wheel_with_another_hash_is_refused_and_not_kept(tmp_path, index, house, listener):
    wheel = make_wheel(index, "alpha-1.0-py3-none-any.whl")
    pins = read_lock(write_lock(tmp_path, pin_of(wheel)))
    make_wheel(index, "alpha-1.0-py3-none-any.whl", content="print('another file under the same name')\n")
    with pytest.raises(EnvcheckError, match="does not have the digest"):
        fetch(house, pins, tmp_path, listener)
    assert house.missing(pins) == pins
    assert [path.name for path in house.folder.iterdir()] == [".lock"]


def test_what_arrived_whole_is_kept_when_a_later_wheel_fails(tmp_path, index, house, listener):
    lock = write_lock(
        tmp_path,
        pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl")),
        f"beta==1.0+cpu --hash=sha256:{'0' * 64}",
    )
    pins = read_lock(lock)
    with pytest.raises(EnvcheckError):
        fetch(house, pins, tmp_path, listener)
    assert house.missing(pins) == pins[1:]


def test_the_room_that_a_fetch_needs_is_that_of_what_is_missing(tmp_path, index, house, listener):
    alpha = pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl", content="#" * (4 << 20)))
    beta = pin_of(make_wheel(index, "beta-1.0-py3-none-any.whl"))
    recipe = SimpleNamespace(size=SimpleNamespace(download_mib=10))
    both = read_lock(write_lock(tmp_path, alpha, beta))
    assert house.needed_mib(both, recipe) == 10
    fetch(house, both[:1], tmp_path, listener)
    assert house.needed_mib(both, recipe) == 6
    fetch(house, both, tmp_path, listener)
    assert house.needed_mib(both, recipe) == 0


@pytest.mark.parametrize("heavy", ["torch", "nvidia_cublas"])
def test_a_heavy_wheel_that_arrived_is_kept_when_the_next_one_fails(tmp_path, index, house, listener, heavy):
    heavy = pin_of(make_wheel(index, f"{heavy}-1.0-py3-none-any.whl")).replace("_", "-")
    pins = read_lock(write_lock(tmp_path, heavy, f"triton==1.0 --hash=sha256:{'0' * 64}"))
    with pytest.raises(EnvcheckError):
        fetch(house, pins, tmp_path, listener)
    assert house.missing(pins) == pins[1:]
    with let_go(house.find(pins[0]).parent) as is_free:
        assert not is_free  # somebody who prunes now leaves it to the one who has fetched it


def test_a_wheel_that_nobody_has_is_not_called_a_conflict_with_the_users_constraints(
    tmp_path, index, house, listener, monkeypatch
):
    (tmp_path / "constraints.txt").write_text("alpha<1\nbeta<=2\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "constraints.txt"))
    lock = write_lock(
        tmp_path,
        pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl")),
        f"beta==1.0+cpu --hash=sha256:{'0' * 64}",
    )
    pins = read_lock(lock)
    with pytest.raises(EnvcheckError, match="no index that pip knows has a wheel"):
        fetch(house, pins, tmp_path, listener)
    assert house.missing(pins) == pins[1:]


def test_half_a_wheel_is_not_kept(tmp_path, index, house, listener, monkeypatch):
    """pip copies what it fetched into place at the end; an interruption may come amid that."""
    pins = read_lock(write_lock(tmp_path, pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl"))))

    def stopped(_argv, *, env, **_):
        Path(env["TMPDIR"], "alpha-1.0-py3-none-any.whl").write_bytes(b"half")
        return 130

    monkeypatch.setattr("envcheck.environments.wheelhouse.stream", stopped)
    (tmp_path / "log.txt").touch()
    with pytest.raises(KeyboardInterrupt):
        fetch(house, pins, tmp_path, listener)
    assert [path.name for path in house.folder.iterdir()] == [".lock"]


def test_too_little_disk_is_said_before_a_fetch(tmp_path, index, house, listener):
    pins = read_lock(write_lock(tmp_path, pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl"))))
    with pytest.raises(EnvcheckError, match="MiB free"):
        fetch(house, pins, tmp_path, listener, download_mib=10**9)
    assert listener.steps == []


def borrow(house, pin, tmp_path, listener, size_mib=0):
    return house.borrow(pin, (), size_mib, log=tmp_path / "log.txt", watch=listener)


def test_a_borrowed_wheel_is_fetched_and_gone_afterwards(tmp_path, index, house, listener):
    (wanted,) = read_lock(write_lock(tmp_path, pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl"))))
    with borrow(house, wanted, tmp_path, listener) as wheel:
        assert wheel.read_bytes() == next(index.glob("*.whl")).read_bytes()
    assert [path.name for path in house.folder.iterdir()] == [".lock"]


def test_a_borrowed_wheel_that_is_here_is_not_fetched_and_stays(tmp_path, index, house, listener):
    pins = read_lock(write_lock(tmp_path, pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl"))))
    fetch(house, pins, tmp_path, listener)
    with borrow(house, pins[0], tmp_path, listener) as wheel:
        assert wheel == house.find(pins[0])
    assert house.missing(pins) == ()
    assert len(listener.steps) == 1


def test_a_borrowed_wheel_that_cannot_be_had_is_no_environments_failure(tmp_path, index, house, listener):
    wheel = make_wheel(index, "alpha-1.0-py3-none-any.whl")
    (wanted,) = read_lock(write_lock(tmp_path, pin_of(wheel)))
    wheel.unlink()
    with (
        pytest.raises(EnvcheckError, match=r"^The wheel was not fetched: "),
        borrow(house, wanted, tmp_path, listener),
    ):
        pass
    with pytest.raises(EnvcheckError, match="MiB free"), borrow(house, wanted, tmp_path, listener, 10**9):
        pass


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_wheel_with_a_flipped_bit_is_named_and_fetched_again(tmp_path, index, house, listener):
    pins = read_lock(write_lock(tmp_path, pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl"))))
    fetch(house, pins, tmp_path, listener)
    whole = house.find(pins[0]).read_bytes()
    flip_a_bit(house.find(pins[0]))
    fetch(house, pins, tmp_path, listener)
    assert house.find(pins[0]).read_bytes() == whole
    assert "remove alpha-1.0-py3-none-any.whl, which is damaged, to fetch it again" in listener.steps


def test_a_wheel_with_a_flipped_bit_is_not_used_when_nobody_has_it_any_more(tmp_path, index, house, listener):
    wheel = make_wheel(index, "alpha-1.0-py3-none-any.whl")
    pins = read_lock(write_lock(tmp_path, pin_of(wheel)))
    fetch(house, pins, tmp_path, listener)
    flip_a_bit(house.find(pins[0]))
    wheel.unlink()
    with pytest.raises(EnvcheckError):
        fetch(house, pins, tmp_path, listener)
    assert house.missing(pins) == pins


def test_a_damaged_wheel_is_not_lent(tmp_path, index, house, listener):
    wheel = make_wheel(index, "alpha-1.0-py3-none-any.whl")
    pins = read_lock(write_lock(tmp_path, pin_of(wheel)))
    fetch(house, pins, tmp_path, listener)
    flip_a_bit(house.find(pins[0]))
    with house.borrow(pins[0], (), 1, log=tmp_path / "log.txt", watch=listener) as lent:
        assert lent.read_bytes() == wheel.read_bytes()
