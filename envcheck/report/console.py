"""The terminal: where steps are shown while they last, and where errors end.

Data goes to stdout, everything else to stderr. Nothing that came from outside is read as markup.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from envcheck.documents import to_json
from envcheck.errors import EnvcheckError

# Screens are drawn for this width at most; a narrower terminal wraps them.
WIDTH = 100


def stdout() -> Console:
    """Return the console for data."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return the console for everything that is not data."""
    return _console(stderr=True)


class Steps:
    """Draws the steps of a build: one line each, with the time it took."""

    def __init__(self) -> None:
        self._console = stderr()

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show `title` while the step lasts, and its time when it is done."""
        start = time.monotonic()
        line = Text(f"  {title} ...", style="dim")
        with self._console.status(line) as status:
            yield lambda news: status.update(Text(f"  {title} ... {news}", style="dim"))
        self._console.print(Text(f"  {title}  {time.monotonic() - start:.1f} s"))


def show_error(error: EnvcheckError, *, as_json: bool) -> None:
    """Show one expected failure: the sentence, then the hint; as a document where JSON was asked for."""
    if as_json:
        document = {"schema": "envcheck.error/1", "message": error.message, "hint": error.hint}
        sys.stdout.write(to_json({**document, "exit": error.exit_code}))
        return
    console = stderr()
    console.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
    for number, line in enumerate(error.hint.splitlines()):
        console.print(Text.assemble(("hint:  " if number == 0 else "       ", "bold"), line), soft_wrap=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if console.width > WIDTH or not console.is_terminal:
        console.width = WIDTH
    return console
