"""What the system says: no memory, too many files, a wrong clock."""

from __future__ import annotations

from envcheck.symptoms.symptom import Fix, Symptom

OUT_OF_MEMORY = Symptom(
    "system.out-of-memory",
    "the machine was out of memory, and the kernel killed what used most of it (137)",
    Fix(
        "Fewer WORKERS, smaller batches, or nothing else beside it.",
        ("free -h", "sudo dmesg | grep -i oom"),
        needs_root=True,
    ),
    in_log=(
        "Out of memory: Killed process ",
        "oom-kill:constraint=CONSTRAINT_NONE",
        "DataLoader worker (pid...is killed by signal: Killed",
        "Signal 9 (SIGKILL) received by PID",
    ),
    why="Every worker of a data loader is a process with memory of its own.",
    link="https://docs.kernel.org/admin-guide/mm/concepts.html",
    caused_by=("container.out-of-memory",),
)

OPEN_FILES = Symptom(
    "system.open-files",
    "the process has as many files open as it may",
    Fix(
        "Let it open more, or have tensors handed over by the file system; in a container --ulimit nofile.",
        (
            "ulimit -n 65536",
            "python -c \"import torch; torch.multiprocessing.set_sharing_strategy('file_system')\"",
        ),
    ),
    in_log=("Too many open files", "received 0 items of ancdata"),
    why="Workers of a data loader hand over each tensor by a file that stays open.",
    link="https://docs.pytorch.org/docs/stable/multiprocessing.html#file-descriptor-file-descriptor",
)

MEMLOCK = Symptom(
    "system.memlock",
    "the process may not lock the memory that InfiniBand needs",
    Fix(
        "Lift the limit and log in again; a service has its own (LimitMEMLOCK=infinity), and so has a "
        "container (--ulimit memlock=-1).",
        ("ulimit -l", "echo '* - memlock unlimited' | sudo tee /etc/security/limits.d/memlock.conf"),
        needs_root=True,
    ),
    in_log=("ibv_reg_mr...Cannot allocate memory", "ibv_create_cq...Cannot allocate memory"),
    why="An adapter reads memory by itself, and the system lets a process lock so much of it only.",
    link="https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html",
)

CLOCK = Symptom(
    "system.clock",
    "the clock is wrong, or a certificate is out of date",
    Fix(
        "Set the clock by the network, then try again.",
        ("timedatectl", "sudo timedatectl set-ntp true"),
        needs_root=True,
    ),
    in_log=(
        "certificate is not yet valid",
        "certificate has expired",
    ),
    why="TLS compares dates: with a clock that is off, every server looks false.",
    link="https://www.freedesktop.org/software/systemd/man/latest/timedatectl.html",
)
