"""Faults while pose learns and tests, through envcheck: what is finished stays, and the next run goes on.

How training itself resumes, batch by batch, is held in `tests/kill_bench.py`.
"""

from __future__ import annotations

import json
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
from typing import TYPE_CHECKING

from envcheck.environments.whole import sha256_of
from envcheck.repeat.find import find_run
from tests.engines import until
from tests.environments.conftest import filled, said_by
from tests.faults.clocks import YEAR_S, Clock
from tests.faults.fault import (
    Fault,
    Ground,
    Missed,
    comes,
    failing_disk,
    halted,
    killed,
    nobody_is_left,
    processes_of,
    refused,
    small_disk,
)

if TYPE_CHECKING:
    from tests.progress import Place

ENVCHECK = "from envcheck.cli import main; main()"
CONFIG = "experiments/drawn/res18_96x64.yaml"
KEPT = Path("coco/pose_resnet/res18_96x64")  # below OUTPUT_DIR
ROOT = Path(__file__).resolve().parents[2]


# A checkpoint after every batch, of which an epoch has two: it can fall anywhere.
EPOCHS = 2
OFTEN = ("TRAIN.CHECKPOINT_MINUTES", "0.0001")


# What building the environment of a first run may take.
BUILDING_S = 900.0


@dataclass(frozen=True)
class Way:
    """Where stages run: what envcheck is told, and the variables that it gets."""

    words: tuple[str, ...] = ("--in=current",)
    variables: tuple[tuple[str, str], ...] = ()


HERE = Way()


@dataclass(frozen=True)
class Reference:
    """What a training and a test come to that nobody disturbs."""

    people: Path
    output: Path
    digest: str
    learning_s: float
    testing_s: float


def envcheck(folder: Path, *words: str, **variables: str) -> subprocess.Popen[bytes]:
    """Start envcheck in this interpreter, in an environment that is this one's."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "ENVCHECK_CACHE": str(folder / "cache"), **variables}
    argv = [sys.executable, "-c", ENVCHECK, *words]
    return subprocess.Popen(argv, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def learn(
    folder: Path, people: Path, epochs: int = EPOCHS, way: Way = HERE, **variables: str
) -> subprocess.Popen[bytes]:
    """Start a training that goes on from where the last one has come."""
    where = ("--data", str(people), "--cfg", CONFIG, "OUTPUT_DIR", "out")
    values = ("TRAIN.END_EPOCH", str(epochs), "WORKERS", "0", "AUTO_RESUME", "True", *OFTEN)
    own = {**dict(way.variables), **variables}
    return envcheck(folder, "run", "train", *way.words, *where, *values, **own)


def judge(folder: Path, people: Path, way: Way = HERE) -> subprocess.Popen[bytes]:
    """Start a test of what was learnt."""
    where = ("--data", str(people), "--cfg", CONFIG, "OUTPUT_DIR", "out")
    return envcheck(folder, "run", "test", *way.words, *where, **dict(way.variables))


def done(process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    _, err = process.communicate(timeout=seconds)
    code = process.returncode
    assert code == 0, f"exit code {code}: {err.decode()[-800:]}"


@lru_cache(maxsize=2)
def reference(folder: Path, way: Way) -> Reference:
    """Learn and test once; what it needs and makes lies in `folder`. The first run may have to build."""
    folder.mkdir(exist_ok=True)
    people = folder / "people"
    drawn = ("run", "synth", *way.words, "--out=people", "--train=12", "--val=6")
    done(envcheck(folder, *drawn, **dict(way.variables)), BUILDING_S)
    begin = time.monotonic()
    done(learn(folder, people, way=way))
    learnt = time.monotonic()
    done(judge(folder, people, way))
    tested = time.monotonic()
    output = folder / "out"
    return Reference(people, output, digest(output), learnt - begin, tested - learnt)


def digest(output: Path) -> str:
    """Return the digest of the last weights."""
    return sha256_of(output / KEPT / "final_state.pth").hexdigest()


def before(ground: Ground, way: Way = HERE) -> Reference:
    return reference(ground.model.world.folder / ("learnt" if way == HERE else "trained"), way)


def kept(ground: Ground) -> Place:
    """Return how far what is kept has come; hold it against all that the runs so far have told."""
    # Here, as tests without torch read this module, too.
    from tests.progress import NOWHERE, best_is_missing, reached

    folder = ground.folder / "out" / KEPT
    place = reached(folder)  # raises where it is not whole
    for file in ground.folder.glob("runs/*/record.json"):
        find_run(str(file.parent))
    results = [json.loads(file.read_bytes()) for file in ground.folder.glob("runs/*-train-*/result.json")]
    told = max((result["epochs_done"] for result in results), default=0)
    assert place >= (told, 0), f"{told} epochs were told to be done, and {place} is kept"
    assert place == NOWHERE or not best_is_missing(folder), best_is_missing(folder)
    return place


def goes_on(ground: Ground, known: Reference, way: Way = HERE) -> str:
    """Hold that nobody is left, and that the same command goes on from what is kept and comes to the same."""
    from tests.progress import began_elsewhere

    nobody_is_left(ground.folder)
    place, runs = kept(ground), set(ground.folder.glob("runs/*"))
    done(learn(ground.folder, known.people, way=way))
    (run,) = {*ground.folder.glob("runs/*")} - runs
    resumed_from = json.loads((run / "result.json").read_bytes())["resumed_from"]
    wrong = began_elsewhere(place, (run / "log.txt").read_text(encoding="utf-8"), resumed_from)
    assert not wrong, wrong
    assert kept(ground) == (EPOCHS, 0)
    assert digest(ground.folder / "out") == known.digest, "other weights than without the fault"
    left = [path.name for path in (ground.folder / "out" / KEPT).iterdir() if path.name.startswith(".")]
    assert not left, f"left behind: {left}"
    return f"went on from epoch {place[0]}, batch {place[1]} to the same weights"


def stage_of(ground: Ground, stage: str) -> int | None:
    """Return the process of a stage once it works."""
    for pid in processes_of(ground.folder):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if {b"--run-dir", stage.encode()} <= set(words) and b"--check" not in words:
                return pid
    return None


def half_written(ground: Ground) -> list[Path]:
    """Return the checkpoint that is being written, if one is."""
    return list((ground.folder / "out" / KEPT).glob(".checkpoint.pth-*"))


def learning_killed(ground: Ground) -> str:
    known = before(ground)
    learner = learn(ground.folder, known.people)
    ground.wait_up_to(known.learning_s)
    killed(learner)
    return goes_on(ground, known)


def trainer_killed(ground: Ground) -> str:
    known = before(ground)
    learner = learn(ground.folder, known.people)
    comes(learner, lambda: stage_of(ground, "train"))
    ground.wait_up_to(known.learning_s)
    os.kill(halted(stage_of(ground, "train")), signal.SIGKILL)
    code, _, err = said_by(learner)
    assert code == 137, err.decode()
    return goes_on(ground, known)


def halted_in_a_checkpoint(ground: Ground, known: Reference, learner: subprocess.Popen[bytes]) -> int:
    """Stop a training while a checkpoint is half written, not always the first one; return its process."""
    ground.wait_up_to(known.learning_s)
    comes(learner, lambda: half_written(ground))
    stage = halted(stage_of(ground, "train"))
    whole = known.output / KEPT / "checkpoint.pth"
    if not any(partial.stat().st_size < whole.stat().st_size for partial in half_written(ground)):
        raise Missed
    return stage


def killed_while_a_checkpoint_is_written(ground: Ground) -> str:
    known = before(ground)
    learner = learn(ground.folder, known.people)
    stage = halted_in_a_checkpoint(ground, known, learner)
    os.kill(stage, signal.SIGKILL)
    assert said_by(learner)[0] == 137
    return goes_on(ground, known)


def start_testing(ground: Ground, known: Reference, way: Way) -> subprocess.Popen[bytes]:
    """Start a test of what was learnt elsewhere."""
    shutil.copytree(known.output, ground.folder / "out", ignore=shutil.ignore_patterns("results"))
    return judge(ground.folder, known.people, way)


def same_results(ground: Ground, known: Reference, way: Way) -> str:
    """Hold that no result is half written, and that the next test has the same."""
    nobody_is_left(ground.folder)
    results = Path("out", KEPT, "results")
    wanted = {file.name: file.read_bytes() for file in (known.output.parent / results).glob("*.json")}
    assert wanted
    found = [file.name for file in (ground.folder / results).glob("[!.]*")]
    for name in found:
        assert (ground.folder / results / name).read_bytes() == wanted[name], f"half written: {name}"
    done(judge(ground.folder, known.people, way))
    for name, content in wanted.items():
        assert (ground.folder / results / name).read_bytes() == content, name
    return f"{'finished' if found else 'no'} results were there, then the same"


def envcheck_killed_testing(ground: Ground) -> str:
    known = before(ground)
    tester = start_testing(ground, known, HERE)
    ground.wait_up_to(known.testing_s)
    killed(tester)
    return same_results(ground, known, HERE)


def stage_killed_testing(ground: Ground) -> str:
    known = before(ground)
    tester = start_testing(ground, known, HERE)
    comes(tester, lambda: stage_of(ground, "test"))
    ground.wait_up_to(known.testing_s)
    os.kill(halted(stage_of(ground, "test")), signal.SIGKILL)
    code, _, err = said_by(tester)
    assert code == 137, err.decode()
    return same_results(ground, known, HERE)


def full_in_a_checkpoint(ground: Ground) -> str:
    """The disk fills up while a checkpoint is half written, and another one is there."""
    known = before(ground)
    with small_disk(ground.folder / "out", "900m") as out:
        file = out / KEPT / "checkpoint.pth"
        learner = learn(ground.folder, known.people)
        comes(learner, file.exists)
        stage = halted_in_a_checkpoint(ground, known, learner)
        there = sha256_of(file).hexdigest()
        ballast = fill(out)
        os.kill(stage, signal.SIGCONT)
        said = refused(learner, 1, f"{KEPT}/checkpoint.pth cannot be written", "is there room")
        assert sha256_of(file).hexdigest() == there, "the checkpoint before is not what it was"
        ballast.unlink()
        return f"{goes_on(ground, known)}; {said}".replace(str(ground.folder), "...")


def full_in_a_tests_results(ground: Ground) -> str:
    known = before(ground)
    with small_disk(ground.folder / "out", "400m") as out:
        ours = shutil.ignore_patterns("results", "*.log", "*_before.pth")
        shutil.copytree(known.output, out, ignore=ours, dirs_exist_ok=True)
        with filled(out, leaving_mib=0):
            said = refused(
                judge(ground.folder, known.people), 1, "cannot be written: No space left on device"
            )
        same_results(ground, known, HERE)
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


def read_only_while_it_learns(ground: Ground) -> str:
    """What the disk does to itself where it meets an error; what was not on it by then is lost."""
    known = before(ground)
    with failing_disk(ground.folder / "out", 900) as turn:
        learner = learn(ground.folder, known.people)
        comes(learner, (ground.folder / "out" / KEPT / "checkpoint.pth").exists)
        ground.wait_up_to(known.learning_s / 2)
        turn()
        comes_to_an_end(learner)
        said = refused(learner, 1, "Read-only file system")
        turn()
        # What was told to be kept is there, see `kept`; a name that was about to be synced may be gone.
        return f"{goes_on(ground, known)}; {said}".replace(str(ground.folder), "...")


def comes_to_an_end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a command's end, which is none of its own accord."""
    until(lambda: process.poll() is not None, 60)
    if process.returncode == 0:
        raise Missed


def clock_set_back_while_it_learns(ground: Ground) -> str:
    known, clock = before(ground), Clock(ground.folder)
    learner = learn(ground.folder, known.people, **clock.variables)
    comes(learner, (ground.folder / "out" / KEPT / "checkpoint.pth").exists)
    assert b"FAULT_CLOCK" in Path(f"/proc/{stage_of(ground, 'train')}/environ").read_bytes()
    clock.set(-YEAR_S)
    done(learner)
    (run,) = ground.folder.glob("runs/*")
    record = find_run(str(run))[1]
    assert record.exit_code == 0
    assert record.ended >= record.started, f"{record.ended} before {record.started}"
    seconds = json.loads((run / "result.json").read_bytes())["seconds"]
    assert all(0 <= one < YEAR_S for epochs in seconds.values() for one in epochs), seconds
    assert kept(ground) == (EPOCHS, 0)
    assert digest(ground.folder / "out") == known.digest, "other weights than without the fault"
    return f"started {record.started[:10]}, ended {record.ended[:10]}, the same weights"


def two_runs_in_one_output(ground: Ground) -> str:
    known = before(ground)
    first = learn(ground.folder, known.people, 50)
    comes(first, (ground.folder / "out" / KEPT / "checkpoint.pth").exists)
    (name,) = (path.name for path in (ground.folder / "runs").iterdir())
    said = refused(learn(ground.folder, known.people, 50), 1, "in use by run", name)
    first.send_signal(signal.SIGTERM)
    assert said_by(first)[0] == 130
    nobody_is_left(ground.folder)
    kept(ground)
    return said.replace(str(ground.folder), "...")


def copied_run_is_replayed(ground: Ground) -> str:
    """A copy alone is there: neither the run's folder nor what it has left."""
    known = before(ground)
    done(learn(ground.folder, known.people))
    (run,) = ground.folder.glob("runs/*")
    copied = shutil.copytree(run, ground.folder / "elsewhere" / run.name)
    shutil.rmtree(run.parent)
    shutil.rmtree(ground.folder / "out")
    code, out, err = said_by(
        envcheck(ground.folder, "replay", str(copied), "--output=again", "--format=json")
    )
    assert code == 0, err.decode()[-800:]
    verdict = json.loads(out)["verdict"]
    assert verdict == "bitwise", (out + err).decode()[-800:]
    return "bitwise"


FAULTS = (
    Fault("envcheck killed while it learns", learning_killed, "slow", 10),
    Fault("training killed", trainer_killed, "slow", 10),
    Fault("training killed while a checkpoint is written", killed_while_a_checkpoint_is_written, "slow", 5),
    Fault("envcheck killed while it tests", envcheck_killed_testing, "slow", 5),
    Fault("test killed", stage_killed_testing, "slow", 5),
    Fault("disk full in a checkpoint", full_in_a_checkpoint, "slow", 3),
    Fault("disk full in a test's results", full_in_a_tests_results, "slow"),
    Fault("output turned read only while it learns", read_only_while_it_learns, "slow", 3),
    Fault("clock set back while it learns", clock_set_back_while_it_learns, "slow"),
    Fault("two runs on one output folder", two_runs_in_one_output, "slow"),
    Fault("a run folder copied elsewhere, replayed", copied_run_is_replayed, "slow"),
)
