from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from envcheck.choice.candidates import pythons_for
from envcheck.choice.wishes import Wishes


@pytest.mark.parametrize(
    ("wish", "pythons"),
    [("", ("3.9", "3.10", "3.13")), ("==3.13.*", ("3.13",)), (">=3.10", ("3.10", "3.13")), ("<3.9", ())],
)
def test_a_wish_for_a_python_is_one_for_its_versions_and_never_for_a_free_threaded_one(wish, pythons):
    of_a_wheel = ("3.9", "3.10", "3.13", "3.13t")
    assert pythons_for(Wishes(python=SpecifierSet(wish)), of_a_wheel) == pythons
