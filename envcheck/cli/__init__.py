"""The command line; here is the one place where failures become words and exit codes."""

from __future__ import annotations

import gc
import io
import signal
import sys
import traceback
from itertools import pairwise
from typing import cast

import typer

from envcheck import errors
from envcheck.cli.verbs import app
from envcheck.errors import BugError, EnvcheckError, StoppedError, UsageError
from envcheck.relay import point_away

# typer brings its own click or uses the installed one, depending on its release. Either way
# BadParameter's grandparent is ClickException, the family of all that can be wrong with a command line.
_ClickException = cast("type[Exception]", typer.BadParameter.__mro__[2])


def _show(error: EnvcheckError, *, as_json: bool) -> None:
    # rich is imported when there is something to draw: no run waits for it.
    from envcheck.report.console import show_error

    show_error(error, as_json=as_json)


def main() -> None:
    """Run the command line."""
    # A start makes many objects and no garbage. To look for that took a fifth of doctor's time, half of it at
    # the end, where `freeze` leaves nothing to look at.
    gc.set_threshold(100_000)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 gets ? for what it lacks
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: clear away, and say so
    as_json = "--format=json" in sys.argv or ("--format", "json") in pairwise(sys.argv)
    try:
        code = app(standalone_mode=False) or errors.OK
    except EnvcheckError as error:
        _show(error, as_json=as_json)
        code = error.exit_code
    except _ClickException as error:
        message = cast("typer.BadParameter", error).format_message()
        if type(error).__name__ == "NoArgsIsHelpError":  # click's way to answer a bare command with its help
            typer.echo(message)
            sys.exit(errors.OK)
        _show(UsageError(message, "envcheck --help shows what there is."), as_json=as_json)
        code = errors.USAGE
    except (KeyboardInterrupt, typer.Abort):  # before or after the verb
        _show(StoppedError(), as_json=as_json)
        code = errors.INTERRUPTED
    except BrokenPipeError:
        point_away(sys.stdout)  # whoever read our output has gone
        code = errors.FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        failure = EnvcheckError(
            f"{where}{error.strerror or error}", "Is there room, and may you write there?"
        )
        _show(failure, as_json=as_json)
        code = failure.exit_code
    except Exception as error:  # noqa: BLE001 - the boundary: what is left is a bug of ours
        traceback.print_exc()
        _show(BugError(error), as_json=as_json)
        code = errors.BUG
    gc.freeze()
    sys.exit(code)
