"""Two records side by side: one injected change each, and what is said to be the cause."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.documents import read_json, write_json
from envcheck.errors import UsageError
from envcheck.host.facts import Driver, Surroundings
from envcheck.repeat.diff import compare
from envcheck.repeat.find import find_run
from envcheck.repeat.influence import influence_of
from envcheck.runs.record import SCHEMA, FileFacts, Record
from tests.runs.records import again, finished, output, sick, with_result


@pytest.fixture
def run():
    return finished()


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


def test_where_the_same_came_out_nothing_is_its_cause(run):
    other = again(run, computing={**run.computing, "threads": 1})
    assert compare(run, other).cause is None
    assert compare(run, with_result(other)).cause.fact == "computing.threads"


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "LD_PRELOAD", "LD_LIBRARY_PATH"])
def test_a_variable_that_decides_is_a_possible_cause(run, name):
    host = replace(run.host, surroundings=Surroundings(variables={name: "1"}))
    cause = compare(run, with_result(again(run, host=host))).cause
    assert (cause.fact, cause.kind) == (f"host.surroundings.variables.{name}", "computing")


def test_what_a_gpu_happens_to_do_is_no_cause(run):
    (gpu,) = run.host.gpus
    busy = replace(gpu, memory_free_mib=10, utilization=99, persistence=True, slowed_by=("sw power cap",))
    found = compare(run, with_result(again(run, host=replace(run.host, gpus=(busy,)))))
    assert found.cause is None


@pytest.mark.parametrize(
    ("id", "kind", "is_cause"),
    [
        ("gpu.memory-health", "hardware", True),
        ("driver.open-module", "driver", False),
        ("packages.twice", "library", False),
        ("system.shm", "hardware", False),
    ],
)
def test_what_the_doctor_says_of_one_run_only_stands_under_what_it_is_about(run, id, kind, is_cause):  # noqa: A002
    sicker = replace(run.health, findings=(*run.health.findings, sick(id, "Something is wrong")))
    found = compare(run, with_result(again(run, health=sicker)))
    (one,) = (one for one in found.differences if one.fact.startswith("health"))
    assert (one.fact, one.kind, one.first) == (f"health.{id}", kind, "not there")
    assert one.second == "warn: Something is wrong"
    assert (found.cause == one) is is_cause


def test_the_pictures_contents_are_a_cause_where_both_runs_have_read_them(run):
    def reads(contents):
        return {"dataset": {**run.dataset, **({"contents": contents} if contents else {})}}

    first = replace(run, **reads("a" * 64))
    assert compare(first, with_result(again(first, **reads("b" * 64)))).cause.fact == "dataset.contents"
    assert compare(first, again(first, **reads(None))).differences == compare(first, again(first)).differences


def test_a_run_that_was_killed_has_no_result_to_compare(run):
    assert compare(run, again(run, exit_code=None, outputs=())).same_result is None


def test_pictures_and_times_are_no_result(run):
    assert "curves.png" not in json.dumps([one.fact for one in compare(run, again(run)).results])


@pytest.mark.parametrize(
    "path", ["seed", "config.A", "host.driver.version", "anything.else", "epochs[0].loss"]
)
def test_every_fact_has_its_influence(path):
    assert influence_of(path).kind


def test_a_line_break_in_a_name_is_a_fact_like_others(run):
    other = again(run, config={**run.config, "A\nB": 1}, outputs=(output("a\nb.jpg", "4"),))
    assert "config.A\nB" in {one.fact for one in compare(run, other).differences}


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
    for name in ("nothing", "", "x" * 300, "no/such/run", str(tmp_path)):
        with pytest.raises(UsageError):
            find_run(name)
    for number in (1, 2):
        folder = tmp_path / "runs" / f"2026-train-{number}"
        folder.mkdir(parents=True)
        write_json(folder / "record.json", run)
    with pytest.raises(UsageError, match="is the name of 2 runs"):
        find_run("train")
    (folder / "record.json").write_text(json.dumps({"schema": "envcheck.run/2"}))
    with pytest.raises(UsageError, match=r"record\.json was written by a later envcheck") as caught:
        find_run(str(folder))
    assert caught.value.hint == "Update envcheck."
    (folder / "record.json").write_text(json.dumps({"schema": "envcheck.choice/1"}))
    with pytest.raises(UsageError, match=r"expected 'envcheck.run/1'"):
        find_run(str(folder))


def test_the_empty_name_is_no_run_even_in_a_runs_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "record.json", run)
    with pytest.raises(UsageError, match="is empty"):
        find_run("")
