"""What a repetition proves: each verdict, and never `bitwise` by luck."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envcheck.runs.record import FileFacts
from envcheck.runs.verdict import judge
from tests.runs.records import again, finished, with_result


@pytest.fixture
def run():
    return finished()


def test_the_same_bytes_by_the_same_computing_are_bitwise(run):
    verdict = judge(run, again(run))
    assert (verdict.verdict, verdict.exit_code, verdict.because) == ("bitwise", 0, ())


@pytest.mark.parametrize(
    ("fact", "value"), [("threads", 1), ("instructions", "AVX512"), ("processor", "Xeon"), ("device", "cuda")]
)
def test_the_same_bytes_by_another_computing_are_luck(run, fact, value):
    lucky = again(run, computing={**run.computing, fact: value})
    verdict = judge(run, lucky)
    assert (verdict.verdict, verdict.exit_code) == ("within tolerance", 0)
    assert verdict.because[0].startswith(f"computing.{fact}: ")


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
    assert judge(test, replace(again(test), metrics={"AP": 0.7015}, outputs=())).verdict == "within tolerance"
    assert judge(test, replace(again(test), metrics={"AP": 0.703}, outputs=())).verdict == "differs"


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
