"""Starts the processes of a team through torchrun's own interface, and says how they ended.

Each is this very command again, on this machine alone: they meet on the loopback device, so that a container
without network does as well. Knows nothing about what they do.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from pose.errors import FAILED, FOLLOWED, INTERRUPTED, PoseError
from pose.machines.devices import cores

LOOPBACK = "127.0.0.1"


def start(count: int, program: Sequence[str]) -> int:
    """The exit code of `count` processes of this Python that run `program`, its options included.

    The first that fails ends the others; what it had to say it has said. A signal is handed on to each once,
    and whoever has not ended half a minute later is killed.

    Raises:
        PoseError: when one was killed.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // count)))
    # Names of machines need not resolve in a container without network.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    logging.disable(logging.CRITICAL)  # torchrun's own account of what the processes tell themselves
    with tempfile.TemporaryDirectory(prefix="pose-") as folder:
        launch = elastic_launch(_settings(count, folder), sys.executable)
        try:
            launch(*program)
        except SignalException:
            return INTERRUPTED
        except ChildFailedError as failed:
            return _code({rank: failure.exitcode for rank, failure in failed.failures.items()})
        finally:
            logging.disable(logging.NOTSET)
    return 0


def _settings(count: int, folder: str) -> LaunchConfig:
    """One machine, no second try, an address that is known beforehand; torchrun's own files in `folder`."""
    port = _free_port()
    more: dict[str, Any] = {"log_dir": folder}
    if "logs_specs" in {field.name for field in fields(LaunchConfig)}:  # torch 2.3 and later
        from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs  # noqa: PLC0415 - torch 1.13 has none

        more = {"logs_specs": DefaultLogsSpecs(log_dir=folder)}
    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=str(port),
        rdzv_backend="static",
        rdzv_endpoint=f"{LOOPBACK}:{port}",
        rdzv_configs={"rank": 0, "timeout": 900},
        max_restarts=0,
        monitor_interval=0.1,
        **more,
    )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return one.getsockname()[1]


def _code(codes: Mapping[int, int]) -> int:
    """What the exit codes by rank come to: the one that was told, before those that only followed."""
    told = [code for code in codes.values() if code > 0 and code not in {FOLLOWED, INTERRUPTED}]
    killed = {rank: -code for rank, code in codes.items() if code < 0 and -code != signal.SIGTERM}
    if told:
        return told[0]
    if killed:
        rank, number = next(iter(killed.items()))
        raise PoseError(
            f"process {rank} of {max(codes) + 1} was killed by signal {number}",
            "the machine's memory may have run out: fewer WORKERS, or a smaller TRAIN.BATCH_SIZE_PER_GPU",
            FAILED,
        )
    return INTERRUPTED if INTERRUPTED in codes.values() else FAILED
