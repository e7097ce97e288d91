"""Pickle's machine with its doors shut: reads what torch.save wrote without executing anything.

torch.load(weights_only=True) could be bypassed before torch 2.6 (CVE-2025-32434) and refuses the public
implementation's checkpoint.pth, whose score is a NumPy scalar; so this allow-list is used on every torch.
Two locks: a pickle can name only what `ALLOWED` lists, each entry a function of this file that builds data;
and `plain` copies what comes out, refusing everything that is no tensor, container, number or string.

Knows no file format; `torch_file.py` does.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from torch import Tensor

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
NUMPY_NUMBERS = frozenset({"f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "b1"})


class Refused(Exception):  # noqa: N818 - says what happened to the file
    """Why a file is not read; completes a sentence that begins with its name."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Storage:
    """A typed run of bytes, as a one-dimensional tensor."""

    __slots__ = ("values",)

    def __init__(self, values: Tensor) -> None:
        self.values = values


class Token:
    """What a pickle gets for a name that it imports: callable if that builds data, and never changeable."""

    __slots__ = ("_call", "name")

    name: str
    _call: Callable[..., Any] | None

    def __init__(self, name: str, call: Callable[..., Any] | None = None) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401 - as the pickle says
        """Builds the data that the name stands for."""
        if self._call is None:
            raise Refused(f"calls {self.name!r}, which is no data: nothing of it was executed")
        return self._call(*arguments)

    def __setattr__(self, _name: str, _value: object) -> None:
        raise Refused(f"changes {self.name!r}: nothing of it was executed")

    def __setstate__(self, _state: object) -> None:
        raise Refused(f"changes {self.name!r}: nothing of it was executed")


class _Mapping(dict):  # type: ignore[type-arg]
    """An OrderedDict's stand-in: keeps the order, drops attributes (a state_dict's `_metadata`)."""

    __slots__ = ()

    def __setstate__(self, _state: object) -> None:
        """Drops the attributes."""


class _Held:
    """A tensor on its way through the pickle, out of reach of its BUILD instruction."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __setstate__(self, _state: object) -> None:
        """Drops what torch before 0.4 saved beside a parameter: gradient flag and hooks."""


class _NumpyType:
    """numpy.dtype's stand-in: a kind and size such as 'f8', and the byte order that follows as state."""

    __slots__ = ("code", "order")

    def __init__(self, code: object) -> None:
        self.code = code
        self.order: Literal["<", ">", "|", "="] = "="

    def __setstate__(self, state: object) -> None:
        """Keeps the byte order, the second entry of NumPy's state."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in {"<", ">", "|", "="}:
            self.order = state[1]


def _tensor(storage: object, offset: Any, size: Any, stride: Any, *_hooks: object) -> _Held:  # noqa: ANN401
    if not isinstance(storage, Storage):
        raise Refused("holds a tensor that is none")
    # as_strided checks the numbers and the bounds, and never grows a storage.
    return _Held(storage.values.as_strided(tuple(size), tuple(stride), offset))


def _parameter(held: object, *_rest: object) -> _Held:
    if not isinstance(held, _Held):
        raise Refused("holds a parameter that is none")
    return _Held(held.tensor)


def _numpy_type(code: object, *_flags: object) -> _NumpyType:
    return _NumpyType(code)


def _numpy_scalar(kind: object, raw: Any) -> bool | int | float:  # noqa: ANN401 - frombuffer checks it
    if not isinstance(kind, _NumpyType) or kind.code not in NUMPY_NUMBERS:
        raise Refused("holds a NumPy object that is no number")
    values = np.frombuffer(raw, dtype=np.dtype(str(kind.code)).newbyteorder(kind.order))
    if values.shape != (1,):
        raise Refused("holds a NumPy object that is no number")
    return values[0].item()


def _encode(text: object, encoding: object = None) -> bytes:
    """How pickle's protocol 2 spells bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("holds bytes in an unknown spelling")
    return text.encode("latin1")


ALLOWED: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _Mapping,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.nn.parameter", "Parameter"): _parameter,
    ("numpy", "dtype"): _numpy_type,
    ("numpy.core.multiarray", "scalar"): _numpy_scalar,
    ("numpy._core.multiarray", "scalar"): _numpy_scalar,
    ("_codecs", "encode"): _encode,
}


class Unpickler(pickle.Unpickler):
    """Pickle's machine with its two doors to the outside replaced; `storage` answers persistent ids."""

    def __init__(self, file: BinaryIO, storage: Callable[[Any], Storage]) -> None:
        super().__init__(file, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Token:
        """A token for what is allowed; nothing is ever imported."""
        if (module, name) in ALLOWED:
            return Token(f"{module}.{name}", ALLOWED[module, name])
        if module in {"torch", "torch.storage"} and name in STORAGES:
            return Token(name)
        raise Refused(
            f"wants to run {f'{module}.{name}'!r}, which is no data: refused, nothing of it was executed",
            "weights hold tensors and numbers only; do not trust this file",
        )

    def persistent_load(self, pid: Any) -> Storage:  # noqa: ANN401 - pickle's signature
        """The storage that a tensor's bytes lie in."""
        return self._storage(pid)


def plain(value: object) -> Any:  # noqa: ANN401 - whatever data it is
    """The value copied into plain containers, what is shared staying shared; the second lock."""
    return _plain(value, {})


def _plain(value: object, done: dict[int, tuple[object, Any]]) -> Any:  # noqa: ANN401 - as above
    """`done` maps an object's id to it and its copy: without it, nested sharing takes exponential time."""
    if id(value) in done:
        return done[id(value)][1]
    kind = type(value)
    if isinstance(value, _Held):
        copy: Any = value.tensor
    elif isinstance(value, dict) and kind in {dict, _Mapping}:
        copy = {_plain(key, done): _plain(item, done) for key, item in value.items()}
    elif isinstance(value, (list, tuple, set, frozenset)) and kind in {list, tuple, set, frozenset}:
        copy = kind(_plain(item, done) for item in value)
    elif value is None or kind in {bool, int, float, complex, str, bytes}:
        copy = value
    else:
        raise Refused(f"holds a {kind.__name__}, which is no data")
    done[id(value)] = (value, copy)
    return copy
