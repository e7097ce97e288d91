"""What dcgmi answers, and how it ends.

There is no DCGM where these tests run: a small program stands at the outermost edge in its place. Its answers
have the shapes that DCGM's sources write (2: nvvs/src/JsonOutput.cpp; 3: dcgmi/Diag.cpp; 4:
nvvs/include/NvvsJsonStrings.h).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envcheck.doctor.stress import DcgmTest, Stress
from envcheck.trials.stress import load_gpus, read_answer

OLD = {
    "DCGM GPU Diagnostic": {
        "test_categories": [
            {
                "category": "Deployment",
                "tests": [{"name": "Denylist", "results": [{"gpu_ids": "0,1", "status": "PASS"}]}, None],
            },
            {
                "category": "Stress",
                "tests": [
                    {
                        "name": "SM Stress",
                        "results": [
                            {
                                "gpu_ids": "0",
                                "status": "Fail",
                                "warnings": "Clocks are throttled",
                                "info": "x",
                            },
                            {"gpu_ids": "1", "status": "Skip", "info": ["Not allowed on this GPU"]},
                        ],
                    }
                ],
            },
        ],
        "version": "2.4.6",
    }
}
MIDDLE = {
    "DCGM Diagnostic": {
        "test_categories": [
            {
                "category": "Deployment",
                "tests": [
                    {
                        "name": "Persistence Mode",
                        "results": [
                            {
                                "gpu_id": 0,
                                "status": "Fail",
                                "warnings": [
                                    {
                                        "warnings": "Persistence mode is disabled",
                                        "error_id": 29,
                                        "error_severity": 5,
                                    }
                                ],
                            }
                        ],
                    }
                ],
            },
            {
                "category": "Hardware",
                "tests": [
                    {
                        "name": "GPU Memory",
                        "results": [
                            {
                                "gpu_id": "1",
                                "status": "Fail",
                                "warnings": [
                                    {
                                        "warning": "2 double bit errors",
                                        "error_category": 10,
                                        "error_severity": 2,
                                    },
                                    {"warning": "Persistence mode is disabled", "error_severity": 5},
                                ],
                            }
                        ],
                    }
                ],
            },
        ]
    },
    "version": "3.3.5",
    "Driver Version Detected": "550.54.14",
}
NEW = {
    "DCGM Diagnostic": {
        "test_categories": [
            {
                "category": "Stress",
                "tests": [
                    {
                        "name": "targeted_power",
                        "results": [
                            {"entity_group": "GPU", "entity_group_id": 1, "entity_id": 0, "status": "Pass"},
                            {
                                "entity_group": "CPU",
                                "entity_id": 1,
                                "status": "Warn",
                                "warnings": [{"warning": "hot"}],
                            },
                            {"entity_group": "GPU", "entity_id": 2, "status": "Not Run"},
                        ],
                        "test_summary": {"status": "Pass"},
                    }
                ],
            }
        ]
    },
    "entity_groups": [{"entity_group": "GPU", "entity_group_id": 1, "entities": []}],
    "metadata": {"version": "4.5.3"},
}


def answered(document: dict, before: str = "", after: str = "") -> tuple[DcgmTest, ...]:
    tests, failure = read_answer(f"{before}{json.dumps(document, indent=3)}{after}".encode(), 0)
    assert not failure
    return tests


def test_the_old_shape_has_lists_of_gpus_and_plain_texts():
    assert answered(OLD, before="WARNING: this is not the JSON\n", after="\n") == (
        DcgmTest("Denylist", "Deployment", "pass", "GPU 0,1"),
        DcgmTest("SM Stress", "Stress", "fail", "GPU 0", ("Clocks are throttled", "x")),
        DcgmTest("SM Stress", "Stress", "skip", "GPU 1", ("Not allowed on this GPU",)),
    )


def test_the_shape_between_has_warnings_with_a_severity():
    assert answered(MIDDLE) == (
        DcgmTest(
            "Persistence Mode",
            "Deployment",
            "fail",
            "GPU 0",
            ("Persistence mode is disabled",),
            is_setting=True,
        ),
        DcgmTest(
            "GPU Memory",
            "Hardware",
            "fail",
            "GPU 1",
            ("2 double bit errors", "Persistence mode is disabled"),
        ),
    )


def test_the_new_shape_names_entities_and_what_was_not_run_is_no_pass():
    assert answered(NEW) == (
        DcgmTest("targeted_power", "Stress", "pass", "GPU 0"),
        DcgmTest("targeted_power", "Stress", "warn", "CPU 1", ("hot",)),
        DcgmTest("targeted_power", "Stress", "skip", "GPU 2"),
    )


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        (b"", 1, "dcgmi ended with exit code 1 and no result: it said nothing"),
        (b"Error: unable to establish a connection to the specified host: localhost\n", 255, "connection"),
        (
            b'{"DCGM Diagnostic": {"runtime_error": "The nvvs process is gone"}}',
            1,
            "The nvvs process is gone",
        ),
        (b'{"runtime_error": "no GPU", "version": "4"}', 1, "no GPU"),
        (b'{"DCGM Diagnostic": {"test_categories": []}}', 0, "no result"),
        (b'{"DCGM Diagnostic": {"test_categories": 3}}', 0, "test_categories"),
        (b'{"DCGM Diagnostic": ', 0, "dcgmi diag"),
        (b"\xff\xfe{}", 0, "no result"),
    ],
)
def test_no_result_is_a_reason(said, code, why):
    tests, failure = read_answer(said, code)
    assert tests == ()
    assert why in failure
    assert len(failure) < 400


@pytest.fixture
def dcgmi(tmp_path, monkeypatch):
    """`dcgmi(program)`: a program of that name and text is first on the path."""

    def install(text: str) -> None:
        file = tmp_path / "bin" / "dcgmi"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!{sys.executable}\n{text}")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{file.parent}{os.pathsep}{os.environ['PATH']}")

    return install


def test_it_is_asked_for_the_load_in_json_and_its_exit_code_is_no_verdict(dcgmi, listener, tmp_path, capfd):
    asked = tmp_path / "asked"
    dcgmi(
        f"import sys; open({str(asked)!r}, 'w').write(' '.join(sys.argv[1:]));"
        f"print({json.dumps(NEW)!r}); print('note', file=sys.stderr); sys.exit(226)"
    )
    stress = load_gpus(listener)
    assert asked.read_text() == "diag -r 3 -j"
    assert [one.outcome for one in stress.tests] == ["pass", "warn", "skip"]
    assert (stress.is_installed, stress.failure) == (True, "")
    assert stress.seconds is not None
    assert capfd.readouterr() == ("", "")
    assert len(listener.steps) == 1


def test_where_it_is_not_installed_nothing_is_started(listener, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert load_gpus(listener) == Stress(is_installed=False)
    assert listener.steps == []


def test_one_that_cannot_be_started_is_a_reason(dcgmi, listener):
    dcgmi("")
    program = Path(os.environ["PATH"].partition(os.pathsep)[0]) / "dcgmi"
    program.write_text("#!/nonexistent/python\n")
    stress = load_gpus(listener)
    assert stress.tests == ()
    assert stress.failure


def test_what_does_not_end_is_ended_and_is_a_reason(dcgmi, listener, monkeypatch):
    dcgmi("import time; time.sleep(60)")
    monkeypatch.setattr("envcheck.trials.stress._HOURS", 0.2 / 3600)
    assert load_gpus(listener).failure.startswith("dcgmi did not end within")


def test_an_interruption_reaches_it_and_goes_through(dcgmi, tmp_path, root):
    dcgmi(
        "import signal, sys, time, pathlib\n"
        f"there = pathlib.Path({str(tmp_path)!r})\n"
        "def stop(*_):\n    (there / 'stopped').touch(); signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "(there / 'begun').touch()\ntime.sleep(60)\n"
    )
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from envcheck.trials.stress import load_gpus\nfrom envcheck.report.steps import Steps\n"
        "try:\n    load_gpus(Steps())\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(root)}, stdout=subprocess.PIPE
    )
    end = time.monotonic() + 30
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert out == b"interrupted\n"
    assert (tmp_path / "stopped").exists()
