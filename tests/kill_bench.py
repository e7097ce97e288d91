"""Trainings killed at random moments and resumed, held against one that was not: `make bench-kill POINTS=50`.

Real processes, real signals, a real full disk (a tmpfs, for which it takes root; left out without). They are
forked from one that has loaded torch and computed nothing, which saves two seconds each; every second point
is killed once or twice again while it is resumed. What must be the same: the bytes of final_state.pth,
model_best.pth and the results, and history.csv but for the clock.
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

from pose.__main__ import main as pose
from pose.errors import FAILED, INTERRUPTED
from pose.networks.checkpoint import read_checkpoint

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
SAME = ("final_state.pth", "model_best.pth", "results/keypoints_val2017_results_0.json")
CLOCK = {"samples_per_second", "seconds"}
# What is trained: as it is, with processes that load, and with epochs that are not tested.
VARIANTS = {"plain": (), "workers": ("WORKERS", "2"), "untested": ("TRAIN.EVAL_EVERY", "2")}
DISK = "24m"  # of room for what a run leaves, and little more
FILLER = "filler"
HANGS_S, LOOKS_EVERY_S = 120, 0.0005


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
        self._before = self._marks()
        words = ["train", "--cfg", "tiny.yaml", "--output", str(output), *VARIANTS[variant]]
        self._started, self._code = time.monotonic(), None
        self.pid = os.fork()
        if not self.pid:
            _become(here, words)
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
        return self._marks().get("checkpoint.pth") != self._before.get("checkpoint.pth")

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


def _become(here: Path, words: list[str]) -> None:
    """Is the training from now on."""
    code = 70
    try:
        os.setpgid(0, 0)
        os.chdir(here)
        log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = pose(words)
    finally:
        os._exit(code)


class Bench:
    """Drawn people, a config, and what an uninterrupted training of each variant comes to."""

    def __init__(self, here: Path, seed: int) -> None:
        self.here, self.random = here, random.Random(seed)  # noqa: S311 - moments, not secrets
        self.wanted: dict[str, object] = {}
        self.starts: dict[str, float] = {}  # seconds to the first checkpoint
        self.seconds: dict[str, float] = {}  # to the end
        for name in ("pose.stages.train", "pose.machines.proof"):
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
        assert process.end() == 0, (self.here / "log.txt").read_text(encoding="utf-8")
        self.wanted[variant], self.seconds[variant] = left(output), process.seconds

    def learning(self, outcome: Outcome) -> float:
        """Seconds that the uninterrupted training took after its first checkpoint."""
        return self.seconds[outcome.variant] - self.starts[outcome.variant]

    def point(self, how: str, variant: str) -> Outcome:
        """One training, killed in that way and resumed until it ends."""
        self.run(variant)
        outcome = Outcome(how, variant)
        with tempfile.TemporaryDirectory(dir=self.here) as folder, _disk(Path(folder), how) as output:
            WAYS[how](self, outcome, output)
            if outcome.wrong:
                return outcome
            for _ in range(self.random.choice((0, 0, 1, 2))):
                self.kill(outcome, output)
            code = Process(self.here, variant, output).end()
            outcome.codes.append(code)
            if code:
                outcome.wrong = f"the resumed training ended with {code}"
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
            full = "disk full, " if (process.folder.parents[2] / FILLER).exists() else ""
            outcome.fell.append(full + process.fell())
            outcome.codes.append(code)

    def kill_writing(self, outcome: Outcome, output: Path) -> None:
        """SIGKILL while a checkpoint is half written, not always the first one."""
        process = Process(self.here, outcome.variant, output)
        for _ in range(self.random.randrange(1, 8)):
            if not process.until(process.writes) or not process.until(lambda: not process.writes()):
                break
        if process.until(process.writes):
            time.sleep(self.random.uniform(0, 0.01))
            self.killed(outcome, process)

    def fill(self, outcome: Outcome, output: Path) -> None:
        """A disk that is full while a checkpoint is written, until the training gives up or is killed."""
        process = Process(self.here, outcome.variant, output)
        process.until(process.kept)
        reached = process.seconds + self.random.uniform(0, 0.7) * self.learning(outcome)
        process.until(lambda: process.seconds >= reached)
        process.until(process.writes)
        filler = output / FILLER
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        if self.random.random() < 0.5:
            process.until(lambda: process.seconds >= reached + 0.3)
            self.killed(outcome, process)
        code = process.end()
        if code == FAILED:
            outcome.fell.append("disk full")
            outcome.codes.append(code)
        elif code != -signal.SIGKILL:
            outcome.wrong = f"on a full disk it ended with {code}"
        with contextlib.suppress(FileNotFoundError):  # the checkpoint survives; raises where it is not whole
            read_checkpoint(output / OUT / "checkpoint.pth")
        filler.unlink()

    def stop(self, outcome: Outcome, output: Path) -> None:
        """SIGTERM, which it answers with a checkpoint and 130."""
        process = Process(self.here, outcome.variant, output)
        process.until(process.kept)
        moment = process.seconds + self.random.uniform(0, 0.9) * self.learning(outcome)
        process.until(lambda: process.seconds >= moment)
        code = process.send(signal.SIGTERM)
        if code is not None:
            outcome.fell.append(process.fell())
            outcome.codes.append(code)
            if code not in {0, INTERRUPTED}:  # 0: it came when all was learnt and tested
                outcome.wrong = f"SIGTERM ended it with {code}"


WAYS: dict[str, Callable[[Bench, Outcome, Path], None]] = {
    "random": Bench.kill,
    "writing": Bench.kill_writing,
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
    with (output / OUT / "history.csv").open(newline="", encoding="utf-8") as file:
        rows = [{name: row[name] for name in row if name not in CLOCK} for row in csv.DictReader(file)]
    return [(output / OUT / name).read_bytes() for name in SAME], rows


def ways(points: int, *, mounts: bool) -> list[str]:
    """How each point is killed: a quarter while writing, a tenth each by a full disk and by SIGTERM."""
    tenth = max(1, round(points / 10))
    full = tenth if mounts else 0
    writing = max(1, round(points / 4))
    others = ["writing"] * writing + ["disk full"] * full + ["SIGTERM"] * tenth
    return ["random"] * (points - len(others)) + others


def trial(points: int, here: Path, seed: int = 0) -> Iterator[Outcome]:
    """So many trainings, each killed at least once."""
    bench = Bench(here, seed)
    order = ways(points, mounts=can_mount(here))
    bench.random.shuffle(order)
    for number, how in enumerate(order):
        outcome = Outcome(how, "")
        while not outcome.fell and not outcome.wrong:  # it ended by itself before the moment came: once more
            outcome = bench.point(how, list(VARIANTS)[number % len(VARIANTS)])
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
    if asked.json:
        document = {"points": list(map(asdict, outcomes)), "kills": len(kills), "identical": identical}
        asked.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.exit(identical != len(outcomes))


if __name__ == "__main__":
    main()
