"""Makes the faults of the table and prints a line for each kind: `python -m tests.faults`, `make faults`.

Exit code 1 where anything was lost.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.faults.fault import Fault, Missed, Model, Tally
from tests.faults.table import FAULTS, MOST_DRAWS, built_model, made

COSTS = ("quick", "slow", "docker", "long")


def main() -> int:
    """Make the faults that were asked for."""
    asked = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults made, survived, lost.")
    asked.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="those with all of these in the name"
    )
    asked.add_argument("--cost", nargs="+", default=COSTS, help=", ".join(COSTS))
    asked.add_argument("--repeat", type=int, metavar="N", help="how often; else as each says")
    asked.add_argument("--seed", default=secrets.token_hex(4), help="of the random moments")
    asked.add_argument("--json", type=Path, metavar="FILE", help="the table as JSON, too")
    said = asked.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell has it ignored
    chosen = [
        fault
        for fault in FAULTS
        if fault.cost in said.cost and all(word.lower() in fault.name.lower() for word in said.only)
    ]
    print(f"seed {said.seed}", flush=True)
    tallies = []
    with built_model() as model:
        for fault in chosen:
            tallies.append(tried(fault, model, said.seed, said.repeat or fault.moments))
            print(line(tallies[-1]), flush=True)
    if said.json is not None:
        document = {"seed": said.seed, "faults": [asdict(one) for one in tallies]}
        said.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    injected, survived, lost, missed = (
        sum(getattr(one, what) for one in tallies) for what in ("injected", "survived", "lost", "missed")
    )
    skipped = sum(bool(one.not_verified) for one in tallies)
    print(
        f"{len(tallies)} kinds: {injected} injected, {survived} survived, {lost} lost; "
        f"{skipped} not verified; {missed} moments came too late and were drawn again"
    )
    return 1 if lost else 0


def tried(fault: Fault, model: Model, seed: str, times: int) -> Tally:
    """Make a fault so often."""
    tally = Tally(fault.name)
    hidden = (
        {}
        if fault.cost in {"docker", "long"}
        else {"DOCKER_HOST": "unix:///nonexistent/engine.sock", "ENVCHECK_BASE_IMAGE": ""}
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hidden.items():
            patch.setenv(name, value)
        for number in range(times):
            try:
                seen, missed = made(fault, model, f"{fault.name} {seed} {number}")
            except pytest.skip.Exception as reason:
                tally.not_verified = str(reason)
                break
            except Missed as reason:
                tally.not_verified, tally.missed = str(reason), tally.missed + MOST_DRAWS
                break
            except (Exception, pytest.fail.Exception) as reason:  # noqa: BLE001 - of whatever kind, it is told
                tally.lost += 1
                seen = f"LOST: {type(reason).__name__}: {reason}"
            else:
                tally.survived += 1
                tally.missed += missed
            tally.injected += 1
            if seen not in tally.seen:
                tally.seen.append(seen)
    return tally


def line(tally: Tally) -> str:
    """Return the table's line."""
    names = ("injected", "survived", "lost", "missed")
    counts = " ".join(f"{getattr(tally, name):3} {name}" for name in names)
    return f"{tally.fault:58} {counts}  {tally.not_verified or '; '.join(tally.seen[:3])}"


if __name__ == "__main__":
    sys.exit(main())
