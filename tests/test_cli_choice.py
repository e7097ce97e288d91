"""`pick` and `builds` as a person meets them: wishes, files of other repositories, many hosts."""

from __future__ import annotations

import json

import pytest

from tests.test_cli import envcheck, host

__all__ = ["envcheck"]


def test_a_wish_that_nothing_meets_exits_1_with_three_answers(envcheck, root):
    done = envcheck("pick", "--host", host(root, "wsl2-rtx5090"), "--torch", "1.13")
    assert done.returncode == 1
    assert "No recipe meets torch ==1.13.* and runs on this machine." in done.stdout
    assert "none. 1.13.1 cu117" in done.stdout
    assert "envcheck recipes add torch==2.7.0+cu128" in done.stdout  # nearest
    assert "2.11.0 cu128" in done.stdout  # newest below driver 580


def test_a_recipe_that_does_not_run_is_named_in_the_heading(envcheck, root):
    done = envcheck("pick", "--host", host(root, "wsl2-rtx5090"), "--recipe", "torch1.13-cu117")
    assert done.returncode == 1
    assert "Recipe torch1.13-cu117 does not run on this machine." in done.stdout


def test_a_wish_that_a_recipe_meets_picks_it(envcheck, root):
    done = envcheck(
        "pick", "--host", host(root, "rtx3090-driver550"), "--torch", ">=2.5,<2.8", "--format", "json"
    )
    choice = json.loads(done.stdout)
    assert (choice["recipe"], choice["wish"]) == ("torch2.7-cu126", "torch <2.8,>=2.5")
    assert [one["kind"] for one in choice["answers"]] == ["exact", "newest"]


def test_wishes_for_cuda_and_python_bind_too(envcheck, root):
    machine = host(root, "rtx3090-driver550")
    done = envcheck("pick", "--host", machine, "--cuda", "11.7", "--python", "3.10", "--format", "json")
    choice = json.loads(done.stdout)
    assert (choice["recipe"], choice["python"]) == ("torch2.0-cu117", "3.10")


def test_what_a_repository_asks_for_is_read_from_its_files(envcheck, root, tmp_path):
    (tmp_path / "Dockerfile").write_text(
        "FROM nvidia/cuda:12.8.1-cudnn-devel-ubuntu22.04\nRUN pip install torch==2.7.1\n", encoding="utf-8"
    )
    done = envcheck("pick", "--host", host(root, "rtx3090-driver550"), "--requirements", "Dockerfile")
    assert "This machine runs  torch2.7-cu126" in done.stdout
    assert "asks for CUDA 12.8, the driver is CUDA 12.4" in " ".join(done.stdout.split())


def test_a_file_and_an_option_that_contradict_each_other_are_bad_input_that_names_both(
    envcheck, root, tmp_path
):
    (tmp_path / "requirements.txt").write_text("# theirs\ntorch==1.13.1\n", encoding="utf-8")
    machine = host(root, "rtx3090-driver550")
    done = envcheck("pick", "--host", machine, "--torch", "2.7", "--requirements", "requirements.txt")
    assert done.returncode == 2
    assert "--torch 2.7 contradicts requirements.txt:2: torch==1.13.1" in done.stderr


@pytest.mark.parametrize("option", ["--torch", "--cuda", "--python"])
def test_a_wish_that_is_no_version_is_bad_input_that_names_the_option(envcheck, root, option):
    done = envcheck("pick", "--host", host(root, "rtx3090-driver550"), option, "the newest")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {option}: 'the newest' is no set of versions")


def test_builds_lists_what_runs_by_release_and_the_rest_by_reason(envcheck, root):
    done = envcheck("builds", "--host", host(root, "gtx1080ti-rtx5090"), "--gpus", "0")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    (row,) = [line for line in lines if "torch 2.7.1" in line]
    assert " ".join(row.split()) == "torch 2.7.1 cu126 cu118 Python 3.9 to 3.13 recipe torch2.7-cu126"
    assert "no code for it" in done.stdout.split("Not the others")[1]


def test_builds_exits_1_where_none_runs(envcheck, root):
    done = envcheck("builds", "--host", host(root, "gtx1080ti-rtx5090"), "--format", "json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["schema"] == "envcheck.builds/1"
    assert {one["verdict"] for one in document["builds"]} <= {"refused", "unknown"}


def test_several_hosts_get_one_recipe_where_one_covers_them_all(envcheck, root):
    names = ("rtx3090-driver550", "a100x8-slow")
    options = [word for name in names for word in ("--host", host(root, name))]
    done = envcheck("pick", *options, "--format", "json")
    fleet = json.loads(done.stdout)
    assert (fleet["schema"], fleet["hosts"], fleet["uncovered"]) == ("envcheck.fleet/1", 2, [])
    assert [one["recipe"] for one in fleet["covered"]] == ["torch2.10-cu128"]
    assert done.returncode == 0


def test_a_fleet_comes_as_a_folder_or_as_lines_too(envcheck, root, tmp_path):
    names = ("rtx3090-driver550", "a100x8-slow", "laptop-without-nvidia")
    documents = [json.dumps(json.loads(host(root, name).read_text(encoding="utf-8"))) for name in names]
    folder = tmp_path / "fleet"
    folder.mkdir()
    for name, document in zip(names, documents, strict=True):
        (folder / f"{name}.json").write_text(document, encoding="utf-8")
    by_folder = json.loads(envcheck("pick", "--host", "fleet", "--format", "json").stdout)
    lines = envcheck("pick", "--host", "-", "--format", "json", input="\n".join(documents))
    by_lines = json.loads(lines.stdout)
    assert by_folder["hosts"] == by_lines["hosts"] == 3
    recipes = [one["recipe"] for one in by_lines["covered"]]
    assert recipes == [one["recipe"] for one in by_folder["covered"]]
    assert by_lines["covered"][0]["hosts"][0] == "standard input:1"
    assert lines.returncode == 0


def test_hosts_that_nothing_covers_are_shown_with_the_way_out(envcheck, root):
    options = ("--host", host(root, "rtx3090-driver550"), "--host", host(root, "rtx3090-nouveau"))
    done = envcheck("pick", *options)
    assert done.returncode == 1
    assert "One recipe covers 1 of them" in done.stdout
    assert "driven by nouveau" in done.stdout


def test_gpus_cannot_be_named_across_machines(envcheck, root):
    options = ("--host", host(root, "rtx3090-driver550"), "--host", host(root, "a100x8-slow"))
    done = envcheck("pick", *options, "--gpus", "0")
    assert done.returncode == 2
    assert "several hosts" in done.stderr


def test_a_line_that_is_no_host_is_named_by_its_number(envcheck, root):
    good = json.dumps(json.loads(host(root, "rtx3090-driver550").read_text(encoding="utf-8")))
    done = envcheck("pick", "--host", "-", input=f'{good}\n{{"schema": "envcheck.host/1", "gpus": 7}}\n')
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard input:2: ")
