"""The cache as people see it: what lies there, what is damaged, what was removed."""

from __future__ import annotations

from itertools import groupby

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.cache.kept import Contents, Kept
from envcheck.cache.prune import Pruned
from envcheck.cache.verify import Verified
from envcheck.report.disarm import one_line

# A lock has forty wheels, and a cache of some recipes hundreds: the largest show where the room went.
_MOST = 8


def contents_screen(contents: Contents) -> RenderableType:
    """Return how much each kind of thing takes, and the largest of each."""
    parts: list[RenderableType] = [_folder(contents.folder, f"{size(contents.bytes)}")]
    for kind, group in groupby(contents.kept, key=lambda one: one.kind):
        kept = list(group)
        parts.append(Text(f"  {_counted(kind, len(kept))}, {size(sum(one.bytes for one in kept))}"))
        shown = sorted(kept, key=lambda one: -one.bytes)[:_MOST]
        parts.append(_table(shown))
        if len(kept) > len(shown):
            parts.append(
                Text(f"      and {len(kept) - len(shown)} more (--format json has all)", style="dim")
            )
    return Group(*parts)


def verified_screen(verified: Verified) -> RenderableType:
    """Return what is damaged, and what becomes of it."""
    parts: list[RenderableType] = []
    for one in verified.damaged:
        parts.append(Text.assemble(("✗ ", "bold red"), (one_line(f"{one.kind} {one.name}"), "bold")))
        parts += [Padding(Text(one_line(line)), (0, 0, 0, 4)) for line in one.what]
    if not verified.damaged:
        parts.append(Text.assemble(("✓ ", "green"), f"{verified.whole} things are what they were kept as"))
    elif verified.removed or verified.held:
        gone = "Removed; they are made anew when they are needed. " if verified.removed else ""
        parts.append(Text(f"{gone}{verified.whole} are whole."))
        parts += [_in_use(f"{one.kind} {one.name}") for one in verified.held]
    else:
        parts.append(Text(f"{verified.whole} are whole.  Next:  envcheck cache verify --repair"))
    return Group(*parts)


def pruned_screen(pruned: Pruned) -> RenderableType:
    """Return what was removed, and what is in use."""
    count = len(pruned.removed)
    verb = "would be removed" if pruned.dry_run else "removed"
    first = f"{_counted('thing', count)} {verb}, {size(pruned.bytes)}"
    held = [_in_use(one.id) for one in pruned.held]
    return Group(_folder(pruned.folder, first), _table(list(pruned.removed)[:_MOST]), *held)


def _in_use(name: str) -> Text:
    return Text(f"  in use, and kept: {one_line(name)}")


def _folder(folder: object, words: str) -> Text:
    return Text.assemble((one_line(str(folder)), "bold"), f"  {words}")


def _table(kept: list[Kept]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in kept:
        table.add_row(size(one.bytes), one.used[:10], Text(one_line(one.name)))
    return Padding(table, (0, 0, 0, 4))


def _counted(word: str, count: int) -> str:
    plural = {"pose": "copies of pose"}.get(word, f"{word}s")
    return f"{count} {plural if count != 1 else {'pose': 'copy of pose'}.get(word, word)}"


def size(count: int) -> str:
    """Return a number of bytes in MiB."""
    return f"{count / 2**20:,.1f} MiB"
