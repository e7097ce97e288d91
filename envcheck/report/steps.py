"""The steps of a build: one line each, drawn while it lasts, with the time it took.

A run that has nothing to build waits for nothing here: rich is imported when there is a step to draw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Steps:
    """Draws the steps of a build."""

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show `title` while the step lasts, and its time when it is done."""
        from rich.text import Text  # noqa: PLC0415 - see above

        from envcheck.report.console import PlainConsole  # noqa: PLC0415

        console = PlainConsole(stderr=True)
        start = time.monotonic()
        line = Text(f"  {title} ...", style="dim")
        with console.status(line) as status:
            yield lambda news: status.update(Text(f"  {title} ... {news}", style="dim"))
        console.print(Text(f"  {title}  {time.monotonic() - start:.1f} s"))
