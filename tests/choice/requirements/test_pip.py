from __future__ import annotations

import pytest

from envcheck.errors import UsageError

# As the README of a repository of 2023 would have it.
REAL = """\
# GPU environment
--extra-index-url https://mirror.example/whl/cu117

torch==1.13.1+cu117
torchvision==0.14.1+cu117
numpy>=1.23,<2  # torch 1.13
opencv-python-headless==4.7.0.72 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
tqdm[notebook]>=4.64 ; python_version >= "3.7"
pywin32 ; sys_platform == "win32"
"""


def test_a_real_file_asks_for_a_torch_and_its_build(folder):
    assert folder.wishes("requirements.txt", REAL) == {"torch": "==1.13.1", "tag": "cu117"}


def test_a_real_file_asks_for_packages_with_the_markers_that_it_wrote(folder):
    assert folder.packages("requirements.txt", REAL) == [
        "torchvision",
        "numpy<2,>=1.23",
        "opencv-python-headless==4.7.0.72",
        'tqdm[notebook]>=4.64; python_version >= "3.7"',
        'pywin32; sys_platform == "win32"',
    ]


def test_an_origin_is_file_and_line_and_what_stands_there(folder):
    assert "requirements.txt:4: torch==1.13.1+cu117" in folder.origins("requirements.txt", REAL)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("torch==1.7.1", {"torch": "==1.7.1"}),
        ("torch", {}),
        ("Torch>=1.8,!=1.9.0", {"torch": "!=1.9.0,>=1.8"}),
        ("torch==1.*", {"torch": "==1.*"}),
        ("torch[opt] ~= 2.0", {"torch": "~=2.0"}),
        ("torch==2.1.0+cpu --hash=sha256:aa", {"torch": "==2.1.0", "tag": "cpu"}),
        ("torch \\\n  ==1.10.0", {"torch": "==1.10.0"}),
        ("# an old one \\\ntorch==1.10.0", {"torch": "==1.10.0"}),
        ('torch==1.10.0; platform_system == "Darwin"', {}),
        ('torch==1.10.0; platform_system == "Linux"', {"torch": "==1.10.0"}),
        ('torch==1.10.0; python_version < "3.9"', {}),
        ("--index-url https://mirror.example/whl/cu118\ntorch==2.0.1", {"torch": "==2.0.1", "tag": "cu118"}),
        (
            "torch==1.12.1\n-f https://m.example/whl/cu113/torch_stable.html",
            {"torch": "==1.12.1", "tag": "cu113"},
        ),
        ("--find-links=https://m.example/whl/rocm5.4.2/\ntorch", {"tag": "rocm5.4.2"}),
        (
            "-f https://m.example/whl/torch_stable.html\ntorch==1.10.0+cu111",
            {"torch": "==1.10.0", "tag": "cu111"},
        ),
        ("-i https://m.example/whl/cu118\ntorch==2.0.1+cu117", {"torch": "==2.0.1", "tag": "cu117"}),
    ],
)
def test_a_line_asks_what_pip_would_take_it_for_on_linux(folder, line, asked):
    assert folder.wishes("requirements.txt", line) == asked


WHEEL = "https://mirror.example/whl/cu117/torch-1.13.1%2Bcu117-cp39-cp39-linux_x86_64.whl"


@pytest.mark.parametrize(
    "line", [WHEEL, f"torch @ {WHEEL}#sha256=aa", "./wheels/torch-1.13.1+cu117-cp39-cp39-linux_x86_64.whl"]
)
def test_a_wheel_says_version_build_and_python_by_its_name(folder, line):
    assert folder.wishes("requirements.txt", line) == {
        "torch": "==1.13.1",
        "tag": "cu117",
        "python": "==3.9.*",
    }


def test_a_marker_that_does_not_hold_is_told(folder):
    [origin] = folder.origins("requirements.txt", 'torch==1.10.0; python_version < "3.9"')
    assert origin.endswith("(does not hold on Linux with Python 3.11)")


def test_indexes_that_disagree_choose_nothing_and_it_is_told(folder):
    text = "-i https://m.example/whl/cu118\n--extra-index-url https://m.example/whl/cpu\ntorch\n"
    assert folder.wishes("requirements.txt", text) == {}
    assert "which build is meant is not said" in folder.origins("requirements.txt", text)[-1]


def test_a_frozen_list_leaves_to_torch_what_torch_brings(folder):
    text = """\
    nvidia-cublas-cu12==12.1.3.1
    nvidia-cudnn-cu12==8.9.2.26
    nvidia-cuda-runtime==13.0.48
    nvidia-ml-py==12.535.77
    nvidia-dali-cuda110==1.20.0
    pytorch-triton==2.1.0
    triton==2.1.0
    torch==2.1.0
    torchaudio==2.1.0
    pytorch-lightning==2.1.0
    """
    assert folder.packages("requirements.txt", text) == [
        "nvidia-ml-py==12.535.77",
        "nvidia-dali-cuda110==1.20.0",
        "torchaudio",
        "pytorch-lightning==2.1.0",
    ]


def test_other_files_are_read_where_they_are_named(folder):
    folder.write("requirements/base.txt", "torch>=1.8\n-r more.txt\n")
    folder.write("requirements/more.txt", "numpy\n")
    folder.write("bounds.txt", "torch<2\nscipy==1.10.0\n")
    asked = folder.read(
        "requirements.txt", "-r requirements/base.txt\n-cbounds.txt\n--requirement=requirements/more.txt\n"
    )
    assert asked.wishes.torch == ">=1.8,<2"
    assert [str(one) for one in asked.packages] == ["numpy"]
    assert [str(one) for one in asked.constraints] == ["scipy==1.10.0"]
    assert [one.replace(f"{folder.path}/", "") for one in asked.wishes.origins] == [
        "requirements/base.txt:1: torch>=1.8",
        "bounds.txt:1: torch<2",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-r requirements.txt", "is the file that leads here"),
        ("-r back.txt", "is the file that leads here"),
        ("-r absent.txt", "there is no file 'absent.txt'"),
        (f"-r {'a' * 5000}", "there is no file"),
        ("-r .", "there is no file"),
        ("-r https://mirror.example/r.txt", "is an address"),
        ("-r 'open", "No closing quotation"),
        ("torch=1.13.1", "cannot be read as a requirement"),
        ("torch==1.13.1 torchvision", "cannot be read as a requirement"),
        ("torch===anything", "cannot be read as a requirement"),
        ("numpy >= 1.0.*", "cannot be read as a requirement"),
        ("x" * 3000, "cannot be read as a requirement"),
        ("torch==1.13.1+cu117\ntorch==1.13.1+cu116", "cu117.* contradicts .*:3: .*cu116"),
        ("./torch-x.whl", "no wheel is called so"),
        ('torch; os_name ~= "a"', "its marker"),
    ],
)
def test_what_cannot_be_read_or_satisfied_is_named_by_file_and_line(folder, line, problem):
    folder.write("back.txt", "-r requirements.txt\n")
    with pytest.raises(UsageError, match=rf"(requirements|back)\.txt:\d+: .*{problem}|{problem}"):
        folder.read("requirements.txt", f"\n{line}\n")


@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        "--editable git+https://g.example/x/pytorch-ssim.git",
        "git+https://g.example/x/torch-scatter.git",
        "./local/",
        "opencv-python>=4.5.*",
        "foo>=1.0.* ; python_version > '3'",
    ],
)
def test_what_no_index_has_or_nobody_can_read_is_left_out_and_told(folder, line):
    asked = folder.read("requirements.txt", f"{line}\ntorch==2.0.1\n")
    assert asked.packages == ()
    assert f":1: {line} (left out" in asked.wishes.origins[0]


def test_who_names_a_file_of_their_own_is_followed_to_wherever_it_leads(folder):
    folder.write("bounds.txt", "torch<2\n")
    assert folder.wishes("mine/requirements.txt", "torch\n-c ../bounds.txt\n") == {"torch": "<2"}


def test_a_torch_from_a_repository_is_told_to_have_no_known_version(folder):
    text = "torch @ git+https://g.example/pytorch/pytorch.git\n"
    assert folder.wishes("requirements.txt", text) == {}
    assert "its address does not say" in folder.origins("requirements.txt", text)[0]


def test_the_password_of_an_address_is_shown_nowhere(folder):
    text = "-i https://me:s3cret@m.example/whl/cu118\n-e git+https://s3cret@g.example/x.git\ntorch==2.0.1\n"
    assert folder.wishes("requirements.txt", text) == {"torch": "==2.0.1", "tag": "cu118"}
    assert "s3cret" not in "".join(folder.origins("requirements.txt", text))
    with pytest.raises(UsageError) as caught:
        folder.read("requirements.txt", "torch @@ https://me:s3cret@m.example/x\n")
    assert "s3cret" not in caught.value.message


def test_a_chain_of_files_ends(folder):
    for number in range(30):
        folder.write(f"r{number}.txt", f"-r r{number + 1}.txt\n")
    with pytest.raises(UsageError, match="more than 20 files lead here"):
        folder.read("requirements.txt", "-r r0.txt\n")


def test_files_that_name_each_other_many_times_are_read_once(folder):
    for number in range(18):
        folder.write(f"r{number}.txt", f"-r r{number + 1}.txt\n" * 10)
    folder.write("r18.txt", "numpy\n")
    assert folder.packages("requirements.txt", "-r r0.txt\n") == ["numpy"]
