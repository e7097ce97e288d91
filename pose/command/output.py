"""Where a run's files go: the public implementation's output layout, checked before any work.

OUTPUT_DIR/<dataset[_HYBRID]>/<MODEL.NAME>/<yaml name up to its first dot>/
    checkpoint.pth  model_best.pth  final_state.pth  results/  <yaml name>_<date>_{train|valid}.log
and of ours: checkpoint_before.pth  history.csv  curves.png  predictions.jpg
and of checkpoints that are not gone on from: checkpoint_damaged.pth  checkpoint_earlier.pth
LOG_DIR/<dataset[_HYBRID]>/<MODEL.NAME>/<yaml name>_<date>/ has TensorBoard's events
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from types import TracebackType

from pose.command.arguments import Arguments
from pose.command.config import Config
from pose.errors import FAILED, WRITE_HINT, PoseError
from pose.report import data

CHECKPOINT, BEST, FINAL = "checkpoint.pth", "model_best.pth", "final_state.pth"
BEFORE, DAMAGED, EARLIER = "checkpoint_before.pth", "checkpoint_damaged.pth", "checkpoint_earlier.pth"
HISTORY, CURVES, PREDICTIONS = "history.csv", "curves.png", "predictions.jpg"
MIB = 2**20


def output_folder(config: Config, config_file: Path) -> Path:
    """The folder of this config's runs."""
    return Path(config.OUTPUT_DIR) / _data_and_model(config) / stem(config_file)


def logs_folder(config: Config) -> Path:
    """The folder of all trainings' TensorBoard events with this data and model; for LOG_DIR that is given."""
    return Path(config.LOG_DIR) / _data_and_model(config)


def log_folder(config: Config, config_file: Path) -> Path | None:
    """The folder of the events of a training that begins now; None without LOG_DIR."""
    return logs_folder(config) / f"{stem(config_file)}_{_moment()}" if config.LOG_DIR else None


def _data_and_model(config: Config) -> Path:
    hybrid = f"_{config.DATASET.HYBRID_JOINTS_TYPE}" if config.DATASET.HYBRID_JOINTS_TYPE else ""
    return Path(f"{config.DATASET.DATASET}{hybrid}", config.MODEL.NAME)


def _moment() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d-%H-%M")


def stem(config_file: Path) -> str:
    """The config's name up to its first dot: what the public implementation names folders after."""
    return config_file.name.split(".")[0]


def results_folder(folder: Path) -> Path:
    """Where COCO's results lie in the folder of a config's runs."""
    return folder / "results"


def picture_folder(arguments: Arguments) -> Path:
    """Where `pred` puts the drawn picture."""
    return Path(arguments.one("--out") or arguments.run_dir or ".")


def prepare(folder: Path, *, needed_bytes: int = 0, named: str = "--output DIR (or OUTPUT_DIR)") -> None:
    """Makes the folder, and makes sure that it can be written to and has room; `named` is what names it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise PoseError(
            f"the output folder {folder} cannot be written to: {error.strerror}",
            f"{named} names another one",
            FAILED,
        ) from None
    if free < needed_bytes:
        raise PoseError(
            f"the output folder {folder} has {free // MIB} MiB free; "
            f"the checkpoints need {needed_bytes // MIB} MiB",
            f"free some, or {named} names another place",
            FAILED,
        )


class Log:
    """Lines for stdout that also stay in the run's log file."""

    def __init__(self, folder: Path, config_file: Path, kind: str) -> None:
        self._path = folder / f"{stem(config_file)}_{_moment()}_{kind}.log"
        self._file = self._path.open("a", encoding="utf-8")

    def say(self, text: str) -> None:
        """One or more lines on stdout and in the file."""
        self.keep(text)
        data(text)

    def keep(self, text: str) -> None:
        """One or more lines in the file only. Raises PoseError, exit code 1, where it takes none."""
        try:
            self._file.write(f"{text}\n")
            self._file.flush()
        except OSError as error:
            raise PoseError(f"{self._path} cannot be written: {error.strerror}", WRITE_HINT, FAILED) from None

    def __enter__(self) -> Log:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # of a line that was not written: it has been said
            self._file.close()
