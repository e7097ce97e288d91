"""The states of every random generator of this process: set from one number, kept, and put back.

Nothing here draws; what pose varies it draws from generators of its own, which are functions of (seed, epoch,
sample). What is kept is for a network or a library that draws from the global ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

States = dict[str, Any]  # plain data and byte tensors, as a checkpoint takes them


def seed(number: int) -> None:
    """Seeds Python's, NumPy's and torch's generators, those of the GPUs included."""
    random.seed(number)
    np.random.seed(number % 2**32)  # noqa: NPY002 - the global one is what libraries draw from
    torch.manual_seed(number)


def states(gpus: Sequence[int]) -> States:
    """Where every generator is: Python's, NumPy's, torch's on the CPU and on each of these GPUs."""
    version, numbers, spare = random.getstate()
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - as above
    return {
        "python": [version, list(numbers), spare],
        "numpy": [kind, np.asarray(keys).tolist(), *rest],
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state(gpu) for gpu in gpus],
    }


def restore(kept: States, gpus: Sequence[int]) -> None:
    """Puts them back; a GPU of which nothing was kept stays as it is.

    Raises:
        KeyError, OverflowError, TypeError, ValueError, RuntimeError: where they are no such states.
    """
    version, numbers, spare = kept["python"]
    random.setstate((version, tuple(numbers), spare))
    kind, keys, place, *rest = kept["numpy"]
    if not 0 <= place <= len(keys):  # NumPy believes it, and would read on from there
        raise ValueError(f"NumPy's state has no place {place}")
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), place, *rest))  # noqa: NPY002 - as above
    torch.set_rng_state(kept["torch"])
    for gpu, state in zip(gpus, kept["cuda"], strict=False):
        torch.cuda.set_rng_state(state, gpu)
