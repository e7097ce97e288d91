"""What this room's tests share: the fake NVML and libcuda, and folders that stand in for a machine's root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cuda.fixtures import cuda_folders, cuda_lists
from tests.nvml.fixtures import nvml_folders, nvml_machine

__all__ = ["cuda_folders", "cuda_lists", "nvml_folders", "nvml_machine"]


@pytest.fixture
def lay_out(tmp_path: Path) -> Callable[[dict[str, str | Path | None]], Path]:
    """Return a function that makes a root: a text becomes a file, a path a link to it, None a folder."""

    def lay_out(entries: dict[str, str | Path | None]) -> Path:
        for name, content in entries.items():
            place = tmp_path / "root" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                place.mkdir()
            elif isinstance(content, Path):
                place.symlink_to(content)
            else:
                place.write_text(content)
        return tmp_path / "root"

    return lay_out
