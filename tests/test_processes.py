from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from envcheck.errors import EnvcheckError
from envcheck.processes import attended, capture, hand_over, stream
from tests.engines import until


def program(folder: Path, text: str) -> list[str]:
    file = folder / "program.py"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return [sys.executable, str(file)]


def test_capture_returns_code_and_both_streams(tmp_path):
    answer = capture(program(tmp_path, "import sys; print('out'); sys.exit('err')"), seconds=30)
    assert (answer.code, answer.stdout, answer.stderr) == (1, "out\n", "err\n")


def test_capture_of_a_program_that_hangs_says_so_instead_of_hanging(tmp_path):
    answer = capture(program(tmp_path, "import time; time.sleep(60)"), seconds=0.5)
    assert answer.code is None
    assert "0.5 seconds" in answer.stderr


STAGES = """
    import time
    for number in range(3):
        print("stage", number, flush=True)
        time.sleep({pause})
"""


def stages(output: bytes) -> int:
    return output.count(b"stage")


def test_each_stage_of_a_program_has_its_own_time(tmp_path):
    answer = capture(program(tmp_path, STAGES.format(pause=1.5)), seconds=2.5, stage=stages)
    assert (answer.code, answer.stdout.count("stage")) == (0, 3)


def test_a_program_that_hangs_in_a_stage_is_ended_and_what_it_said_is_kept(tmp_path):
    answer = capture(program(tmp_path, STAGES.format(pause=60)), seconds=1.5, stage=stages)
    assert (answer.code, answer.stdout) == (None, "stage 0\n")
    assert "1.5 seconds" in answer.stderr


def test_a_program_that_talks_on_within_a_stage_is_ended_all_the_same(tmp_path):
    talk = "import time\nwhile True:\n    print('...', flush=True)\n    time.sleep(0.1)"
    assert capture(program(tmp_path, talk), seconds=1.5, stage=stages).code is None


def test_capture_of_a_missing_program_is_an_answer():
    assert capture(["/nonexistent/program"], seconds=1).code is None


def test_capture_survives_bytes_that_are_not_text(tmp_path):
    answer = capture(program(tmp_path, r"import sys; sys.stdout.buffer.write(b'a\xffb')"), seconds=30)
    assert answer.stdout == "a\ufffdb"


def test_stream_passes_both_streams_through_and_logs_them(tmp_path, capfdbinary):
    argv = program(tmp_path, "import sys; print('data'); print('news', file=sys.stderr); sys.exit(7)")
    assert stream(argv, log=tmp_path / "log.txt") == 7
    seen = capfdbinary.readouterr()
    assert (seen.out, seen.err) == (b"data\n", b"news\n")
    assert sorted((tmp_path / "log.txt").read_text().splitlines()) == ["data", "news"]


def test_a_log_holds_the_last_state_of_a_progress_bar_and_no_colours(tmp_path):
    argv = program(tmp_path, r"print('\r 10%\r\x1b[2K\x1b[32m100%\x1b[0m'); print('end', end='')")
    stream(argv, log=tmp_path / "log.txt", show=False)
    assert (tmp_path / "log.txt").read_text() == "100%\nend\n"


def test_the_code_of_a_program_ended_by_a_signal_is_the_shells(tmp_path):
    argv = program(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert stream(argv, show=False) == 128 + signal.SIGKILL


def test_an_interrupt_reaches_the_program_once_and_it_may_finish_its_work(tmp_path):
    """The parent is a process of its own, as in a shell: the signal goes to it alone."""
    inner = """
        import signal, sys, time
        from pathlib import Path
        heard = []
        signal.signal(signal.SIGINT, lambda *_: heard.append(1))
        Path(sys.argv[1], "ready").touch()
        while not heard:
            time.sleep(0.01)
        time.sleep(0.3)
        Path(sys.argv[1], "saved").write_text(str(len(heard)))
        sys.exit(130)
    """
    argv = [*program(tmp_path, inner), str(tmp_path)]
    outer = f"import sys; from envcheck.processes import stream; sys.exit(stream({argv!r}))"
    root = Path(__file__).resolve().parent.parent
    process = subprocess.Popen([sys.executable, "-c", outer], env={**os.environ, "PYTHONPATH": str(root)})
    deadline = time.monotonic() + 30
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert (tmp_path / "saved").read_text() == "1"


def test_what_a_program_said_is_heard_though_its_log_took_nothing(tmp_path):
    argv = program(tmp_path, "import sys; print('x' * (1 << 20)); sys.exit('No space left on device')")
    heard = bytearray()
    assert stream(argv, log=Path("/dev/full"), show=False, heard=heard) == 1
    assert b"No space left on device" in heard
    assert len(heard) <= 1 << 20


@pytest.mark.parametrize("said", ["'x' * 400_000", "'a few words'"])
def test_a_full_disk_under_the_log_or_the_screen_does_not_hold_the_program(tmp_path, said):
    argv = program(tmp_path, f"print({said})")
    outer = "import sys; from pathlib import Path; from envcheck.processes import stream; "
    outer += f"sys.exit(stream({argv!r}, log=Path('/dev/full')))"
    root = Path(__file__).resolve().parent.parent
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", outer],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(root)},
            timeout=30,
            check=False,
        )
    assert b"Traceback" not in done.stderr.replace(b"Exception ignored", b"")
    assert done.returncode in (0, 120)  # 120: Python's own, when it could not flush its stdout


def test_a_program_that_cannot_be_started_is_an_error_that_names_it():
    for start in (stream, lambda argv: hand_over(argv, env={})):
        with pytest.raises(EnvcheckError, match="/nonexistent/program could not be started: No such file"):
            start(["/nonexistent/program"])


def test_a_program_that_is_handed_the_terminal_has_our_streams_and_the_environment_alone(tmp_path, capfd):
    argv = program(tmp_path, "import os, sys; print(sorted(os.environ)); sys.exit(7)")
    assert hand_over(argv, env={"A": "b", "LC_CTYPE": "C.UTF-8"}) == 7
    assert capfd.readouterr().out == "['A', 'LC_CTYPE']\n"


def test_the_code_of_a_handed_over_program_ended_by_a_signal_is_the_shells(tmp_path):
    argv = program(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert hand_over(argv, env=os.environ) == 128 + signal.SIGTERM


HEARS = """
    import signal, sys, time
    from pathlib import Path
    heard = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: heard.append(number))
    Path(sys.argv[1], "ready").touch()
    while signal.SIGTERM not in heard:
        time.sleep(0.01)
    time.sleep(0.2)
    Path(sys.argv[1], "heard").write_text(" ".join(signal.Signals(one).name for one in heard))
"""


def test_a_handed_over_program_hears_what_reached_us_alone_and_no_typed_key_twice(tmp_path):
    """The terminal gives Ctrl-C to the whole foreground: what we get of it, the program has got already."""
    argv = [*program(tmp_path, HEARS), str(tmp_path)]
    outer = "import os, sys; from envcheck.processes import hand_over; "
    outer += f"sys.exit(hand_over({argv!r}, env=os.environ))"
    root = Path(__file__).resolve().parent.parent
    process = subprocess.Popen([sys.executable, "-c", outer], env={**os.environ, "PYTHONPATH": str(root)})
    deadline = time.monotonic() + 30
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
        time.sleep(0.1)
    assert process.wait(timeout=30) == 0
    assert (tmp_path / "heard").read_text() == "SIGHUP SIGTERM"


ATTENDS = """
    import sys
    from pathlib import Path
    Path(sys.argv[1], "ready").touch()
    Path(sys.argv[1], "told").write_text(sys.stdin.read() or "nothing")
"""


def told(folder: Path) -> str:
    deadline = time.monotonic() + 30
    while not (folder / "told").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # between made and written
    return (folder / "told").read_text()


def test_whoever_attends_us_is_told_that_we_are_done(tmp_path):
    with attended([*program(tmp_path, ATTENDS), str(tmp_path)]):
        pass
    assert (tmp_path / "told").read_text() == "done"  # and has ended


def test_whoever_attends_us_is_told_also_when_we_failed(tmp_path):
    with pytest.raises(KeyboardInterrupt), attended([*program(tmp_path, ATTENDS), str(tmp_path)]):
        raise KeyboardInterrupt
    assert (tmp_path / "told").read_text() == "done"


def test_an_attendant_that_has_gone_is_no_error(tmp_path):
    with attended(program(tmp_path, "")):
        time.sleep(0.5)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_whoever_attends_us_is_told_nothing_when_we_are_killed(tmp_path, number):
    argv = [*program(tmp_path, ATTENDS), str(tmp_path)]
    outer = "import time; from envcheck.processes import attended\n"
    outer += f"with attended({argv!r}): time.sleep(60)"
    root = Path(__file__).resolve().parent.parent
    process = subprocess.Popen(
        [sys.executable, "-c", outer],
        env={**os.environ, "PYTHONPATH": str(root)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, number)  # the attendant is in none of our groups
    process.wait(timeout=30)
    assert told(tmp_path) == ("nothing" if number == signal.SIGKILL else "done")


def test_a_command_that_speaks_for_a_reader_ends_with_it(tmp_path):
    # Little by little: what our buffer held when the reader went was once an error at our end, code 120.
    endless = program(tmp_path, "import time\nwhile True: print('y', flush=True); time.sleep(0.01)")
    ours = (
        f"from envcheck.processes import stream; raise SystemExit(stream({endless!r}, ends_with_reader=True))"
    )
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-c", ours], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as done:
        assert done.stdout.readline() == b"y\n"
        done.stdout.close()
        assert done.wait(timeout=30) == 128 + signal.SIGTERM
        assert done.stderr.read() == b""


def test_a_program_is_told_to_end_when_we_are_killed(tmp_path):
    inner = program(
        tmp_path,
        f"""
        import signal, sys, time
        from pathlib import Path

        def ended(number, frame):
            Path({str(tmp_path)!r}, "told").write_text(signal.Signals(number).name)
            sys.exit(0)

        signal.signal(signal.SIGTERM, ended)
        print("ready", flush=True)
        time.sleep(60)
        """,
    )
    outer = f"from envcheck.processes import stream; stream({inner!r})"
    with subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.1)  # in which the one that tells it starts
        process.kill()
    told = tmp_path / "told"
    until(lambda: told.exists() and told.read_text() == "SIGTERM")
