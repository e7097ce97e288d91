"""The processes that train one network together, one per GPU, as torchrun starts them; most often one alone.

What they say to each other goes through gloo, on the CPU, so that a GPU is never waited for; gradients go
through DistributedDataParallel, which on GPUs has NCCL. Knows neither stages nor files.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from pose.errors import FAILED, FOLLOWED, INTERRUPTED, Followed, Interrupted

# The others wait while the first one judges a test and writes: minutes, on a slow disk more. One that died
# is not waited for: torchrun ends the rest.
PATIENCE = timedelta(hours=2)
# gloo's words for a process that is gone.
GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")


@dataclass(frozen=True)
class Team:
    """One process's place among `size`."""

    rank: int = 0
    size: int = 1
    local: int = 0  # its place on this machine, and so among its GPUs

    @property
    def leads(self) -> bool:
        """Whether this is the one that speaks and writes."""
        return self.rank == 0

    def part(self, count: int) -> range:
        """Which of a batch of `count` are this process's: split as DataParallel does, so maybe none."""
        most = -(-count // self.size)
        return range(count)[self.rank * most : (self.rank + 1) * most]

    def blocks(self, count: int, size: int) -> list[int]:
        """Which of `count` in batches of `size` are this process's: every so many-th batch, whole."""
        starts = range(self.rank * size, count, self.size * size)
        return [index for start in starts for index in range(start, min(start + size, count))]

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes, on the CPU."""
        if self.size == 1:
            return values.cpu()
        values = values.to("cpu", copy=True)  # the sum is taken in place
        distributed.all_reduce(values)
        return values

    def any(self, *answers: bool) -> list[bool]:
        """To each question whether anybody says yes: the same in all of them."""
        return [bool(count) for count in self.total(torch.tensor(answers, dtype=torch.int32))]

    def wait(self) -> None:
        """Returns when all are here."""
        self.total(torch.zeros(1))

    def collected(self, value: Any) -> list[Any]:  # noqa: ANN401 - whatever they have to tell
        """Everybody's value, by rank."""
        values = [value] * self.size
        if self.size > 1:
            distributed.all_gather_object(values, value)
        return values

    def share(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The network in every process, equal at first, its gradients the mean over the processes.

        Batch statistics are each process's own; the running ones are the first process's, which
        DistributedDataParallel gives to all before each step, as DataParallel keeps its first replica's.
        """
        if self.size == 1:
            return model
        if device.type == "cpu":
            return nn.parallel.DistributedDataParallel(model)
        torch.cuda.set_device(device)  # or what names no device would take memory of the first one's
        group = distributed.new_group(backend="nccl", timeout=PATIENCE)
        return nn.parallel.DistributedDataParallel(model, device_ids=[device.index], process_group=group)

    def align(self, model: nn.Module) -> None:
        """Gives the first process's running statistics to all, as a step would do at its start."""
        for buffer in model.buffers() if self.size > 1 else ():
            value = buffer.cpu()
            distributed.broadcast(value, 0)
            buffer.copy_(value)


ALONE = Team()


@contextmanager
def joined() -> Iterator[Team]:
    """This process's team while the block runs; only the first process is heard.

    Raises:
        Followed: in place of an error that another one has told, or that only says that another is gone.
    """
    _end_with_parent()
    store, rank, size = next(distributed.rendezvous("env://", timeout=PATIENCE))
    # One thing at a time: what the processes say in public has a name of its own beside torch's.
    distributed.init_process_group(
        "gloo", store=distributed.PrefixStore("pose", store), rank=rank, world_size=size, timeout=PATIENCE
    )
    with ExitStack() as stack:
        if rank:
            silence = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            stack.enter_context(redirect_stdout(silence))
            stack.enter_context(redirect_stderr(silence))
        try:
            yield Team(rank, size, int(os.environ["LOCAL_RANK"]))
        except (Exception, KeyboardInterrupt) as error:
            is_users = isinstance(error, (Interrupted, KeyboardInterrupt))
            if _is_of_another(error) or not _is_first_to_tell(store):
                raise Followed(INTERRUPTED if is_users else FOLLOWED) from None
            raise
    distributed.destroy_process_group()


def _is_of_another(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(words in str(error) for words in GONE)


def _is_first_to_tell(store: distributed.Store) -> bool:
    try:
        return store.add("told", 1) == 1
    except RuntimeError:  # the process that keeps the store is gone
        return False


def _end_with_parent() -> None:
    """Leaves no process behind when torchrun is killed: whoever loses its parent ends."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(FAILED)

    threading.Thread(target=watch, daemon=True).start()
