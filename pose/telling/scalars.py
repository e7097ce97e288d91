"""TensorBoard's numbers of a training, under the public implementation's names, through tensorboardX.

Knows nothing about training. The network's graph is not written: that needs one more package, and was what
broke there with every other pair of versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from pose.command.output import prepare
from pose.report import note


class Scalars:
    """One folder's numbers, each over its own step; none are kept without a writer."""

    def __init__(self, writer: Any = None) -> None:  # noqa: ANN401 - a package that need not be there
        self._writer = writer

    def add(self, step: int, **values: float | None) -> None:
        """Each number under its name; None is left out."""
        for name, value in values.items():
            if self._writer is not None and value is not None:
                self._writer.add_scalar(name, value, step)

    def add_group(self, step: int, name: str, values: Mapping[str, float]) -> None:
        """Numbers that are drawn into one chart."""
        if self._writer is not None:
            self._writer.add_scalars(name, dict(values), step)


@contextmanager
def scalars(folder: Path | None) -> Iterator[Scalars]:
    """The numbers of a folder, which is made; none without a folder, nor without tensorboardX, which is said.

    Raises:
        PoseError: when the folder cannot be written to.
    """
    package = _package() if folder else None
    if folder is None or package is None:
        yield Scalars()
        return
    prepare(folder, named="--logDir DIR (or LOG_DIR)")
    with package.SummaryWriter(logdir=str(folder)) as writer:
        yield Scalars(writer)


def _package() -> Any:  # noqa: ANN401 - as above
    try:
        return import_module("tensorboardX")
    except (ImportError, TypeError) as error:  # TypeError: protobuf's word for a version that is too new
        why = " ".join(str(error).split())
        note(f"LOG_DIR stays empty, tensorboardX cannot be loaded: {why}")
        return None
