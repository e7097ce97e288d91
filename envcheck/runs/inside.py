"""What is known of how a command in a container failed, where the fault is the container's."""

from __future__ import annotations

from envcheck.engine.containers import Ended
from envcheck.environments.place import Limits
from envcheck.symptoms import CONTAINER_OUT_OF_MEMORY, INSIDE, SHUT_OFF, Symptom, find


def inside(ended: Ended, said: str, limits: Limits) -> Symptom | None:
    """Return what a command that failed has shown, by what it said and by how it ended."""
    if ended.out_of_memory:
        return CONTAINER_OUT_OF_MEMORY
    return find(INSIDE if limits.network else (*INSIDE, SHUT_OFF), said)
