"""What the system says: no memory, a wrong clock."""

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
