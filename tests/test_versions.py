from __future__ import annotations

import pytest
from packaging.version import InvalidVersion, Version

from envcheck.versions import Spelled


@pytest.mark.parametrize("text", ["450.80.02", "535.104.05", "540.4.0", "580"])
def test_a_driver_is_written_as_nvidia_writes_it(text):
    assert (str(Spelled(text)), f"{Spelled(text)}") == (text, text)


def test_spelling_changes_nothing_of_what_a_version_is():
    assert Spelled("450.80.02") == Version("450.80.2")
    assert hash(Spelled("450.80.02")) == hash(Version("450.80.2"))
    assert Spelled("450.80.02") < Version("450.80.10")


def test_what_is_no_version_is_refused():
    with pytest.raises(InvalidVersion):
        Spelled("five")
