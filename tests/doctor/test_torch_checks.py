"""What the checks of an installed torch advise, and from where they know its code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.doctor.check import Case
from envcheck.doctor.checks.torch import CodeForGpus, DriverForTorch
from envcheck.documents import read_json
from envcheck.host.facts import SCHEMA, Host, Installed, InstalledPackage


@pytest.fixture
def case(root):
    """Return a function that makes a case of an RTX 3090 on driver 550, and a torch."""
    host = read_json(root / "tests/hosts/rtx3090-driver550.json", Host, schema=SCHEMA)

    def case(version, cuda, architectures=None, *, container=None, unknown=None):
        torch = InstalledPackage("torch", version, "/env/site-packages")
        python = Installed(
            "/env/bin/python",
            Version("3.11"),
            active=True,
            packages=(torch,),
            torch_cuda=cuda,
            torch_architectures=architectures,
        )
        inside = replace(host.os, container=container)
        return Case(replace(host, os=inside, installed=(python,), unknown=unknown or {}))

    return case


@pytest.mark.parametrize(
    ("container", "outside"),
    [(None, ""), ("docker", " It belongs to the machine outside the container.")],
)
def test_a_driver_is_too_old_for_cuda_13_and_is_not_the_containers_to_update(case, container, outside):
    finding = DriverForTorch().look(case("2.11.0+cu130", "13.0", container=container))
    assert finding.status == "error"
    assert finding.fix.text == (
        f"Install NVIDIA driver 580 or newer.{outside}"
        " A torch with an older CUDA that the driver runs is found here."
    )


def test_the_list_in_the_library_says_more_than_the_table(case):
    # The official build has sm_86.
    assert CodeForGpus().look(case("2.10.0+cu128", "12.8", ("sm_90",))).status == "error"
    assert CodeForGpus().look(case("2.10.0+cu128", "12.8")).status == "ok"


def test_why_the_code_is_not_known_is_told(case):
    unknown = {"installed[0].torch_architectures": "the library does not list them"}
    finding = CodeForGpus().look(case("2.10.0", "12.8", unknown=unknown))
    assert finding.status == "unknown"
    assert finding.cause == "/env/bin/python: which code torch 2.10.0 holds: the library does not list them"
