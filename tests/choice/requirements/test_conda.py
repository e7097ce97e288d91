from __future__ import annotations

import pytest

from envcheck.errors import UsageError

REAL = """\
name: pose
channels:
  - pytorch
  - nvidia
  - defaults
dependencies:
  - python=3.8.13
  - pytorch=1.13.1
  - torchvision=0.14.1
  - pytorch-cuda=11.7
  - numpy=1.23.5=py38h14f4228_0
  - pip=22.3.1
  - pip:
      - opencv-python==4.7.0.72
      - -r extra.txt
      - torch-scatter
prefix: /somewhere/else
variables:
  A: 1
"""


def test_a_real_file_asks_for_torch_cuda_and_python(folder):
    folder.write("extra.txt", "pycocotools\n")
    assert folder.wishes("environment.yml", REAL) == {
        "torch": "==1.13.1",
        "cuda": "==11.7.*",
        "python": "==3.8.*",
    }


def test_packages_are_those_of_the_list_for_pip(folder):
    folder.write("extra.txt", "pycocotools\n")
    assert folder.packages("environment.yml", REAL) == [
        "opencv-python==4.7.0.72",
        "pycocotools",
        "torch-scatter",
    ]


def test_packages_of_conda_are_left_out_and_told(folder):
    folder.write("extra.txt", "")
    assert "environment.yml: left out, as they are conda's: torchvision, numpy" in folder.origins(
        "environment.yml", REAL
    )


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        ("pytorch=1.13", {"torch": "==1.13.*"}),
        ("pytorch==1.13", {"torch": "==1.13"}),
        ("pytorch 1.13.1", {"torch": "==1.13.1"}),
        ("pytorch 1.13.*", {"torch": "==1.13.*"}),
        ("pytorch::pytorch>=1.10", {"torch": ">=1.10"}),
        ("conda-forge/linux-64::pytorch >=1.10,<2", {"torch": "<2,>=1.10"}),
        ("pytorch[version='>=1.8']", {"torch": ">=1.8"}),
        ("pytorch", {}),
        ("pytorch=1.7.1", {"torch": "==1.7.1"}),
        (
            "pytorch==1.13.1=py3.9_cuda11.6_cudnn8_0",
            {"torch": "==1.13.1", "cuda": "==11.6.*", "python": "==3.9.*"},
        ),
        (
            "pytorch=1.10.0=cuda112py39h3ad47f5_1",
            {"torch": "==1.10.0", "cuda": "==11.2.*", "python": "==3.9.*"},
        ),
        ("pytorch=1.13.1=py3.10_cpu_0", {"torch": "==1.13.1", "tag": "cpu", "python": "==3.10.*"}),
        ("pytorch=2.0=*cuda*", {"torch": "==2.0.*"}),
        ("pytorch-cpu=1.1", {"torch": "==1.1.*", "tag": "cpu"}),
        ("cpuonly", {"tag": "cpu"}),
        ("cudatoolkit=10.2", {"cuda": "==10.2.*"}),
        ("cudatoolkit=11.3.1=h2bc3f7f_2", {"cuda": "==11.3.*"}),
        ("cuda-version>=11.8,<13", {"cuda": "<13,>=11.8"}),
        ("nvidia/label/cuda-11.8.0::cuda-toolkit=11.8.0", {"cuda": "==11.8.*"}),
        ("python=3.7", {"python": "==3.7.*"}),
        ("python=3.10", {"python": "==3.10.*"}),
        ("python>=3.8,<3.9.0a0", {"python": "<3.9,>=3.8"}),
        ("python", {}),
    ],
)
def test_a_spec_asks_what_conda_would_take_it_for(folder, spec, asked):
    assert folder.wishes("environment.yml", f'dependencies:\n  - "{spec}"\n') == asked


def test_markers_of_the_list_for_pip_are_read_for_the_python_of_the_file(folder):
    text = "dependencies:\n - python=3.7\n - pip:\n   - torch==1.10.0; python_version < '3.8'\n"
    assert folder.wishes("environment.yml", text) == {"torch": "==1.10.0", "python": "==3.7.*"}


@pytest.mark.parametrize(
    "text",
    [
        "name: x\n",
        "dependencies:\n",
        "dependencies: []\n",
        "dependencies:\n - pip:\n",
        "# y: 1\nx: [a, {b: c}]\n",
    ],
)
def test_a_file_without_packages_asks_nothing(folder, text):
    assert folder.wishes("environment.yml", text) == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("dependencies: [pytorch=1.12|1.13]", "pytorch=1.12|1.13: "),
        ("dependencies: [python=]", "python=: "),
        (f"dependencies: [pytorch={'1' * 600}]", "more than 500 characters"),
        (f"dependencies: [pytorch={'1' * 100}]", "is no set of versions"),
        ("dependencies: [[a]]", r"`\$\.dependencies\[0\]`"),
        ("dependencies: {a: b}", r"`\$\.dependencies`"),
        ("- a\n", "Expected `object`"),
        ("a: &a [b]\nc: *a\n", r"environment\.yml:2: not YAML: an alias"),
        ("dependencies: [a", r"environment\.yml:\d+: not YAML"),
        ("[" * 5000, "nested too deep"),
        ("dependencies: [" + "a," * 100_000 + "]", "larger than 128 KiB"),
        ("dependencies: [python=3.8, pip: [torch=1]]", "environment.yml: pip: torch=1"),
    ],
)
def test_what_cannot_be_read_is_refused_by_file_and_place(folder, text, problem):
    with pytest.raises(UsageError, match=problem):
        folder.read("environment.yml", text)
