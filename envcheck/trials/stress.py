"""NVIDIA's own tests under load: `dcgmi diag`, and what it answers in JSON.

Level 3: the lower ones look at versions, memory and the bus within two minutes, and load no multiprocessor;
at full power cooling, power supply and memory show what they hide. It takes a quarter of an hour, more with
many GPUs; level 4 takes hours. The JSON has no published schema, so little of it is read, in the shapes of
DCGM 2 to 4 (dcgmi/Diag.cpp and nvvs/include/NvvsJsonStrings.h of github.com/NVIDIA/DCGM, November 2026).
"""

from __future__ import annotations

import shutil
import time

import msgspec

from envcheck.doctor.stress import DcgmStatus, DcgmTest, Stress
from envcheck.documents import parse_json
from envcheck.environments.place import Watcher
from envcheck.errors import STOPPED, EnvcheckError
from envcheck.processes import stream

LEVEL = "3"
# Enough for sixteen GPUs; what is not done by then is stuck. GNU's timeout hands signals on, and has a code.
_HOURS = 3
_TIMED_OUT = 124
_OUTCOMES: dict[str, DcgmStatus] = {"pass": "pass", "fail": "fail", "warn": "warn", "skip": "skip"}
# DCGM_ERROR_CONFIG: persistence mode is off, for example.
_SETTING = 5


class _Remark(msgspec.Struct):
    warning: str = ""
    warnings: str = ""  # DCGM 3 calls it so in the tests of its category Deployment
    error_severity: int | None = None


class _Result(msgspec.Struct):
    status: str
    gpu_id: int | str | None = None  # DCGM 3
    gpu_ids: str | None = None  # DCGM 2
    entity_group: str | None = None  # DCGM 4
    entity_id: int | None = None
    warnings: str | list[str | _Remark] = ""
    info: str | list[str] = ""


class _Test(msgspec.Struct):
    name: str
    results: list[_Result | None] = []


class _Category(msgspec.Struct):
    category: str
    tests: list[_Test | None] = []


class _Diagnostic(msgspec.Struct):
    test_categories: list[_Category | None] = []
    runtime_error: str = ""


class _Answer(msgspec.Struct):
    newer: _Diagnostic | None = msgspec.field(name="DCGM Diagnostic", default=None)
    older: _Diagnostic | None = msgspec.field(name="DCGM GPU Diagnostic", default=None)
    runtime_error: str = ""


def load_gpus(watch: Watcher) -> Stress:
    """Return what DCGM says of every GPU under load. An interruption reaches it, and goes through."""
    program = shutil.which("dcgmi")
    if program is None:
        return Stress(is_installed=False)
    begin = time.monotonic()
    heard = bytearray()
    argv = ["timeout", f"{_HOURS}h", program, "diag", "-r", LEVEL, "-j"]
    try:
        with watch.step(f"dcgmi diag -r {LEVEL}, for a quarter of an hour and more (Ctrl-C ends it)"):
            code = stream(argv, show=False, heard=heard)
    except EnvcheckError as error:
        return Stress(failure=error.message)
    seconds = round(time.monotonic() - begin, 1)
    if code == _TIMED_OUT:
        return Stress(failure=f"dcgmi did not end within {_HOURS} hours", seconds=seconds)
    if code in STOPPED:
        raise KeyboardInterrupt
    tests, failure = read_answer(bytes(heard), code)
    return Stress(tests=tests, failure=failure, seconds=seconds)


def read_answer(said: bytes, code: int) -> tuple[tuple[DcgmTest, ...], str]:
    """Return the tests in what dcgmi said, among warnings of its own, and why there are none."""
    at, end = said.find(b"{"), said.rfind(b"}")
    try:
        answer = parse_json(said[at : end + 1], _Answer, source="dcgmi diag") if at >= 0 else _Answer()
    except EnvcheckError as error:
        return (), error.message
    diagnostic = answer.newer or answer.older or _Diagnostic()
    tests = tuple(
        _tested(category.category, test.name, result)
        for category in diagnostic.test_categories
        if category is not None
        for test in category.tests
        if test is not None
        for result in test.results
        if result is not None
    )
    if tests:
        return tests, ""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    why = answer.runtime_error or diagnostic.runtime_error or (lines[-1] if at < 0 and lines else "")
    return (), f"dcgmi ended with exit code {code} and no result: {why.strip()[:300] or 'it said nothing'}"


def _tested(category: str, name: str, result: _Result) -> DcgmTest:
    remarks = [result.warnings] if isinstance(result.warnings, str) else result.warnings
    info = [result.info] if isinstance(result.info, str) else result.info
    warned = [one if isinstance(one, str) else one.warning or one.warnings for one in remarks]
    severities = {one.error_severity for one in remarks if isinstance(one, _Remark)}
    return DcgmTest(
        name=name,
        category=category,
        # What is no known word ("Not Run") was not tested.
        outcome=_OUTCOMES.get(result.status.strip().lower()[:4], "skip"),
        entity=_entity(result),
        messages=tuple(text for text in (*warned, *info) if text),
        is_setting=severities == {_SETTING},
    )


def _entity(result: _Result) -> str:
    number = result.entity_id if result.entity_id is not None else result.gpu_id
    if number is None:
        number = result.gpu_ids or None
    return f"{result.entity_group or 'GPU'} {number}" if number is not None else ""
