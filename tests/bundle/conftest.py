"""A bundle of a recipe that weighs nothing, and a machine that has none of it and no network."""

from __future__ import annotations

import pytest

from envcheck.bundle import gather as gathering
from envcheck.bundle.gather import of_recipe
from envcheck.bundle.pack import bundle
from tests.environments.conftest import knows_only
from tests.small import MINE, Quiet, make_world


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A world and its bundle, `world.folder / "small.bundle.tar"`."""
    world = make_world(tmp_path_factory.mktemp("packed"), container_python=MINE)
    pack(world, world.folder / "small.bundle.tar")
    return world


@pytest.fixture
def file(packed):
    return packed.folder / "small.bundle.tar"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The cache of a machine that knows no index and has nothing."""
    cache = tmp_path / "elsewhere"
    cache.mkdir()
    monkeypatch.setenv("ENVCHECK_CACHE", str(cache))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return cache


def pack(world, file, *, image=False):
    """Bundle a world's recipe out of its own cache."""
    with pytest.MonkeyPatch.context() as patch, knows_only(world):
        patch.setenv("ENVCHECK_CACHE", str(world.cache))
        patch.setattr(gathering, "program_of_pose", lambda: world.program)
        return bundle(of_recipe(world.recipe, ()), file, Quiet(), image=image)
