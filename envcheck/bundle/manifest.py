"""`bundle.json`, a bundle's first member: what it is, and the size and digest of every other member.

A bundle is somebody else's file. What stands here is held against a short list of places before anything of
it is used as a path. How the members lie in the file is known to `archive`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from envcheck.documents import parse_json, refuse_later
from envcheck.environments.images import BundledImage
from envcheck.errors import UsageError

SCHEMA = "envcheck.bundle/1"
FIRST = "bundle.json"
# A recipe with CUDA has forty wheels and pose two hundred files: 60 KiB.
MOST_BYTES = 4 << 20

RECORD = "record.json"
IMAGE = "image.tar"
# Everything else lies in one of these.
RECIPE, WHEELS, POSE, CONFIG, ORIGINAL, INPUTS = "recipe", "wheels", "pose", "config", "original", "inputs"
_FOLDERS = (RECIPE, WHEELS, POSE, CONFIG, ORIGINAL, INPUTS)
# One name of a path: no folder above, nothing hidden, nothing that a terminal or a shell takes for a command.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*")
_MOST_DEPTH = 8
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PYTHON = re.compile(r"\d\.\d{1,2}")
_POSE_DIGEST = re.compile(r"[0-9a-f]{16}")
# Names that the tool itself gives to an image in a bundle: nobody's own image is replaced by one.
_IMAGE = re.compile(r"localhost/envcheck/bundled-[a-z0-9-]{1,80}:[0-9a-f]{16}")
_MOST_MEMBER_BYTES = 1 << 40


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a bundle."""

    path: str  # "wheels/numpy-2.4.0-cp311-cp311-manylinux_2_27_x86_64.whl"
    bytes: int
    sha256: str

    @property
    def folder(self) -> str:
        """The first of its folders, "" for one that lies in none."""
        return self.path.partition("/")[0] if "/" in self.path else ""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The document `envcheck.bundle/1`."""

    schema: str = SCHEMA
    about: str  # one sentence for who finds it
    envcheck: str  # the version that wrote it
    recipe: str
    machine: str  # "x86_64"
    pythons: tuple[str, ...]  # with a lock each
    torch: str
    cuda: str | None
    pose: str  # the digest that addresses the copy of pose
    run: str | None  # the id of the run, null for a recipe
    stage: str | None  # its stage
    left_out: tuple[str, ...] = ()  # what the run read and is not in it, a sentence each
    image: BundledImage | None = None
    members: tuple[Member, ...]

    @property
    def bytes(self) -> int:
        """What the members weigh together."""
        return sum(one.bytes for one in self.members)

    def within(self, folder: str) -> tuple[Member, ...]:
        """Return the members of one of the folders."""
        return tuple(one for one in self.members if one.folder == folder)

    def member(self, path: str) -> Member | None:
        """Return the member at a path, None where there is none."""
        return next((one for one in self.members if one.path == path), None)


def parse_manifest(data: bytes, source: str) -> Manifest:
    """Return the manifest in `data`, each of its names fit to be used; `source` is the bundle's file.

    Raises `UsageError`, which names the file and the member.
    """
    refuse_later(data, SCHEMA, source=source)
    manifest = parse_json(data, Manifest, source=f"{source}: {FIRST}", schema=SCHEMA, limit=MOST_BYTES)
    wrong = wrong_in(manifest)
    if wrong:
        raise UsageError(f"{source}: {wrong}", "It is damaged, or no bundle of envcheck's.")
    return manifest


def wrong_in(manifest: Manifest) -> str:
    """Return what keeps a manifest from being used, "" for nothing."""
    return next(_wrong(manifest), "")


def _wrong_members(manifest: Manifest) -> Iterator[str]:
    """Yield what keeps members from being used as what they are called."""
    for one in manifest.members:
        if not _is_place(one.path):
            yield f"the member {one.path!r:.120} lies nowhere that a bundle has"
        if not 0 <= one.bytes <= _MOST_MEMBER_BYTES or not _DIGEST.fullmatch(one.sha256):
            yield f"{one.path}: `{FIRST}` has no size and digest of it"
    paths = Counter(one.path for one in manifest.members)
    yield from (f"{path} is in it {times} times" for path, times in paths.items() if times > 1)
    for path in paths:
        if above := next((str(one) for one in PurePosixPath(path).parents if str(one) in paths), None):
            yield f"{above} is a file, and {path} lies in it"
    for one in manifest.within(WHEELS):
        if one.path != f"{WHEELS}/{one.name}" or not one.name.endswith(".whl"):
            yield f"{one.path} is no wheel"


def _wrong(manifest: Manifest) -> Iterator[str]:
    """Yield what keeps a manifest from being used."""
    yield from _wrong_members(manifest)
    if manifest.member(f"{RECIPE}/{manifest.recipe}.yaml") is None:
        yield f"the recipe {manifest.recipe!r:.80} is not in it"
    if not manifest.pythons or not all(map(_PYTHON.fullmatch, manifest.pythons)):
        yield f"it is for the Pythons {manifest.pythons!r:.80}"
    if not _POSE_DIGEST.fullmatch(manifest.pose):
        yield f"{manifest.pose!r:.40} is no digest of pose"
    if (manifest.image is None) != (manifest.member(IMAGE) is None):
        yield f"{IMAGE} and what is said of it do not belong together"
    if manifest.image is not None and not _IMAGE.fullmatch(manifest.image.name):
        yield f"{manifest.image.name!r:.80} is no name of a bundle's image"


def _is_place(path: str) -> bool:
    first, *rest = path.split("/")
    if not rest:
        return path in (RECORD, IMAGE)
    return first in _FOLDERS and len(rest) < _MOST_DEPTH and all(map(_NAME.fullmatch, rest))
