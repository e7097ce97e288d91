"""The search: every line of a log that shows a symptom, in one pass and constant memory.

Most of a log says nothing of interest, so it is searched for one short piece of each text, and only a line
with a piece is looked at as a whole. Lines are parted by newlines, and by carriage returns, with which
progress bars draw over themselves; counted are newlines, as editors do.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envcheck.symptoms import Symptom

# A line is looked at this far to both sides of a piece: some have no end.
REACH = 2048
# A symptom in every line of a long log is not counted to the end.
MOST = 10_000

_GAP = b"..."
_PIECE_LEAST, _PIECE_MOST = 6, 20
# The search halts at every byte that a piece may begin with. These are rare in logs of trainings, builds,
# pip, NCCL and kernels, and every text has one of them; one without would cost time, nothing else.
FIRST_BYTES = b"M'PRxLwbfmp/d"


@dataclass(slots=True)
class Found:
    """A symptom in a log."""

    symptom: Symptom
    line: int  # the number of the first line that shows it, from 1
    said: bytes  # what of that line was looked at
    at: int  # where in `said` the text begins
    times: int = 1  # how many lines show it, up to `MOST`


def scan(blocks: Iterable[bytes], symptoms: Sequence[Symptom]) -> tuple[list[Found], int]:
    """Return what a log shows, in the order of `symptoms`, and how many lines it has.

    A line shows one symptom: the first of `symptoms` that it has a text of.
    """
    search = _Search(symptoms)
    for block in blocks:
        search.take(block)
    return search.finish()


def piece(text: str) -> bytes:
    """Return a part of `text` that every line with that text has, and few others."""
    parts = (
        words[at : at + _PIECE_MOST] for words in _parts(text) for at in range(len(words) - _PIECE_LEAST + 1)
    )
    return max(parts, key=lambda part: (part[:1] in FIRST_BYTES, len(part)))


class _Texts:
    """The texts of symptoms, to be found in a line by their pieces."""

    def __init__(self, symptoms: Sequence[Symptom]) -> None:
        self._texts = [(_parts(text), one) for one in symptoms for text in one.in_log]
        pieces = [piece(text) for one in symptoms for text in one.in_log]
        # Where one piece begins with another, the longer one is met.
        self._with = {met: [n for n, part in enumerate(pieces) if met.startswith(part)] for met in pieces}
        self.pieces = _any_of(pieces)

    def first_in(self, line: bytes) -> tuple[Symptom, int] | None:
        """Return the first symptom that a line has a text of, and where in the line that begins."""
        met, at = set(), 0
        while hit := self.pieces.search(line, at):
            met.update(self._with[hit.group()])
            at = hit.start() + 1  # pieces may overlap
        for number in sorted(met):
            parts, symptom = self._texts[number]
            begin = _in_order(parts, line)
            if begin is not None:
                return symptom, begin
        return None


class _Search:
    """A log as far as it is known, and what was found in it."""

    def __init__(self, symptoms: Sequence[Symptom]) -> None:
        self._symptoms = symptoms
        self._texts = _Texts(symptoms)
        self._pieces = self._texts.pieces  # of what is not yet counted to its end
        self._found: dict[str, Found] = {}
        self._text = b""  # what is at hand
        self._done = 0  # where of it the search goes on
        self._lines = 0  # how many ended before `_counted`
        self._counted = 0

    def take(self, block: bytes) -> None:
        """Search what has a neighbourhood within reach; the last of it waits for the next block."""
        self._text += block
        self._go_to(len(self._text) - REACH - _PIECE_MOST)
        drop = max(0, self._done - REACH)
        self._count_to(drop)
        self._text, self._done, self._counted = self._text[drop:], self._done - drop, self._counted - drop

    def finish(self) -> tuple[list[Found], int]:
        """Return all that was found, in the order of the symptoms, and the number of lines."""
        self._go_to(len(self._text))
        self._count_to(len(self._text))
        unfinished = bool(self._text) and not self._text.endswith(b"\n")
        found = [self._found[one.id] for one in self._symptoms if one.id in self._found]
        return found, self._lines + unfinished

    def _go_to(self, end: int) -> None:
        while self._done < end and (hit := self._pieces.search(self._text, self._done)):
            if hit.start() >= end:
                break
            self._done = self._look(hit.start(), hit.end())
        self._done = max(self._done, end)

    def _look(self, start: int, end: int) -> int:
        """Look at the line around a piece, and return where it ends."""
        reach = max(0, start - REACH)
        begin = max(
            reach, *(self._text.rfind(end_of_line, reach, start) + 1 for end_of_line in (b"\n", b"\r"))
        )
        after = _BREAK.search(self._text, end, end + REACH)
        stop = after.start() if after else min(end + REACH, len(self._text))
        line = self._text[begin:stop]
        if shown := self._texts.first_in(line):
            self._keep(*shown, start, line)
        return stop

    def _keep(self, shown: Symptom, at: int, start: int, line: bytes) -> None:
        found = self._found.get(shown.id)
        if found is None:
            self._count_to(start)
            self._found[shown.id] = Found(shown, self._lines + 1, line, at)
        elif found.times < MOST:
            found.times += 1
            if found.times == MOST:
                self._pieces = _Texts([one for one in self._symptoms if not self._is_ended(one)]).pieces

    def _is_ended(self, one: Symptom) -> bool:
        return one.id in self._found and self._found[one.id].times == MOST

    def _count_to(self, at: int) -> None:
        self._lines += self._text.count(b"\n", self._counted, at)
        self._counted = max(self._counted, at)


_BREAK = re.compile(rb"[\r\n]")


def _parts(text: str) -> list[bytes]:
    return text.encode().split(_GAP)


def _in_order(parts: Sequence[bytes], line: bytes) -> int | None:
    """Return where the first of `parts` is, when the others follow it."""
    end = first = line.find(parts[0])
    for part in parts:
        at = line.find(part, end)
        if at < 0:
            return None
        end = at + len(part)
    return first


def _any_of(pieces: Iterable[bytes]) -> re.Pattern[bytes]:
    return re.compile(_tree(sorted(set(pieces))) or rb"(?!)")


def _tree(pieces: Sequence[bytes]) -> bytes:
    """Return a pattern that decides byte by byte, the longest piece first; one of nothing is empty."""
    if len(pieces) <= 1:
        return b"".join(map(re.escape, pieces))
    by_first: dict[bytes, list[bytes]] = defaultdict(list)
    for part in pieces:
        by_first[part[:1]].append(part[1:])
    branches = [re.escape(first) + _tree(rest) for first, rest in by_first.items() if first]
    return b"(?:" + b"|".join(branches) + (b"|)" if b"" in by_first else b")")
