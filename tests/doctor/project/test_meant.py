"""Which build of torch a file means, as pip, conda or the image decide it."""

from __future__ import annotations

import pytest

from envcheck.doctor.project.meant import torches


@pytest.fixture
def meant(read, machine):
    """Return a function that reads files and says what each means: its builds, or why there are none."""

    def meant(files, host="rtx3090-driver550"):
        host = machine(host)
        found = torches(read(files, host), host)
        return [one.words if one.builds else one.unknown for one in found]

    return meant


@pytest.mark.parametrize(
    ("line", "build"),
    [
        ("torch==2.1.2", "torch 2.1.2 cu121"),
        ("torch==1.13.1+cu116", "torch 1.13.1 cu116"),
        ("torch==2.1.2\n--extra-index-url https://download.pytorch.org/whl/cu118", "torch 2.1.2 cu118"),
        ("torch>=2.0,<2.2", "torch 2.1.2 cu121"),
        ("torch<1.9", "torch 1.8.1 cu102"),
        ("torchvision==0.14.1", "torch 1.13.1 cu117"),
        ("torchvision==0.13+cu113", "torch 1.12.0 cu102"),
        ("torch\ntorchvision==0.16.0", "torch 2.1.0 cu121"),
        ("torch==2.6.0\ntorchvision==0.14.1", "torch 2.6.0 cu124"),
        ("https://a.example/torch-2.0.1%2Bcu118-cp310-cp310-linux_x86_64.whl", "torch 2.0.1 cu118"),
        ("torch==2.1.2; python_version >= '3.8'", "torch 2.1.2 cu121"),
        (
            "torch\n--extra-index-url https://a.example/whl/cu118\n--find-links https://a.example/whl/cu121",
            "Its indexes are for several builds, and no line says which.",
        ),
        ("torch==2.9.1+cu555", "No official build of it is known here."),
        ("torch==0.4.1", "No official build of it is known here."),
        ("torch==77.0", "No official build of it is known here."),
    ],
)
def test_a_line_for_pip(meant, line, build):
    assert meant({"requirements.txt": f"{line}\n"}) == [build]


@pytest.mark.parametrize(
    "text",
    ["tqdm\n", "torch==1.0; sys_platform == 'win32'\n", "torchmetrics\n", "--index-url https://a.example/whl/cu118\n"],
)  # fmt: skip
def test_a_file_without_torch_means_none(meant, text):
    assert meant({"requirements.txt": text}) == []


def test_an_image_alone_brings_its_torch(meant):
    assert meant({"Dockerfile": "FROM pytorch/pytorch:1.13.1-cuda11.6-cudnn8-runtime\n"}) == [
        "torch 1.13.1 cu116"
    ]


@pytest.mark.parametrize(
    ("installed", "build"),
    [
        ("torch", "torch 1.13.1 cu116"),
        ("'torch>=1.7'", "torch 1.13.1 cu116"),
        ("tqdm", "torch 1.13.1 cu116"),
        ("torch==2.1.0", "torch 2.1.0 cu121"),
        ("'torch>=2,<2.1'", "torch 2.0.1 cu117"),
        ("torch==1.13.1+cu117", "torch 1.13.1 cu117"),
    ],
)
def test_the_torch_of_an_image_stays_where_a_line_is_content_with_it(meant, installed, build):
    text = f"FROM pytorch/pytorch:1.13.1-cuda11.6-cudnn8-runtime\nRUN pip install {installed}\n"
    assert meant({"Dockerfile": text}) == [build]


def test_of_an_image_with_a_toolkit_pip_takes_no_notice(meant):
    text = "FROM nvidia/cuda:11.8.0-devel-ubuntu22.04\nRUN pip install torch\n"
    assert meant({"Dockerfile": text}) == ["torch 2.14.1 cu130"]


def test_an_image_that_hides_its_torch_is_not_guessed_at(meant):
    text = "FROM nvcr.io/nvidia/pytorch:24.05-py3\nRUN pip install {}\n"
    (why,) = meant({"Dockerfile": text.format("torch")})
    assert why == "Which torch is in nvcr.io/nvidia/pytorch:24.05-py3, its name does not say."
    assert meant({"Dockerfile": text.format("torch==2.6.0")}) == ["torch 2.6.0 cu124"]


def test_the_newest_release_has_a_wheel_for_the_python_that_is_named(meant):
    text = "FROM python:{}-slim\nRUN pip install torch\n"
    assert meant({"Dockerfile": text.format("3.8")}) == ["torch 2.4.1 cu121"]
    assert meant({"Dockerfile": text.format("3.9")}) == ["torch 2.8.0 cu128"]


def test_conda_may_mean_each_build_of_a_release(meant):
    text = "dependencies:\n  - pytorch=1.12.1\n"
    (words,) = meant({"environment.yml": text})
    assert words.startswith("torch 1.12.1 ")
    assert "cu116" in words
    assert "cpu" not in words
    assert meant({"environment.yml": f"{text}  - cudatoolkit=11.3\n"}) == ["torch 1.12.1 cu113"]


def test_on_another_processor_the_same_words_mean_another_build(meant):
    assert meant({"requirements.txt": "torch==2.6.0\n"}, "gh200-r580") == ["torch 2.6.0 cpu"]


def test_a_lock_settles_what_its_project_leaves_open(read):
    project = '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch>=2"]\n'
    lock = '[[package]]\nname = "torch"\nversion = "2.6.0"\n'
    files = {"pyproject.toml": project, "uv.lock": lock, "other/pyproject.toml": project}
    assert [one.file for one in read(files).listings] == ["uv.lock", "other/pyproject.toml"]
