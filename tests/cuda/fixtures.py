"""The fixtures that put our own libcuda.so.1 where a child of this process finds it (fake_libcuda.c)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nvml.fixtures import built

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def cuda_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of two libraries, each called libcuda.so.1: a `new` one and an `old` one."""
    variants: dict[str, list[str]] = {"new": [], "old": ["-DOLD_LIBRARY"]}
    return built(tmp_path_factory, HERE / "fake_libcuda.c", "libcuda.so.1", variants)


@pytest.fixture
def cuda_lists(cuda_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that gives children of this process a libcuda with these GPUs, fastest first."""

    def become(*uuids: str, by_bus: tuple[str, ...] = (), trouble: str = "", library: str = "new") -> None:
        monkeypatch.setenv("FAKE_CUDA_FASTEST_FIRST", " ".join(uuids))
        monkeypatch.setenv("FAKE_CUDA_PCI_BUS_ID", " ".join(by_bus))
        monkeypatch.setenv("FAKE_CUDA_TROUBLE", trouble)
        others = os.environ.get("LD_LIBRARY_PATH", "")
        monkeypatch.setenv("LD_LIBRARY_PATH", f"{cuda_folders[library]}:{others}".rstrip(":"))
        monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)

    return become
