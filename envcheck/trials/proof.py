"""The proof in the picked environment: built or reused as for a run, then asked for the deep proof of pose.

Whatever goes wrong is a value, for the checks to judge; only an interruption goes through.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from envcheck.choice.gpus import devices_of
from envcheck.doctor.proof import SCHEMA, Failure, Inside, Made, Proof
from envcheck.documents import read_json, write_json
from envcheck.environments.place import Watcher, Work
from envcheck.environments.prepare import Ready, Terms, prepare
from envcheck.errors import EnvcheckError
from envcheck.paths import cache_dir
from envcheck.runs.promise import promise
from envcheck.runs.proofs import ask, unproved
from envcheck.situation import Situation


def prove(situation: Situation, terms: Terms, watch: Watcher) -> Proof:
    """Return what the picked environment proves on every GPU that was judged."""
    recipe = situation.chosen
    if recipe is None:
        return Proof(recipe=None)
    gpus = len(tuple(devices_of(situation.judged)))
    begin = time.monotonic()
    try:
        ready = prepare(
            terms, recipe, situation.host, lambda: situation.python, watch, gpus=bool(situation.judged)
        )
    except (EnvcheckError, OSError) as error:
        return Proof(recipe=recipe.name, gpus=gpus, failure=_failure(error))
    place = ready.place
    name = place.image.name if place.image else str(place.python)
    made = Made(place.kind, name, place.reused, round(time.monotonic() - begin, 1), ready.why)
    try:
        with watch.step(f"prove {recipe.name} in {place.kind}"):
            inside = _look_inside(situation, ready)
    except (EnvcheckError, OSError) as error:
        return Proof(recipe=recipe.name, gpus=gpus, made=made, failure=_failure(error))
    return Proof(recipe=recipe.name, gpus=gpus, made=made, inside=inside)


def _look_inside(situation: Situation, ready: Ready) -> Inside:
    """Return what pose says in there, also where it says that a promise is broken or a result wrong."""
    promised = promise(situation, ready.place)
    work = Work(argv=(), variables=promised.variables, gpus=promised.gpus, device=promised.device)
    # Not under /tmp: an engine in a machine of its own shares the home, and not that.
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".proof-") as name:
        folder = Path(name)
        write_json(folder / "promise.json", promised)
        ended, said = ask(ready, work, folder, deep=True)
        if not (folder / "proof.json").is_file():
            raise unproved(ended, said, ready.place, work.limits)
        return read_json(folder / "proof.json", Inside, schema=SCHEMA)


def _failure(error: EnvcheckError | OSError) -> Failure:
    if isinstance(error, EnvcheckError):
        return Failure(error.message, error.hint, error.finding)
    where = f"{error.filename}: " if error.filename else ""
    return Failure(f"{where}{error.strerror or error}", "Is there room, and may you write there?")
