"""Images that envcheck built: listed beside the cache, removed by their engine, never while in use."""

from __future__ import annotations

import io
import json
import os
import tarfile
from datetime import datetime, timedelta, timezone

import docker
import pytest

from envcheck.cache.images import with_images
from envcheck.cache.kept import contents
from envcheck.cache.prune import prune
from envcheck.engine.images import IMAGE_LABEL, find
from envcheck.environments.images import mark_of

LATER = datetime.now(timezone.utc) + timedelta(days=40)


def test_an_engine_that_does_not_answer_costs_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    found = with_images(contents(tmp_path / "cache"))
    assert found.kept == ()
    assert "nobody.sock" in found.notes[0]


@pytest.fixture
def image(docker_address):
    """The client, and the name of an image of nothing but a label, as a build of ours leaves it."""
    client = docker.APIClient(base_url=docker_address, version="auto")
    name = f"localhost/envcheck/test-{os.getpid()}:0123456789abcdef"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        text = f"FROM scratch\nLABEL {IMAGE_LABEL}={name}\nENV A=1\n".encode()
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    packed.seek(0)
    list(client.build(fileobj=packed, custom_context=True, tag=name, rm=True))
    yield client, name
    if find(client, name) is not None:
        client.remove_image(name, force=True)
    client.close()


def only(cache, name):
    """The cache's contents, of which nothing but one image is: nobody else's is pruned by a test."""
    found = with_images(contents(cache))
    return type(found)(folder=cache, bytes=0, kept=tuple(one for one in found.kept if one.name == name))


@pytest.mark.docker
def test_an_image_is_listed_with_its_use_and_removed_when_nobody_has_used_it_for_long(image, tmp_path):
    client, name = image
    (one,) = only(tmp_path, name).kept
    assert (one.kind, one.path) == ("image", mark_of(tmp_path, name))
    mark_of(tmp_path, name).parent.mkdir()
    mark_of(tmp_path, name).touch()
    os.utime(mark_of(tmp_path, name), (0, 0))
    found = only(tmp_path, name)
    assert found.kept[0].used == "1970-01-01T00:00:00Z"
    assert prune(found, 30, dry_run=True).removed == found.kept
    assert find(client, name) is not None
    assert prune(found, 30).removed == found.kept
    assert find(client, name) is None


@pytest.mark.docker
def test_an_image_that_a_run_holds_or_a_container_stands_on_stays(image, tmp_path):
    import fcntl

    client, name = image
    mark_of(tmp_path, name).parent.mkdir()
    with mark_of(tmp_path, name).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)  # as `held.hold` does
        found = only(tmp_path, name)
        assert prune(found, 30, LATER).held == found.kept
    made = client.create_container(name, ["/nothing"])
    try:
        assert prune(found, 30, LATER).held == found.kept
    finally:
        client.remove_container(made["Id"])
    assert find(client, name) is not None
    assert prune(found, 30, LATER).removed == found.kept


@pytest.mark.docker
def test_what_a_killed_build_has_left_without_a_name_goes_with_the_next_prune(image, tmp_path):
    client, name = image
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    said = client.import_image_from_data(empty.getvalue(), changes=[f"LABEL {IMAGE_LABEL}={name}"])
    nameless = json.loads(said)["status"]
    found = only(tmp_path, name)
    prune(found, 30, dry_run=True)
    assert find(client, nameless) is not None
    prune(found, 30)
    assert find(client, nameless) is None
    assert find(client, name) is not None
