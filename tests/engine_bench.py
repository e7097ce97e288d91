"""What containers keep, cost and save: `make bench-engines` (ten minutes), or PARTS="start size" of it.

repeat    the CPU recipe built twice from nothing: the same layers, the same files, and what still differs
weights   one epoch of drawn people in docker, podman and a virtual environment: the same bits
start     to the first line of a stage, beside plain `docker run` of the same image, in pairs
size      images and builds of the CPU recipe and of the smallest one with CUDA, beside a naive Dockerfile
shared    what a second recipe downloads where a first one's wheels are there

The engines are those of the tests: ENVCHECK_TEST_DOCKER, else what envcheck finds; ENVCHECK_TEST_PODMAN.
Wheels are linked from the user's cache where it has them. Times compare only with others of the same run.
Long because its parts are measured on the same engines and wheels, in one run; each part reads alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import (
    ENVCHECK,
    LABEL,
    ROOT,
    Bench,
    Engine,
    build,
    docker,
    envcheck,
    environment,
    lay_out,
    link,
    lock_of,
    preface,
    ran,
    show,
    stamps,
    table,
    wheels_of,
)

from envcheck.engine import images
from envcheck.engine.addresses import Address
from envcheck.engine.buildkit import offered
from envcheck.locks import read_packages
from envcheck.paths import cache_dir, shipped
from envcheck.recipes import Recipe, load_recipe, load_recipes, read_lock

CONFIG = "experiments/drawn/res18_96x64.yaml"
THREADS = "2"  # for the same sums in the same order
PAIRS, WARM_UPS, ALLOWED_S = 20, 2, 0.4

# Run inside an image: every file of /opt with what there is to say of it, one JSON line each.
FILES = """
import hashlib, json, os, stat
def line(path):
    seen = os.lstat(path)
    content, size = "", 0
    if stat.S_ISLNK(seen.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(seen.st_mode):
        content, size = hashlib.sha256(open(path, "rb").read()).hexdigest(), seen.st_size
    print(json.dumps([path, oct(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_mtime_ns, size, content]))
line("/opt")
for folder, folders, files in os.walk("/opt"):
    for name in folders + files:
        line(os.path.join(folder, name))
"""
# Run by an environment's Python: a digest of the tensors in a file of weights, and of nothing else.
TENSORS = """
import hashlib, sys, torch
digest = hashlib.sha256()
for name, tensor in sorted(torch.load(sys.argv[1], map_location="cpu", weights_only=True).items()):
    digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
    digest.update(tensor.contiguous().numpy().tobytes())
print(digest.hexdigest())
"""
# Why two images of the same content are not the same image: where they differ, and why.
_BEFORE = "the id of the step before, which has its own time"
_BOX = "the id of the container in which the last step ran"
_NAME = "pose's image is named after the id of the environment under it"
_PLACE = "where the engine keeps the layer"
WHY = {
    "Id": "the digest of the image's description, which has all of this",
    "Created": "the time of the build",
    "Parent": _BEFORE,
    "Config.Image": _BEFORE,
    "ContainerConfig.Image": _BEFORE,
    "Container": _BOX,
    "ContainerConfig.Hostname": _BOX,
    "RepoTags": _NAME,
    "Config.Labels.dev.envcheck.image": _NAME,
    "ContainerConfig.Labels.dev.envcheck.image": _NAME,
    "Metadata.LastTagTime": "when it got its name",
    **{f"GraphDriver.Data.{what}Dir": _PLACE for what in ("Lower", "Upper", "Work", "Merged")},
}


# ---------------------------------------------------------------- repeat


def repeat(bench: Bench) -> None:
    """Build the CPU recipe twice from nothing, and compare what came out."""
    recipe, engine = load_recipe("cpu"), bench.docker
    folders = (bench.folder / "first", bench.folder / "second" / "in" / "another" / "folder")
    found = []
    for number, folder in enumerate(folders):
        bench.built.pop("cpu", None)
        bench.remove(engine, "dev.envcheck.recipe=cpu")
        lay_out(bench, recipe, folder, copied=number == 1)
        other = {"env": {"TZ": "Asia/Tokyo"}, "umask": 0o077} if number else {}
        image = build(bench, recipe, folder, **other)
        files = docker(
            bench,
            *("run", "--rm", "-i", "--network", "none", "--user", "0:0", "--entrypoint"),
            *("/opt/envcheck/bin/python", image.name, "-I", "-B", "-"),
            stdin=FILES,
        )
        found.append((image, {line[0]: line for line in map(json.loads, files.splitlines())}))
        bench.built["cpu"] = image
    (one, here), (two, there) = found
    rows = []
    for what in ("environment", "stage"):
        layers = zip(*(getattr(image, what)["RootFS"]["Layers"] for image in (one, two)), strict=True)
        below = len(one.environment["RootFS"]["Layers"]) if what == "stage" else 0
        rows += [
            (what, number, left[:23], right[:23], _same(left == right))
            for number, (left, right) in enumerate(layers, start=1)
            if number > below
        ]
    table(("image", "layer", "first build", "second build", ""), rows)
    print("(the environment's own layer is its last; under it lies the base, with a file of this run's own)")
    differing = sorted(path for path in {*here, *there} if here.get(path) != there.get(path))
    size = sum(line[5] for line in here.values())
    print(
        f"{len(here):,} files, folders and links in /opt, {size / 1e6:,.0f} MB: content, mode, owner, time "
        f"{'identical' if not differing else f'DIFFER in {len(differing)}'}"
    )
    for path in differing[:10]:
        print(f"  {here.get(path)}\n  {there.get(path)}")
    print("What still differs, and why:")
    for what in ("environment", "stage"):
        for key in _differences(getattr(one, what), getattr(two, what)):
            print(f"  {what:12} {key:42} {WHY.get(key, 'NOT EXPLAINED')}")


def _same(value: bool) -> str:
    return "identical" if value else "DIFFERENT"


def _differences(one: Any, two: Any, where: str = "") -> Iterator[str]:
    if isinstance(one, dict) and isinstance(two, dict):
        for key in sorted({*one, *two}):
            yield from _differences(one.get(key), two.get(key), f"{where}.{key}" if where else key)
    elif one != two:
        yield where


# ---------------------------------------------------------------- weights


def weights(bench: Bench) -> None:
    """Draw people and learn them for an epoch in every kind of environment; compare the weights' bits."""
    bench.cpu()  # here, where its time is taken
    lay_out(bench, load_recipe("cpu"), bench.cache)
    python = envcheck(bench, "build", "cpu", "--in", "venv").stdout.strip()
    kinds: list[tuple[str, str, Engine | None]] = [("docker", "docker", bench.docker)]
    if bench.podman is not None:
        kinds.append(("podman", "docker", bench.podman))
    kinds.append(("venv", "venv", None))
    rows = []
    for title, place, engine in kinds:
        out = bench.folder / "weights" / title
        where = ("--in", place, "--recipe", "cpu", "--gpus", "none")
        env = {"OMP_NUM_THREADS": THREADS}
        drawn = ("--out", str(out / "people"), "--train", "64", "--val", "16", "--seed", "1")
        envcheck(bench, "run", "synth", *where, *drawn, engine=engine, env=env)
        learn = ("--cfg", CONFIG, "--data", str(out / "people"), "--output", str(out), "--seed", "1")
        envcheck(bench, "run", "train", *where, *learn, "TRAIN.END_EPOCH", "1", engine=engine, env=env)
        (record,) = (json.loads(file.read_bytes()) for file in out.glob("runs/*-train-*/record.json"))
        (file,) = out.rglob("final_state.pth")
        tensors = ran([python, "-I", "-c", TENSORS, str(file)]).stdout.strip()
        proof, used = record["proof"], record["environment"]
        rows.append((title, used["lock_hash"], _digest_of(out / "people"), tensors, _digest_of(file)))
        rows[-1] += (f"{proof['python']}, {proof['threads']} threads",)
    if bench.podman is None:
        print("podman: not verified, ENVCHECK_TEST_PODMAN names none")
    table(
        ("", "lock", "drawn people", "tensors", "file of weights", "as the proof has it"),
        [(row[0], *(digest[:16] for digest in row[1:5]), row[5]) for row in rows],
    )
    for column, what in enumerate(("lock", "drawn people", "tensors", "file of weights"), start=1):
        print(f"{what + ':':17}{_same(len({row[column] for row in rows}) == 1)}")


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else (path,):
        if file.is_file():
            digest.update(str(file.relative_to(path)).encode() + file.read_bytes())
    return digest.hexdigest()


# ---------------------------------------------------------------- start


def start(bench: Bench) -> None:
    """Time the way to the first line that the stage `env` prints, beside plain `docker run`."""
    name = bench.cpu().name
    out = bench.folder / "start"
    words = ("run", "env", "--recipe", "cpu", "--in", "docker", "--gpus", "none", "--output", str(out))
    ours = (*ENVCHECK, *words)
    plain = ("docker", "run", "--rm", "--network", "none", name, "env")
    env = {**os.environ, **environment(bench)}
    env.pop("OMP_NUM_THREADS", None)  # the same for both
    show(bench, "envcheck", *words, first=f"cd {shlex.quote(str(ROOT))}; ")  # whose commit is recorded
    show(bench, *plain)
    times: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
    for number in range(-WARM_UPS, PAIRS):
        first, second = (ours, plain) if number % 2 else (plain, ours)
        both = {argv: _first_line(bench, argv, env) for argv in (first, second)}
        if number >= 0:
            times.append((both[ours], both[plain]))
    steps = ("to the container made", "to the container started", "to the first line", "all")
    table(
        (f"median of {PAIRS} pairs, in seconds", "envcheck run", "docker run", "difference, paired"),
        [
            (
                step,
                *(f"{statistics.median(pair[side][row] for pair in times):.3f}" for side in (0, 1)),
                f"{statistics.median(pair[0][row] - pair[1][row] for pair in times):+.3f}",
            )
            for row, step in enumerate(steps)
        ],
    )
    differences = sorted(pair[0][-1] - pair[1][-1] for pair in times)
    median = statistics.median(differences)
    verdict = "kept" if median <= ALLOWED_S else "NOT KEPT"
    print(f"difference: median {median:.3f} s, from {differences[0]:.3f} to {differences[-1]:.3f} s")
    print(f"allowed: {ALLOWED_S} s, {verdict}")
    records = [json.loads(file.read_bytes()) for file in out.glob("runs/*-env-*/record.json")]
    assert {record["environment"]["image"]["name"] for record in records} == {name}
    proof = statistics.median(sum(device["seconds"] for device in one["proof"]["devices"]) for one in records)
    print(f"of which the run's proof, which comes before the stage's own: {proof:.3f} s of computing")


def _first_line(bench: Bench, argv: Sequence[str], env: Mapping[str, str]) -> tuple[float, ...]:
    """Return the seconds until the container was made, then until its start, until the line; and all."""
    begun = time.time()
    with (
        (bench.folder / "stderr.txt").open("w+b") as said,
        subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, cwd=ROOT
        ) as child,
    ):
        assert child.stdout is not None
        child.stdout.read(1)
        line = time.time()
        child.stdout.read()
        if child.wait() != 0:
            said.seek(0)
            raise SystemExit(f"{shlex.join(argv)} failed:\n{said.read().decode(errors='replace')}")
    told = bench.docker.client.events(
        since=int(begun),
        until=f"{time.time():.9f}",
        decode=True,
        filters={"type": "container", "label": f"{LABEL}={bench.run}", "event": ["create", "start"]},
    )
    at = {one["Action"]: one["timeNano"] / 1e9 for one in told if one["timeNano"] / 1e9 >= begun}
    assert {"create", "start"} <= at.keys()
    return at["create"] - begun, at["start"] - at["create"], line - at["start"], line - begun


# ---------------------------------------------------------------- size


def size(bench: Bench) -> None:
    """Build images as we do and as people do, one recipe after the other, and compare weight and time."""
    base = images.find(bench.docker.client, bench.docker.base)
    assert base is not None
    rows = []
    for recipe in (load_recipe("cpu"), _smallest_cuda()):
        lay_out(bench, recipe, bench.cache)
        ours = bench.cpu() if recipe.name == "cpu" else build(bench, recipe, bench.cache)
        weight = ours.stage["Size"]
        if recipe.name != "cpu":  # gigabytes, and the other build needs the room
            bench.remove(bench.docker, f"dev.envcheck.recipe={recipe.name}")
        naive, seconds = _naive(bench, recipe)
        for title, one, took in (("envcheck, with pose", weight, ours.seconds), ("naive", naive, seconds)):
            rows.append(
                (
                    recipe.name,
                    title,
                    f"{one / 1e6:,.0f}",
                    f"{(one - base['Size']) / 1e6:,.0f}",
                    f"{one / naive:.2f}",
                    f"{took:.0f}",
                    f"{took / seconds:.2f}",
                )
            )
        if ours.fetched:
            print(f"{recipe.name}: {ours.fetched / 1e6:,.0f} MB were downloaded within envcheck's time")
    table(("recipe", "image", "MB", "above base", "of naive", "build, s", "of naive"), rows)
    print(
        "No build has a network or a cached step; both have the wheels at hand. The naive one takes them by"
    )
    print("COPY, so that their layer stands for the downloads that pip's cache would keep.")


def _smallest_cuda() -> Recipe:
    able = (one for one in load_recipes() if one.cuda is not None and one.lock_for(one.container_python))
    return min(able, key=lambda one: one.size.download_mib)


def _naive(bench: Bench, recipe: Recipe) -> tuple[int, float]:
    """Return the bytes of the image that `pip install torch ...` makes, and the seconds it took."""
    names = [recipe.requirement, *read_packages(shipped("recipes") / "pose.in")]
    text = f"""FROM {bench.docker.base}
LABEL dev.envcheck.naive=
COPY wheels /wheels
RUN python3 -m venv /venv
RUN /venv/bin/pip install --no-index --find-links /wheels {shlex.join(names)}
"""
    name = f"localhost/envcheck-bench-naive:{bench.run}"
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        context = Path(folder)
        (context / "Dockerfile").write_text(text, encoding="utf-8")
        (context / "wheels").mkdir()
        for wheel in wheels_of(recipe, bench.cache):
            (context / "wheels" / wheel.name).hardlink_to(wheel)
        print("".join(f"    {line}\n" for line in text.splitlines()), end="")
        begun = time.perf_counter()
        offer = offered(Address(bench.docker.url))  # the builder that envcheck takes
        words = offer.argv[1:] if offer else ("build",)
        options = ("--quiet", "--no-cache", "--network", "none", "--tag", name, str(context))
        docker(bench, *words, *options, env={"DOCKER_BUILDKIT": "1" if offer else "0"})
        seconds = time.perf_counter() - begun
    found = images.find(bench.docker.client, name)
    assert found is not None
    cache = docker(bench, "run", "--rm", "--network", "none", name, "du", "-sk", "/root").split()[0]
    print(f"    (in /root, where pip's cache would be: {cache} KiB)")
    bench.remove(bench.docker, "dev.envcheck.naive")
    return int(found["Size"]), seconds


# ---------------------------------------------------------------- shared


def shared(bench: Bench) -> None:
    """Fetch a recipe's wheels where those of one are that shares some, and see what was downloaded."""
    first = _smallest_cuda()
    pins = set(read_lock(lock_of(first)))
    others = (
        one for one in load_recipes() if one.name != first.name and one.lock_for(first.container_python)
    )
    second = max(others, key=lambda one: len(pins & set(read_lock(lock_of(one)))))
    lay_out(bench, first, bench.cache)
    cache = bench.folder / "shared"
    for wheel in wheels_of(first, bench.cache):
        link(wheel, cache)
    envcheck(bench, "recipes", "fetch", first.name, cache=cache)  # where the host's Python has another lock
    before = stamps(cache)
    answer = envcheck(bench, "recipes", "fetch", second.name, cache=cache).stdout
    after = stamps(cache)
    needed = {line.rpartition("sha256:")[2] for line in answer.splitlines()}
    new = after.keys() - before.keys()
    touched = [key for key in before if before[key] != after.get(key)]
    log = (cache / "logs" / f"fetch-{second.name}.log").read_text(encoding="utf-8", errors="replace")
    saved = sum(line.strip().startswith("Saved ") for line in log.splitlines())
    table(
        (f"{second.name} after {first.name}", "wheels", "MB"),
        [
            (title, len(keys), f"{sum(after[key][1] for key in keys) / 1e6:,.1f}")
            for title, keys in (
                ("its lock", needed),
                ("there already", needed & before.keys()),
                ("new in the wheelhouse", new),
                ("new, and not in its lock", new - needed),
            )
        ],
    )
    print(
        f"pip's own word: {saved} wheels saved. Of those that were there before, {len(touched)} were touched"
    )
    for key in sorted(new, key=lambda one: -after[one][1]):
        print(f"  {after[key][1] / 1e6:9,.1f} MB  {after[key][0]}")


PARTS: dict[str, Callable[[Bench], None]] = {
    "repeat": repeat,
    "weights": weights,
    "start": start,
    "size": size,
    "shared": shared,
}


def main() -> int:
    """Run the parts that were named, or all."""
    about = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    about.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; without any: all")
    options = about.parse_args()
    if strange := set(options.parts) - set(PARTS):
        about.error(f"no such part: {', '.join(sorted(strange))}")
    cache_dir().mkdir(parents=True, exist_ok=True)
    # Beside the user's wheels, which can only be linked on their own file system.
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".bench-") as folder:
        bench = Bench(Path(folder))
        try:
            builder = "BuildKit" if offered(Address(bench.docker.url)) else "the classic builder"
            engine = f"{bench.docker.name} {bench.docker.version}"
            print(f"{engine}, {builder}, {os.cpu_count()} cores")
            preface(bench)
            for name in options.parts or PARTS:
                print(f"\n== {name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", flush=True)
                begun = time.perf_counter()
                PARTS[name](bench)
                print(f"({time.perf_counter() - begun:.0f} s)", flush=True)
        finally:
            bench.clear()
    return 0


if __name__ == "__main__":
    sys.exit(main())
