"""The image of an environment in a bundle: written by an engine, and loaded by one that has none of it."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace

import docker
import pytest

from envcheck.bundle.unpack import kept_image, kept_recipe, unpack
from envcheck.engine import images
from envcheck.environments.docker import Docker
from envcheck.environments.place import Work
from envcheck.errors import EnvcheckError, UsageError
from envcheck.host.engines import read_engines
from envcheck.recipes import load_recipe
from tests.bundle.conftest import pack
from tests.bundle.forged import taken_apart
from tests.engines import address_of
from tests.environments.conftest import CONTAINERS, a_world, own_folder, remove_images
from tests.runs.records import finished

NAME = "localhost/envcheck/bundled-small:0123456789abcdef"


@pytest.fixture
def bundled(monkeypatch):
    """`bundled(kind)` bundles a new world with the image that an engine has made, and removes that image."""
    with own_folder() as folder:
        worlds = []

        def make(kind):
            world = a_world(folder, kind)
            worlds.append(world)
            monkeypatch.setenv("DOCKER_HOST", world.addresses[kind])
            monkeypatch.setenv("ENVCHECK_BASE_IMAGE", world.base_image)
            pack(world, folder / "b.tar", image=True)
            remove_images(docker.APIClient(base_url=world.addresses[kind]), world)
            return world

        yield make
        for world in worlds:
            for kind in CONTAINERS:
                remove_images(docker.APIClient(base_url=address_of(kind)), world)


def loaded(world, kind, cache, listener):
    """Return an environment of that kind out of the world's bundle, and its place."""
    bundle = unpack(world.folder / "b.tar", cache, listener)
    engines, _ = read_engines(environ={"DOCKER_HOST": address_of(kind)})
    environment = Docker(engines[0], cache, bundle.program, carried=bundle.carried, offline=True)
    recipe = load_recipe(str(bundle.recipe))
    return environment, environment.prepare(recipe, recipe.container_python, watch=listener)


@pytest.mark.docker
@pytest.mark.parametrize("made_by", CONTAINERS)
@pytest.mark.parametrize("kind", CONTAINERS)
def test_an_image_is_loaded_once_and_runs_as_it_did_where_it_was_made(
    bundled, elsewhere, listener, made_by, kind
):
    world = bundled(made_by)
    environment, place = loaded(world, kind, elsewhere, listener)
    said = bytearray()
    ended = environment.run(place, Work(argv=(str(place.python), "-m", "alpha"), heard=said, show=False))
    assert ended.code == 0, said
    assert place.image.base == world.base_image
    steps = len(listener.steps)
    _, again = loaded(world, kind, elsewhere, listener)
    assert (again.image.id, len(listener.steps)) == (place.image.id, steps)


@pytest.mark.docker
def test_a_run_is_repeated_with_its_bundles_image_as_long_as_the_engine_has_it(bundled, elsewhere, listener):
    world = bundled("docker")
    bundle = unpack(world.folder / "b.tar", elsewhere, listener)
    environment, place = loaded(world, "docker", elsewhere, listener)
    record = finished()
    used = replace(record.environment, bundle=bundle.digest, recipe=world.recipe.name)
    record = replace(record, environment=used)
    (world.folder / "b.tar").unlink()
    kept = kept_image(record)
    again = Docker(environment.engine, elsewhere, bundle.program, carried=kept, offline=True)
    recipe = kept_recipe(record)
    assert again.prepare(recipe, recipe.container_python, watch=listener).image.id == place.image.id
    remove_images(docker.APIClient(base_url=world.addresses["docker"]), world)
    with pytest.raises(UsageError, match="is no longer with the engine"):
        again.prepare(recipe, recipe.container_python, watch=listener)


@pytest.mark.docker
def test_an_image_that_is_another_than_bundle_json_says_is_taken_back(bundled, elsewhere, listener):
    world = bundled("docker")
    forged = taken_apart(world.folder / "b.tar")
    forged.said["image"]["id"] = f"sha256:{'0' * 64}"
    forged.write(world.folder / "b.tar")
    with pytest.raises(EnvcheckError, match=f"and was sha256:{'0' * 64}"):
        loaded(world, "docker", elsewhere, listener)
    client = docker.APIClient(base_url=world.addresses["docker"])
    assert images.find(client, forged.said["image"]["name"]) is None


@pytest.mark.docker
@pytest.mark.parametrize("kind", CONTAINERS)
def test_without_an_image_no_base_image_is_fetched(kind, elsewhere, listener):
    with own_folder() as folder:
        world = replace(a_world(folder, kind), base_image="")
        pack(world, folder / "b.tar")
        with pytest.raises(EnvcheckError, match="beside --bundle nothing is fetched") as caught:
            loaded(world, kind, elsewhere, listener)
        assert caught.value.finding == "container.registry-unreachable"  # with --in auto: then a venv


def archive(**members):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, value in members.items():
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            info = tarfile.TarInfo({"index": "index.json", "manifest": "manifest.json"}.get(name, name))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    made.seek(0)
    return made


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"manifest": [{"RepoTags": [NAME, "python:3.11"]}]},
        {"manifest": [{"RepoTags": [NAME]}, {"RepoTags": ["localhost/envcheck/cpu:0123456789abcdef"]}]},
        {"manifest": [{"RepoTags": [NAME]}], "repositories": {"python": {"3.11": "a"}}},
        {
            "manifest": [{"RepoTags": [NAME]}],
            "index": {
                "manifests": [{"annotations": {"io.containerd.image.name": "docker.io/library/python"}}]
            },
        },
        {
            "manifest": [{"RepoTags": [NAME]}],
            "index": {"manifests": [{"annotations": {"org.opencontainers.image.ref.name": "python:3.11"}}]},
        },
    ],
)
def test_a_file_that_would_replace_another_image_is_never_shown_to_an_engine(members):
    with pytest.raises(EnvcheckError, match="its file names"):
        images.load(None, archive(**members), NAME)


@pytest.mark.parametrize("folder", ["././", ".//", "x/../", "/", "x/"])
def test_a_list_of_names_that_an_engine_could_find_elsewhere_is_refused(folder):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        link = tarfile.TarInfo("x")
        link.type, link.linkname = tarfile.SYMTYPE, "."
        tar.addfile(link)
        for path, tag in (("manifest.json", NAME), (f"{folder}manifest.json", "python:3.11")):
            content = json.dumps([{"RepoTags": [tag]}]).encode()
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    made.seek(0)
    with pytest.raises(UsageError, match="as no engine writes it"):
        images.load(None, made, NAME)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_list_of_names_that_is_no_plain_file_is_refused(kind):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        info = tarfile.TarInfo("manifest.json")
        info.type, info.linkname = kind, "nowhere"
        tar.addfile(info)
    made.seek(0)
    with pytest.raises(UsageError, match="as no engine writes it"):
        images.load(None, made, NAME)


@pytest.mark.parametrize(
    "content", [{"manifest": 3}, {"manifest": b"{"}, {"index": []}, {"repositories": {"a": 1}}]
)
def test_an_image_whose_file_is_damaged_is_bad_input(content):
    with pytest.raises(UsageError):
        images.load(None, archive(**content), NAME)


def test_what_is_no_tar_is_no_image():
    with pytest.raises(EnvcheckError):
        images.load(None, io.BytesIO(b"no tar" * 1000), NAME)
