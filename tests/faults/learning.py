"""Faults while pose learns and tests, through envcheck: what is finished stays, and the next run goes on.

How training itself resumes, batch by batch, is held in `tests/kill_bench.py`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from envcheck.environments.whole import sha256_of
from envcheck.repeat.find import find_run
from tests.engines import until
from tests.environments.conftest import filled, said_by
from tests.faults.fault import Fault, Ground, nobody_is_left, processes_of, refused, small_disk

ENVCHECK = "from envcheck.cli import main; main()"
CONFIG = "experiments/drawn/res18_96x64.yaml"
KEPT = Path("coco/pose_resnet/res18_96x64")  # below OUTPUT_DIR
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Reference:
    """What a training comes to that nobody disturbs."""

    people: Path
    output: Path
    digest: str
    seconds: float


def envcheck(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start envcheck in this interpreter, in an environment that is this one's."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "ENVCHECK_CACHE": str(folder / "cache")}
    argv = [sys.executable, "-c", ENVCHECK, *words]
    return subprocess.Popen(argv, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def learn(
    folder: Path, people: Path, epochs: int = 2, output: str = "out", *more: str
) -> subprocess.Popen[bytes]:
    """Start a training that goes on from where the last one has come."""
    where = ("--data", str(people), "--cfg", CONFIG, "OUTPUT_DIR", output)
    values = ("TRAIN.END_EPOCH", str(epochs), "WORKERS", "0", "AUTO_RESUME", "True", *more)
    return envcheck(folder, "run", "train", "--in=current", *where, *values)


def judge(folder: Path, people: Path, output: str = "out") -> subprocess.Popen[bytes]:
    """Start a test of what was learnt."""
    return envcheck(
        folder, "run", "test", "--in=current", "--data", str(people), "--cfg", CONFIG, "OUTPUT_DIR", output
    )


def done(process: subprocess.Popen[bytes]) -> None:
    code, _, err = said_by(process)
    assert code == 0, f"exit code {code}: {err.decode()[-800:]}"


@lru_cache(maxsize=1)
def reference(folder: Path) -> Reference:
    """Learn and test once; what it needs and makes lies in `folder`."""
    people = folder / "people"
    done(envcheck(folder, "run", "synth", "--in=current", "--out=people", "--train=12", "--val=6"))
    begin = time.monotonic()
    done(learn(folder, people))
    seconds = time.monotonic() - begin
    return Reference(people, folder / "out", digest(folder / "out"), seconds)


def digest(output: Path) -> str:
    """Return the digest of the last weights."""
    return sha256_of(output / KEPT / "final_state.pth").hexdigest()


def before(ground: Ground) -> Reference:
    return reference(ground.model.world.folder)


def goes_on(ground: Ground, known: Reference, output: str = "out") -> None:
    """Hold that nobody is left, that each record can be read, and that the same command comes to the same."""
    nobody_is_left(ground.folder)
    for file in ground.folder.glob("runs/*/record.json"):
        find_run(str(file.parent))
    done(learn(ground.folder, known.people, output=output))
    kept = ground.folder / output
    assert digest(kept) == known.digest, "other weights than without the fault"
    left = [path.name for path in (kept / KEPT).iterdir() if path.name.startswith(".")]
    assert not left, f"left behind: {left}"


def stage_of(ground: Ground, stage: str) -> int | None:
    """Return the process of a stage once it works."""
    for pid in processes_of(ground.folder):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if {b"--run-dir", stage.encode()} <= set(words) and b"--check" not in words:
                return pid
    return None


def learning_killed(ground: Ground) -> str:
    known = before(ground)
    learner = learn(ground.folder, known.people)
    seconds = ground.wait_up_to(known.seconds)
    learner.kill()
    said_by(learner)
    goes_on(ground, known)
    return f"after {seconds:.1f} s, then the same weights"


def trainer_killed(ground: Ground) -> str:
    known = before(ground)
    learner = learn(ground.folder, known.people)
    until(lambda: stage_of(ground, "train"))
    ground.wait_up_to(known.seconds / 2)
    with suppress(ProcessLookupError, TypeError):  # it has ended
        os.kill(stage_of(ground, "train"), signal.SIGKILL)
    code, _, err = said_by(learner)
    assert code in {0, 137}, err.decode()
    goes_on(ground, known)
    return "then the same weights"


def killed_while_a_checkpoint_is_written(ground: Ground) -> str:
    known = before(ground)
    learner = learn(ground.folder, known.people)
    kept = ground.folder / "out" / KEPT
    until(lambda: list(kept.glob(".checkpoint*")), 60)
    stage = stage_of(ground, "train")
    ground.wait_up_to(0.2)
    os.kill(stage, signal.SIGKILL)
    assert said_by(learner)[0] == 137
    goes_on(ground, known)
    return "then the same weights"


def testing_killed(ground: Ground, *, stage: bool) -> str:
    known = before(ground)
    shutil.copytree(known.output, ground.folder / "out", ignore=shutil.ignore_patterns("runs", "results"))
    tester = judge(ground.folder, known.people)
    ground.wait_up_to(known.seconds / 2)
    victim = stage_of(ground, "test") if stage else None
    with suppress(ProcessLookupError):
        os.kill(victim or tester.pid, signal.SIGKILL)
    said_by(tester)
    nobody_is_left(ground.folder)
    done(judge(ground.folder, known.people))
    results = Path("out", KEPT, "results")
    for file in (known.output.parent / results).glob("*.json"):
        assert (ground.folder / results / file.name).read_bytes() == file.read_bytes(), file.name
    return "then the same results"


def envcheck_killed_testing(ground: Ground) -> str:
    return testing_killed(ground, stage=False)


def stage_killed_testing(ground: Ground) -> str:
    return testing_killed(ground, stage=True)


def full_in_a_checkpoint(ground: Ground) -> str:
    """The disk fills up when the first checkpoint is there, before the second."""
    known = before(ground)
    with small_disk(ground.folder / "out", "900m") as out:
        kept = out / KEPT
        learner = learn(ground.folder, known.people)
        until((kept / "checkpoint.pth").exists, 60)
        first = sha256_of(kept / "checkpoint.pth").hexdigest()
        stage = stage_of(ground, "train")
        os.kill(stage, signal.SIGSTOP)  # filling takes a moment
        ballast = fill(out)
        os.kill(stage, signal.SIGCONT)
        said = refused(learner, 1, "is there room")
        assert sha256_of(kept / "checkpoint.pth").hexdigest() == first
        ballast.unlink()
        goes_on(ground, known)
    return said.replace(str(ground.folder), "...")


def full_in_a_tests_results(ground: Ground) -> str:
    known = before(ground)
    with small_disk(ground.folder / "out", "400m") as out:
        ours = shutil.ignore_patterns("runs", "results", "*.log")
        shutil.copytree(known.output, out, ignore=ours, dirs_exist_ok=True)
        with filled(out, leaving_mib=0):
            said = refused(judge(ground.folder, known.people), 1, "No space left on device")
        done(judge(ground.folder, known.people))
    return said.replace(str(ground.folder), "...")


def fill(folder: Path) -> Path:
    """Leave no byte of a disk on which somebody else writes, too; return what fills it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return ballast


def two_runs_in_one_output(ground: Ground) -> str:
    known = before(ground)
    first = learn(ground.folder, known.people, 50)
    kept = ground.folder / "out" / KEPT
    until((kept / "checkpoint.pth").exists, 60)
    (name,) = (path.name for path in (ground.folder / "runs").iterdir())
    said = refused(learn(ground.folder, known.people, 50), 1, "in use by run", name)
    first.send_signal(signal.SIGTERM)
    assert said_by(first)[0] == 130
    nobody_is_left(ground.folder)
    return said.replace(str(ground.folder), "...")


def copied_run_is_replayed(ground: Ground) -> str:
    known = before(ground)
    (run,) = (known.output.parent / "runs").glob("*-train-*")
    copied = shutil.copytree(run, ground.folder / "elsewhere" / run.name)
    shutil.copytree(known.output.parent / "cache", ground.folder / "cache")
    code, out, err = said_by(envcheck(ground.folder, "replay", str(copied), "--output=again"))
    assert code == 0, err.decode()[-800:]
    assert b"bitwise" in out + err, (out + err).decode()[-800:]
    return "bitwise"


FAULTS = (
    Fault("envcheck killed while it learns", learning_killed, "slow", 10),
    Fault("training killed", trainer_killed, "slow", 10),
    Fault("training killed while a checkpoint is written", killed_while_a_checkpoint_is_written, "slow", 5),
    Fault("envcheck killed while it tests", envcheck_killed_testing, "slow", 5),
    Fault("test killed", stage_killed_testing, "slow", 5),
    Fault("disk full in a checkpoint", full_in_a_checkpoint, "slow"),
    Fault("disk full in a test's results", full_in_a_tests_results, "slow"),
    Fault("two runs on one output folder", two_runs_in_one_output, "slow"),
    Fault("a run folder copied elsewhere, replayed", copied_run_is_replayed, "slow"),
)
