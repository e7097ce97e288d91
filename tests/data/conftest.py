"""Servers for the tests of the data room, and a catalogue of small data."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from envcheck.data import catalogue
from tests.data.server import Server, Site


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(site: Site, context=None) -> Server:
        started.append(Server(site, context))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def server(serve, site) -> Server:
    return serve(site)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - bytes that no packing makes smaller


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(files: dict[str, bytes], **options) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


PICTURES = {f"val2017/{number:012}.jpg": noise(2000, number) for number in range(20)}
LABELS = {
    "annotations/person_keypoints_val2017.json": b"{}",
    "annotations/captions_val2017.json": b"[]",
}
WEIGHTS = noise(3000)
ARCHIVES = {"/zips/val2017.zip": zipped(PICTURES), "/annotations/labels.zip": zipped(LABELS)}


def row(name, path, data, **more):
    return {"name": name, "path": path, "size": len(data), "sha256": sha256(data), **more}


@pytest.fixture
def written(server):
    """The catalogue as it is written, of what the server has."""
    server.site.files.update({**ARCHIVES, f"/weights/net-{sha256(WEIGHTS)[:8]}.pth": WEIGHTS})
    labels, pictures = ARCHIVES["/annotations/labels.zip"], ARCHIVES["/zips/val2017.zip"]
    holds = {"annotations/person_keypoints_val2017.json": 1}
    net = {**row("net", f"net-{sha256(WEIGHTS)[:8]}.pth", WEIGHTS), "sha256": sha256(WEIGHTS)[:8]}
    return [
        {
            "name": "small",
            "summary": "twenty pictures",
            "folder": "data/small",
            "base": server.url,
            "parts": [
                row("labels", "annotations/labels.zip", labels, unpacked_mib=1, holds=holds),
                row(
                    *("val2017", "zips/val2017.zip", pictures),
                    into="images",
                    unpacked_mib=1,
                    holds={"images/val2017": 20},
                ),
            ],
            "afterwards": ["The boxes are elsewhere."],
            "next": "envcheck run check-data --data {folder}",
        },
        {
            "name": "weights",
            "summary": "to begin with",
            "folder": "models",
            "base": f"{server.url}/weights",
            "parts": [net],
            "afterwards": [],
        },
    ]


@pytest.fixture
def shelf(written, tmp_path, monkeypatch):
    """The catalogue's file, in the place of ours; the working directory is an empty one."""
    file = tmp_path / "catalogue.yaml"
    file.write_text(yaml.safe_dump({"datasets": written}, sort_keys=False), encoding="utf-8")
    monkeypatch.setattr(catalogue, "FILE", file)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return file


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and ".envcheck" not in path.parts
    }


def laid_out():
    return {**LABELS, **{f"images/{name}": data for name, data in PICTURES.items()}}
