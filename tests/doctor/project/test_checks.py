"""Repositories with several files: what explains what, and which files are alternatives."""

from __future__ import annotations

import pytest

from envcheck.doctor.checks.on_request import PROJECT
from envcheck.doctor.diagnose import diagnose

OLD = "torch==1.13.1+cu117\nnumpy==1.26.4\n"
TWO = "torch==2.1.2\nnumpy==2.0.0\n"
NEW = "torch==2.10.0\nnumpy==2.2.0\n"


@pytest.fixture
def findings(read, machine):
    """Return a function that reads files and gives the findings on them, by id."""

    def findings(files, host="rtx5090-r580", checks=PROJECT):
        facts = machine(host)
        found = diagnose(facts, checks=checks, project=read(files, facts)).findings
        return {one.id: one for one in found}

    return findings


def test_what_a_file_s_torch_explains_is_folded_under_it(findings):
    found = findings({"requirements.txt": f"{OLD}opencv-python==4.8.0.76\n".replace("1.26.4", "2.0.0")})
    assert found["project.torch-code"].status == "error"
    assert found["project.numpy"].status == "error"
    assert found["project.numpy"].follows_from == "project.torch-code"
    assert found["project.python"].follows_from == "project.torch-code"


def test_the_trouble_of_another_file_stands_for_itself(findings):
    files = {
        "old/requirements.txt": OLD,
        "new/requirements.txt": NEW.replace("2.2.0", "2.2.0\ntorchvision==0.20.0"),
    }
    found = findings(files)
    assert found["project.torch-code"].status == "warn"
    assert found["project.pair"].follows_from is None
    assert all("old/" not in line for line in found["project.pair"].evidence)


def test_only_what_is_not_explained_is_told_where_both_are_there(findings):
    found = findings(
        {"a/requirements.txt": TWO, "b/requirements.txt": NEW.replace("2.2.0", "2.2.0\nscipy==1.10.0")}
    )
    assert found["project.numpy"].follows_from is None
    assert [line for line in found["project.numpy"].evidence if line.startswith("a/")] == []


def test_without_the_check_that_explains_it_a_finding_stands_for_itself(findings):
    only = [check for check in PROJECT if check.id == "project.numpy"]
    (one,) = findings({"requirements.txt": TWO}, checks=only).values()
    assert (one.status, one.follows_from) == ("error", None)


def test_files_of_which_one_works_are_a_warning(findings):
    found = findings({"requirements-cu117.txt": OLD, "requirements-cu128.txt": NEW})
    assert found["project.torch-code"].status == "warn"
    assert found["project.torch-code"].evidence[0] == "requirements-cu117.txt:1: torch==1.13.1+cu117"


def test_a_line_that_two_files_lead_to_is_shown_once(findings):
    files = {"requirements.txt": OLD, "Dockerfile": "FROM python:3.10\nRUN pip install -r requirements.txt\n"}
    evidence = findings(files)["project.torch-code"].evidence
    assert evidence.count("requirements.txt:1: torch==1.13.1+cu117") == 1


def test_an_image_of_a_service_that_uses_no_gpu_is_asked_for_its_processor_alone(findings):
    compose = "services:\n  db:\n    image: postgres:16\n  old:\n    image: ppc64le/redis:7\n"
    found = findings({"compose.yaml": compose})
    assert found["project.base-image"].evidence == (
        "compose.yaml:4: services.old: ppc64le/redis:7",
        "ppc64le/redis:7 is for ppc64le, and this machine is x86_64.",
    )
    assert found["project.compose-gpu"].status == "skip"


@pytest.mark.parametrize(
    ("image", "status"),
    [("a:${TAG}", "unknown"), ("nvidia/cuda", "unknown"), ("node:20", "ok"), ("python:3.11", "ok")],
)
def test_an_image_that_nobody_can_tell_is_unknown(findings, image, status):
    found = findings({"compose.yaml": f"services:\n  a:\n    image: {image}\n"})
    assert found["project.base-image"].status == status


def test_a_service_for_the_cpu_needs_no_gpu(findings):
    files = {
        "compose.yaml": "services:\n  a:\n    build: .\n",
        "Dockerfile": "FROM python:3.11\nRUN pip install torch==2.10.0+cpu\n",
    }
    assert findings(files)["project.compose-gpu"].status == "skip"


def test_the_platform_of_a_service_counts(findings):
    found = findings({"compose.yaml": "services:\n  a:\n    image: x\n    platform: linux/arm64/v8\n"})
    assert found["project.base-image"].status == "error"


def test_a_service_that_is_built_here_is_judged_by_its_dockerfile(findings):
    files = {
        "compose.yaml": "services:\n  a:\n    image: ppc64le/mine\n    build: .\n",
        "Dockerfile": "FROM python:3.11\n",
    }
    assert findings(files)["project.base-image"].status == "ok"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("torch==1.9.1\nnumpy\n", "warn"),
        ("torch==1.7.0\nnumpy\n", "ok"),
        ("torch==2.1.0\nnumpy<2\n", "ok"),
        ("torch==2.1.0\nnumpy>=1.20\n", "warn"),
        ("torch==2.1.0\nnumpy>=2.1\n", "error"),
        ("torch==2.1.0\nnumpy==1.26.4\n", "ok"),
        ("torch==2.1.0\npandas\n", "warn"),
        ("torch==2.1.0\npandas\n-c limits.txt\n", "ok"),
        ("torch==2.1.0\ntqdm\n", "skip"),
        ("torch==2.3.0\nnumpy\n", "ok"),
        ("numpy==2.0.0\nopencv-python==4.8.0.76\n", "error"),
        ("torch==2.1.0\nnumpy; sys_platform == 'win32'\n", "skip"),
    ],
)
def test_numpy_beside_torch(findings, text, status):
    files = {"requirements.txt": text, "limits.txt": "numpy<2\n"}
    assert findings(files, "rtx3090-driver550")["project.numpy"].status == status


def test_one_package_alone_is_no_pair(findings):
    assert findings({"requirements.txt": "torch==2.10.0\n"})["project.pair"].status == "skip"


def test_the_numpy_that_is_pinned_is_the_one_that_is_named(findings):
    found = findings({"requirements.txt": "torch==2.1.0\nnumpy==2.1.3\n"}, "rtx3090-driver550")
    assert found["project.numpy"].evidence == (
        "requirements.txt:2: numpy==2.1.3",
        "torch 2.1.0 beside NumPy 2.1.3: built for NumPy 1.",
    )


def test_an_image_with_python_38_has_no_numpy_2(findings):
    text = "FROM nvidia/cuda:11.8.0-runtime-ubuntu20.04\nRUN pip install torch==2.1.0 numpy\n"
    assert findings({"Dockerfile": text}, "rtx3090-driver550")["project.numpy"].status == "ok"
    newer = text.replace("20.04", "22.04")
    assert findings({"Dockerfile": newer}, "rtx3090-driver550")["project.numpy"].status == "warn"


def test_a_constraint_alone_installs_no_second_opencv(findings):
    files = {"requirements.txt": "opencv-python\n-c c.txt\n", "c.txt": "opencv-python-headless<5\n"}
    assert findings(files)["project.opencv"].status == "ok"


def test_where_a_build_is_to_be_locked_first_the_recipe_at_hand_is_named_too(findings):
    fix = findings({"requirements.txt": OLD})["project.torch-code"].fix
    assert any(command.startswith("envcheck exec --recipe ") for command in fix.commands)
    assert fix.commands[0].startswith("envcheck recipes add torch==")


def test_a_password_in_a_line_that_is_not_understood_is_not_told(findings):
    text = "torch @ https://me:secret@a.example/torch-not.a.wheel.whl\n"
    assert "secret" not in repr(findings({"requirements.txt": text})["project.unreadable"])
