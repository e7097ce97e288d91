from __future__ import annotations

import pytest

from envcheck.errors import UsageError

REAL = """\
# syntax=docker/dockerfile:1
ARG CUDA=11.8.0
ARG SYSTEM=ubuntu22.04

FROM golang:1.21 AS tools
RUN pip install torch==0.4.1

FROM --platform=linux/amd64 \\
    registry.example:5000/nvidia/cuda:${CUDA}-cudnn8-devel-${SYSTEM}@sha256:abcd AS Base
ENV TORCH_VERSION=2.0.1 OTHER="a b"
RUN apt-get update && apt-get install -y python3-pip

FROM base
ARG CUDA
COPY --from=tools /tool /tool
RUN --mount=type=cache,target=/var/cache/pip \\
    # the build for this CUDA

    python3 -m pip install --no-cache-dir "torch==${TORCH_VERSION}+cu118" torchvision \\
      -f https://mirror.example/whl/torch_stable.html && \\
    pip3 install timm; echo torch==1.0
CMD ["pip", "install", "torch==1.2"]
"""

PYTORCH = "pytorch/pytorch:1.13.1-cuda11.6-cudnn8-runtime"
CUDA = "nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04"


def test_a_real_file_asks_for_what_its_last_stage_stands_on_and_installs(folder):
    assert folder.wishes("Dockerfile", REAL) == {
        "torch": "==2.0.1",
        "tag": "cu118",
        "base_image": "registry.example:5000/nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04@sha256:abcd",
    }
    assert folder.packages("Dockerfile", REAL) == ["torchvision", "timm"]


def test_an_origin_is_file_and_line(folder):
    assert "Dockerfile:16: torch==2.0.1+cu118" in folder.origins("Dockerfile", REAL)


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        (PYTORCH, {"torch": "==1.13.1", "cuda": "==11.6.*"}),
        (f"docker.io/{PYTORCH}", {"torch": "==1.13.1", "cuda": "==11.6.*"}),
        ("pytorch/pytorch:1.0-cuda10.0-cudnn7-devel", {"torch": "==1.0.*", "cuda": "==10.0.*"}),
        (CUDA, {"cuda": "==11.8.*"}),
        ("nvcr.io/nvidia/cuda:12.4.1-base-rockylinux9", {"cuda": "==12.4.*"}),
        ("nvidia/cuda:10.2-runtime", {"cuda": "==10.2.*"}),
        ("nvidia/cuda:latest", {}),
        ("python:3.9-slim", {"python": "==3.9.*"}),
        ("python:3.9.18", {"python": "==3.9.*"}),
        ("someone/python:3.9", {}),
        ("ubuntu:22.04", {}),
        ("registry.example:5000/ubuntu", {}),
    ],
)
def test_the_name_of_a_base_says_what_its_author_had(folder, image, asked):
    assert folder.wishes("Dockerfile", f"FROM {image}\n") == {**asked, "base_image": image}


@pytest.mark.parametrize(
    "image",
    [
        "nvcr.io/nvidia/pytorch:23.10-py3",
        "registry.example:5000/nvidia/pytorch",
        "pytorch/pytorch:latest",
        "pytorch/pytorch",
    ],
)
def test_an_image_whose_name_does_not_say_which_torch_is_told(folder, image):
    assert folder.wishes("Dockerfile", f"FROM {image}\n") == {"base_image": image}
    assert folder.origins("Dockerfile", f"FROM {image}\n") == [
        f"Dockerfile:1: FROM {image} (which torch and CUDA are in this image, its name does not say)"
    ]


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        (f"FROM {PYTORCH}\nRUN pip install torch==2.0.1", {"torch": "==2.0.1"}),
        (f"FROM {PYTORCH}\nRUN pip install torch timm", {"torch": "==1.13.1", "cuda": "==11.6.*"}),
        (f"FROM {CUDA}\nRUN pip install torch", {"cuda": "==11.8.*"}),
        (f"FROM {CUDA}\nRUN pip install torch==1.13.1", {"torch": "==1.13.1"}),
        (f"FROM {CUDA}\nRUN pip install torch --index-url https://m.example/whl/cu117", {"tag": "cu117"}),
        (
            f"FROM {CUDA}\nRUN conda install -y -c nvidia python=3.9 pytorch==1.13.1 pytorch-cuda=11.7",
            {"torch": "==1.13.1", "cuda": "==11.7.*", "python": "==3.9.*"},
        ),
        ("FROM python:3.9\nRUN conda create -n x python=3.10", {"python": "==3.10.*"}),
    ],
)
def test_what_run_installs_replaces_what_the_base_brings(folder, lines, asked):
    found = folder.wishes("Dockerfile", lines)
    assert found.pop("base_image") == lines.split()[1]
    assert found == asked


@pytest.mark.parametrize(
    ("run", "torch"),
    [
        ("RUN pip install torch==1.10.0", "==1.10.0"),
        ("run /opt/conda/bin/pip3.9 install -U 'torch>=1.8'", ">=1.8"),
        ("RUN uv pip install --system torch==2.3.0", "==2.3.0"),
        ('RUN ["python", "-m", "pip", "install", "torch==1.9.0"]', "==1.9.0"),
        ("RUN <<EOF\nset -e\npip install torch==2.1.0\nEOF", "==2.1.0"),
        ("ENV V 1.8.1\nRUN pip install torch==$V", "==1.8.1"),
        ("ARG V\nRUN pip install torch==${V:-1.7.0}", "==1.7.0"),
        ("RUN pip install torch>=1.8", None),  # the shell writes into a file called =1.8
        ("RUN echo pip install 'torch==1.10.0", None),
        ("RUN pip install torch==$(cat version)", None),
        ("RUN pip download torch==1.10.0", None),
        ("COPY <<EOF /x\nRUN pip install torch==1.10.0\nEOF", None),
        ("# RUN pip install torch==1.10.0", None),
    ],
)
def test_of_a_run_line_the_plain_words_are_read(folder, run, torch):
    assert folder.wishes("Dockerfile", f"FROM ubuntu\n{run}\n").get("torch") == torch


@pytest.mark.parametrize(("inside", "torch"), [("ARG V", "==1.9.0"), ("ARG V=1.8.0", "==1.8.0"), ("", None)])
def test_an_arg_before_the_stages_holds_in_a_stage_that_names_it(folder, inside, torch):
    text = f"ARG V=1.9.0\nFROM ubuntu\n{inside}\nRUN pip install torch==$V\n"
    assert folder.wishes("Dockerfile", text).get("torch") == torch


def test_a_requirements_file_is_read_where_it_lies_beside_the_dockerfile(folder):
    folder.write("requirements.txt", "torch==1.12.1\ntimm\n")
    text = "FROM ubuntu\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
    assert folder.wishes("Dockerfile", text)["torch"] == "==1.12.1"
    assert folder.packages("Dockerfile", text) == ["timm"]


@pytest.mark.parametrize("name", ["/etc/requirements.txt", "../requirements.txt", "absent.txt", "$FILE"])
def test_any_other_requirements_file_is_not_read_and_it_is_told(folder, name):
    folder.write("requirements.txt", "torch==1.12.1\n")
    file = folder.write("docker/Dockerfile", f"FROM ubuntu\nRUN pip install -r {name}\n")
    text = file.read_text(encoding="utf-8")
    assert f"docker/Dockerfile:2: pip install -r {name} (not read)" in folder.origins(
        "docker/Dockerfile", text
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("FROM $BASE\n", r"Dockerfile:1: FROM \$BASE names no image"),
        ("ARG BASE\nFROM ${BASE}\n", r"Dockerfile:2: FROM \$\{BASE\} names no image"),
        ("FROM\n", "Dockerfile:1: FROM  names no image"),
        ("FROM ubuntu\nFROM\n", "Dockerfile:2: FROM  names no image"),
        ("FROM ubuntu\nRUN pip install torch=1\n", "Dockerfile:2: torch=1: cannot be read"),
        ("ARG A=xx\n" + "ARG A=$A$A\n" * 60 + "FROM a\n", "variables of more than"),
        (f"FROM python:{'9' * 500}\n", "is no set of versions"),
    ],
)
def test_what_cannot_be_read_is_refused_by_file_and_line(folder, text, problem):
    with pytest.raises(UsageError, match=problem):
        folder.read("Dockerfile", text)


def test_a_stage_that_only_lends_files_may_be_of_any_image(folder):
    text = "ARG X\nFROM $X AS tools\nFROM python:3.9\nCOPY --from=tools /x /x\n"
    assert folder.wishes("Dockerfile", text) == {"python": "==3.9.*", "base_image": "python:3.9"}


def test_a_file_without_a_stage_asks_nothing(folder):
    assert folder.wishes("Dockerfile", "# nothing\n") == {}
