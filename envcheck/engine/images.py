"""Images: looked up, pulled by digest, built from a folder without network, their leftovers cleared away."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import tarfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from envcheck.documents import MAX_DOCUMENT_BYTES, parse_json
from envcheck.engine.failures import build_failure, failure, spoken
from envcheck.engine.owner import OWNER_LABEL, is_gone, me
from envcheck.errors import EnvcheckError, UsageError

if TYPE_CHECKING:
    from docker import APIClient

# Every image of one build carries it, the nameless ones of its steps too.
IMAGE_LABEL = "dev.envcheck.image"
# podman and docker both take such a name for a local one.
OUR_NAMES = "localhost/envcheck/"

_ENGINES_LINE = re.compile(r"(Step \d|STEP \d|--->|Removing intermediate |Error: building at |ERRO\[)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LAST_LINES = 50
_STOPPED_S = 0.5  # the step at which a build is stopped may still come to its end, and to an image


def find(client: APIClient, name: str) -> dict[str, Any] | None:
    """Return what the engine knows of an image by name, digest or id; None when it is not there."""
    from docker.errors import ImageNotFound  # noqa: PLC0415 - see the room's docstring

    with spoken(f"The image {name} could not be looked up"):
        try:
            found: dict[str, Any] = client.inspect_image(name)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return None
    return found


def pull(client: APIClient, name: str, digest: str, update: Callable[[str], None]) -> str:
    """Fetch an image by its digest, or by its name where `digest` is "", and return its id.

    Raises `EnvcheckError`; what was fetched whole stays with the engine, for the next try.
    """
    from docker.utils import parse_repository_tag  # noqa: PLC0415

    failed = f"The base image {name} was not fetched"
    repository, tag = parse_repository_tag(name)
    with spoken(failed):
        for line in client.pull(repository, tag=digest or tag or "latest", stream=True, decode=True):
            if "error" in line:
                raise failure(failed, str(line["error"]))
            update(str(line.get("status", ""))[:60])
    found = find(client, f"{repository}@{digest}" if digest else name)
    if found is None:
        raise failure(failed, "manifest unknown")
    return str(found["Id"])


def build(
    client: APIClient,
    context: Path,
    name: str,
    arguments: Mapping[str, str],
    update: Callable[[str], None],
    log: Path,
    network: str = "none",
) -> None:
    """Build the Dockerfile in a folder, without network, under a name, with the classic builder.

    What the engine says goes to `log`; `network` is how it is told of no network. Raises `EnvcheckError`; a
    build that failed or was interrupted leaves nothing behind.
    """
    failed = f"The image {name} was not built"
    try:
        with spoken(failed), _packed(context) as stream, log.open("w", encoding="utf-8") as book:
            said = client.build(
                fileobj=stream,
                custom_context=True,
                tag=name,
                buildargs={**arguments, "IMAGE": name, "OWNER": me()},
                network_mode=network,
                rm=True,
                forcerm=True,
                decode=True,
            )
            heard: deque[str] = deque(maxlen=_LAST_LINES)
            for line in said:
                if "error" in line:
                    own = [words for words in heard if not _ENGINES_LINE.match(words)]
                    raise build_failure(f"{failed} (see {log})", str(line["error"]), own)
                text = _COLOUR.sub("", str(line.get("stream", ""))).strip()
                if text:
                    book.write(f"{text}\n")
                    heard.extend(text.splitlines())
                if text.startswith("Step "):
                    update(text.partition(" : ")[0].lower())
    except KeyboardInterrupt:
        client.close()  # an engine stops a build that nobody listens to; the next question opens it again
        time.sleep(_STOPPED_S)
        raise
    finally:
        clear(client, name)


def ours(client: APIClient) -> dict[str, dict[str, Any]]:
    """Return what the engine knows of each image that envcheck built and named, by its name."""
    with spoken("The images could not be listed"):
        listed = client.images(filters={"label": IMAGE_LABEL})
    names = {name for one in listed for name in one.get("RepoTags") or () if name.startswith(OUR_NAMES)}
    found = {name: find(client, name) for name in sorted(names)}
    return {name: facts for name, facts in found.items() if facts is not None}


def remove(client: APIClient, name: str) -> bool:
    """Remove an image by its name; False where a container uses it. Raises `EnvcheckError`."""
    from docker.errors import APIError, ImageNotFound  # noqa: PLC0415

    with spoken(f"The image {name} was not removed"):
        try:
            client.remove_image(name)
        except ImageNotFound:
            return True
        except APIError as error:
            if error.status_code == HTTPStatus.CONFLICT:
                return False
            raise
    return True


def save(client: APIClient, image: str, name: str, file: Path, update: Callable[[str], None]) -> None:
    """Write an image by its id into a file, as `docker save` does, where it is called `name`.

    Raises `EnvcheckError`.
    """
    repository, _, tag = name.rpartition(":")
    with spoken(f"The image {image} was not saved"):
        client.tag(image, repository, tag)
        try:
            with file.open("wb") as sink:
                for block in client.get_image(name, chunk_size=1 << 20):
                    sink.write(block)
                    update(f"{sink.tell() / 2**20:,.0f} MiB so far")
        finally:
            forget(client, name)


def load(client: APIClient, archive: IO[bytes], name: str) -> None:
    """Take an image from an open file, in which it is called `name`, and nothing else is.

    Raises `EnvcheckError`.
    """
    failed = f"The image {name} was not loaded"
    if (named := _names_in(archive)) != {name}:
        raise EnvcheckError(f"{failed}: its file names {', '.join(sorted(named)) or 'no image':.200}")
    archive.seek(0)
    with spoken(failed):
        for line in client.load_image(archive):  # type: ignore[no-untyped-call]
            if "error" in line:
                raise failure(failed, str(line["error"]))


def forget(client: APIClient, name: str) -> None:
    """Take a name from an image; whatever has no other name goes with it."""
    from docker.errors import DockerException  # noqa: PLC0415

    with contextlib.suppress(DockerException, OSError):
        client.remove_image(name)


def clear(client: APIClient, name: str = "") -> None:
    """Remove what builds of an image ("": of all) have left beside it: their steps, what it was before."""
    from docker.errors import DockerException  # noqa: PLC0415

    filters = {"dangling": True, "label": f"{IMAGE_LABEL}={name}" if name else IMAGE_LABEL}
    # An engine that has just died keeps its leftovers; whoever builds next removes them.
    with contextlib.suppress(DockerException, OSError):
        # A step is gone with the last image that stands on it, so one round may not be enough.
        while found := [one for one in client.images(filters=filters) if _is_ours(one.get("Labels") or {})]:
            for image in found:
                client.remove_image(image["Id"], force=True)


def _is_ours(labels: Mapping[str, str]) -> bool:
    """Tell whether nobody else is building it: two who build out of two caches know nothing of each other."""
    owner = labels.get(OWNER_LABEL)
    return not owner or owner == me() or is_gone(owner)


def _names_in(archive: IO[bytes]) -> set[str]:
    """Return every name that loading an archive gives to an image, in each of the three ways to say it.

    Raises `UsageError` for what is no archive of images, or could be read otherwise than it is here.
    """
    names: set[str] = set()
    links: set[str] = set()
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            for member in tar:
                path = member.name.removeprefix("./")
                if _is_odd(member, path, links) or path in seen & _NAMES_OF.keys():
                    raise UsageError(
                        f"the file of the image has {member.name!r:.120}, as no engine writes it"
                    )
                seen.add(path)
                if member.issym():
                    links.add(path)
                content = tar.extractfile(member) if path in _NAMES_OF else None
                if content is not None:
                    names.update(_NAMES_OF[path](content.read(MAX_DOCUMENT_BYTES + 1), path))
    except tarfile.TarError as error:
        raise UsageError(f"the file of the image is no tar: {error}") from None
    return names


def _is_odd(member: tarfile.TarInfo, path: str, links: set[str]) -> bool:
    """Tell whether a member may come to lie elsewhere than its name says, over another one."""
    return (
        posixpath.normpath(path) != path
        or path.startswith(("/", ".."))
        or not (member.isreg() or member.isdir() or member.issym())
        or (path in _NAMES_OF and not member.isreg())
        or any(str(above) in links for above in PurePosixPath(path).parents)
    )


@dataclass(frozen=True, slots=True)
class _Tagged:
    RepoTags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Noted:
    annotations: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Index:
    manifests: tuple[_Noted, ...] | None = None


def _tags(data: bytes, source: str) -> Iterator[str]:
    for one in parse_json(data, tuple[_Tagged, ...], source=source):
        yield from one.RepoTags or ()


def _repositories(data: bytes, source: str) -> Iterator[str]:
    for repository, tags in parse_json(data, dict[str, dict[str, str]], source=source).items():
        yield from (f"{repository}:{tag}" for tag in tags)


def _annotations(data: bytes, source: str) -> Iterator[str]:
    for one in parse_json(data, _Index, source=source).manifests or ():
        said = one.annotations or {}
        # Of the two the second may be the tag alone, beside the first.
        yield from (said[key] for key in _NAMING if key in said and (key == _NAMING[0] or ":" in said[key]))


_NAMING = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_NAMES_OF = {"manifest.json": _tags, "repositories": _repositories, "index.json": _annotations}


@contextlib.contextmanager
def _packed(folder: Path) -> Iterator[IO[bytes]]:
    """Give a folder as a tar stream that is made while it is read: it is written nowhere."""
    source, sink = os.pipe()

    def pack() -> None:
        # The reader has gone when the engine has: it is the one that says why.
        with (
            contextlib.suppress(BrokenPipeError),
            os.fdopen(sink, "wb") as pipe,
            tarfile.open(fileobj=pipe, mode="w|", dereference=True) as archive,
        ):
            archive.add(folder, arcname=".", filter=_plain)

    packer = threading.Thread(target=pack, daemon=True)
    packer.start()
    try:
        with os.fdopen(source, "rb") as stream:
            yield stream
    finally:
        packer.join(timeout=10)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a file as everybody's and nobody's, so that who builds does not show in the image."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    member.mtime = 0
    return member
