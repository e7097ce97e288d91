"""How fast a log is explained: `make bench-explain` (two minutes, and 1 GB of disk for a while).

Writes logs of 1 GB each, of a training, a build and a team's NCCL: a healthy one, one that shows every
symptom, one with a known failure in every line, and one that is a single line. Prints seconds of one core,
and peak memory.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from envcheck.explain.explain import explain
from tests.said import SAID_IN_LOGS

SIZE = 1_000_000_000
# Made anew for each log, and repeated: what is in it costs the same each time.
PATTERN = 4_000_000


def healthy(draw: random.Random) -> Iterator[str]:
    """Yield lines of a training, a build and a team's NCCL, as a day of work has them."""
    while True:
        step, loss, rate = draw.randrange(4681), draw.random() / 1000, draw.uniform(600, 900)
        for _ in range(6):
            yield (
                f"Epoch: [3][{step}/4681]\tTime {32 / rate:.3f}s (0.041s)\tSpeed {rate:.1f} samples/s\t"
                f"Data 0.001s (0.002s)\tLoss {loss:.5f} (0.00052)\tAccuracy {draw.random():.3f} (0.811)"
            )
        yield f"#12 {step}.4 Downloading nvidia_cublas_cu12-12.8.4.1-py3-none-manylinux_2_27_x86_64.whl"
        yield f"node{step % 8}:4711:{step} [0] NCCL INFO Channel {step % 24:02d}/24 : 0[0] -> 1[1] via P2P"
        yield f"2026-11-25 08:34:29,{step:04d} INFO root Using NVIDIA GeForce RTX 3090, driver 550.54.14"
        yield (
            "/opt/env/lib/python3.11/site-packages/torch/optim/lr_scheduler.py:28: UserWarning: The verbose "
            "parameter is deprecated. Please use get_last_lr() to access the learning rate."
        )


def pattern(kind: str) -> bytes:
    """Return the bytes of which a log of one kind is made."""
    draw = random.Random(0)  # noqa: S311 - a made-up log
    lines = healthy(draw)
    made: list[str] = []
    size = 0
    while size < PATTERN:
        line = next(lines)
        if (kind == "every symptom" and draw.random() < 0.01) or kind == "a failure in every line":
            line = f"{line[:40]} {draw.choice(SAID_IN_LOGS)[1]}"
        made.append(line)
        size += len(line) + 1
    return (" " if kind == "one line" else "\n").join([*made, ""]).encode()


def main() -> int:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "training.log"
        for kind in ("healthy", "every symptom", "a failure in every line", "one line"):
            part = pattern(kind)
            with log.open("wb") as sink:
                for _ in range(SIZE // len(part)):
                    sink.write(part)
            start = time.process_time()
            explanation = explain(str(log))
            seconds = time.process_time() - start
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
            print(
                f"{kind:24} {log.stat().st_size / 1e9:.2f} GB, {explanation.lines:,} lines: {seconds:.1f} s, "
                f"{len(explanation.causes)} symptoms, {peak_mb:.0f} MB",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
