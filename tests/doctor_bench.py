"""How fast the doctor answers beside its peers: `make bench-doctor` (two minutes; have an engine running).

In each round every command runs once, one after the other, so that what else the machine does meets all of
them; a ratio is the median of the rounds' own. The peers are the newest `env-doctor` of the package index, in
a virtual environment of its own, and the `collect_env` of the torch that is installed here.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
BIN = Path(sys.executable).parent


def main() -> int:
    """Print a line for each command: median seconds, slowest, and doctor's share of a peer's time."""
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "envcheck doctor": [str(BIN / "envcheck"), "doctor", "--fail-on", "never", "--format", "text"],
            "env-doctor check": [str(env_doctor(Path(folder))), "check"],
            "torch.utils.collect_env": [sys.executable, "-m", "torch.utils.collect_env"],
            "envcheck --version": [str(BIN / "envcheck"), "--version"],
            "envcheck --help": [str(BIN / "envcheck"), "--help"],
        }
        print(f"engine: {engine()}; {os.cpu_count()} processors; {ROUNDS} rounds after one to warm up")
        took: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(ROUNDS + 1):
            for name, argv in commands.items():
                start = time.perf_counter()
                subprocess.run(argv, check=False, capture_output=True, stdin=subprocess.DEVNULL)
                if number:
                    took[name].append(time.perf_counter() - start)
    for name, seconds in took.items():
        line = f"{name:24} {statistics.median(seconds):6.3f} s   slowest {max(seconds):6.3f} s"
        if name in ("env-doctor check", "torch.utils.collect_env"):
            shares = [ours / theirs for ours, theirs in zip(took["envcheck doctor"], seconds, strict=True)]
            line += f"   doctor takes {statistics.median(shares):.2f} of it"
        print(line)
    return 0


def env_doctor(folder: Path) -> Path:
    """Return the peer's command, installed for this run."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--quiet", "env-doctor"], check=True)
    listed = subprocess.run([*pip, "list", "--format", "freeze"], check=True, capture_output=True, text=True)
    print(next(line for line in listed.stdout.splitlines() if line.startswith("env-doctor")))
    return folder / "bin" / "env-doctor"


def engine() -> str:
    """Return which engine doctor will meet."""
    docker = shutil.which("docker")
    if docker is None:
        return "none"
    argv = [docker, "version", "--format", "docker {{.Server.Version}}"]
    said = subprocess.run(argv, check=False, capture_output=True, text=True)
    return said.stdout.strip() or "none that answers"


if __name__ == "__main__":
    sys.exit(main())
