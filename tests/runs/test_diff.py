"""Two records side by side: one injected change each, and what is said to be the cause."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.choice.choose import Choice
from envcheck.documents import read_json, write_json
from envcheck.errors import UsageError
from envcheck.host.facts import Driver, Gpu, Hardware, Host, OperatingSystem
from envcheck.runs.diff import compare
from envcheck.runs.find import find_run
from envcheck.runs.influence import influence_of
from envcheck.runs.record import SCHEMA, EnvironmentUsed, FileFacts, Git, Record


def output(name, sha256):
    return FileFacts(f"/out/{name}", 4, sha256 * 64)


@pytest.fixture
def run() -> Record:
    """A finished training, with a value for everything that a record can hold."""
    return Record(
        id="20261130T015428Z-train-21f8",
        stage="train",
        argv=("train", "--cfg", "a.yaml"),
        command=("python", "pose"),
        working_directory="/work",
        envcheck="0.1.0",
        git=Git("c" * 40, dirty=True, changes="d" * 64),
        host=Host(
            os=OperatingSystem(system="Linux", kernel="6.1", glibc=Version("2.36"), distribution="debian 12"),
            driver=Driver(version=Version("550.54.14")),
            gpus=(Gpu(index=0, uuid="GPU-1", name="NVIDIA A10", compute_capability=Version("8.6")),),
            hardware=Hardware(cpus=8, cache_free_mib=1000),
        ),
        choice=Choice(recipe=None, torch=None, cuda=None, python=None, gpus=(), advice="", verdicts=()),
        environment=EnvironmentUsed("venv", "cpu", "e" * 64, "3.11.7", "f" * 16, reused=True, differences=()),
        started="2026-11-30T01:54:28+00:00",
        ended="2026-11-30T01:55:05+00:00",
        exit_code=0,
        exit_code_of="stage",
        proof={"torch": "2.13.0", "numpy": "2.4.6", "threads": 2, "devices": [{"seconds": 0.1}]},
        config={
            "TRAIN": {"LR": 0.001, "BATCH_SIZE": 32},
            "WORKERS": 4,
            "OUTPUT_DIR": "out",
            "PRINT_FREQ": 20,
        },
        seed=0,
        dataset={"root": "/data", "fingerprint": "1" * 64},
        inputs=(FileFacts("/w/resnet18.pth", 4, "2" * 64), FileFacts("/w/a.yaml", 4, "3" * 64)),
        computing={
            "threads": 2,
            "processor": "EPYC",
            "instructions": "AVX2",
            "deterministic": False,
            "tf32_matmul": False,
        },
        epochs=({"epoch": 1, "loss": 0.05},),
        memory={"host_mib": 1000},
        metrics={"AP": 0.7},
        output_dir="/out",
        outputs=(output("final_state.pth", "4"), output("curves.png", "5")),
    )


def again(run, **changes):
    """The same run once more: later, elsewhere, with other times, and nothing that decides."""
    return replace(
        run,
        **{
            "id": "20261130T020000Z-train-9999",
            "started": "2026-11-30T02:00:00+00:00",
            "ended": "2026-11-30T02:09:00+00:00",
            "memory": {"host_mib": 1010},
            "output_dir": "/out2",
            "outputs": (
                FileFacts("/out2/final_state.pth", 4, "4" * 64),
                FileFacts("/out2/curves.png", 4, "6" * 64),
            ),
            "config": {**run.config, "OUTPUT_DIR": "out2"},
            **changes,
        },
    )


def with_result(second):
    """The second run with another result: what every cause below leads to."""
    made = (FileFacts(f"{second.output_dir}/final_state.pth", 4, "9" * 64),)
    return replace(second, outputs=made, metrics={"AP": 0.6}, epochs=({"epoch": 1, "loss": 0.06},))


def test_a_repetition_differs_in_nothing_that_decides(run):
    found = compare(run, again(run))
    assert found.same_result is True
    assert found.cause is None
    assert {one.kind for one in found.differences} <= {"time", "place", "hardware"}


CAUSES = {
    "seed": ({"seed": 1}, "seed"),
    "annotations": ({"dataset": {"root": "/data", "fingerprint": "8" * 64}}, "dataset.fingerprint"),
    "weights": (
        {"inputs": (FileFacts("/w/resnet18.pth", 4, "7" * 64), FileFacts("/w/a.yaml", 4, "3" * 64))},
        "inputs[resnet18.pth].sha256",
    ),
    "config": (
        {
            "config": {
                "TRAIN": {"LR": 0.002, "BATCH_SIZE": 32},
                "WORKERS": 4,
                "OUTPUT_DIR": "o",
                "PRINT_FREQ": 20,
            }
        },
        "config.TRAIN.LR",
    ),
}


@pytest.mark.parametrize(("changes", "cause"), CAUSES.values(), ids=CAUSES)
def test_the_injected_change_is_on_top(run, changes, cause):
    found = compare(run, with_result(again(run, **changes)))
    assert found.same_result is False
    assert found.cause.fact == cause


@pytest.mark.parametrize(
    ("part", "fact", "value"),
    [
        ("computing", "threads", 1),
        ("computing", "instructions", "AVX512"),
        ("computing", "processor", "Xeon"),
        ("computing", "deterministic", True),
        ("computing", "tf32_matmul", True),
        ("proof", "torch", "2.14.0"),
        ("proof", "numpy", "1.26.4"),
    ],
)
def test_another_way_of_computing_is_on_top_where_nothing_else_differs(run, part, fact, value):
    changed = again(run, **{part: {**getattr(run, part), fact: value}})
    assert compare(run, with_result(changed)).cause.fact == f"{part}.{fact}"


def test_another_source_of_pose_stands_above_the_packages(run):
    used = replace(run.environment, pose="0" * 16, lock_hash="0" * 64)
    found = compare(run, with_result(again(run, environment=used)))
    assert [one.fact for one in found.differences[:2]] == ["environment.pose", "environment.lock_hash"]


def test_another_driver_is_possible_and_another_seed_beside_it_likelier(run):
    host = replace(run.host, driver=Driver(version=Version("580.65.06")))
    assert compare(run, with_result(again(run, host=host))).cause.fact == "host.driver.version"
    assert compare(run, with_result(again(run, host=host, seed=1))).cause.fact == "seed"


def test_what_changes_no_number_is_no_cause(run):
    config = {**run.config, "WORKERS": 0, "PRINT_FREQ": 1}
    found = compare(run, again(run, config=config))
    assert found.cause is None
    assert {"config.WORKERS", "config.PRINT_FREQ"} <= {one.fact for one in found.differences}


def test_a_run_that_was_killed_has_no_result_to_compare(run):
    assert compare(run, again(run, exit_code=None, outputs=())).same_result is None


def test_pictures_and_times_are_no_result(run):
    assert "curves.png" not in json.dumps([one.fact for one in compare(run, again(run)).results])


@pytest.mark.parametrize(
    "path", ["seed", "config.A", "host.driver.version", "anything.else", "epochs[0].loss"]
)
def test_every_fact_has_its_influence(path):
    assert influence_of(path).kind


def test_a_run_is_found_by_folder_record_and_part_of_its_id(run, tmp_path, monkeypatch):
    folder = tmp_path / "demo" / "runs" / run.id
    folder.mkdir(parents=True)
    write_json(folder / "record.json", run)
    monkeypatch.chdir(tmp_path)
    for name in (str(folder), str(folder / "record.json"), run.id, "21f8"):
        found, record = find_run(name)
        assert found.resolve() == folder
        assert record == read_json(folder / "record.json", Record, schema=SCHEMA)


def test_what_is_no_run_is_bad_input(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("nothing", "", "no/such/run", str(tmp_path)):
        with pytest.raises(UsageError):
            find_run(name)
    for number in (1, 2):
        folder = tmp_path / "runs" / f"2026-train-{number}"
        folder.mkdir(parents=True)
        write_json(folder / "record.json", run)
    with pytest.raises(UsageError, match="is the name of 2 runs"):
        find_run("train")
    (folder / "record.json").write_text(json.dumps({"schema": "envcheck.run/2"}))
    with pytest.raises(UsageError, match=r"record\.json"):
        find_run(str(folder))
