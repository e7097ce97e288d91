"""How often `envcheck diff` names the true cause: `make bench-diff` (a quarter of an hour).

Fifty pairs of real runs, an epoch on a few drawn people each. Of every pair the second has one change:
another seed, config value, annotation, picture, weights file, number of threads, kernel switch, package
version or line of pose's source. Counted is whether the cause on top is that change.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from envcheck.repeat.diff import compare
from envcheck.repeat.find import find_run
from envcheck.runs.record import Record

ROOT = Path(__file__).resolve().parent.parent
ENVCHECK = "from envcheck.cli import main; main()"
CONFIG = "experiments/drawn/res18_96x64.yaml"


@dataclass(frozen=True)
class Change:
    """One change to the second run of a pair, and the fact that tells it."""

    name: str
    fact: str  # what the cause's fact begins with
    words: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    people: Callable[[Path], None] | None = None
    source: tuple[str, str, str] | None = None  # file of pose, text, other text
    package: str = ""
    weights: bool = False  # both start from a weights file, and the second's is another one


def keypoints(change: Callable[[dict], None]) -> Callable[[Path], None]:
    """Return what changes the first annotation of the people to learn from."""

    def edit(people: Path) -> None:
        file = people / "annotations" / "person_keypoints_train2017.json"
        content = json.loads(file.read_text(encoding="utf-8"))
        change(content["annotations"][0])
        file.write_text(json.dumps(content), encoding="utf-8")

    return edit


def other_picture(people: Path) -> None:
    """Put the second picture in the place of the first."""
    first, second, *_ = sorted((people / "images" / "train2017").glob("*.jpg"))
    shutil.copyfile(second, first)


def config(key: str, value: str) -> Change:
    """Return a change of one key."""
    return Change(f"{key} {value}", f"config.{key}", words=(key, value))


CHANGES = (
    *(Change(f"seed {seed}", "seed", words=("--seed", str(seed))) for seed in range(1, 9)),
    config("TRAIN.LR", "0.002"),
    config("TRAIN.LR", "0.01"),
    config("TRAIN.LR", "0.0001"),
    config("TRAIN.OPTIMIZER", "sgd"),
    config("TRAIN.BATCH_SIZE_PER_GPU", "4"),
    config("TRAIN.SHUFFLE", "False"),
    config("DATASET.FLIP", "False"),
    config("DATASET.ROT_FACTOR", "10"),
    config("DATASET.SCALE_FACTOR", "0.2"),
    config("MODEL.SIGMA", "3"),
    config("LOSS.USE_TARGET_WEIGHT", "False"),
    config("TEST.FLIP_TEST", "False"),
    config("TEST.SHIFT_HEATMAP", "False"),
    config("TEST.POST_PROCESS", "False"),
    Change("a keypoint moved", "dataset", people=keypoints(lambda one: one["keypoints"].__setitem__(0, 1))),
    Change("a joint hidden", "dataset", people=keypoints(lambda one: one["keypoints"].__setitem__(2, 0))),
    Change("a box widened", "dataset", people=keypoints(lambda one: one["bbox"].__setitem__(2, 90.5))),
    Change("a joint left out", "dataset", people=keypoints(lambda one: one["keypoints"].__setitem__(5, 0))),
    Change("a crowd made", "dataset", people=keypoints(lambda one: one.update(iscrowd=1))),
    Change("a picture replaced", "dataset", people=other_picture),
    *(Change(f"weights {number}", "inputs[start.pth]", weights=True) for number in range(1, 8)),
    *(Change(f"{n} threads", "computing.threads", environ={"OMP_NUM_THREADS": n}) for n in ("1", "3", "4")),
    Change("only repeatable kernels", "computing.deterministic", words=("--deterministic",)),
    Change("cuDNN without search", "config.CUDNN.BENCHMARK", words=("CUDNN.BENCHMARK", "False")),
    Change("numpy 2.3.5", "proof.numpy", package="numpy==2.3.5"),
    Change("numpy 2.2.6", "proof.numpy", package="numpy==2.2.6"),
    Change("OpenCV 4.11", "proof.opencv", package="opencv-python-headless==4.11.0.86"),
    Change("OpenCV 4.10", "proof.opencv", package="opencv-python-headless==4.10.0.84"),
    Change("pycocotools 2.0.10", "proof.pycocotools", package="pycocotools==2.0.10"),
    Change("targets scaled", "environment.pose", source=("judging/targets.py", "np.exp(", "0.999 * np.exp(")),
    Change("loss scaled", "environment.pose", source=("networks/loss.py", "0.5 *", "0.49 *")),
    Change("a comment more", "environment.pose", source=("networks/loss.py", '"""', '"""A line. ')),
    Change("a comment elsewhere", "environment.pose", source=("stages/learn.py", '"""', '"""A line. ')),
    Change("a docstring", "environment.pose", source=("data/crop.py", '"""', '"""A line. ')),
)


def main() -> int:
    """Print a line for each pair whose true cause is not on top, and the count."""
    named = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(folder, ("synth", "--out", "people", "--train", "24", "--val", "6"))
        first = {weights: trained(folder, Change("none", ""), weights=weights) for weights in (False, True)}
        for change in CHANGES:
            second = trained(folder, change, weights=change.weights)
            comparison = compare(first[change.weights], second)
            # Where both results are the same, diff names no cause; what it holds for likeliest still counts.
            said = comparison.differences[0].fact
            is_named = said.startswith(change.fact)
            named += is_named
            same = "   (the same result)" if comparison.same_result else ""
            print(f"{'  ' if is_named else '✗ '}{change.name}: {said}{same}", flush=True)
    print(f"{named} of {len(CHANGES)} causes on top")
    return 0


def trained(folder: Path, change: Change, *, weights: bool) -> Record:
    """Return the record of an epoch with a change."""
    people, out = folder / "people", Path(tempfile.mkdtemp(dir=folder))
    if change.people is not None:
        people = Path(shutil.copytree(people, out / "people"))
        change.people(people)
    words = list(change.words)
    if weights:
        start(out / "start.pth", other=change.name if change.weights else "")
        words += ["MODEL.INIT_WEIGHTS", "True", "MODEL.PRETRAINED", str(out / "start.pth")]
    where = ("--data", str(people), "--output", str(out))
    end = ("TRAIN.END_EPOCH", "1", "WORKERS", "0")
    options = [word for word in words if word.startswith("--")]
    values = [word for word in words if word not in options]
    if "--seed" in options:
        options, values = ["--seed", values[0]], values[1:]
    run(folder, ("train", *where, "--cfg", CONFIG, *options, *end, *values), change)
    _, record = find_run(str(next((out / "runs").iterdir())))
    for file in out.rglob("*.pth"):
        file.unlink()
    return record


def run(folder: Path, words: tuple[str, ...], change: Change | None = None) -> None:
    """Run a stage in this interpreter, with the source and the packages of the change."""
    root, paths = ROOT, []
    if change is not None and change.source is not None:
        root = Path(tempfile.mkdtemp(dir=folder))
        for room in ("envcheck", "pose", "recipes", "containers"):
            shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
        name, text, other = change.source
        file = root / "pose" / name
        content = file.read_text(encoding="utf-8")
        assert text in content, change.name
        file.write_text(content.replace(text, other, 1), encoding="utf-8")
    if change is not None and change.package:
        target = folder / change.package
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(target), change.package], check=True)
        paths.append(str(target))
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((*paths, str(root))),
        "ENVCHECK_CACHE": str(folder / "cache"),
        **(change.environ if change else {}),
    }
    argv = [sys.executable, "-c", ENVCHECK, "run", words[0], "--in", "current", *words[1:]]
    done = subprocess.run(argv, cwd=folder, env=environ, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-2000:])
        raise SystemExit(done.returncode)


def start(file: Path, *, other: str) -> None:
    """Write a weights file to start from; another one for each name."""
    import torch

    torch.manual_seed(sum(map(ord, other)))
    torch.save({"conv1.weight": torch.randn(64, 3, 7, 7) / 10}, file)


if __name__ == "__main__":
    sys.exit(main())
