"""Text from outside (GPU names, paths, error messages) made harmless for every kind of page.

Whatever a page's own language makes of characters (markup, commands), it escapes by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

# C0 without tab and newline, DEL, C1: terminals obey them, XML forbids most. Line and paragraph separators.
# What turns the direction of writing, so that a line reads as another. Halves of characters: no UTF-8.
_HARMFUL = (
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0x200E, 0x200F, 0x2028, 0x2029),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    *range(0xD800, 0xE000),
    *(0xFFFE, 0xFFFF),
)
_DISARMED = {code: "\ufffd" for code in _HARMFUL if chr(code) not in "\t\n"}

# A sentence of ours has a hundred characters; evidence with every name in it, a few hundred.
_LONGEST = 2000
_MOST = 20
# Of a text that is mostly blanks, no more than this many times what is shown is looked through.
_LOOKED_AT = 8


def disarmed(text: str) -> str:
    """Return `text` with a replacement character for each that does harm; tabs and newlines stay."""
    return text.translate(_DISARMED)


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Return `text` harmless, on one line, and cut where it is longer than `longest` characters."""
    flat = disarmed(" ".join(text.strip()[: _LOOKED_AT * longest].split()))
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def few(lines: Sequence[str], most: int = _MOST) -> tuple[str, ...]:
    """Return each of `lines` harmless; of very many the first, and how many more there are."""
    left_out = len(lines) - most
    more = (f"and {left_out} more",) if left_out > 0 else ()
    return (*map(one_line, lines[:most]), *more)
