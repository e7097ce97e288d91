"""What is held stays; what goes while somebody reaches for it is said to be gone."""

from __future__ import annotations

import threading

import pytest

from envcheck.environments.held import hold, let_go, remove


@pytest.fixture
def thing(tmp_path):
    thing = tmp_path / "thing"
    thing.mkdir()
    (thing / "file").write_text("old", encoding="utf-8")
    return thing


def test_what_is_held_nobody_may_take(thing):
    assert hold(thing)
    with let_go(thing) as is_free:
        assert not is_free


def test_what_is_not_there_is_not_held(tmp_path):
    assert not hold(tmp_path / "nowhere")


@pytest.mark.parametrize("instead", [False, True])
def test_who_reaches_for_what_is_being_moved_away_is_told_that_it_is_gone(thing, tmp_path, instead):
    new = tmp_path / "new"
    new.mkdir()
    told = []
    with let_go(thing) as is_free:
        assert is_free
        reaching = threading.Thread(target=lambda: told.append(hold(thing)))
        reaching.start()
        reaching.join(timeout=0.2)
        assert told == []
        remove(thing, new if instead else None)
    reaching.join(timeout=10)
    assert told == [False]
    assert thing.exists() == instead
    assert hold(thing) == instead


def test_what_is_removed_leaves_nothing_behind(thing, tmp_path):
    remove(thing)
    assert list(tmp_path.iterdir()) == []
