"""Real uv and real pip, on a find-links folder of small wheels made here; no network."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from packaging.tags import Tag
from packaging.version import Version

from envcheck import uv
from envcheck.errors import EnvcheckError, UsageError
from envcheck.locks import Resolved, lock_text, read_packages, resolve
from envcheck.processes import Outcome
from envcheck.recipes import load_recipe
from envcheck.uv import IndexUnreachableError, PinnedWheel, Target, compile_wheels
from tests.wheels import BESIDE_NUMPY, digest_of, make_wheel

LINUX_311 = Target("3.11", "x86_64", Version("2.28"))
LINUX_312 = Target("3.12", "x86_64", Version("2.28"))
DAY = date(2026, 11, 24)


def _wheel(index, file, *requires, content=""):
    """Write a wheel and return its digest."""
    return digest_of(make_wheel(index, file, *requires, content=content))


def _names(pins):
    return [f"{pin.name} {pin.version}" for pin in pins]


def test_markers_are_the_targets_not_those_of_the_interpreter_that_resolves(index):
    _wheel(
        index,
        "alpha-1.0-py3-none-any.whl",
        'beta; python_version >= "3.12"',
        'gamma; sys_platform == "win32"',
    )
    _wheel(index, "beta-1.0-py3-none-any.whl")
    assert _names(compile_wheels(["alpha"], [], LINUX_311)) == ["alpha 1.0"]
    assert _names(compile_wheels(["alpha"], [], LINUX_312)) == ["alpha 1.0", "beta 1.0"]


def test_a_pin_is_the_wheel_with_the_best_tag_and_among_those_the_highest_build_number(index):
    _wheel(index, "alpha-1.0-99-cp311-cp311-manylinux2014_x86_64.whl", content="older platform, newer build")
    digests = {
        build: _wheel(
            index, f"alpha-1.0-{build}-cp311-cp311-manylinux_2_28_x86_64.whl", content=f"build {build}"
        )
        for build in (1, 2, 3, 4, 10)
    }
    _wheel(index, "alpha-1.0-cp311-cp311-manylinux_2_39_x86_64.whl", content="too new")
    _wheel(index, "alpha-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", content="another Python")
    _wheel(index, "alpha-1.0-cp311-cp311-win_amd64.whl", content="another system")
    file = index / "alpha-1.0-10-cp311-cp311-manylinux_2_28_x86_64.whl"
    expected = PinnedWheel("alpha", "1.0", digests[10], file.stat().st_size)
    assert compile_wheels(["alpha"], [], LINUX_311) == (expected,)


def test_the_recipes_bounds_and_the_users_own_both_hold(index, tmp_path, monkeypatch):
    for version in ("1.0", "1.5", "2.0", "3.0"):
        _wheel(index, f"alpha-{version}-py3-none-any.whl")
    assert _names(compile_wheels(["alpha"], ["alpha<3"], LINUX_311)) == ["alpha 2.0"]
    users = tmp_path / "users.txt"
    users.write_text("alpha<2\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONSTRAINT", str(users))
    assert _names(compile_wheels(["alpha"], ["alpha<3"], LINUX_311)) == ["alpha 1.5"]


def test_what_cannot_be_satisfied_is_one_sentence_with_uvs_reason(index):
    _wheel(index, "alpha-1.0-py3-none-any.whl", "beta>=2")
    _wheel(index, "beta-1.0-py3-none-any.whl")
    with pytest.raises(EnvcheckError) as caught:
        compile_wheels(["alpha"], [], LINUX_311)
    assert "beta" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_users_own_uv_settings_choose_nothing():
    env = uv.uv_variables({}, {"UV_PRERELEASE": "allow", "UV_INDEX": "x", "UV_CACHE_DIR": "c", "HOME": "h"})
    assert env == {"UV_CACHE_DIR": "c", "HOME": "h"}


def test_pips_settings_are_handed_to_uv_in_its_environment():
    pip = {
        "index-url": "https://user:secret@mirror/simple",
        "extra-index-url": "https://a/simple\nhttps://b/simple",
        "find-links": "/wheels /more",
        "cert": "/etc/ca.pem",
        "trusted-host": "mirror",
        "proxy": "http://proxy:3128",
    }
    env = uv.uv_variables(pip, {}, index="https://c/whl")
    assert env == {
        "UV_DEFAULT_INDEX": "https://user:secret@mirror/simple",
        "UV_INDEX": "https://a/simple https://b/simple https://c/whl",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_INSECURE_HOST": "mirror",
        "ALL_PROXY": "http://proxy:3128",
    }


def test_pips_environment_wins_over_its_section_and_that_over_global(tmp_path, monkeypatch):
    for name in ("PIP_FIND_LINKS", "PIP_CERT", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://g/\ncert = g.pem\nfind-links =\n  /one\n  /two\n"
        "[install]\ncert = i.pem\nindex-url = https://i/\n[download]\ncert = d.pem\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_INDEX_URL", "https://e/")
    settings = uv.read_pip_settings()
    assert settings["index-url"] == "https://e/"
    assert settings["cert"] == "i.pem"
    assert settings["find-links"].split() == ["/one", "/two"]


@pytest.mark.parametrize(
    ("said", "kind", "shown"),
    [
        (
            "error: Request failed after 3 retries\n  cause: Failed to fetch: x\n  cause: dns error\n",
            IndexUnreachableError,
            "dns error",
        ),
        ("error: No solution found\n  cause: Because a<2 and a>=2, no.\n", EnvcheckError, "Because a<2"),
        ("error: Couldn't parse requirement in `wanted.in`\n  cause: odd\n  ^\n", EnvcheckError, "parse"),
        ("", EnvcheckError, "it said nothing"),
    ],
)
def test_an_index_that_did_not_answer_is_told_from_one_that_has_no_such_wheel(monkeypatch, said, kind, shown):
    monkeypatch.setattr(uv, "capture", lambda *_, **__: Outcome(2, "", said))
    with pytest.raises(EnvcheckError) as caught:
        compile_wheels(["alpha"], [], LINUX_311)
    assert type(caught.value) is kind
    assert shown in caught.value.message


def test_a_targets_tags_are_ranked_as_pip_ranks_them():
    tags = LINUX_311.tags
    order = [
        Tag("cp311", "cp311", "manylinux_2_28_x86_64"),
        Tag("cp311", "cp311", "manylinux_2_17_x86_64"),
        Tag("cp311", "abi3", "manylinux_2_28_x86_64"),
        Tag("cp39", "abi3", "manylinux2014_x86_64"),
        Tag("py3", "none", "manylinux1_x86_64"),
        Tag("py3", "none", "any"),
    ]
    assert sorted(order, key=tags.__getitem__) == order
    assert Tag("cp311", "cp311", "manylinux_2_31_x86_64") not in tags
    assert Tag("cp312", "cp312", "manylinux_2_28_x86_64") not in tags


def _pose_wheels(index):
    for name in ("numpy", *BESIDE_NUMPY):
        _wheel(index, f"{name}-1.0-py3-none-any.whl")


def test_a_lock_is_pins_in_order_under_a_head_that_says_what_it_is(index):
    _pose_wheels(index)
    digest = _wheel(index, "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", 'numpy; extra == "x"')
    text = lock_text("cpu", resolve(load_recipe("cpu"), "3.11"), DAY)
    head = [line for line in text.splitlines() if line.startswith("#")]
    pins = [line for line in text.splitlines() if not line.startswith("#")]
    assert "Recipe cpu, Python 3.11, Linux x86_64 with glibc 2.28" in head[0]
    assert "envcheck recipes lock cpu --python 3.11" in head[1]
    assert [pin.partition("==")[0] for pin in pins] == [
        "numpy",
        "onnx",
        "opencv-python-headless",
        "pycocotools",
        "pyyaml",
        "rich",
        "scipy",
        "tensorboardx",
        "torch",
    ]
    assert pins[-1] == f"torch==2.13.0+cpu --hash=sha256:{digest}"
    assert str(index) not in text


def test_where_torchs_wheel_is_out_of_reach_a_sibling_says_what_it_requires_and_the_recipe_its_digest(
    index, shared
):
    facts = json.loads((shared / "facts/torch_cpu_wheels.json").read_text())["wheels"]
    _pose_wheels(index)
    _wheel(index, "filelock-1.0-py3-none-any.whl")
    _wheel(index, "setuptools-1.0-py3-none-any.whl")
    requires = ("filelock", 'setuptools; python_version >= "3.12"', 'optree; extra == "optree"')
    _wheel(index, "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", *requires)
    text = lock_text("cpu", resolve(load_recipe("cpu"), "3.12"), DAY)
    names = [line.partition("==")[0] for line in text.splitlines() if not line.startswith("#")]
    assert {"filelock", "setuptools"} <= set(names)
    assert "optree" not in names
    digest = facts["torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl"]
    assert f"torch==2.13.0+cpu --hash={digest}" in text.splitlines()
    assert "out of reach" in text


def test_a_python_whose_digest_nobody_knows_gets_no_lock(index):
    _pose_wheels(index)
    _wheel(index, "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl")
    with pytest.raises(EnvcheckError) as caught:
        resolve(load_recipe("cpu"), "3.10")
    assert "torch" in caught.value.message


@pytest.mark.usefixtures("index")
def test_a_file_name_that_is_no_wheel_is_named_in_the_recipe():
    recipe = replace(load_recipe("cpu"), wheels={"torch.tar.gz": "sha256:00"})
    with pytest.raises(UsageError) as caught:
        resolve(recipe, "3.11")
    assert "torch.tar.gz" in caught.value.message


def test_a_note_stands_in_the_head_and_an_empty_one_leaves_no_line():
    pins = (PinnedWheel("alpha", "1.0", "0" * 64),)
    plain = lock_text("mine", Resolved(LINUX_311, pins), DAY)
    noted = lock_text("mine", Resolved(LINUX_311, pins, "careful"), DAY)
    assert set(noted.splitlines()) - set(plain.splitlines()) == {"# careful"}
    assert "2026-11-24" in plain


def test_an_input_file_is_read_without_its_comments(tmp_path):
    file = tmp_path / "some.in"
    file.write_text("# what\nnumpy  # why\n\nrich\n", encoding="utf-8")
    assert read_packages(file) == ["numpy", "rich"]
