"""What every environment promises, tried on real ones: docker, podman, a venv, this interpreter.

Long because it is one contract: what is asked of one kind stands beside what is asked of all.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from envcheck.engine.owner import OWNER_LABEL
from envcheck.environments.place import Limits
from envcheck.errors import EnvcheckError, UsageError
from envcheck.runs.promise import Promise
from tests.engines import until
from tests.environments.conftest import (
    CONTAINERS,
    SOMEBODY,
    Home,
    first_line,
    leftovers,
    own_folder,
    said_by,
    somebodys,
)
from tests.small import Quiet

pytestmark = pytest.mark.docker


@pytest.fixture(params=[*CONTAINERS, "venv", "current"])
def home(request, homes_here) -> Home:
    return homes_here(request.param)


@pytest.fixture(params=[*CONTAINERS, "venv"])
def built_home(request, homes_here) -> Home:
    return homes_here(request.param)


@pytest.fixture(params=CONTAINERS)
def container(request, homes_here) -> Home:
    return homes_here(request.param)


# Preparing.


def test_a_second_prepare_reuses_what_is_there_and_says_so(home):
    watch = Quiet()
    again = home.environment.prepare(home.world.recipe, home.world.python(home.kind), watch=watch)
    assert again.reused
    assert watch.steps == []
    assert again == home.place


def test_what_was_removed_behind_our_back_is_noticed_and_mended(built_home):
    home = built_home
    if home.is_container:
        home.client.remove_image(home.place.image.id, force=True)
    else:
        home.place.python.unlink()
    mended = home.environment.prepare(home.world.recipe, home.world.python(home.kind), watch=Quiet())
    assert not mended.reused
    assert home.environment.run(mended, _work(home, "import alpha")).code == 0


def test_the_locks_wheels_are_what_a_command_imports(built_home, capfd):
    assert built_home.run(*built_home.python("import alpha; alpha.main()")).code == 0
    assert capfd.readouterr().out == f"{built_home.world.recipe.name}\n"


def test_a_stage_is_poses_and_not_that_of_the_working_directory(home, tmp_path, capfd):
    (tmp_path / "pose").mkdir()
    (tmp_path / "pose" / "__init__.py").write_text("raise SystemExit('shadowed')\n", encoding="utf-8")
    assert home.run(*home.environment.stage(home.place, ["-1.0", "GPUS", "(0,)"])).code == 0
    assert json.loads(capfd.readouterr().out) == ["-1.0", "GPUS", "(0,)"]


# A command: its code, its streams.


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", 128 + 9),
        ("import os; os.kill(os.getpid(), 15)", 128 + 15),
        ("import os; os.abort()", 128 + 6),
    ],
)
def test_the_commands_own_code_comes_back(home, code, expected):
    ended = home.run(*home.python(code))
    assert (ended.code, ended.out_of_memory) == (expected, False)


@pytest.mark.parametrize(("command", "expected"), [("no-such-command", 127), ("/etc/passwd", 126)])
def test_a_command_that_cannot_be_started_is_named_and_has_a_shells_code(home, command, expected, capfd):
    try:
        code, said = home.run(command, "word").code, ""
    except EnvcheckError as error:
        code, said = error.exit_code, error.message
    said += capfd.readouterr().err
    assert code == expected
    assert len(said.splitlines()) == 1
    assert command in said


def test_both_outputs_come_apart_byte_for_byte_and_into_the_log(home, tmp_path, capfdbinary):
    code = "import os; os.write(1, bytes(range(256)) * 300); os.write(2, b'\\xff\\x00news\\n')"
    heard = bytearray()
    assert home.run(*home.python(code), log=tmp_path / "log", heard=heard).code == 0
    seen = capfdbinary.readouterr()
    assert seen.out == bytes(range(256)) * 300
    assert seen.err == b"\xff\x00news\n"
    assert b"\xff\x00news\n" in heard
    assert b"news\n" in (tmp_path / "log").read_bytes()


def test_what_is_not_to_be_shown_is_only_heard(home, capfd):
    heard = bytearray()
    home.run(*home.python("print('quiet')"), show=False, heard=heard)
    assert bytes(heard) == b"quiet\n"
    assert capfd.readouterr().out == ""


def test_a_line_arrives_before_the_command_goes_on(home, tmp_path):
    code = """
import os, sys, time
print("first", flush=True)
print("alarm", file=sys.stderr, flush=True)
while not os.path.exists("go"):
    time.sleep(0.01)
print("last")
"""
    process = home.start(*home.python(code))
    assert first_line(process) == b"first\n"
    assert process.stderr.readline() == b"alarm\n"
    (tmp_path / "go").touch()
    assert said_by(process)[:2] == (0, b"last\n")


def test_standard_input_goes_in_whole_and_its_end_is_seen(home):
    code = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1])"
    given = os.urandom(1 << 21)
    code, out, err = said_by(home.start(*home.python(code), stdin=True), given)
    assert (code, err) == (0, b"")
    assert out == given[::-1]


def test_a_command_that_ends_does_not_wait_for_the_end_of_our_input(home):
    process = home.start(*home.python("print(input())"), stdin=True)
    process.stdin.write(b"one\ntwo\n")
    process.stdin.flush()
    assert process.stdout.read() == b"one\n"
    assert process.wait(timeout=30) == 0
    process.stdin.close()


# Signals.

HEARER = """
import signal, sys, time
heard = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: heard.append(number))
print("ready", flush=True)
while not heard:
    time.sleep(0.01)
time.sleep(0.4)
print(*map(int, heard))
sys.exit(40 + heard[0])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_a_signal_reaches_the_command_once_and_its_handler_decides(home, number):
    process = home.start(*home.python(HEARER))
    assert first_line(process) == b"ready\n"
    process.send_signal(number)
    assert said_by(process)[:2] == (40 + number, f"{int(number)}\n".encode())


def test_a_command_that_takes_no_care_of_a_signal_is_ended_by_it(home):
    process = home.start(*home.python("import time; print(1, flush=True); time.sleep(60)"))
    first_line(process)
    process.send_signal(signal.SIGTERM)
    assert said_by(process)[0] == 128 + signal.SIGTERM


# Paths.


def test_the_working_directory_and_its_links_are_where_they_are_here(home, tmp_path, monkeypatch, capfd):
    data, work = tmp_path / "elsewhere" / "data", tmp_path / "a folder"
    data.mkdir(parents=True)
    work.mkdir()
    (data / "picture").write_text("pixels", encoding="utf-8")
    (tmp_path / "link").symlink_to(data)
    monkeypatch.chdir(work)
    code = "import os, sys; print(os.getcwd()); print(*(open(name).read() for name in sys.argv[1:]))"
    named = (str(tmp_path / "link" / "picture"), "../link/picture", str(data / "picture"))
    assert home.run(*home.python(code, *named), reads=(tmp_path / "link",)).code == 0
    assert capfd.readouterr().out == f"{work}\npixels pixels pixels\n"


def test_what_is_written_lies_here_and_is_the_callers(home, tmp_path):
    code = "import os; os.makedirs('results/a'); open('results/a/model', 'wb').write(bytes(3))"
    out = tmp_path / "out"
    assert home.run(*home.python(f"import os; os.chdir({str(out)!r}); {code}"), writes=(out,)).code == 0
    found = (out / "results" / "a" / "model").stat()
    assert (found.st_size, found.st_uid, found.st_gid) == (3, os.getuid(), os.getgid())


def test_a_command_that_owns_the_directory_may_write_there(home, tmp_path):
    assert home.run(*home.python("open('note', 'w')"), owns_directory=True).code == 0
    assert (tmp_path / "note").exists()


def test_what_is_only_read_cannot_be_written_in_a_container(container, tmp_path, tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    code = """
import errno, sys
for name in sys.argv[1:]:
    try:
        open(name, "w")
    except OSError as error:
        assert error.errno == errno.EROFS, error
    else:
        sys.exit(f"{name} could be written")
"""
    names = (str(data / "new"), str(tmp_path / "new"), "/new", "/opt/pose/new", "/etc/passwd")
    assert container.run(*container.python(code, *names), reads=(data,)).code == 0
    assert list(data.iterdir()) == []


# GPUs and variables.

ASKED = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES")


def variables(home: Home, capfd, *names: str, **work) -> list[str | None]:
    code = "import json, os, sys; print(json.dumps([os.environ.get(name) for name in sys.argv[1:]]))"
    assert home.run(*home.python(code, *names), **work).code == 0
    return json.loads(capfd.readouterr().out)


def test_a_promise_of_the_cpu_hides_every_gpu(home, capfd, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.delenv("NVIDIA_VISIBLE_DEVICES", raising=False)
    promised = Promise(torch=None, cuda=None, device="cpu", gpus=())
    seen = variables(home, capfd, *ASKED, variables=promised.variables)
    assert seen == ["", None, "void" if home.is_container else None]


def test_promised_gpus_are_named_by_uuid_in_the_order_of_the_bus(home, capfd, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    promised = Promise(torch=None, cuda=None, device="cuda", gpus=("GPU-b", "GPU-a"))
    seen = variables(home, capfd, *ASKED[:2], variables=promised.variables)
    assert seen == ["GPU-b,GPU-a", "PCI_BUS_ID"]


def test_secrets_stay_outside_a_container_and_what_numbers_depend_on_goes_in(container, capfd, monkeypatch):
    secret = (
        "AWS_SECRET_ACCESS_KEY",
        "HF_TOKEN",
        "WANDB_API_KEY",
        "SSH_AUTH_SOCK",
        "PYTHONPATH",
        "LD_PRELOAD",
    )
    passed = ("PYTHONHASHSEED", "OMP_NUM_THREADS", "NCCL_DEBUG", "LC_ALL")
    for name in (*secret, *passed):
        monkeypatch.setenv(name, "7")
    assert variables(container, capfd, *secret) == [None] * len(secret)
    assert variables(container, capfd, *passed) == ["7"] * len(passed)


def test_a_variable_that_is_asked_for_goes_in(container, capfd, monkeypatch):
    monkeypatch.setattr(container.environment, "_variables", {"WANDB_API_KEY": "mine"})
    assert variables(container, capfd, "WANDB_API_KEY") == ["mine"]


# What a container may do.

LOOK = r"""
import getpass, json, os, pathlib, socket, subprocess, sys

def attempt(what):
    try:
        return str(what())
    except Exception as error:
        return type(error).__name__ + ": " + str(error)

def listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection((socket.gethostname(), server.getsockname()[1]), timeout=5):
            return "yes"

def executes():
    path = pathlib.Path("/tmp/x/program")
    path.parent.mkdir()
    path.write_text("#!/bin/sh\necho yes\n")
    path.chmod(0o755)
    return subprocess.run([path], capture_output=True, text=True).stdout.strip()

def cached():
    names = ("XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "MPLCONFIGDIR")
    for folder in [os.path.expanduser("~/.cache/x"), *(os.environ[name] for name in names)]:
        os.makedirs(folder, exist_ok=True)
        open(os.path.join(folder, "file"), "w").close()
    return "yes"

status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
shm = os.statvfs("/dev/shm")
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(), "user": attempt(getpass.getuser),
    "capabilities": [int(value, 16) for name, value in status.items() if name.startswith("Cap")],
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "interfaces": sorted(name for _, name in socket.if_nameindex()),
    "loopback": attempt(listens),
    "outside": attempt(lambda: socket.create_connection(("192.0.2.1", 80), timeout=5)),
    "init": open("/proc/1/cmdline").read().split("\0")[0],
    "me": os.getpid(),
    "executes": attempt(executes),
    "cached": attempt(cached),
    "shm": shm.f_blocks * shm.f_frsize,
    "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
}))
"""


@pytest.fixture(scope="module", params=[(kind, uid) for kind in CONTAINERS for uid in (0, SOMEBODY)], ids=str)
def inside(request, homes):
    """What a command in a container sees that was started by root, and by somebody without a name."""
    kind, uid = request.param
    home = homes(kind)
    with own_folder() as folder:
        if uid == 0:
            code, out, err = said_by(home.start(*home.python(LOOK), options={"cwd": folder}))
        else:
            with somebodys(home, folder) as start:
                code, out, err = said_by(start(*home.python(LOOK)))
    assert code == 0, err.decode()
    return uid, json.loads(out)


def test_a_command_is_its_caller_with_a_name_or_without(inside):
    uid, seen = inside
    assert (seen["uid"], seen["gid"]) == (uid, uid)
    assert seen["user"] == ("root" if uid == 0 else "envcheck")


def test_a_container_has_no_capabilities_and_gets_no_new_ones(inside):
    _, seen = inside
    assert seen["capabilities"] == [0] * 5
    assert seen["no_new_privileges"] == "1"


def test_a_container_has_no_network_but_itself(inside):
    _, seen = inside
    assert seen["interfaces"] == ["lo"]
    assert seen["loopback"] == "yes"
    assert seen["outside"] == "OSError: [Errno 101] Network is unreachable"


def test_an_init_is_the_first_process_and_not_the_command(inside):
    _, seen = inside
    assert seen["init"] in {"/sbin/docker-init", "/run/podman-init", "/dev/init"}
    assert seen["me"] != 1


def test_home_and_caches_can_be_written_and_what_was_compiled_there_runs(inside):
    _, seen = inside
    assert seen["cached"] == "yes"
    assert seen["executes"] == "yes"


def test_shared_memory_is_half_of_the_machines(inside):
    _, seen = inside
    assert abs(seen["shm"] - seen["memory"] // 2) < 1 << 20


@pytest.mark.parametrize("kind", CONTAINERS)
def test_what_somebody_without_a_name_writes_is_theirs(homes, kind):
    home = homes(kind)
    with own_folder() as folder, somebodys(home, folder) as start:
        out = folder / "out"
        code, _, err = said_by(start(*home.python(f"open({str(out / 'model')!r}, 'w')"), writes=[out]))
        assert code == 0, err.decode()
        for path in (out, out / "model"):
            assert (path.stat().st_uid, path.stat().st_gid) == (SOMEBODY, SOMEBODY)


def test_network_that_is_asked_for_is_given(container, capfd):
    code = "import socket; print(len(socket.if_nameindex()) > 1)"
    container.run(*container.python(code), limits=Limits(network=True))
    assert capfd.readouterr().out == "True\n"


@pytest.fixture
def inspected(container, monkeypatch):
    """The engine's own description of each container, as it was when it had just been started."""
    seen = []
    start = container.client.start

    def looked(name, *words):
        start(name, *words)
        seen.append(container.client.inspect_container(name))

    monkeypatch.setattr(container.client, "start", looked)
    return seen


def test_limits_are_the_engines(container, inspected, capfd, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    limits = Limits(memory=256 << 20, cpus=1.5)
    code = """
import os
shm = os.statvfs("/dev/shm")
print(shm.f_blocks * shm.f_frsize >> 20, os.environ["OMP_NUM_THREADS"])
"""
    assert container.run(*container.python(code), limits=limits).code == 0
    said = inspected[0]["HostConfig"]
    assert (said["Memory"], said["MemorySwap"]) == (256 << 20, 256 << 20)
    cpus = said["NanoCpus"] / 1e9 if said["NanoCpus"] else said["CpuQuota"] / said["CpuPeriod"]
    assert cpus == 1.5
    assert capfd.readouterr().out == "128 2\n"


@pytest.mark.parametrize("kind", ["venv", "current"])
def test_limits_that_nothing_could_keep_are_refused(homes, kind):
    home = homes(kind)
    with pytest.raises(UsageError, match="limit a container"):
        home.run(*home.python(""), limits=Limits(memory=1 << 30))


# A shell.


def test_a_shell_finds_the_environments_python_and_passes_its_code_on(home, tmp_path):
    argv = home.environment.shell(home.place, tmp_path)
    process = home.start(*argv, stdin=True, writes=[tmp_path])
    code, out, err = said_by(process, b"command -v python\nexit 5\n")
    assert code == 5, err.decode()
    assert out.decode().strip().endswith(str(home.place.python.parent / "python"))


# Afterwards.

WAITS = "import time; print('ready', flush=True); time.sleep(60)"


@pytest.mark.parametrize("code", ["", "raise SystemExit(3)", "import os; os.abort()"])
def test_nothing_is_left_of_a_command(home, code):
    home.run(*home.python(code))
    assert leftovers(home) == []


def test_nothing_is_left_of_a_command_that_was_interrupted(home):
    process = home.start(*home.python(WAITS))
    first_line(process)
    process.send_signal(signal.SIGINT)
    said_by(process)
    assert leftovers(home) == []


def test_a_container_does_not_outlive_an_envcheck_that_was_killed(container):
    process = container.start(*container.python(WAITS))
    first_line(process)
    assert len(container.containers()) == 1
    process.kill()
    said_by(process)
    until(lambda: not container.containers())
    assert leftovers(container) == []


def test_a_container_that_outlives_even_its_guard_is_removed_by_the_next_run(container):
    process = container.start(*container.python(WAITS))
    first_line(process)
    (guard,) = children(process.pid)
    os.kill(guard, signal.SIGKILL)
    process.kill()
    said_by(process)
    (left,) = container.containers()
    assert container.client.inspect_container(left)["Config"]["Labels"][OWNER_LABEL]
    container.environment.prepare(container.world.recipe, "3.11", watch=Quiet())
    assert leftovers(container) == []


def test_a_container_of_an_envcheck_that_lives_is_left_alone(container):
    process = container.start(*container.python(WAITS))
    first_line(process)
    container.environment.prepare(container.world.recipe, "3.11", watch=Quiet())
    assert len(container.containers()) == 1
    process.send_signal(signal.SIGTERM)
    assert said_by(process)[0] == 128 + signal.SIGTERM


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _work(home: Home, code: str):
    from envcheck.environments.place import Work

    return Work(argv=home.python(code))
