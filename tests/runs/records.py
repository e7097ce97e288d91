"""Records of made-up runs: a finished training, and the same once more."""

from __future__ import annotations

from dataclasses import replace

from packaging.version import Version

from envcheck.choice.choose import Choice
from envcheck.host.facts import Driver, Gpu, Hardware, Host, OperatingSystem
from envcheck.runs.health import Health, KeptFinding
from envcheck.runs.record import EnvironmentUsed, FileFacts, Git, Record


def output(name, sha256):
    return FileFacts(f"/out/{name}", 4, sha256 * 64)


def sick(id, title):  # noqa: A002 - a finding's
    return KeptFinding(id, "warn", title, "", None)


def finished() -> Record:
    """A finished training, with a value for everything that a record can hold."""
    return Record(
        id="20261130T015428Z-train-21f8",
        stage="train",
        argv=("train", "--cfg", "a.yaml"),
        command=("python", "pose"),
        working_directory="/home/somebody/poses",
        envcheck="0.1.0",
        git=Git("c" * 40, dirty=True, changes="d" * 64),
        host=Host(
            os=OperatingSystem(system="Linux", kernel="6.1", glibc=Version("2.36"), distribution="debian 12"),
            driver=Driver(version=Version("550.54.14")),
            gpus=(Gpu(index=0, uuid="GPU-1", name="NVIDIA A10", compute_capability=Version("8.6")),),
            hardware=Hardware(cpus=8, cache_free_mib=1000),
        ),
        choice=Choice(recipe=None, torch=None, cuda=None, python=None, gpus=(), advice="", verdicts=()),
        health=Health(
            "warn", "gpu.pcie", (sick("gpu.pcie", "GPU 0 is on half of its lanes"),), ("gpu.fault",)
        ),
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
