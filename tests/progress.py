"""How far a training is by what it has kept, and where one says that it goes on from.

A training that begins anew comes to the same weights as one that goes on, and so does one that lost an hour:
who kills trainings holds each one's beginning and end against these.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch

from pose.networks.checkpoint import read_checkpoint, read_state

# Finished epochs, and batches of the next; (0, 0) where there is no checkpoint.
Place = tuple[int, int]
NOWHERE: Place = (0, 0)
RESUMES = re.compile(
    r"^resuming .*: (\d+) epochs are done(?:, and (\d+) of \d+ batches of the next)?$", re.MULTILINE
)


def reached(folder: Path) -> Place:
    """Return how far a folder's checkpoint is; a PoseError where it is not whole."""
    if not (folder / "checkpoint.pth").exists():
        return NOWHERE
    content = read_checkpoint(folder / "checkpoint.pth")
    position = content["position"]
    return content["epoch"], position["batches"] if position else 0


def began_elsewhere(kept: Place, said: str, resumed_from: int | None) -> str:
    """Return where a training went on from by its notes and its result, if that is not what was kept."""
    wanted = [] if kept == NOWHERE else [kept]
    found = [(int(epochs), int(batches or 0)) for epochs, batches in RESUMES.findall(said)]
    if found != wanted or "starts over" in said:
        return f"it went on from {found}, and {wanted} was kept"
    if resumed_from != (kept[0] if wanted else None):
        return f"its result says that it went on from {resumed_from}, and {wanted} was kept"
    return ""


def best_is_missing(folder: Path) -> str:
    """Return what model_best.pth is not, of which its checkpoint says that it is there."""
    if reached(folder) == NOWHERE:
        return ""
    content = read_checkpoint(folder / "checkpoint.pth")
    if content["metrics"] is None:  # nothing was tested yet
        return ""
    if not (folder / "model_best.pth").exists():
        return "an epoch that was tested is kept, and no model_best.pth"
    if content["position"] is None and content["perf"] == content["best_perf"]:
        kept, best = content["best_state_dict"], read_state(folder / "model_best.pth")
        if kept.keys() != best.keys() or not all(torch.equal(kept[name], best[name]) for name in kept):
            return "the best epoch is kept, and model_best.pth is of another one"
    return ""
