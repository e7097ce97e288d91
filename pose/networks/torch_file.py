"""The two formats of torch.save, read without torch.load.

The zip of torch 1.6 and later holds `<name>/data.pkl` and one file per storage, `<name>/data/<key>`. The
stream before it, in which the published pose and ImageNet weights are, holds magic number, protocol, machine,
content and storage keys as five pickles, then each storage as its element count and raw bytes.
A zip that carries a digest (`seal.py`) is held against it first.
"""

from __future__ import annotations

import errno
import io
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from pose.networks import seal
from pose.networks.safe_pickle import STORAGES, Refused, Storage, Token, Unpickler, plain
from pose.networks.seal import AGAIN

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
NOT_WEIGHTS = "is not a weights file"
NO_MEMORY = "can't allocate memory"  # torch has no type for it
HINT = "a file saved by torch.save(model.state_dict(), ...) was expected"


def read(path: Path) -> Any:  # noqa: ANN401 - whatever data was saved
    """What the file holds, on the CPU, in plain dicts, lists and tuples.

    Raises:
        OSError, MemoryError: when it cannot be read, whatever it holds.
        Refused: when it is cut short, no weights file, or holds anything but data.
    """
    with path.open("rb") as file:
        head = file.read(2)
        file.seek(0)
        try:
            return plain(_read_zip(file) if head == b"PK" else _read_stream(file, path.stat().st_size))
        except (Refused, MemoryError):
            raise
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # zipfile was sent to before the file's beginning.
            raise Refused("is cut short or damaged", AGAIN) from None
        except zipfile.BadZipFile:
            raise Refused("is cut short or damaged", AGAIN) from None
        except EOFError:
            raise Refused("is cut short", AGAIN) from None
        except RecursionError:
            raise Refused("is nested too deeply to be weights", HINT) from None
        except Exception as error:  # noqa: BLE001 - pickle raises anything on hostile or random bytes
            if NO_MEMORY in str(error):
                raise MemoryError from None
            raise Refused(f"{NOT_WEIGHTS} ({type(error).__name__})", HINT) from None


def _read_zip(file: BinaryIO) -> Any:  # noqa: ANN401 - whatever data was saved
    seal.check(file)
    with zipfile.ZipFile(file) as archive:
        entries = {name.partition("/")[2]: name for name in archive.namelist()}
        if "data.pkl" not in entries:
            raise Refused("is a zip file, but not torch.save's", HINT)
        if "byteorder" in entries and archive.read(entries["byteorder"]) != sys.byteorder.encode():
            raise Refused(f"was saved on a machine that is not {sys.byteorder}-endian")
        storages: dict[str, Storage] = {}

        def storage(pid: Any) -> Storage:  # noqa: ANN401 - checked by _describe
            dtype, key, count = _describe(pid)
            if key not in storages:
                entry = archive.getinfo(entries.get(f"data/{key}", ""))
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise Refused("is a zip file, but not torch.save's", HINT)
                storages[key] = _from_bytes(archive.read(entry), dtype, count)
            return storages[key]

        return Unpickler(io.BytesIO(archive.read(entries["data.pkl"])), storage).load()


def _read_stream(file: BinaryIO, size: int) -> Any:  # noqa: ANN401 - whatever data was saved
    if Unpickler(file, _no_storage).load() != MAGIC or Unpickler(file, _no_storage).load() != PROTOCOL:
        raise Refused(NOT_WEIGHTS, HINT)
    machine = Unpickler(file, _no_storage).load()
    if not machine.get("little_endian", True):
        raise Refused("was saved on a big-endian machine")
    storages: dict[str, Storage] = {}

    def storage(pid: Any) -> Storage:  # noqa: ANN401 - checked by _describe
        dtype, key, count = _describe(pid)
        if key not in storages:
            if not 0 <= count * _width(dtype) <= size:  # before room is made for it
                raise Refused("is cut short", AGAIN)
            storages[key] = Storage(torch.zeros(count, dtype=dtype))
        return storages[key]

    content = Unpickler(file, storage).load()
    for key in Unpickler(file, _no_storage).load():
        _fill(storages[str(key)].values, file)
    return content


def _fill(values: torch.Tensor, file: BinaryIO) -> None:
    (count,) = struct.unpack("<q", _exactly(file, 8))
    if count != values.numel():
        raise Refused("is damaged: a storage is not as long as its tensors say", AGAIN)
    values.copy_(_from_bytes(_exactly(file, count * _width(values.dtype)), values.dtype, count).values)


def _describe(pid: Any) -> tuple[torch.dtype, str, int]:  # noqa: ANN401 - checked here
    """Element type, key and element count out of a storage's persistent id."""
    kind, token, key, _location, count, *view = pid
    if (
        kind != "storage"
        or not isinstance(token, Token)
        or token.name not in STORAGES
        or type(count) is not int
    ):
        raise Refused("refers to something that is no storage")
    if any(part is not None for part in view):
        raise Refused("holds views of storages, which only torch before 0.4 wrote")
    return STORAGES[token.name], str(key), count


def _no_storage(_pid: object) -> Storage:
    raise Refused(NOT_WEIGHTS, HINT)


def _from_bytes(raw: bytes, dtype: torch.dtype, count: int) -> Storage:
    if len(raw) < count * _width(dtype):
        raise Refused("is damaged: a storage is not as long as its tensors say", AGAIN)
    if count == 0:
        return Storage(torch.empty(0, dtype=dtype))
    return Storage(torch.frombuffer(bytearray(raw), dtype=dtype, count=count))


def _exactly(file: BinaryIO, count: int) -> bytes:
    raw = file.read(count)
    if len(raw) < count:
        raise EOFError
    return raw


def _width(dtype: torch.dtype) -> int:
    """Bytes per element; torch.dtype.itemsize is newer than the oldest torch here."""
    return torch.empty(0, dtype=dtype).element_size()
