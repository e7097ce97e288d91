"""What a log shows: every text in a realistic line, wherever in the log it stands and however it is cut."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from envcheck.explain.scan import FIRST_BYTES, MOST, REACH, piece, scan
from envcheck.symptoms import SYMPTOMS, Fix, Symptom
from tests.said import (
    SAID_BY_ENGINES,
    SAID_BY_PIP,
    SAID_IN_LOGS,
    SAID_INSIDE,
    TOO_LITTLE_FOR_A_LOG,
)

SAID = [
    (id, text)
    for id, text in (*SAID_IN_LOGS, *SAID_BY_PIP, *SAID_BY_ENGINES, *SAID_INSIDE)  # noqa: A001
    if text not in TOO_LITTLE_FOR_A_LOG
]
MISMATCH = b"Failed to initialize NVML: Driver/library version mismatch"
FULL = b"OSError: [Errno 28] No space left on device"
HEALTHY = b"Epoch: [3][100/4681]\tTime 0.123s (0.130s)\tLoss 0.00041 (0.00052)\tAccuracy 0.823 (0.811)\n"


def shown(*blocks, symptoms=SYMPTOMS):
    return [(one.symptom.id, one.line, one.times) for one in scan(blocks, symptoms)[0]]


@pytest.mark.parametrize(("id", "text"), SAID)
def test_a_realistic_line_is_taken_for_what_it_is(id, text):  # noqa: A002 - a symptom's
    lines = text.count("\n") + 1
    found, length = scan([HEALTHY, b"2026-11-25T08:34:29Z #12 3.4 ", text.encode(), b"\n", HEALTHY], SYMPTOMS)
    assert {one.symptom.id for one in found} == {id}
    assert (found[0].line, length) == (lines + 1, lines + 2)


def test_no_text_of_a_symptom_is_without_a_realistic_line():
    def is_said(one, text):
        alone = Symptom(one.id, "", Fix(""), in_log=(text,))
        return any(shown(said.encode(), symptoms=[alone]) for id, said in SAID if id == one.id)  # noqa: A001

    assert [(one.id, text) for one in SYMPTOMS for text in one.in_log if not is_said(one, text)] == []


@pytest.mark.parametrize("text", sorted(TOO_LITTLE_FOR_A_LOG))
def test_what_says_too_little_is_blamed_on_nobody(text):
    assert shown(text.encode()) == []


def test_a_line_shows_the_most_fundamental_of_what_it_names():
    line = b"RuntimeError: unable to write to file </torch_99_123_0>: No space left on device (28)"
    assert shown(line) == [("container.shm", 1, 1)]


@pytest.mark.parametrize(
    "line",
    [
        b"is killed by signal: Bus error: DataLoader worker (pid 7)",
        b"DataLoader worker (pid 7)\nis killed by signal: Bus error",
        b"DataLoader worker (pid 7) is killed by signal: Aborted",
        b"kernel: NVRM: Xid (PCI:0000:17:00): 8, pid=7",
        b"version `GLIBC_2.34' found",
    ],
)
def test_the_parts_of_a_text_stand_in_their_order_in_one_line(line):
    assert shown(line) == []


def test_what_was_found_is_told_in_the_order_of_the_list():
    log = b"\n".join((FULL, b"libGL.so.1: cannot open shared object file", MISMATCH))
    assert [id for id, _, _ in shown(log)] == ["driver.module-match", "disk.full", "opencv.system-library"]  # noqa: A001


def test_where_one_text_begins_with_another_the_list_decides():
    short, long = (
        Symptom(text, "", Fix(""), in_log=(text,)) for text in ("made-up thing", "made-up thing gone")
    )
    assert shown(b"a made-up thing gone", symptoms=[short, long]) == [("made-up thing", 1, 1)]
    assert shown(b"a made-up thing gone", symptoms=[long, short]) == [("made-up thing gone", 1, 1)]
    assert shown(b"a made-up thing", symptoms=[long, short]) == [("made-up thing", 1, 1)]


def test_a_line_counts_once_and_each_line_counts():
    log = FULL + b"; again: " + FULL + b"\n" + HEALTHY * 3 + FULL + b"\n"
    assert shown(log) == [("disk.full", 1, 2)]


def test_the_line_is_that_of_an_editor_and_a_progress_bar_hides_nothing():
    bars = b" 10%|#    | 1/10\r 20%|##   | 2/10\r"
    log = bars + b"\n" + bars + FULL + b"\r" + bars + b"\n" + MISMATCH + b"\r\n"
    found, lines = scan([log], SYMPTOMS)
    assert [(one.symptom.id, one.line, one.said) for one in found] == [
        ("driver.module-match", 3, MISMATCH),
        ("disk.full", 2, FULL),
    ]
    assert lines == 3


@pytest.mark.parametrize("cut", range(0, len(MISMATCH) + 1, 7))
def test_a_text_that_a_border_cuts_is_found_once(cut):
    before = HEALTHY * 100
    assert shown(before + MISMATCH[:cut], MISMATCH[cut:] + b"\n" + HEALTHY * 100) == [
        ("driver.module-match", 101, 1)
    ]


def test_the_same_is_found_however_a_log_is_cut():
    draw = random.Random(7)  # noqa: S311 - where to cut
    lines = [HEALTHY.strip(), MISMATCH, FULL, b"x" * 3 * REACH, b"", b"a\rb"]
    log = b"\n".join(draw.choices(lines, weights=(60, 1, 1, 1, 5, 5), k=3000))
    whole = shown(log)
    assert [(id, times) for id, _, times in whole] == [  # noqa: A001
        ("driver.module-match", log.count(MISMATCH)),
        ("disk.full", log.count(FULL)),
    ]
    assert [line for _, line, _ in whole] == [
        log[: log.index(text)].count(b"\n") + 1 for text in (MISMATCH, FULL)
    ]
    for size in (997, REACH, 2 * REACH + 1, 100_000):
        assert shown(*(log[at : at + size] for at in range(0, len(log), size))) == whole


def test_a_line_without_end_is_searched_to_its_last_byte():
    found, lines = scan([b"x" * 1_000_000] * 8 + [MISMATCH] + [b"y" * 1_000_000] * 8 + [FULL], SYMPTOMS)
    assert [(one.symptom.id, one.line) for one in found] == [("driver.module-match", 1), ("disk.full", 1)]
    assert max(len(one.said) for one in found) <= 2 * REACH + 100
    assert lines == 1


def test_a_symptom_in_every_line_is_counted_up_to_a_limit_and_hides_no_other():
    log = (FULL + b"\n") * (MOST + 5) + MISMATCH
    assert shown(log) == [("driver.module-match", MOST + 6, 1), ("disk.full", 1, MOST)]


def test_what_is_counted_to_its_end_still_keeps_its_lines_from_others():
    line = b"RuntimeError: unable to write to file </torch_99_123_0>: No space left on device (28)\n"
    assert shown(line * (MOST + 5)) == [("container.shm", 1, MOST)]


def test_the_memory_that_is_used_does_not_grow_with_the_log():
    tracemalloc.start()
    try:
        scan((b"x" * (1 << 20) for _ in range(40)), SYMPTOMS)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("text", "lines"), [(b"", 0), (b"\n", 1), (b"a", 1), (b"a\n", 1), (b"a\nb", 2)])
def test_lines_are_counted_as_people_count_them(text, lines):
    assert scan([text], SYMPTOMS)[1] == lines


def test_every_text_can_be_searched_for_quickly():
    for one in SYMPTOMS:
        for text in one.in_log:
            assert piece(text)[:1] in FIRST_BYTES, text
            assert piece(text).decode() in text
