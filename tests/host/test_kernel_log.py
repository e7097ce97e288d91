"""The kernel's log on made-up machines: what counts, which log is read, and why none can be."""

from __future__ import annotations

import errno
import os
import time

import pytest

from envcheck.host import kernel_log
from envcheck.host.facts import Xid
from envcheck.host.kernel_log import read_kernel_log

LOST = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus."
FAULT = "NVRM: Xid (PCI:0000:3B:00): 31, pid=77, Ch 00000008, MMU Fault"


STARTED = "Linux version 6.8.0"


def syslog(*lines):
    return "".join(f"Nov 20 10:13:00 box kernel: [{place}.0] {line}\n" for place, line in enumerate(lines))


def test_each_code_of_each_gpu_is_told_once_with_its_count_and_its_newest_words(lay_out):
    other = FAULT.replace("3B", "af").replace("77", "78")
    root = lay_out({"var/log/kern.log": syslog(STARTED, FAULT, LOST, other, FAULT.replace("77", "99"))})
    assert read_kernel_log(root) == (
        (
            Xid(31, "0000:3b:00.0", 2, "Xid 31, pid=99, Ch 00000008, MMU Fault"),
            Xid(79, "0000:3b:00.0", 1, "Xid 79, pid=1234, GPU has fallen off the bus."),
            Xid(31, "0000:af:00.0", 1, "Xid 31, pid=78, Ch 00000008, MMU Fault"),
        ),
        (),
        "",
    )


def test_old_drivers_and_slices_write_the_address_in_other_ways(lay_out):
    lines = ("NVRM: Xid (0000:01:00): 13, 0005", "NVRM: Xid (PCI:0000:c1:00.0 GPU-I:05): 43, x")
    xids, _, _ = read_kernel_log(lay_out({"var/log/messages": syslog(*lines)}))
    assert [(xid.code, xid.pci_address) for xid in xids] == [(13, "0000:01:00.0"), (43, "0000:c1:00.0")]


def test_what_was_before_the_last_start_is_over(lay_out):
    log = syslog(STARTED, LOST, STARTED, FAULT)
    xids, _, _ = read_kernel_log(lay_out({"var/log/kern.log": log}))
    assert [xid.code for xid in xids] == [31]


SYSLOG_GAP = "/var/log/kern.log: the log begins at Nov 20 10:13:00, after the machine's start"


@pytest.mark.parametrize(
    ("name", "log", "why"),
    [
        ("var/log/kern.log", syslog("usb 1-1: new device"), SYSLOG_GAP),
        ("var/log/kern.log", "x" * 40 + "\n" + syslog("usb 1-1: new device"), SYSLOG_GAP),
        (
            "var/log/messages",
            "2026-11-20T10:13:00.123456+01:00 box kernel: usb 1-1\n",
            "/var/log/messages: the log begins at 2026-11-20T10:13:00, after the machine's start",
        ),
        ("var/log/messages", "", "/var/log/messages: the log begins after the machine's start"),
        (
            "dev/kmsg",
            "6,4711,7200000123,-;usb 1-1: new device\n",
            "/dev/kmsg: the log begins 7200 s after the machine's start",
        ),
        ("var/log/dmesg", syslog(STARTED, "usb"), "/var/log/dmesg: the log ends with the machine's start"),
    ],
)
def test_a_log_that_is_not_whole_tells_what_it_has_and_not_that_there_is_nothing(lay_out, name, log, why):
    root = lay_out({name: log})
    assert read_kernel_log(root) == (None, None, why)
    with (root / name).open("a") as file:
        file.write(f"{LOST}\n")
    xids, complaints, still = read_kernel_log(root)
    assert ([xid.code for xid in xids], complaints, still) == ([79], None, why)


def test_a_log_that_goes_back_to_the_start_comes_before_one_that_does_not(lay_out):
    whole = syslog(STARTED, FAULT, LOST)
    root = lay_out({"dev/kmsg": f"4,1,5,-;{LOST}\n", "var/log/messages": whole, "var/log/dmesg": ""})
    xids, complaints, why = read_kernel_log(root)
    assert ([xid.code for xid in xids], complaints, why) == ([31, 79], (), "")
    (root / "var/log/messages").write_text(syslog("usb"))
    (root / "dev/kmsg").write_text(f"4,1,9000000,-;{FAULT}\n")
    (root / "var/log/dmesg").write_text(syslog(STARTED, LOST, "NVRM: RmInitAdapter failed!"))
    xids, complaints, why = read_kernel_log(root)
    assert ([xid.code for xid in xids], complaints) == ([31], ("NVRM: RmInitAdapter failed!",))
    assert why == "/dev/kmsg: the log begins 9 s after the machine's start"


def test_a_log_that_nobody_has_written_to_since_the_start_is_none(lay_out):
    root = lay_out({"var/log/kern.log": syslog(STARTED, LOST), "proc/uptime": "3600.25 7000.00\n"})
    assert [xid.code for xid in read_kernel_log(root)[0]] == [79]
    long_ago = time.time() - 2 * 3600
    os.utime(root / "var/log/kern.log", (long_ago, long_ago))
    assert read_kernel_log(root) == (None, None, "there is no log of the kernel's here")


def test_only_a_driver_that_does_not_come_up_complains(lay_out):
    log = syslog(
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54.14",
        "nvidia: module license 'NVIDIA' taints kernel.",
        "nvidia: module verification failed: signature and/or required key missing - tainting kernel",
        "NVRM: API mismatch: the client has the version 550.90",
        "NVRM: RmInitAdapter failed! (0x22:0x56:742)",
        "Loading of unsigned module is rejected",
        "NVRM: API mismatch: the client has the version 550.90",
        f"{LOST} Recovery failed.",
    )
    _, complaints, _ = read_kernel_log(lay_out({"var/log/kern.log": log}))
    assert complaints == (
        "NVRM: RmInitAdapter failed! (0x22:0x56:742)",
        "Loading of unsigned module is rejected",
        "NVRM: API mismatch: the client has the version 550.90",
    )


def test_the_kernels_own_buffer_comes_before_the_files(lay_out):
    root = lay_out({"dev/kmsg": f"4,1,5,-;{LOST}\n SUBSYSTEM=pci\n", "var/log/kern.log": syslog(FAULT)})
    xids, _, _ = read_kernel_log(root)
    assert [xid.code for xid in xids] == [79]


def test_a_log_that_may_not_be_read_is_the_reason_and_the_next_one_is_tried(lay_out, monkeypatch):
    root = lay_out({"dev/kmsg": "", "var/log/kern.log": "", "var/log/dmesg": syslog(FAULT)})
    closed = {root / "dev/kmsg": errno.EPERM, root / "var/log/kern.log": errno.EACCES}
    really_open = os.open

    def opened(path, flags):
        if path in closed:
            raise OSError(closed[path], os.strerror(closed[path]), str(path))
        return really_open(path, flags)

    monkeypatch.setattr(kernel_log.os, "open", opened)
    assert read_kernel_log(root)[0][0].code == 31
    (root / "var/log/dmesg").unlink()
    xids, complaints, why = read_kernel_log(root)
    assert (xids, complaints) == (None, None)
    assert why == "/dev/kmsg: operation not permitted; /var/log/kern.log: permission denied"


def test_where_there_is_no_log_that_is_said(lay_out):
    assert read_kernel_log(lay_out({"etc": None})) == (None, None, "there is no log of the kernel's here")


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo])
def test_what_is_no_log_is_not_waited_for(lay_out, make):
    root = lay_out({"var/log": None})
    make(root / "var/log/kern.log")
    assert read_kernel_log(root)[2].startswith("/var/log/kern.log: is ")


def test_of_a_large_log_the_end_is_read(lay_out, monkeypatch):
    monkeypatch.setattr(kernel_log, "_MAX_BYTES", 4096)
    root = lay_out({"var/log/kern.log": syslog(LOST) + "x" * 9000 + "\n" + syslog(FAULT)})
    assert [xid.code for xid in read_kernel_log(root)[0]] == [31]


def test_hostile_lines_stay_short_and_break_nothing(lay_out):
    log = syslog(
        f"NVRM: Xid (PCI:0000:3b:00): 31, {'A' * 1_000_000}",
        "NVRM: Xid (PCI:0000:3b:00): 99999999999999999999, ::error::",
        f"NVRM: failed \x1b[31m[red]{'B' * 1_000_000}",
        *(f"NVRM: failed {number}" for number in range(50)),
    )
    xids, complaints, _ = read_kernel_log(lay_out({"var/log/kern.log": log}))
    assert [(xid.code, len(xid.text)) for xid in xids] == [(31, 300)]
    assert len(complaints) == 20
    assert complaints[-1] == "NVRM: failed 49"


def test_a_ring_that_went_round_and_one_that_is_at_its_end(lay_out, monkeypatch):
    root = lay_out({"dev/kmsg": ""})
    answers = [
        f"4,1,5,-;{FAULT}\n".encode(),
        BrokenPipeError(),
        f"4,9,5,-;{LOST}\n".encode(),
        BlockingIOError(),
    ]

    def read(_file, _size):
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(kernel_log.os, "read", read)
    assert [xid.code for xid in read_kernel_log(root)[0]] == [31, 79]


def test_a_log_that_never_ends_is_read_as_far_as_the_limit(lay_out, monkeypatch):
    root = lay_out({"dev/kmsg": ""})
    line = f"4,1,5,-;{FAULT}\n".encode()
    reads = []

    def read(_file, _size):
        reads.append(1)
        assert len(reads) < 1000
        return line

    monkeypatch.setattr(kernel_log, "_MAX_BYTES", 100 * len(line))
    monkeypatch.setattr(kernel_log.os, "read", read)
    assert [xid.count for xid in read_kernel_log(root)[0]] == [100]


@pytest.mark.parametrize(
    ("script", "codes"),
    [(f"echo '{LOST}'", [79]), (f"echo '{LOST}'; exit 1", None), ("exit 0", None)],
)
def test_the_journal_is_asked_where_the_driver_is_and_no_file_can_be_read(
    lay_out, monkeypatch, tmp_path, script, codes
):
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    root = lay_out({"run/log/journal": None})
    assert read_kernel_log(root)[0] is None
    (root / "proc/driver/nvidia").mkdir(parents=True)
    xids = read_kernel_log(root)[0]
    assert (xids and [xid.code for xid in xids]) == codes
