"""What a repetition proves: each verdict, and never `bitwise` by luck."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.documents import to_json
from envcheck.host.facts import Driver, Gpu, OperatingSystem
from envcheck.repeat.verdict import judge
from envcheck.runs.record import FileFacts
from tests.runs.records import again, finished, with_result


@pytest.fixture
def run():
    return finished()


def test_the_same_bytes_by_the_same_computing_are_bitwise(run):
    verdict = judge(run, again(run))
    assert (verdict.verdict, verdict.exit_code, verdict.because) == ("bitwise", 0, ())


@pytest.mark.parametrize(
    ("fact", "value"), [("threads", 1), ("instructions", "AVX512"), ("processor", "Xeon")]
)
def test_the_same_bytes_by_another_computing_are_luck(run, fact, value):
    lucky = again(run, computing={**run.computing, fact: value})
    verdict = judge(run, lucky)
    assert (verdict.verdict, verdict.exit_code) == ("within tolerance", 0)
    assert verdict.because[0].startswith(f"computing.{fact}: ")


@pytest.mark.parametrize(("fact", "value"), [("device", "cuda"), ("devices", ["NVIDIA A10"])])
def test_what_another_class_of_device_computes_is_not_comparable(run, fact, value):
    verdict = judge(run, again(run, computing={**run.computing, fact: value}))
    assert (verdict.verdict, verdict.exit_code) == ("not comparable", 3)
    assert verdict.because[0].startswith(f"computing.{fact}")


def test_numbers_of_a_record_that_was_written_by_hand_are_compared_as_far_as_they_are_numbers(run):
    odd = replace(run, metrics={"AP": 10**400}, epochs=({"epoch": [1], "loss": 1.0},))
    assert judge(odd, again(odd)).verdict == "bitwise"
    assert judge(odd, again(odd, metrics={"AP": 0.5})).verdict == "differs"


def test_what_the_doctor_says_forbids_no_bits(run):
    assert judge(run, again(run, health=None)).verdict == "bitwise"


def test_other_packages_are_never_bitwise_either(run):
    other = again(run, environment=replace(run.environment, lock_hash="0" * 64))
    assert judge(run, other).verdict == "within tolerance"


def test_another_number_of_workers_may_be_bitwise(run):
    other = again(run, computing={**run.computing, "workers": 0}, config={**run.config, "WORKERS": 0})
    assert judge(run, other).verdict == "bitwise"


def numbers(second, ap, loss):
    changed = with_result(second)
    return replace(changed, metrics={"AP": ap}, epochs=({"epoch": 1, "loss": loss},))


def test_other_bytes_with_numbers_within_the_tolerance(run):
    verdict = judge(run, numbers(again(run), 0.71, 0.0505))
    assert verdict.verdict == "within tolerance"
    assert {one.name: one.is_within for one in verdict.metrics} == {"AP": True, "loss of epoch 1": True}


@pytest.mark.parametrize(("ap", "loss"), [(0.73, 0.05), (0.7, 0.06), (0.67, 0.05), (float("nan"), 0.05)])
def test_a_number_outside_its_tolerance_differs_and_is_named(run, ap, loss):
    verdict = judge(run, numbers(again(run), ap, loss))
    assert (verdict.verdict, verdict.exit_code) == ("differs", 1)
    assert verdict.because[0].startswith("AP: 0.7" if ap != 0.7 else "loss of epoch 1: 0.05")


def test_a_test_is_held_to_a_tenth_of_that(run):
    test = replace(run, stage="test", epochs=())
    assert judge(test, replace(again(test), metrics={"AP": 0.7015})).verdict == "within tolerance"
    assert judge(test, replace(again(test), metrics={"AP": 0.703})).verdict == "differs"


def test_pckh_counts_in_percent(run):
    mpii = replace(run, metrics={"Mean": 88.0})
    assert judge(mpii, with_metrics(again(mpii), {"Mean": 89.0})).verdict == "within tolerance"
    assert judge(mpii, with_metrics(again(mpii), {"Mean": 91.0})).verdict == "differs"


def with_metrics(second, metrics):
    return replace(with_result(second), metrics=metrics, epochs=({"epoch": 1, "loss": 0.05},))


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"dataset": {"root": "/data", "fingerprint": "8" * 64}},
        {"inputs": (FileFacts("/w/resnet18.pth", 4, "7" * 64), FileFacts("/w/a.yaml", 4, "3" * 64))},
        {
            "config": {
                "TRAIN": {"LR": 0.002, "BATCH_SIZE": 32},
                "WORKERS": 4,
                "OUTPUT_DIR": "out2",
                "PRINT_FREQ": 20,
            }
        },
        {"exit_code": 1},
    ],
)
def test_another_experiment_is_not_comparable_even_with_the_same_bytes(run, changes):
    verdict = judge(run, again(run, **changes))
    assert (verdict.verdict, verdict.exit_code) == ("not comparable", 3)
    assert verdict.because


def test_what_could_not_be_restored_is_the_reason(run):
    verdict = judge(run, again(run), ("the lock of cpu is another one now",))
    assert (verdict.verdict, verdict.because) == ("not comparable", ("the lock of cpu is another one now",))


def test_a_run_that_left_nothing_is_not_comparable(run):
    empty = replace(run, outputs=(), metrics={}, epochs=())
    assert judge(empty, replace(again(empty), outputs=())).verdict == "not comparable"


CHANGED = {
    "a metric is missing": {"metrics": {}},
    "a product is missing": {"outputs": ()},
}


@pytest.mark.parametrize("changes", CHANGED.values(), ids=CHANGED)
def test_what_is_missing_in_the_repetition_differs(run, changes):
    verdict = judge(run, again(run, **changes))
    assert verdict.verdict == "differs"
    assert verdict.because[0].endswith("is missing in the repetition")


NEVER = {
    "computing unknown": {"computing": None},
    "no proof": {"proof": None},
    "nothing was compared": {"outputs": ()},
}


@pytest.mark.parametrize("changes", NEVER.values(), ids=NEVER)
def test_what_is_not_recorded_is_never_bitwise(run, changes):
    bare = replace(run, **changes)
    verdict = judge(bare, again(bare, **changes))
    assert verdict.verdict == "within tolerance"
    assert verdict.because


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": ({"epoch": 1, "loss": 0.05, "accuracy": 0.1},)},
        {"environment": {"differences": ("torch is 2.0",)}},
        {"environment": {"python": "3.11.8"}},
        {"proof": {"cudnn": "9"}},
        {"proof": {"arch_flags": ["sm_90"]}},
        {"computing": {"something_of_tomorrow": 1}},
        {"computing": {"variables": {"MKL_CBWR": "AVX2"}}},
        {"host": {"driver": Driver(version=Version("580.65.06"))}},
        {"host": {"gpus": (Gpu(index=0, uuid="GPU-1", name="NVIDIA H200"),)}},
        {"host": {"os": OperatingSystem(system="Linux", kernel="6.1", glibc=Version("2.39"))}},
    ],
)
def test_equal_bytes_are_luck_where_anything_else_is_another(run, changes):
    ((name, value),) = changes.items()
    own = getattr(run, name)
    if isinstance(own, dict):
        value = {**own, **value}
    elif isinstance(value, dict):
        value = replace(own, **value)
    assert judge(run, again(run, **{name: value})).verdict == "within tolerance"


def test_what_a_gpu_happens_to_do_changes_no_bit(run):
    (gpu,) = run.host.gpus
    busy = replace(gpu, memory_free_mib=10, utilization=99, persistence=True, slowed_by=("sw power cap",))
    proof = {**run.proof, "devices": [{"seconds": 0.4, "matmul_error": 1e-7}]}
    second = again(run, host=replace(run.host, gpus=(busy,)), proof=proof)
    assert judge(run, second).verdict == "bitwise"


def test_a_comment_more_in_a_config_file_is_the_same_experiment(run):
    inputs = (FileFacts("/w/resnet18.pth", 4, "2" * 64), FileFacts("/w/a.yaml", 5, "9" * 64))
    assert judge(run, again(run, inputs=inputs)).verdict == "bitwise"


def test_weights_of_the_same_bytes_elsewhere_are_the_same_experiment(run):
    config = {**run.config, "TEST": {"MODEL_FILE": "/old/w.pth"}}
    second = again(run, config={**config, "OUTPUT_DIR": "out2", "TEST": {"MODEL_FILE": "/new/w.pth"}})
    assert judge(replace(run, config=config), second).verdict == "bitwise"


@pytest.mark.parametrize("row", ["Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean@0.1"])
def test_every_row_of_mpii_is_a_percent(run, row):
    mpii = replace(run, metrics={row: 80.0, "Mean": 88.0})
    again_ = with_metrics(again(mpii), {row: 81.0, "Mean": 88.0})
    assert judge(mpii, again_).verdict == "within tolerance"


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_no_number_is_the_same_as_no_number(run, nothing):
    empty = replace(run, metrics={"AP": nothing, "AR": 0.5})
    assert judge(empty, again(empty)).verdict == "bitwise"
    assert judge(empty, again(empty, metrics={"AP": 0.5, "AR": 0.5})).verdict == "differs"
    json.loads(to_json(judge(empty, again(empty))), parse_constant=pytest.fail)


def test_the_pictures_of_pred_are_compared_and_a_trainings_are_not(run):
    drawn = (FileFacts("/out/s-pose.jpg", 4, "5" * 64),)
    pred = replace(run, stage="pred", metrics={}, epochs=(), outputs=drawn)
    assert judge(pred, again(pred, outputs=drawn)).compared == ("s-pose.jpg",)
    assert judge(run, again(run)).compared == ("final_state.pth",)


def test_two_files_of_one_name_are_two(run):
    made = (FileFacts("/out/a/w.pth", 4, "5" * 64), FileFacts("/out/b/w.pth", 4, "6" * 64))
    other = (FileFacts("/out2/a/w.pth", 4, "7" * 64), FileFacts("/out2/b/w.pth", 4, "6" * 64))
    twice = replace(run, outputs=made)
    assert judge(twice, again(twice, outputs=other)).verdict == "within tolerance"
    read = (
        FileFacts("/home/somebody/poses/a/w.pth", 4, "5" * 64),
        FileFacts("/home/somebody/poses/b/w.pth", 4, "6" * 64),
    )
    swapped = (
        FileFacts("/home/somebody/poses/a/w.pth", 4, "7" * 64),
        FileFacts("/home/somebody/poses/b/w.pth", 4, "6" * 64),
    )
    assert judge(replace(run, inputs=read), again(run, inputs=swapped)).verdict == "not comparable"
