"""How fast a fleet is judged: `make bench-fleet` (a minute, most of it for writing the snapshots).

Writes 100,000 made-up but realistic snapshots as JSON lines, judges them as `envcheck pick --host` does, and
prints hosts per second and peak memory, beside the time that merely decoding the same lines takes.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from envcheck.choice.fleet import choose_for_all
from envcheck.host.snapshots import read_hosts
from envcheck.recipes import load_recipes

HOSTS = 100_000

# name, compute capability, brand, MiB, how many in a machine, how common
CARDS = (
    ("Tesla K80", "3.7", "tesla", 11441, (2, 4, 8), 1),
    ("NVIDIA GeForce GTX 980", "5.2", "geforce", 4096, (1, 2), 1),
    ("NVIDIA GeForce GTX 1080 Ti", "6.1", "geforce", 11264, (1, 2, 4), 4),
    ("Tesla P40", "6.1", "tesla", 23040, (1, 4), 2),
    ("Tesla P100-PCIE-16GB", "6.0", "tesla", 16384, (1, 4), 2),
    ("Tesla V100-SXM2-16GB", "7.0", "tesla", 16384, (4, 8), 5),
    ("TITAN RTX", "7.5", "titan rtx", 24576, (1, 2), 1),
    ("Tesla T4", "7.5", "tesla", 15360, (1, 4), 8),
    ("NVIDIA GeForce RTX 2080 Ti", "7.5", "geforce", 11264, (1, 4), 4),
    ("NVIDIA A100-SXM4-80GB", "8.0", "nvidia", 81920, (4, 8), 10),
    ("NVIDIA GeForce RTX 3090", "8.6", "geforce", 24576, (1, 2, 4), 9),
    ("NVIDIA A10", "8.6", "nvidia", 23028, (1, 2), 4),
    ("NVIDIA RTX A6000", "8.6", "nvidia rtx", 49140, (1, 2, 4), 4),
    ("NVIDIA GeForce RTX 4090", "8.9", "geforce", 24564, (1, 2, 8), 10),
    ("NVIDIA L40S", "8.9", "nvidia", 46068, (4, 8), 5),
    ("NVIDIA H100 80GB HBM3", "9.0", "nvidia", 81559, (8,), 12),
    ("NVIDIA H200", "9.0", "nvidia", 143771, (8,), 4),
    ("NVIDIA B200", "10.0", "nvidia", 183359, (8,), 3),
    ("NVIDIA GeForce RTX 5090", "12.0", "geforce", 32607, (1, 2), 6),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "12.0", "nvidia rtx", 97887, (4, 8), 2),
)
# driver, its CUDA, how common
DRIVERS = (
    ("450.51.06", "11.0", 1),
    ("450.248.02", "11.0", 1),
    ("470.82.01", "11.4", 2),
    ("470.256.02", "11.4", 2),
    ("515.65.01", "11.7", 2),
    ("520.61.05", "11.8", 2),
    ("525.60.13", "12.0", 3),
    ("525.147.05", "12.0", 3),
    ("535.104.05", "12.2", 6),
    ("535.183.01", "12.2", 8),
    ("550.54.15", "12.4", 8),
    ("550.144.03", "12.4", 8),
    ("560.35.03", "12.6", 5),
    ("565.57.01", "12.7", 3),
    ("570.86.15", "12.8", 6),
    ("570.133.20", "12.8", 6),
    ("575.57.08", "12.9", 4),
    ("580.65.06", "13.0", 8),
    ("580.95.05", "13.0", 8),
    ("590.48.01", "13.1", 3),
    ("595.71.05", "13.2", 2),
)
# distribution, kernel, glibc, Pythons with venv, how common
SYSTEMS = (
    ("ubuntu 18.04", "5.4.0-150-generic", "2.27", ("3.6",), 1),
    ("ubuntu 20.04", "5.15.0-119-generic", "2.31", ("3.8",), 3),
    ("ubuntu 20.04", "5.15.0-119-generic", "2.31", ("3.8", "3.11"), 3),
    ("ubuntu 22.04", "5.15.0-119-generic", "2.35", ("3.10",), 10),
    ("ubuntu 22.04", "6.8.0-60-generic", "2.35", ("3.10", "3.11"), 8),
    ("ubuntu 24.04", "6.8.0-60-generic", "2.39", ("3.12",), 10),
    ("debian 12", "6.1.0-31-amd64", "2.36", ("3.11",), 5),
    ("debian 13", "6.12.30-amd64", "2.41", ("3.13",), 2),
    ("rocky 8.10", "4.18.0-553.el8_10.x86_64", "2.28", ("3.6", "3.11"), 4),
    ("rocky 9.5", "5.14.0-503.el9_5.x86_64", "2.34", ("3.9", "3.11", "3.12"), 6),
    ("arch", "6.15.2-arch1-1", "2.41", ("3.13",), 1),
)


def snapshots(number: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield host documents: one kind of card in most, a second one in some, none in others."""
    draw = random.Random(seed)  # noqa: S311 - a made-up fleet
    for count in range(number):
        (distribution, kernel, glibc, pythons) = _drawn(draw, SYSTEMS)
        driver, cuda = _drawn(draw, DRIVERS)
        gpus: list[dict[str, Any]] = []
        if draw.random() < 0.92:
            gpus = _cards(draw, _drawn(draw, CARDS), 0)
            if draw.random() < 0.03:
                gpus += _cards(draw, _drawn(draw, CARDS), len(gpus))
        has_driver = bool(gpus) or draw.random() < 0.1
        yield {
            "schema": "envcheck.host/1",
            "os": {
                "system": "Linux",
                "machine": "x86_64",
                "distribution": distribution,
                "kernel": kernel,
                "glibc": glibc,
                "wsl": False,
                "jetson": None,
                "container": None,
            },
            "driver": {"version": driver, "cuda": cuda, "module_version": driver} if has_driver else None,
            "gpus": gpus,
            "pci": [
                {"address": gpu["pci_address"], "vendor": "10de", "device": "2330", "driver": "nvidia"}
                for gpu in gpus
            ],
            "engines": [{"name": "docker", "version": "27.3.1"}],
            "python": {"interpreters": {python: f"/usr/bin/python{python}" for python in pythons}},
            "hardware": {"cpus": draw.choice((8, 16, 64, 128)), "memory_mib": 65536 + count % 977},
            "unknown": {},
        }


def _drawn(draw: random.Random, rows: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
    return draw.choices(rows, weights=[row[-1] for row in rows])[0][:-1]


def _cards(draw: random.Random, card: tuple[Any, ...], first: int) -> list[dict[str, Any]]:
    name, capability, brand, memory, counts = card
    mig = {"enabled": False, "instances": []} if capability in ("8.0", "9.0", "10.0") else None
    return [
        {
            "index": index,
            "uuid": f"GPU-{draw.getrandbits(128):032x}",
            "name": name,
            "brand": brand,
            "compute_capability": capability,
            "memory_mib": memory,
            "mig": mig,
            "pci_address": f"0000:{index + 1:02x}:00.0",
        }
        for index in range(first, first + draw.choice(counts))
    ]


def main() -> int:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "fleet.jsonl"
        with file.open("w", encoding="utf-8") as sink:
            for host in snapshots(HOSTS):
                sink.write(json.dumps(host) + "\n")
        start = time.perf_counter()
        with file.open("rb") as lines:
            for line in lines:
                msgspec.json.decode(line)
        decoding = time.perf_counter() - start
        start = time.perf_counter()
        fleet = choose_for_all(read_hosts([str(file)]), load_recipes())
        judging = time.perf_counter() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    rate = f"{fleet.hosts / judging:,.0f} a second"
    print(f"{fleet.hosts:,} hosts of {fleet.kinds:,} kinds in {judging:.1f} s: {rate}")
    print(f"{judging / decoding:.1f} times as long as decoding the JSON alone; peak memory {peak_mb:.0f} MB")
    for one in fleet.covered:
        print(f"  {one.recipe:20} {len(one.hosts):7,}")
    uncovered = sum(len(one.hosts) for one in fleet.uncovered)
    print(f"  {'nothing':20} {uncovered:7,} ({len(fleet.uncovered)} reasons)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
