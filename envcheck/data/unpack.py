"""A zip's files brought to their place: all of them, none beside the folder, none in place of another file.

They are unpacked beside their place and moved there when all are whole, so that nobody meets half a set.
"""

from __future__ import annotations

import filecmp
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from envcheck.environments.failures import require_disk
from envcheck.environments.place import Update
from envcheck.errors import EnvcheckError

_NEWS_FILES = 500
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # bz2 and lzma unpack a block whole, however large
_ENCRYPTED = 0x1


def unpack(archive: Path, folder: Path, staging: Path, *, limit_mib: int, update: Update) -> dict[str, int]:
    """Unpack `archive` into `folder` and return its files, below that, with their sizes in bytes.

    `staging` is a folder for the meantime on the same disk, made anew. Raises `EnvcheckError`: for an archive
    that is broken or reaches out of the folder or beyond `limit_mib`, and for a file that is there already
    and is another one; nothing is moved then.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        try:
            _extract(archive, staging, limit_mib, update)
        except (
            EOFError,  # cut off inside a member
            ValueError,
            RuntimeError,  # NotImplementedError too: a zip of a kind that zipfile does not know
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise EnvcheckError(f"{archive} cannot be unpacked: {error}") from None
        files = {
            path.relative_to(staging).as_posix(): path.stat().st_size
            for path in sorted(staging.rglob("*"))
            if path.is_file()
        }
        _move(tuple(files), staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return files


def _extract(archive: Path, staging: Path, limit_mib: int, update: Update) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _check(archive, members, limit_mib)
        need = sum(member.file_size for member in members)
        require_disk(staging, need >> 20, f"Unpacking {archive.name} needs", "Free some space there.")
        for number, member in enumerate(members):
            if number % _NEWS_FILES == 0:
                update(f"{number:,} of {len(members):,} files")
            opened.extract(member, staging)


def _check(archive: Path, members: Sequence[zipfile.ZipInfo], limit_mib: int) -> None:
    """Raise `EnvcheckError` for members that would do harm."""
    seen = set()
    for member in members:
        name = member.filename
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
            raise EnvcheckError(f"{archive} names {name!r:.80}, a file outside of itself")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise EnvcheckError(f"{archive}: {name!r:.80} is a link or a device")
        if member.compress_type not in _PACKED or member.flag_bits & _ENCRYPTED:
            raise EnvcheckError(f"{archive}: {name!r:.80} is packed in a way that is not read here")
        if path in seen:
            raise EnvcheckError(f"{archive} names {name!r:.80} twice")
        seen.add(path)
    if sum(member.file_size for member in members) > limit_mib << 20:
        raise EnvcheckError(f"{archive} unpacks to more than {limit_mib:,} MiB, which it should not")


def _move(names: Sequence[str], staging: Path, folder: Path) -> None:
    """Move everything from `staging` into `folder`, where it may meet its like, and nothing else."""
    for name in names:
        there = folder / name
        if there.exists() and not (there.is_file() and filecmp.cmp(there, staging / name, shallow=False)):
            raise EnvcheckError(
                f"{there} is there already, and is another file than the archive's",
                "Move it away; the same command goes on from there.",
            )
    for top in sorted(staging.iterdir()):
        if not (folder / top.name).exists():
            top.rename(folder / top.name)  # a set of pictures appears in one step
    for name in names:
        if (staging / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).replace(folder / name)
