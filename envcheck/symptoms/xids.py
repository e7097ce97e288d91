"""What the numbers mean by which NVIDIA's driver tells the kernel's log of a GPU's trouble.

*Source:* NVIDIA's catalogue of Xids, immediate actions
(https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html, read 2026-11-30).
"""

from __future__ import annotations

from collections.abc import Iterable

# RESET_GPU, or a workflow that begins with it: nothing runs there as it should until then.
RESET = {
    46: "the GPU stopped",
    48: "memory error of two bits",
    62: "the GPU's controller halted",
    64: "a bad row of memory could not be exchanged",
    74: "NVLink error",
    95: "uncontained memory error",
    109: "a switch between programs timed out",
    110: "security fault",
    119: "the GPU's system processor does not answer",
    120: "error of the GPU's system processor",
    136: "NVLink could not be trained",
    140: "unrecovered memory error",
    143: "the GPU could not be initialised",
    158: "fatal timeout",
}
# IGNORE, or RESTART_APP with a reset when there is time: the GPU goes on.
GOES_ON = {
    63: "a bad row of memory is exchanged",
    92: "many corrected memory errors",
    94: "memory error, contained in one program",
    157: "no spare memory is left for the next error",
}
# CHECK_APP, or what is left of a program that was ended.
OF_PROGRAMS = {
    13: "exception of the graphics engine",
    31: "access to memory that is not the program's",
    43: "the program's channel was reset",
    45: "the program was ended before its time",
    69: "the program's commands were wrong",
}


def in_log(codes: Iterable[int]) -> tuple[str, ...]:
    """Return the texts by which a log shows one of these."""
    return tuple(f"NVRM: Xid (PCI:...): {code}, " for code in sorted(codes))
