from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envcheck.choice.wishes import Wishes, combine, minors, specifier, torch_wish, without_tag
from envcheck.errors import UsageError


def said(origin="a", **wishes):
    sets = {name: SpecifierSet(text) for name, text in wishes.items() if name in ("torch", "cuda", "python")}
    return Wishes(origins=(origin,), **{**wishes, **sets})


@pytest.mark.parametrize(
    ("text", "meant", "tag"),
    [
        ("1.13", "==1.13.*", None),
        ("2", "==2.*", None),
        ("1.13.1", "==1.13.1", None),
        (" 1.13.1 ", "==1.13.1", None),
        ("1.13.1+cu117", "==1.13.1", "cu117"),
        ("1.13+cu117", "==1.13.*", "cu117"),
        ("==1.13.1+cu117", "==1.13.1", "cu117"),
        ("torch==2.0.1+cu118", "==2.0.1", "cu118"),
        ("torch>=2", ">=2", None),
        ("2.0.0rc1", "==2.0.0rc1", None),
        ("2.1rc1", "==2.1rc1", None),
        (">=2.1,<2.5", ">=2.1,<2.5", None),
        ("~=2.0", "~=2.0", None),
        ("!=1.13.1+cu117", "!=1.13.1+cu117", None),
        ("2.3.0+cpu", "==2.3.0", "cpu"),
    ],
)
def test_a_text_for_torch_is_a_set_of_versions_and_perhaps_a_build(text, meant, tag):
    assert torch_wish(text) == (SpecifierSet(meant), tag)


@pytest.mark.parametrize(
    ("option", "text", "meant"),
    [
        ("--cuda", "11.8", "==11.8.*"),
        ("--cuda", "11.8.0", "==11.8.*"),
        ("--cuda", "12", "==12.*"),
        ("--cuda", ">=11.7,<13", ">=11.7,<13"),
        ("--python", "3.11", "==3.11.*"),
        ("--python", "3.11.4", "==3.11.*"),
    ],
)
def test_an_option_is_a_set_of_versions(option, text, meant):
    assert specifier(option, text) == SpecifierSet(meant)


@pytest.mark.parametrize("option", ["--cuda", "--python"])
@pytest.mark.parametrize(
    "text", ["", "latest", "=1.13", ">=2,,<x", "==" + "9" * 100, "===foo", "9" * 5000, "\x1b", "11.8+cu118"]
)
def test_what_is_no_set_is_refused_by_the_option_with_an_example(option, text):
    with pytest.raises(UsageError, match=rf"^{option}: ") as caught:
        specifier(option, text)
    assert f"{option} '>=" in caught.value.hint
    assert len(caught.value.message) < 150


@pytest.mark.parametrize("text", ["", "latest", "=1.13", ">=2,,<x", "==" + "9" * 100, "===foo", "\x1b"])
def test_what_is_no_torch_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"^--torch: ") as caught:
        torch_wish(text)
    assert "--torch '>=" in caught.value.hint
    assert len(caught.value.message) < 150


def test_two_builds_at_once_are_refused():
    with pytest.raises(UsageError, match="cu116 and cu117"):
        without_tag(SpecifierSet("==1.13.1+cu117,==1.13.1+cu116"), "here")


@pytest.mark.parametrize(
    ("patches", "meant"),
    [
        (">=3.7.1", ">=3.7"),
        (">3.7.1", ">=3.7"),
        (">3.7.0", ">3.7"),
        ("<3.9.0", "<3.9"),
        ("<3.9.7", "<=3.9"),
        ("<=11.3.1", "<=11.3"),
        ("==11.3.1", "==11.3.*"),
        ("==11.3.1.*", "==11.3.*"),
        ("~=3.8.2", "==3.8.*"),
        (">=3.8,!=3.9.7", ">=3.8"),
        ("!=3.9.*", "!=3.9.*"),
        ("==3.8", "==3.8"),
        ("<4", "<4"),
    ],
)
def test_a_set_of_patch_releases_becomes_the_minor_versions_that_have_one(patches, meant):
    assert minors(SpecifierSet(patches)) == SpecifierSet(meant)


@given(
    st.sampled_from([">=", "<=", "==", "<", "~="]), st.integers(6, 14), st.integers(0, 20), st.integers(6, 14)
)
def test_a_minor_version_is_kept_exactly_if_one_of_its_releases_was(operator, minor, patch, asked):
    clause = SpecifierSet(f"{operator}3.{minor}.{patch}")
    releases = (Version(f"3.{asked}.{number}") for number in range(25))
    assert minors(clause).contains(f"3.{asked}") == any(clause.contains(one) for one in releases)


def test_two_wishes_become_what_satisfies_both():
    joined = combine(said("a", torch=">=2", tag="cu118"), said("b", torch="<2.5", python="==3.9.*"))
    assert joined == Wishes(
        torch=SpecifierSet(">=2,<2.5"), tag="cu118", python=SpecifierSet("==3.9.*"), origins=("a", "b")
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tag": "cu117"}, {"tag": "cu118"}),
        ({"python": "==3.9.*"}, {"python": "==3.10.*"}),
        ({"torch": "==1.13.1"}, {"torch": ">=2"}),
        ({"torch": ">=2"}, {"torch": "<1.13"}),
        ({"cuda": "==11.8.*"}, {"cuda": "==11.7.*"}),
        ({"base_image": "a"}, {"base_image": "b"}),
        ({"recipe": "a"}, {"recipe": "b"}),
        ({"gpus": "none"}, {"gpus": ("0",)}),
    ],
)
def test_wishes_that_contradict_are_refused_by_both_origins(one, other):
    with pytest.raises(UsageError, match=r"here contradicts there"):
        combine(said("here", **one), said("there", **other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("==1.13.*", ">1.13.0"),
        ("==1.13.*", "==1.13.1"),
        (">2", "<3"),
        (">=1.8,!=1.8.0", "!=1.8.1,<1.9"),
        (">=3.7,!=3.7.*", "!=3.8.*"),
        ("<2", "!=1.0"),
        ("==2.0.0rc1", "<2.0.1"),
    ],
)
def test_wishes_that_leave_something_do_not_contradict(one, other):
    assert combine(said(torch=one), said(torch=other)).torch == SpecifierSet(f"{one},{other}")


@given(st.text(max_size=80) | st.from_regex(r"[=<>!~]{0,3}[\d.*]{0,9}(\+cu11\d)?", fullmatch=True))
def test_any_text_is_a_set_or_a_usage_error(text):
    for option in ("--cuda", "--python"):
        with suppress(UsageError):
            specifier(option, text).contains("1.13.1")
    with suppress(UsageError):
        torch_wish(text)[0].contains("1.13.1")
