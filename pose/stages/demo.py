"""Stage `demo`: draws people, learns them, tests on people it has not seen, and shows what was found."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pose.command import demo_options
from pose.command.arguments import Arguments
from pose.command.config import Config
from pose.command.hold import hold
from pose.command.output import FINAL, output_folder
from pose.data.dataset import read_picture
from pose.errors import Interrupted
from pose.judging.datasets import fingerprint, results_file
from pose.report import Result, data
from pose.stages import synth, test, train
from pose.telling.draw import draw_people, sheet
from pose.writing import write_picture

SHORT_PEOPLE, LONG_PEOPLE = (3500, 300), (7000, 300)  # to learn and to test on
SHOWN, COLUMNS, ZOOM = 12, 4, 1.5
DRAWN_FROM = 0.2  # joints that the network is less sure of are not drawn


def run(arguments: Arguments, result: Result) -> None:
    """The four steps, each under a heading."""
    with hold(demo_options.folder(arguments), "demo", arguments.run_dir):
        _demo(arguments, result)


def _demo(arguments: Arguments, result: Result) -> None:
    begin = time.perf_counter()
    out, people = demo_options.folder(arguments), demo_options.people_folder(arguments)
    to_learn, to_test = LONG_PEOPLE if "--long" in arguments.values else SHORT_PEOPLE

    with _step(1, f"draw {to_learn} people to learn from and {to_test} to test on"):
        synth.write_dataset(people, seed=arguments.seed(), train=to_learn, val=to_test)
    stage = demo_options.stage_arguments(arguments)
    config, config_file = stage.configuration
    folder = output_folder(config, config_file)
    with _step(2, f"learn them: {config.TRAIN.END_EPOCH} epochs"):
        try:
            train.run(stage, result)
        except Interrupted as stopped:
            raise Interrupted(stopped.message, "the demo starts over when it is run again") from None
    with _step(3, "test on people it has not seen"):
        test.run(stage, result)
    picture = out / "skeletons.png"
    with _step(4, "draw what was found"):
        _draw(results_file(folder, config), people, config, picture)
    result.dataset = fingerprint(config, config.DATASET.TRAIN_SET, config.DATASET.TEST_SET)
    result.add_output(picture)
    data(f"\nAP {result.metrics['AP']:.3f}   AP .5 {result.metrics['Ap .5']:.3f}")
    data(f"picture   {picture}   (the first {SHOWN} test pictures, none chosen)")
    data(f"results   {results_file(folder, config)}")
    data(f"weights   {folder / FINAL}")
    data(f"{time.perf_counter() - begin:.0f} s in all")


@contextmanager
def _step(number: int, title: str) -> Iterator[None]:
    data(f"\n[{number}/4] {title}")
    begin = time.perf_counter()
    yield
    data(f"      {time.perf_counter() - begin:.0f} s")


def _draw(results: Path, people: Path, config: Config, picture: Path) -> None:
    """The first test pictures, each with everybody found in it, on one sheet."""
    found: dict[int, list[dict[str, Any]]] = {}
    for person in json.loads(results.read_text(encoding="utf-8")):
        if person["score"] > DRAWN_FROM:
            found.setdefault(person["image_id"], []).append(person)
    tiles, captions = [], []
    for path in sorted((people / "images" / config.DATASET.TEST_SET).glob("*.jpg"))[:SHOWN]:
        persons = found.get(int(path.stem), [])
        keypoints = np.array([person["keypoints"] for person in persons])
        keypoints = keypoints.reshape(len(persons), config.MODEL.NUM_JOINTS, 3)
        tiles.append(draw_people(read_picture(path), keypoints, threshold=DRAWN_FROM, zoom=ZOOM))
        scores = "  ".join(f"{person['score']:.2f}" for person in persons)
        captions.append(f"{int(path.stem)}   {scores}")
    write_picture(picture, sheet(tiles, COLUMNS, captions))
