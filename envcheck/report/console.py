"""The terminal: where screens are drawn, and where errors end.

Data goes to stdout, everything else to stderr. Nothing that came from outside is read as markup.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from envcheck.documents import to_json, write_json
from envcheck.errors import EnvcheckError, UsageError
from envcheck.report.disarm import disarmed

# Screens are drawn for this width at most; a narrower terminal wraps them.
WIDTH = 100
_TRAILING = re.compile(r"(?<! ) +(?=\n)")


class PlainConsole(Console):
    """A console that takes nothing for markup and lets no control character of a text through."""

    def __init__(self, *, stderr: bool = False, file: IO[str] | None = None, width: int = WIDTH) -> None:
        """Write to `file`, which is no terminal, else to stderr or stdout, no wider than people read."""
        super().__init__(
            stderr=stderr,
            file=file,
            highlight=False,
            markup=False,
            emoji=False,
            force_terminal=None if file is None else False,
        )
        if self.width > width or not self.is_terminal:
            self.width = width

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield what rich yields, with the texts disarmed: GPU names and file names come from outside."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(disarmed(segment.text), segment.style)

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        """Return what is written; where nobody sees columns, no line ends with their blanks."""
        text = super()._render_buffer(buffer)
        return text if self.is_terminal else _TRAILING.sub("", text)


def show(screen: RenderableType, *, data: bool = False, width: int = WIDTH) -> None:
    """Show a screen: on stdout if it is what was asked for, else on stderr."""
    # A path that is longer than the screen is wide stays one word, to be copied.
    PlainConsole(stderr=not data, width=width).print(screen, crop=False)


def note(sentence: str) -> None:
    """Tell something beside the answer, on stderr."""
    PlainConsole(stderr=True).print(Text.assemble(("note:  ", "bold"), sentence), soft_wrap=True)


def write(text: str, file: Path | None) -> None:
    """Give a command's answer as a text, to stdout or into a file."""
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _not_written(file, error) from None


def answer(
    value: object,
    screen: RenderableType | None,
    *,
    as_json: bool,
    file: Path | None = None,
    width: int = WIDTH,
) -> None:
    """Give a command's answer, as a document or as a screen, to stdout or into a file."""
    if file is None:
        if as_json or screen is None:
            sys.stdout.write(to_json(value))
        else:
            show(screen, data=True, width=width)
        return
    try:
        if (as_json or screen is None) and (file.is_file() or not file.exists()):
            write_json(file, value)
        elif as_json or screen is None:
            file.write_text(
                to_json(value), encoding="utf-8"
            )  # a device or a pipe is written to, not replaced
        else:
            with file.open("w", encoding="utf-8") as sink:
                PlainConsole(file=sink, width=width).print(screen)
    except OSError as error:
        raise _not_written(file, error) from None


def show_error(error: EnvcheckError, *, as_json: bool) -> None:
    """Show one expected failure: the sentence, then the hint; as a document where JSON was asked for."""
    if as_json:
        document = {"schema": "envcheck.error/1", "message": error.message, "hint": error.hint}
        known = {"finding": error.finding} if error.finding else {}
        sys.stdout.write(to_json({**document, **known, "exit": error.exit_code}))
        return
    screen = PlainConsole(stderr=True)
    name = f"   {error.finding}" if error.finding else ""
    screen.print(Text.assemble(("error: ", "bold red"), error.message, (name, "dim")), soft_wrap=True)
    for number, line in enumerate(error.hint.splitlines()):
        screen.print(Text.assemble(("hint:  " if number == 0 else "       ", "bold"), line), soft_wrap=True)


def _not_written(file: Path, error: OSError) -> UsageError:
    return UsageError(f"{file} cannot be written: {error.strerror}")
