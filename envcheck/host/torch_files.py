"""What the files of an unpacked torch say of it, read as bytes: whoever looks at a wheel reads them, too.

The CUDA version stands in `torch/version.py`. The list of code is a constant of `libtorch_python.so`, there
since 1.6: what `torch._C._cuda_getArchFlags()` returns. What was compiled against NumPy's headers holds the
name by which it looks for NumPy.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

FLAGS = re.compile(rb"\0((?:sm|compute)_[0-9]{1,4}[a-z]?(?: (?:sm|compute)_[0-9]{1,4}[a-z]?)*)\0")
# NumPy 2 moved the module; its headers look for the new name first and for the old one after it. The shorter
# "numpy._core" proves nothing: pybind11 looks for both, whatever it was compiled against.
NUMPY_2 = b"\0numpy._core._multiarray_umath\0"
NUMPY_1 = (b"\0numpy.core._multiarray_umath\0", b"\0numpy.core.multiarray\0")  # from 1.16 on, and before

_ASSIGNMENT = re.compile(r"^(\w+)(?: *:[^=\n]*)? *= *(?:'([^'\n]{0,64})'|None) *$", re.MULTILINE)

# The list is shorter than this, whatever is built.
_LONGEST_LIST = 1024
# libtorch_python.so has 35 MB; a debug build has some hundreds, and no command waits for a search of those.
_MOST_BYTES = 128 << 20
_WINDOW_BYTES = 1 << 20


def assignments(module: str) -> dict[str, str]:
    """Return what a module that only says versions assigns, as text: None is ""."""
    return dict(_ASSIGNMENT.findall(module))


def architectures(library: Path) -> tuple[str, ...] | None:
    """Return the code that an unpacked libtorch_python.so lists: sm_80, compute_90; None where it does not.

    The first list counts: wheels hold one. It stands in the middle of the file, 10 ms of reading away.
    """
    kept = b""
    try:
        # Not mapped into memory: that ends the program when somebody shortens the file at this moment.
        with library.open("rb") as file:
            while file.tell() < _MOST_BYTES and (piece := file.read(_WINDOW_BYTES)):
                window = kept + piece
                # To ask first takes a fifth of what the expression takes.
                if b"\0sm_" in window and (found := FLAGS.search(window)):
                    return tuple(found[1].decode().split())
                kept = window[-_LONGEST_LIST:]
    except OSError:
        return None
    return None


def numpy_headers(content: bytes) -> Literal["1", "2"] | None:
    """Return against whose headers a compiled module was made, None where it does not look for NumPy."""
    if NUMPY_2 in content:
        return "2"
    return "1" if any(name in content for name in NUMPY_1) else None
