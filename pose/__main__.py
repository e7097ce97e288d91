"""`python -m pose [--run-dir DIR] [--check] STAGE ...`: picks the stage and turns errors into exit codes.

Stages are imported when they are called, so that `--help` answers at once and without torch, and so does
`--check`, which reads the command line and the config and tells what the stage would read and write.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pose.command.arguments import Arguments, Stage, help_text, overview, parse, stage_named
from pose.command.config_older import layout_notes
from pose.command.expect import expectation
from pose.command.needs import Needs, needs_of
from pose.command.published import known
from pose.errors import BAD_INPUT, BUG, FAILED, INTERRUPTED, Followed, Interrupted, PoseError, known_failure
from pose.report import Result, data, note

if TYPE_CHECKING:
    from pose.machines.team import Team


def main(argv: Sequence[str] | None = None) -> int:  # noqa: PLR0911 - one return per way to end
    """The exit code of one stage: 0, 2 bad input, 1 failed, 130 interrupted, 70 a bug."""
    try:
        return _dispatch(list(sys.argv[1:] if argv is None else argv))
    except PoseError as error:
        return _tell(f"error: {error.message}", error.hint, error.exit_code)
    except Followed as ended:
        return ended.exit_code
    except Interrupted as stopped:
        return _tell(stopped.message, stopped.hint, INTERRUPTED)
    except KeyboardInterrupt:
        return _tell("stopped at once", "", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; pointing stdout away keeps the interpreter's own flush quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # noqa: BLE001 - the boundary: what is left is this machine's failure or our bug
        failure = known_failure(error)
        if failure is not None:
            return _tell(f"error: {failure.message}", failure.hint, failure.exit_code)
        traceback.print_exc()
        return _tell("error: this is a bug in pose, not in what you did", "the lines above say where", BUG)


def _dispatch(argv: list[str]) -> int:
    run_dir, is_check, words = _own_options(argv)
    if is_check:
        data(json.dumps(_check(words, run_dir).document()))
        return 0
    if not words or words[0] in {"--help", "-h"}:
        data(overview())
        return 0 if words else BAD_INPUT
    stage, rest = stage_named(words[0]), words[1:]
    if stage.own_parser:
        options = import_module(f"pose.command.{stage.name}_options").read(rest)
        return _run(stage, run_dir, lambda result: import_module(stage.module).run(options, result))
    if _asks_for_help(rest):
        data(help_text(stage))
        return 0
    if stage.spreads:
        return _spread(stage, rest, run_dir, argv)
    _require_one_process(stage)
    return _work(stage, _read(stage, rest, run_dir), run_dir)


def _spread(stage: Stage, words: Sequence[str], run_dir: Path | None, argv: Sequence[str]) -> int:
    """The stage with a process for each of the config's GPUS that is here: this very command for each."""
    if _is_one_of_several():
        with import_module("pose.machines.team").joined() as team:
            return _work(stage, _read(stage, words, run_dir), run_dir if team.leads else None, team)
    arguments = _read(stage, words, run_dir)
    config, _ = arguments.configuration
    # One GPU or none needs no torch to know it.
    count = len(import_module("pose.machines.devices").usable(config)) if len(config.GPUS) > 1 else 1
    if count > 1:
        program = sys.orig_argv[1 : len(sys.orig_argv) - len(argv)]
        return import_module("pose.machines.torchrun").start(count, [*program, *argv])
    return _work(stage, arguments, run_dir)


def _is_one_of_several() -> bool:
    """Whether torchrun has started this process beside others."""
    return "LOCAL_RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def _require_one_process(stage: Stage) -> None:
    """Each of several would do all the work and write the same files: the first says so, the others end."""
    if not _is_one_of_several():
        return
    if os.environ.get("RANK", "0") != "0":
        raise Followed(BAD_INPUT)
    raise PoseError(
        f"{stage.name} is the work of one process, and torchrun started {os.environ['WORLD_SIZE']}",
        f"python -m pose {stage.name} ...; train alone is shared out among processes",
    )


def _work(stage: Stage, arguments: Arguments, run_dir: Path | None, team: Team | None = None) -> int:
    """The stage in this process, which may be one of a team."""
    if team is None:  # torchrun ends a team's others in its own way
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # also before there is anything to keep
    if arguments.deterministic:  # cuBLAS reads it once, when it starts: before the proof
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if stage.takes_overrides:
        for line in layout_notes(*arguments.configuration):
            note(line)
    more = (team,) if team else ()
    proves = stage.proves and (team is None or team.leads)
    return _run(
        stage,
        run_dir,
        lambda result: import_module(stage.module).run(arguments, result, *more),
        proves=proves,
        deep=arguments.deep,
    )


def _own_options(words: list[str]) -> tuple[Path | None, bool, list[str]]:
    """The run folder, whether this is a check, and the words from the stage's name on."""
    run_dir, is_check = None, False
    while words and words[0] in {"--run-dir", "--check"}:
        if words[0] == "--check":
            is_check, words = True, words[1:]
        elif len(words) < 2:
            raise PoseError("--run-dir: a value is missing", "--run-dir DIR")
        else:
            run_dir, words = Path(words[1]), words[2:]
    return run_dir, is_check, words


def _check(words: list[str], run_dir: Path | None) -> Needs:
    """What the stage would read and write; showing its help is neither."""
    stage, rest = stage_named(words[0] if words else ""), words[1:]
    if _asks_for_help(rest):
        return Needs()
    if stage.own_parser:
        options = import_module(f"pose.command.{stage.name}_options")
        return options.needs_of(options.read(rest))
    return needs_of(_read(stage, rest, run_dir))


def _asks_for_help(words: Sequence[str]) -> bool:
    return "--help" in words or "-h" in words


def _read(stage: Stage, words: Sequence[str], run_dir: Path | None) -> Arguments:
    """The parsed command line; a wrong key is answered at once, before torch is even loaded."""
    arguments = parse(stage, words, run_dir)
    _ = arguments.seed(), arguments.reads_contents
    if stage.takes_overrides:
        config, _ = arguments.configuration
        if arguments.expects:
            expectation(arguments, config, known(config, untrained=arguments.untrained))
    return arguments


def _run(
    stage: Stage,
    run_dir: Path | None,
    work: Callable[[Result], object],
    *,
    proves: bool = True,
    deep: bool = False,
) -> int:
    """The stage's work between the proof and the result, both in the run folder when there is one."""
    result = Result(stage.name, run_dir)
    try:
        if run_dir is not None or proves:
            import_module("pose.machines.proof").require(run_dir, deep=deep)
        work(result)
    except Exception as error:
        known = error if isinstance(error, PoseError | Interrupted) else known_failure(error)
        result.problem = known.message if known else ""
        raise
    finally:
        result.keep()
    return 0


def _tell(message: str, hint: str, exit_code: int) -> int:
    note(message)
    if hint:
        note(f"hint:  {hint}")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
