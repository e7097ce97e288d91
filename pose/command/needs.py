"""What a command line reads and writes: told beforehand, so that a container can be given just that.

Paths are absolute and as they were written: whoever makes them visible resolves their symbolic links. A path
that lies below one that is named is named itself only where a link takes it elsewhere. Each function below
follows one stage's code and opens nothing; a path need not exist.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose.command import demo_options
from pose.command.arguments import Arguments
from pose.command.config import Config
from pose.command.output import (
    BEFORE,
    CHECKPOINT,
    FINAL,
    logs_folder,
    output_folder,
    picture_folder,
    results_folder,
)
from pose.data import archive, category, coco_files, mpii_files
from pose.errors import PoseError

SCHEMA = "pose.paths/1"


@dataclass(frozen=True)
class Needs:
    """Files and folders that are opened, folders that are written into, processes that load (WORKERS)."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    workers: int | None = None

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "schema": SCHEMA,
            "reads": list(dict.fromkeys(self.reads)),
            "writes": list(dict.fromkeys(self.writes)),
            "workers": self.workers,
        }


def needs_of(arguments: Arguments) -> Needs:
    """What the stage opens; its run folder, which whoever made it knows, is left out."""
    return STAGES[arguments.stage](arguments)


def _train(arguments: Arguments) -> Needs:
    config, config_file = arguments.configuration
    outputs = _outputs(config, config_file)
    writes = (*outputs, *_outside(_logs(config), outputs))
    pretrained = [config.MODEL.PRETRAINED] if config.MODEL.INIT_WEIGHTS else []
    folder = output_folder(config, config_file)
    resumed = [folder / CHECKPOINT, folder / BEFORE] if config.AUTO_RESUME else []
    return Needs(
        (
            *_own_config(arguments),
            *_dataset(config, config.DATASET.TRAIN_SET, config.DATASET.TEST_SET),
            *_boxes(config),
            *_given(*pretrained),
            *_outside(resumed, writes),
        ),
        writes,
        config.WORKERS,
    )


def _test(arguments: Arguments) -> Needs:
    config, config_file = arguments.configuration
    writes = _outputs(config, config_file)
    return Needs(
        (
            *_own_config(arguments),
            *_dataset(config, config.DATASET.TEST_SET),
            *_boxes(config),
            *(_given(config.TEST.MODEL_FILE) or map(absolute, _trained(arguments))),
        ),
        writes,
        config.WORKERS,
    )


def _pred(arguments: Arguments) -> Needs:
    """One process loads the picture, folder or video, whatever WORKERS says."""
    config, _ = arguments.configuration
    weights = _given(config.TEST.MODEL_FILE) or map(absolute, _trained(arguments))
    boxes = _given(arguments.one("--boxes") or "")
    reads = (*_own_config(arguments), *map(absolute, arguments.pictures), *boxes, *weights, *_names(config))
    folder = picture_folder(arguments)
    return Needs(reads, () if folder == arguments.run_dir else (absolute(folder),))


def _export(arguments: Arguments) -> Needs:
    """TEST_SET's people are looked at where no picture is named, if they are there."""
    config, _ = arguments.configuration
    weights = _given(config.TEST.MODEL_FILE) or map(absolute, _trained(arguments))
    pictures = tuple(map(absolute, arguments.pictures))
    people = pictures or _dataset(config, config.DATASET.TEST_SET)
    folder = picture_folder(arguments)
    writes = () if folder == arguments.run_dir else (absolute(folder),)
    reads = (*_own_config(arguments), *people, *weights)
    return Needs((*reads, *_outside(_names(config), reads)), writes)


def _demo(arguments: Arguments) -> Needs:
    """Of its training and test what is not its own work: a config here goes before the bundled one."""
    stage = demo_options.stage_arguments(arguments)
    trained, tested = _train(stage), _test(stage)
    folder = demo_options.folder(arguments)
    in_run_folder = arguments.run_dir is not None and folder.parent == arguments.run_dir
    own = tuple(_with_links(folder, (demo_options.people_folder(arguments),)))
    reads = _outside((*trained.reads, *tested.reads), own)
    return Needs(reads, () if in_run_folder else (*own, *trained.writes), trained.workers)


def _check_data(arguments: Arguments) -> Needs:
    config, _ = arguments.configuration
    sets = (config.DATASET.TRAIN_SET, config.DATASET.TEST_SET)
    return Needs((*_own_config(arguments), *_dataset(config, *sets), *_boxes(config)))


def _env(_arguments: Arguments) -> Needs:
    return Needs()


STAGES = {
    "train": _train,
    "test": _test,
    "pred": _pred,
    "export": _export,
    "demo": _demo,
    "check-data": _check_data,
    "env": _env,
}


def _own_config(arguments: Arguments) -> tuple[str, ...]:
    """The `--cfg` file if it was found where the user said; the bundled ones travel with pose."""
    _, config_file = arguments.configuration
    typed = Path(arguments.one("--cfg") or "")
    return (absolute(typed),) if config_file == typed else ()


def _dataset(config: Config, *image_sets: str) -> tuple[str, ...]:
    root = Path(config.DATASET.ROOT)
    below = [path for name in image_sets for path in BELOW_ROOT[config.DATASET.DATASET](config, root, name)]
    return tuple(_with_links(root, below))


def _coco_files(config: Config, root: Path, image_set: str) -> tuple[Path, ...]:
    folder = coco_files.image_folder(root, image_set)
    return coco_files.annotation_file(root, image_set), _pictures(config, folder)


def _mpii_files(config: Config, root: Path, image_set: str) -> tuple[Path, ...]:
    documents = mpii_files.documents(root, image_set, is_tested=image_set == config.DATASET.TEST_SET)
    return *documents, _pictures(config, mpii_files.image_folder(root))


BELOW_ROOT = {"coco": _coco_files, "mpii": _mpii_files}


def _pictures(config: Config, folder: Path) -> Path:
    return archive.file_of(folder) if config.DATASET.DATA_FORMAT == "zip" else folder


def _boxes(config: Config) -> tuple[str, ...]:
    """A detector's; MPII's people come without."""
    is_read = config.DATASET.DATASET == "coco" and not config.TEST.USE_GT_BBOX
    return _given(config.TEST.COCO_BBOX_FILE) if is_read else ()


def _names(config: Config) -> tuple[str, ...]:
    """The annotation file that names the joints, if one is here."""
    is_named, sets = config.DATASET.DATASET == "coco", (config.DATASET.TEST_SET, config.DATASET.TRAIN_SET)
    file = category.file_of(Path(config.DATASET.ROOT), *sets) if is_named else None
    return (absolute(file),) if file else ()


def _trained(arguments: Arguments) -> tuple[Path, ...]:
    """The weights that are taken where no TEST.MODEL_FILE is named."""
    return () if arguments.untrained else (output_folder(*arguments.configuration) / FINAL,)


def _outputs(config: Config, config_file: Path) -> tuple[str, ...]:
    """OUTPUT_DIR; where it is empty not the whole working directory but the folder of this config's runs."""
    folder = output_folder(config, config_file)
    return tuple(_with_links(Path(config.OUTPUT_DIR or folder), (results_folder(folder),)))


def _logs(config: Config) -> tuple[str, ...]:
    """LOG_DIR, where training's numbers go."""
    return tuple(_with_links(Path(config.LOG_DIR), (logs_folder(config),))) if config.LOG_DIR else ()


def _given(*paths: str) -> tuple[str, ...]:
    return tuple(absolute(path) for path in paths if path)


def _with_links(folder: Path, below: Iterable[Path]) -> Iterator[str]:
    """The folder, and each step of the ways below it at which a symbolic link leaves what is named so far."""
    named = [absolute(folder)]
    yield named[0]
    for path in below:
        between = [step for step in reversed(path.parents) if folder in step.parents]
        for step in (*between, path):
            for left in _outside((step,), named):
                named.append(left)
                yield left


def _outside(paths: Iterable[str | Path], folders: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths that really lie in none of the folders."""
    homes = [_real(folder) for folder in folders]
    return tuple(
        absolute(path) for path in paths if not any(_real(path).is_relative_to(home) for home in homes)
    )


def absolute(path: str | Path) -> str:
    """The path from the root on, its links as they are; `..` stays where it goes up from a link's target."""
    plain = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps every `..`
    return str(plain if _real(plain) == _real(path) else Path(path).absolute())


def _real(path: str | Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # a null character, which YAML can hold
        raise PoseError(f"{str(path)!r} is no path") from None
