"""The proof for commands that cannot make one themselves: made once for an environment, its GPUs and driver.

A stage of pose proves its own process. Before anybody else's command, `pose env` does it; a proof that held
is kept in the cache and lent to the next run that was promised the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path

from envcheck.documents import to_json
from envcheck.engine.containers import Ended
from envcheck.environments.held import hold
from envcheck.environments.place import Limits, Place, Work
from envcheck.environments.prepare import Ready
from envcheck.errors import STOPPED, EnvcheckError
from envcheck.host.facts import Host
from envcheck.runs.inside import inside
from envcheck.runs.promise import Promise


def prove(ready: Ready, work: Work, promised: Promise, host: Host, folder: Path, cache: Path) -> None:
    """Put a proof that holds into a run's folder. Raises `EnvcheckError` when the promise is not kept.

    `work` is what is about to be run: the proof sees what it will see.
    """
    kept = cache / "proofs" / f"{_identity(ready.place, promised, host)}.json"
    # What was taken as it is may have changed since; what was built has not.
    if ready.place.is_locked and _lent(kept, folder / "proof.json"):
        return
    ended, said = ask(ready, work, folder)
    if ended.code != 0 or not (folder / "proof.json").is_file():
        raise unproved(ended, said, ready.place, work.limits)
    with contextlib.suppress(OSError):  # a cache that is full, or another user's: the next run asks again
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")  # another run must not be lent half of it
        shutil.copyfile(folder / "proof.json", part)
        part.replace(kept)


def _lent(kept: Path, target: Path) -> bool:
    """Copy a proof that is kept; tell whether it was there. Somebody may prune it at any moment."""
    if not hold(kept):
        return False
    try:
        shutil.copyfile(kept, target)
    except FileNotFoundError:
        return False
    return True


def ask(ready: Ready, work: Work, folder: Path, *, deep: bool = False) -> tuple[Ended, str]:
    """Let pose prove an environment into `folder`, where its promise lies; return its end, and what it said.

    Raises `KeyboardInterrupt` where somebody stopped it.
    """
    heard = bytearray()
    words = ["--run-dir", str(folder), "env", *(["--deep"] if deep else [])]
    argv = ready.environment.stage(ready.place, words)
    asking = Work(
        argv=argv,
        variables=work.variables,
        gpus=work.gpus,
        device=work.device,
        writes=(folder,),
        limits=work.limits,
        show=False,
        heard=heard,
    )
    ended = ready.environment.run(ready.place, asking)
    if ended.code in STOPPED:
        raise KeyboardInterrupt
    return ended, heard.decode("utf-8", "replace")


def unproved(ended: Ended, said: str, place: Place, limits: Limits) -> EnvcheckError:
    """Return the error for a proof that did not come about."""
    symptom = inside(ended, said, limits) if place.is_container else None
    if symptom is not None:
        return EnvcheckError(
            f"The environment could not prove itself: {symptom.meaning}", symptom.fix.hint, symptom.id
        )
    lines = said.strip().splitlines()
    reason = next((line for line in lines if line.startswith("error: ")), lines[-1] if lines else "")
    reason = reason.removeprefix("error: ")[:300] or f"it ended with exit code {ended.code}"
    return EnvcheckError(
        f"The environment could not prove itself: {reason}", "envcheck run env shows what it sees."
    )


def _identity(place: Place, promised: Promise, host: Host) -> str:
    driver = host.driver.version if host.driver else None
    image = place.image.id if place.image else str(place.python)
    engine = place.image.engine if place.image else ""
    parts = (place.kind, engine, image, place.lock_hash, str(driver), to_json(promised))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
