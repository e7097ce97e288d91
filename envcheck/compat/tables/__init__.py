"""The tables as typed rows: CUDA and drivers, GPUs, torch builds, CUDA images.

One YAML and one module for each; a table is read once, when it is asked for. A row that is wrong is a
`UsageError` that names the file and the key: tables are mended by people. What follows from a row is not
known here; that is `rules`.
"""

from __future__ import annotations

from envcheck.compat.tables.bases import BaseImage, Images, image_of, images, read_images
from envcheck.compat.tables.cards import Capability, Gpus, capability_of, gpus, read_gpus
from envcheck.compat.tables.drivers import (
    Branch,
    Cuda,
    Floor,
    ToolkitDriver,
    branch_of,
    cuda,
    floor_of,
    read_cuda,
    toolkit_of,
)
from envcheck.compat.tables.rows import Evidence
from envcheck.compat.tables.wheels import Build, Code, Torch, build_of, read_code, read_torch, torch

__all__ = [
    "BaseImage",
    "Branch",
    "Build",
    "Capability",
    "Code",
    "Cuda",
    "Evidence",
    "Floor",
    "Gpus",
    "Images",
    "ToolkitDriver",
    "Torch",
    "branch_of",
    "build_of",
    "capability_of",
    "cuda",
    "floor_of",
    "gpus",
    "image_of",
    "images",
    "read_code",
    "read_cuda",
    "read_gpus",
    "read_images",
    "read_torch",
    "toolkit_of",
    "torch",
]
