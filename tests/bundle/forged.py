"""Bundles by other hands: a bundle's members, changed, and written as a tar program would."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Forged:
    """What a bundle holds, to be changed: `members` by their paths, in order."""

    said: dict[str, Any]
    members: dict[str, bytes]
    headers: dict[str, dict[str, Any]] = field(default_factory=dict)  # a member's tar header, changed
    twice: str = ""

    def path(self, folder: str) -> str:
        """The first member of a folder."""
        return next(path for path in self.members if path.startswith(f"{folder}/"))

    def entry(self, path: str) -> dict[str, Any]:
        return next(one for one in self.said["members"] if one["path"] == path)

    def put(self, path: str, content: bytes) -> None:
        """Change or add a member, and what bundle.json says of it."""
        self.members[path] = content
        self.said["members"] = [one for one in self.said["members"] if one["path"] != path]
        digest = hashlib.sha256(content).hexdigest()
        self.said["members"].append({"path": path, "bytes": len(content), "sha256": digest})
        self.members = {one["path"]: self.members[one["path"]] for one in self.said["members"]}

    def rename(self, path: str, other: str) -> None:
        self.entry(path)["path"] = other
        self.members = {other if one == path else one: content for one, content in self.members.items()}

    def write(self, file: Path) -> Path:
        with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as tar:
            first = self.members.get("bundle.json", json.dumps(self.said).encode())
            for path, content in {"bundle.json": first, **self.members}.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                for key, value in self.headers.get(path, {}).items():
                    setattr(info, key, value)
                for _ in range(2 if path == self.twice else 1):
                    tar.addfile(info, io.BytesIO(content))
            end = tar.offset
        # A tar program pads to 20 blocks: the end of a bundle is two.
        file.write_bytes(file.read_bytes()[:end] + bytes(1024))
        return file


def taken_apart(file: Path) -> Forged:
    """Read a bundle as a tar program does."""
    with tarfile.open(file) as tar:
        members = {one.name: tar.extractfile(one).read() for one in tar}
    return Forged(json.loads(members.pop("bundle.json")), members)
