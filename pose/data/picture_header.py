"""A picture's size from its first bytes, and whether its end is there: JPEG and PNG, without decoding.

Knows no other format: those are for a decoder to judge.
"""

from __future__ import annotations

JPEG, PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
# Start-of-frame markers; C4, C8 and CC lie among them and are none.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) as stored, whatever the EXIF orientation; None where the header does not tell."""
    if data.startswith(PNG) and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    return _frame_size(data) if data.startswith(JPEG) else None


def is_cut_off(data: bytes) -> bool:
    """Whether a JPEG has no end marker after its last scan begins, or a PNG no closing chunk.

    Bytes after the end are allowed, some cameras write them; an EXIF thumbnail's own end does not count.
    """
    if data.startswith(PNG):
        return b"IEND" not in data[8:]
    if not data.startswith(JPEG):
        return False
    scan = data.rfind(b"\xff\xda")
    return scan < 0 or data.find(b"\xff\xd9", scan) < 0


def _frame_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in ALONE:
            at += 2
        elif marker in FRAMES:
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
