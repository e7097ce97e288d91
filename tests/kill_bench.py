"""Trainings killed at random moments and resumed, held against one that was not: `make bench-kill POINTS=50`.

Real processes, real signals, a real full disk (a tmpfs, for which it takes root; not verified without). They
are forked from one that has loaded torch and computed nothing, which saves two seconds each; every second
point is killed once or twice again while it is resumed. What must be the same: the bytes of final_state.pth,
model_best.pth and the results, and history.csv but for the clock. A training that begins anew comes to the
same, and one that lost an hour, too: each process's end is therefore held against what was kept before it.

Long because a moment is chosen, hit and judged by what one process alone knows of the training.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from pose.__main__ import main as pose
from pose.errors import FAILED, INTERRUPTED, PoseError
from pose.networks import models
from pose.networks.checkpoint import read_checkpoint
from tests.progress import began_elsewhere, best_is_missing, reached

# A network of 0.4 million weights; ten people in batches of two; tolerances so wide that something is found,
# and the best epoch is the fourth of five.
CONFIG = """\
OUTPUT_DIR: output
AUTO_RESUME: true
WORKERS: 0
MODEL:
  NAME: pose_hrnet
  INIT_WEIGHTS: false
  IMAGE_SIZE: [32, 64]
  HEATMAP_SIZE: [8, 16]
  SIGMA: 1
  EXTRA:
    PRETRAINED_LAYERS: ['*']
    FINAL_CONV_KERNEL: 1
    STAGE2: {NUM_MODULES: 1, NUM_BRANCHES: 2, BLOCK: BASIC, NUM_BLOCKS: [1, 1],
             NUM_CHANNELS: [4, 8], FUSE_METHOD: SUM}
    STAGE3: {NUM_MODULES: 1, NUM_BRANCHES: 3, BLOCK: BASIC, NUM_BLOCKS: [1, 1, 1],
             NUM_CHANNELS: [4, 8, 16], FUSE_METHOD: SUM}
    STAGE4: {NUM_MODULES: 1, NUM_BRANCHES: 4, BLOCK: BASIC, NUM_BLOCKS: [1, 1, 1, 1],
             NUM_CHANNELS: [4, 8, 16, 32], FUSE_METHOD: SUM}
DATASET:
  DATASET: coco
  ROOT: drawn
  TRAIN_SET: train2017
  TEST_SET: val2017
TRAIN:
  BATCH_SIZE_PER_GPU: 2
  END_EPOCH: 5
  LR_STEP: [3]
  CHECKPOINT_MINUTES: 0.0001  # after every batch
TEST:
  USE_GT_BBOX: true
  OKS_SIGMAS: [%s]
"""
SIGMAS = ", ".join(["1.0"] * 17)
OUT = Path("coco") / "pose_hrnet" / "tiny"
BATCHES = 5  # in an epoch
SAME = ("final_state.pth", "model_best.pth", "results/keypoints_val2017_results_0.json")
CLOCK = {"samples_per_second", "seconds"}
# What is trained: as it is, with processes that load, and with epochs that are not tested.
VARIANTS = {"plain": (), "workers": ("WORKERS", "2"), "untested": ("TRAIN.EVAL_EVERY", "2")}
DISK = "24m"  # of room for what a run leaves, and little more
FILLER = "filler"
HANGS_S, LOOKS_EVERY_S = 120, 0.0005
MOST_DRAWS = 10  # of a moment, where a training has ended before it
NO_DISK = "disk full: not verified, as this process may not mount a small disk"


@dataclass
class Outcome:
    """One training that was killed, and what came of it."""

    how: str
    variant: str
    fell: list[str] = field(default_factory=list)  # where each kill did
    codes: list[int] = field(default_factory=list)  # how each process ended, minus the signal that ended it
    wrong: str = ""  # what was not as it must be


class Process:
    """One `pose train` in a process group of its own."""

    def __init__(self, here: Path, variant: str, output: Path) -> None:
        self.folder = output / OUT
        self._before, self._from = self._marks(), reached(self.folder)
        self._own = Path(tempfile.mkdtemp(dir=here, prefix="run-"))
        words = ["--run-dir", str(self._own), "train", "--cfg", "tiny.yaml", "--output", str(output)]
        self._started, self._code = time.monotonic(), None
        self.pid = os.fork()
        if not self.pid:
            _become(here, self._own / "log.txt", [*words, *VARIANTS[variant]])
        with contextlib.suppress(OSError):  # it has done so itself, or is gone
            os.setpgid(self.pid, self.pid)

    def _marks(self) -> dict[str, tuple[int, int]]:
        """The folder's files, each with what changes when it is written again."""
        paths = (*self.folder.glob("*"), *self.folder.glob("results/*"))
        marks = {}
        for path in paths:
            with contextlib.suppress(FileNotFoundError):  # it had been renamed
                found = path.stat()
                marks[path.name] = found.st_ino, found.st_mtime_ns
        return marks

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self._started

    def writes(self) -> bool:
        """Whether a checkpoint is half written."""
        return any(self.folder.glob(".checkpoint*"))

    def kept(self) -> bool:
        """Whether this process has written a checkpoint."""
        return self.mark("checkpoint.pth") != self._before.get("checkpoint.pth")

    def mark(self, name: str) -> tuple[int, int] | None:
        """What changes when the file is written again; None where there is none."""
        return self._marks().get(name)

    def until(self, reached: Callable[[], bool]) -> bool:
        """Waits for something; whether that came before the end."""
        try:
            while not (came := reached()) and self.ended() is None:
                if self.seconds > HANGS_S:
                    os.killpg(self.pid, signal.SIGKILL)  # which nobody counts, and the end tells
                time.sleep(LOOKS_EVERY_S)
        except BaseException:  # nothing goes on without us
            os.killpg(self.pid, signal.SIGKILL)
            raise
        return came

    def ended(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def end(self) -> int:
        """The same, waited for."""
        self.until(lambda: self.ended() is not None)
        return self.ended()

    def send(self, number: int) -> int | None:
        """Gives it a signal, with its workers, and waits for the end; None where it had ended before."""
        if self.ended() is not None:
            return None
        os.killpg(self.pid, number)
        return self.end()

    @property
    def said(self) -> str:
        """Its output and its notes."""
        return (self._own / "log.txt").read_text(encoding="utf-8")

    def wrong(self, *, disk_full: bool = False) -> str:
        """What of the end of it is not as it must be: where it went on from, how far it came, what it kept.

        On a full disk a checkpoint inside an epoch may be missing, which is said.
        """
        try:
            now = reached(self.folder)
        except PoseError as error:
            return f"what is kept is not whole: {error.message}"
        if not (self._own / "result.json").exists():  # it had not begun to learn
            return "" if now == self._from else "it has moved the checkpoint before it began"
        result = json.loads((self._own / "result.json").read_bytes())
        told = len(_rows(self.folder))
        least = max(self._from, (result["epochs_done"], 0))
        if told and not disk_full:  # a checkpoint after every batch
            least = max(least, (told - 1, BATCHES))
        if now < least:
            return f"the checkpoint is at {now}, and was at {least}, or that was told"
        return began_elsewhere(self._from, self.said, result["resumed_from"]) or best_is_missing(self.folder)

    def fell(self) -> str:
        """Where it was, as what it left tells."""
        marks = self._marks()
        partial = sorted(set(marks) - set(self._before))
        half = [name[1:].rpartition("-")[0] for name in partial if name.startswith(".") and "-" in name]
        if half:
            return f"writing {half[0]}"
        if marks.get("checkpoint.pth") == self._before.get("checkpoint.pth"):
            return "start-up"
        content = read_checkpoint(self.folder / "checkpoint.pth")
        epoch, position = content["epoch"], content["position"]
        if position is None:
            return f"epoch {epoch + 1}, first batch"
        people, batch = position["order"]["people"], position["order"]["batch"]
        done = position["batches"]
        return f"epoch {epoch + 1}, " + ("test" if done * batch >= people else f"after batch {done}")


def _become(here: Path, said: Path, words: list[str]) -> None:
    """Is the training from now on."""
    code = 70
    try:
        os.setpgid(0, 0)
        os.chdir(here)
        log = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(log, number)
        # Of its own, too: pytest has put something else there.
        sys.stdout = sys.stderr = os.fdopen(log, "w", buffering=1, encoding="utf-8")
        build = models.build
        models.build = lambda config: _noisy(build(config))
        code = pose(words)
    finally:
        os._exit(code)


def _noisy(model: torch.nn.Module) -> torch.nn.Module:
    """The same network, which draws from every random generator while it learns, as one with dropout does.

    pose's own networks draw nothing, and would not tell whether the generators are put back.
    """

    def noise(module: torch.nn.Module, _pictures: object, maps: torch.Tensor) -> torch.Tensor | None:
        if not module.training:
            return None
        drawn = random.random() + np.random.rand() + torch.rand(())  # noqa: NPY002, S311
        return torch.nn.functional.dropout(maps, 0.1) * (1 + 0.01 * drawn)

    model.register_forward_hook(noise)
    return model


def _rows(folder: Path) -> list[dict[str, str]]:
    """What was told of each finished epoch, without the clock's."""
    try:
        with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
            return [{name: row[name] for name in row if name not in CLOCK} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []


class Bench:
    """Drawn people, a config, and what an uninterrupted training of each variant comes to."""

    def __init__(self, here: Path, seed: int) -> None:
        self.here, self.random = here, random.Random(seed)  # noqa: S311 - moments, not secrets
        self.wanted: dict[str, object] = {}
        self.starts: dict[str, float] = {}  # seconds to the first checkpoint
        self.seconds: dict[str, float] = {}  # to the end
        self.best: dict[str, int] = {}  # its best epoch, from 1
        # rich draws from Python's generator when it is imported, which must not come between seed and batch.
        for name in ("pose.stages.train", "pose.machines.proof", "rich.progress"):
            import_module(name)
        (here / "tiny.yaml").write_text(CONFIG % SIGMAS, encoding="utf-8")
        words = ("--seed", "3", "--size", "128x96", "--train", "10", "--val", "4")
        argv = [sys.executable, "-m", "pose", "synth", "--out", "drawn", *words]
        subprocess.run(argv, cwd=here, capture_output=True, check=True)

    def run(self, variant: str) -> None:
        """The training that is not interrupted."""
        if variant in self.wanted:
            return
        output = self.here / f"whole-{variant}"
        process = Process(self.here, variant, output)
        process.until(process.kept)
        self.starts[variant] = process.seconds
        assert process.end() == 0, process.said
        assert not process.wrong(), process.wrong()
        self.wanted[variant], self.seconds[variant] = left(output), process.seconds
        scores = [float(row["AP"] or -1) for row in _rows(output / OUT)]
        self.best[variant] = len(scores) - scores[::-1].index(max(scores))  # of equals, the latest is

    def learning(self, outcome: Outcome) -> float:
        """Seconds that the uninterrupted training took after its first checkpoint."""
        return self.seconds[outcome.variant] - self.starts[outcome.variant]

    def point(self, how: str, variant: str) -> Outcome:
        """One training, killed in that way and resumed until it ends."""
        self.run(variant)
        outcome = Outcome(how, variant)
        with tempfile.TemporaryDirectory(dir=self.here) as folder, _disk(Path(folder), how) as output:
            WAYS[how](self, outcome, output)
            for _ in range(self.random.choice((0, 0, 1, 2))):
                if outcome.fell and not outcome.wrong:
                    self.kill(outcome, output)
            if outcome.wrong or not outcome.fell:
                return outcome
            process = Process(self.here, variant, output)
            code = process.end()
            outcome.codes.append(code)
            outcome.wrong = process.wrong()
            if code:
                outcome.wrong = f"the resumed training ended with {code}"
            elif outcome.wrong:
                pass
            elif left(output) != self.wanted[variant]:
                outcome.wrong = "it ends with something else"
            elif list((output / OUT).glob(".*")):
                outcome.wrong = "something half-written is left"
        return outcome

    def kill(self, outcome: Outcome, output: Path) -> None:
        """SIGKILL at a random moment, of which most are after the start-up, in which nothing is written."""
        process = Process(self.here, outcome.variant, output)
        moment = self.random.uniform(0.9 * self.starts[outcome.variant], self.seconds[outcome.variant])
        process.until(lambda: process.seconds >= moment)
        self.killed(outcome, process)

    def killed(self, outcome: Outcome, process: Process) -> None:
        """SIGKILL now; a process that had ended by itself counts for nothing."""
        code = process.send(signal.SIGKILL)
        if code == -signal.SIGKILL:
            is_full = (process.folder.parents[2] / FILLER).exists()
            outcome.codes.append(code)
            outcome.wrong = process.wrong(disk_full=is_full)
            if not outcome.wrong:
                outcome.fell.append(("disk full, " if is_full else "") + process.fell())

    def kill_writing(self, outcome: Outcome, output: Path) -> None:
        """SIGKILL while a checkpoint is half written, not always the first one."""
        process = Process(self.here, outcome.variant, output)
        for _ in range(self.random.randrange(1, 8)):
            if not process.until(process.writes) or not process.until(lambda: not process.writes()):
                break
        if process.until(process.writes):
            time.sleep(self.random.uniform(0, 0.01))
            self.killed(outcome, process)

    def kill_best(self, outcome: Outcome, output: Path) -> None:
        """SIGKILL as soon as the best epoch's checkpoint stands: its weights have to stand beside it."""
        process = Process(self.here, outcome.variant, output)
        if process.until(lambda: len(_rows(process.folder)) >= self.best[outcome.variant]):
            told = process.mark("checkpoint.pth")
            if process.until(lambda: process.mark("checkpoint.pth") != told):
                self.killed(outcome, process)

    def fill(self, outcome: Outcome, output: Path) -> None:
        """A disk that is full while a checkpoint is written, until the training gives up or is killed."""
        process = Process(self.here, outcome.variant, output)
        process.until(process.kept)
        moment = process.seconds + self.random.uniform(0, 0.7) * self.learning(outcome)
        process.until(lambda: process.seconds >= moment)
        if not process.until(process.writes):
            return  # it had ended
        filler = output / FILLER
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        if self.random.random() < 0.5:
            process.until(lambda: process.seconds >= moment + 0.3)
            self.killed(outcome, process)
        code = process.end()
        if code == FAILED:
            outcome.fell.append("disk full")
            outcome.codes.append(code)
            outcome.wrong = process.wrong(disk_full=True)
        elif code not in {0, -signal.SIGKILL}:  # 0: the disk was full when all was written
            outcome.wrong = f"on a full disk it ended with {code}"
        filler.unlink()

    def stop(self, outcome: Outcome, output: Path) -> None:
        """SIGTERM, which it answers with a checkpoint and 130."""
        process = Process(self.here, outcome.variant, output)
        process.until(process.kept)
        moment = process.seconds + self.random.uniform(0, 0.9) * self.learning(outcome)
        process.until(lambda: process.seconds >= moment)
        code = process.send(signal.SIGTERM)
        if code == INTERRUPTED:
            outcome.fell.append(process.fell())
            outcome.codes.append(code)
            outcome.wrong = process.wrong()
        elif code:  # 0: it came when all was learnt and tested
            outcome.wrong = f"SIGTERM ended it with {code}"


WAYS: dict[str, Callable[[Bench, Outcome, Path], None]] = {
    "random": Bench.kill,
    "writing": Bench.kill_writing,
    "best": Bench.kill_best,
    "disk full": Bench.fill,
    "SIGTERM": Bench.stop,
}


@contextlib.contextmanager
def _disk(folder: Path, how: str) -> Iterator[Path]:
    """Where the training writes; a small disk of its own where it is to be full."""
    if how != "disk full":
        yield folder
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def can_mount(folder: Path) -> bool:
    """Whether this process may make a small disk."""
    try:
        with _disk(folder, "disk full"):
            return True
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False


def left(output: Path) -> tuple[list[bytes], list[dict[str, str]]]:
    """What a training comes to, without its clock."""
    return [(output / OUT / name).read_bytes() for name in SAME], _rows(output / OUT)


def ways(points: int, *, mounts: bool) -> list[str]:
    """How each point is killed: a quarter while writing, a tenth each when the best is kept, by a full disk
    and by SIGTERM; those with a full disk are left out where none can be made.
    """
    tenth = max(1, round(points / 10))
    writing = max(1, round(points / 4))
    full = ["disk full"] * tenth
    others = ["writing"] * writing + ["best"] * tenth + ["SIGTERM"] * tenth
    return ["random"] * (points - len(others + full)) + others + (full if mounts else [])


def trial(points: int, here: Path, seed: int = 0) -> Iterator[Outcome]:
    """So many trainings, each killed at least once; fewer where no disk can be filled."""
    bench = Bench(here, seed)
    order = ways(points, mounts=can_mount(here))
    bench.random.shuffle(order)
    for number, how in enumerate(order):
        for _ in range(MOST_DRAWS):
            outcome = bench.point(how, list(VARIANTS)[number % len(VARIANTS)])
            if outcome.fell or outcome.wrong:
                break
        else:
            outcome.wrong = f"it ended before the moment came, {MOST_DRAWS} times"
        yield outcome


def _place(fell: str) -> str:
    """A kill's place, for counting."""
    if not fell.startswith("epoch"):
        return fell.partition(",")[0]
    return "a test" if fell.endswith("test") else "between steps of an epoch"


def main() -> None:
    """Prints a line for each point, then what they come to."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("points", nargs="?", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where everything goes as JSON as well")
    asked = parser.parse_args()
    begin, outcomes = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="kill-bench-") as here:
        is_full_verified = can_mount(Path(here))
        for outcome in trial(asked.points, Path(here), asked.seed):
            outcomes.append(outcome)
            result = outcome.wrong or "identical"
            print(f"{len(outcomes):3}  {outcome.how:<9}  {outcome.variant:<8}  {result:<10}", end="  ")
            print("; ".join(outcome.fell), flush=True)
    kills = [_place(fell) for outcome in outcomes for fell in outcome.fell]
    identical = sum(not outcome.wrong for outcome in outcomes)
    told = f"{len(outcomes)} trainings, {len(kills)} kills, {identical} identical to the uninterrupted one"
    print(f"\n{told}, {time.monotonic() - begin:.0f} s")
    for place, count in Counter(kills).most_common():
        print(f"{count:4}  {place}")
    not_verified = [] if is_full_verified else [NO_DISK]
    for line in not_verified:
        print(line)
    if asked.json:
        document = {"points": list(map(asdict, outcomes)), "kills": len(kills), "identical": identical}
        document["not_verified"] = not_verified
        asked.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.exit(identical != len(outcomes))


if __name__ == "__main__":
    main()
