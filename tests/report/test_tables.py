from __future__ import annotations

from io import StringIO

import yaml
from packaging.version import Version

from envcheck.measure.row import Difference, MeasuredRow
from envcheck.measure.wheel import Measured
from envcheck.report.console import PlainConsole
from envcheck.report.tables import row_screen

MEASURED = Measured(
    wheel="torch-2.15.0-cp312-cp312-manylinux_2_28_aarch64.whl",
    torch=Version("2.15.0"),
    tag="cu132",
    default=True,
    cuda=Version("13.2"),
    code="sm_80 sm_90 sm_100 sm_103a sm_110 sm_120 sm_121a compute_120",
    numpy="",
    python="3.12",
    machine="aarch64",
    glibc=Version("2.28"),
    companions={"nvidia-cudnn-cu13": "==9.26.0.51", "triton": "~=3.9.0"},
)


def drawn(row):
    sink = StringIO()
    PlainConsole(file=sink).print(row_screen(row), crop=False)
    return sink.getvalue()


def test_all_that_is_printed_is_the_row_or_a_comment():
    row = MeasuredRow(
        measured=MEASURED,
        pythons=("3.11", "3.12"),
        elsewhere=("x86_64",),
        indexed=True,
        stands="otherwise",
        differences=(Difference("sass", "8.0, 9.0", "8.0"),),
    )
    text = drawn(row)
    (release,) = yaml.safe_load(text)
    assert release["default"] == {"aarch64": "cu132"}
    assert release["builds"][0]["code"] == MEASURED.code
    build = f"{{tag: cu132, machines: [aarch64], code: {MEASURED.code}, evidence: measured, source: wheel}}"
    assert f"  - {build}" in text.splitlines()
    assert "#   nvidia-cudnn-cu13 ==9.26.0.51" in text.splitlines()
    assert "#   sass: the table says 8.0, 9.0, the wheel 8.0" in text.splitlines()
    assert "--machine x86_64" in text


def test_a_file_alone_says_where_its_pythons_come_from():
    row = MeasuredRow(measured=MEASURED, pythons=("3.12",), indexed=False, stands="nowhere")
    text = drawn(row)
    assert "The Pythons are this file's" in text
    assert "The table has no torch 2.15.0 cu132 on aarch64." in text
