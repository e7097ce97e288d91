"""Compose files: services, what they start from, what they are given."""

from __future__ import annotations

import textwrap
from itertools import pairwise

import pytest

from envcheck.doctor.project.compose import read_compose
from envcheck.doctor.project.facts import Service, Unread
from envcheck.errors import UsageError


def service(body: str, file: str = "compose.yaml") -> Service:
    """Return the one service whose lines are `body`."""
    text = "services:\n  one:\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ")
    (found,) = read_compose(text, file)
    assert isinstance(found, Service)
    return found


@pytest.mark.parametrize(
    "body",
    [
        "gpus: all",
        "gpus:\n  - driver: nvidia\n    count: 2",
        "runtime: nvidia",
        "devices:\n  - nvidia.com/gpu=all",
        "devices:\n  - /dev/nvidia0:/dev/nvidia0",
        "deploy:\n  resources:\n    reservations:\n      devices:\n        - capabilities: [gpu]",
        "deploy:\n  resources:\n    reservations:\n      devices:\n        - {driver: nvidia, count: 1}",
    ],
)
def test_ways_to_ask_for_gpus(body):
    assert service(body).gpus is True


@pytest.mark.parametrize(
    "body",
    [
        "image: x",
        "runtime: runc",
        "deploy:\n  resources:\n    limits:\n      cpus: '2'",
        "deploy:\n  resources:\n    reservations:\n      devices:\n        - capabilities: [tpu]",
        "deploy:\n  resources:\n    reservations:\n      memory: 2g",
        "devices:\n  - /dev/video0",
        "deploy:",
        "gpus:",
    ],
)
def test_what_asks_for_none(body):
    assert service(body).gpus is False


@pytest.mark.parametrize(
    ("body", "shares"),
    [
        ("shm_size: 2gb", True),
        ("ipc: host", True),
        ("ipc: 'service:other'", True),
        ("tmpfs:\n  - /dev/shm:size=4g", True),
        ("volumes:\n  - /dev/shm:/dev/shm", True),
        ("volumes:\n  - type: tmpfs\n    target: /dev/shm", True),
        ("ipc: private", False),
        ("build:\n  context: .\n  shm_size: 2gb", False),
        ("image: x", False),
    ],
)
def test_memory_to_share(body, shares):
    assert service(body).shares_memory is shares


def test_what_another_file_decides_is_not_known():
    one = service("extends:\n  file: common.yaml\n  service: gpu")
    assert (one.gpus, one.shares_memory) == (None, None)
    other = service("extends: base\ngpus: all\nshm_size: 1gb")
    assert (other.gpus, other.shares_memory) == (True, True)


@pytest.mark.parametrize(
    ("file", "body", "dockerfile"),
    [
        ("compose.yaml", "build: .", "Dockerfile"),
        ("compose.yaml", "build: ./docker", "docker/Dockerfile"),
        ("docker/compose.yaml", "build: ..", "Dockerfile"),
        ("a/compose.yaml", "build:\n  context: ..\n  dockerfile: a/gpu.Dockerfile", "a/gpu.Dockerfile"),
        ("compose.yaml", "image: x", ""),
    ],
)  # fmt: skip
def test_the_dockerfile_is_named_as_the_repository_has_it(file, body, dockerfile):
    assert service(body, file).dockerfile == dockerfile


def test_what_services_have_in_common_may_be_merged():
    text = """
x-gpu: &gpu
  gpus: all
  ipc: host
x-image: &image {image: a, ipc: private}
services:
  one:
    <<: *gpu
    image: b
  two:
    <<: [*image, *gpu]
    shm_size: 1gb
  three: &three
    image: c
  four: *three
"""
    one, two, three, four = read_compose(text, "c.yml")
    assert (one.image, one.gpus, one.shares_memory) == ("b", True, True)
    assert (two.image, two.gpus, two.shares_memory) == ("a", True, True)
    assert (three.image, four.image, four.gpus) == ("c", "c", False)


def test_the_first_of_what_is_merged_counts():
    text = "a: &a {ipc: private}\nb: &b {ipc: host}\nservices:\n  x:\n    <<: [*a, *b]\n"
    (one,) = read_compose(text, "c.yml")
    assert one.shares_memory is False


BOMB = "a: &a [x,x]\n" + "".join(
    f"{new}: &{new} [*{old},*{old},*{old}]\n" for old, new in pairwise("abcdefghijklmnop")
)


@pytest.mark.parametrize("text", [BOMB, "services: &s\n  one: *s\n", "a: &a [*a]\n", "a: *b\n"])
def test_aliases_that_say_too_much_are_refused(text):
    with pytest.raises(UsageError, match=r"c\.yml"):
        list(read_compose(text, "c.yml"))


def test_a_service_is_named_with_its_line():
    text = "name: x\nservices:\n  # two\n  web:\n    image: nginx\n  'train':\n    image: pytorch/pytorch:2\n"
    assert [one.place for one in read_compose(text, "c.yml")] == [
        "c.yml:4: services.web",
        "c.yml:6: services.train",
    ]


def test_a_service_that_is_a_text_is_not_known():
    (one,) = read_compose("services:\n  a: ${EVERYTHING}\n", "c.yml")
    assert isinstance(one, Unread)
    assert one.place == "c.yml:2: services.a"


def test_files_that_are_included_are_not_known():
    (one,) = read_compose("include:\n  - other.yaml\n", "c.yml")
    assert isinstance(one, Unread)
    assert one.place == "c.yml: include"


@pytest.mark.parametrize("text", ["services:\n", "services: {}\n", "services:\n  a:\n", "x: 1\n"])
def test_a_file_without_services_says_nothing(text):
    assert list(read_compose(text, "c.yml")) == []


@pytest.mark.parametrize(
    "text",
    ["", "services: [1]\n", "services:\n  a: {image: [x]}\n", "[", "services:\n  a: {devices: {x: 1}}\n"],
)
def test_what_is_no_compose_file_is_named(text):
    with pytest.raises(UsageError, match=r"c\.yml"):
        list(read_compose(text, "c.yml"))
