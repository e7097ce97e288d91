"""A recipe into one file and out of it again, on a machine that has nothing: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
from datetime import datetime, timedelta, timezone

import pytest

from envcheck.bundle.archive import header, length
from envcheck.bundle.unpack import unpack
from envcheck.bundle.use import with_bundle
from envcheck.cache.kept import contents
from envcheck.cache.prune import prune
from envcheck.environments.venv import Venv
from envcheck.environments.wheelhouse import Wheelhouse
from envcheck.errors import EnvcheckError, UsageError
from envcheck.recipes import load_recipe, read_lock
from envcheck.runs.order import Order
from tests import small
from tests.bundle.conftest import pack
from tests.small import MINE, environ_of, make_world


def an_order(*words, is_stage=False, recipe=None):
    return Order(
        typed=words,
        name="exec",
        arguments=words,
        is_stage=is_stage,
        recipe=recipe,
        gpus="none",
        kind="venv",
        base_image=None,
        variables={},
        network=False,
        memory=None,
        cpus=None,
        data=None,
        output=None,
    )


def test_a_tar_program_finds_bundle_json_first_and_in_it_the_digest_of_every_other_file(file):
    with tarfile.open(file) as tar:
        content = {one.name: tar.extractfile(one).read() for one in tar}
        assert {(one.mtime, one.uid, one.gid, one.uname, one.isreg()) for one in tar} == {(0, 0, 0, "", True)}
    first, *others = content
    said = json.loads(content[first])
    assert (first, said["schema"]) == ("bundle.json", "envcheck.bundle/1")
    assert [one["path"] for one in said["members"]] == others
    for one in said["members"]:
        data = content[one["path"]]
        assert (one["bytes"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert {path.partition("/")[0] for path in others} == {"recipe", "wheels", "pose"}


def test_the_same_content_gives_the_same_bytes_out_of_another_cache_at_another_time(packed, file, tmp_path):
    again = make_world_again(packed, tmp_path)
    for path in (again.folder / "recipes").rglob("*"):
        os.utime(path, (0, 0))
    done = pack(again, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == file.read_bytes()
    assert done.sha256 == hashlib.sha256(first_member(file)).hexdigest()
    assert done.bytes == file.stat().st_size


def make_world_again(packed, folder):
    for name in ("recipes", "index", "pose"):
        shutil.copytree(packed.folder / name, folder / name)
    (folder / "cache").mkdir()
    return small.World(folder)


def first_member(file):
    with tarfile.open(file) as tar:
        return tar.extractfile(tar.next()).read()


def test_wheels_pose_and_recipe_come_out_where_everything_else_looks_for_them(
    file, packed, elsewhere, listener
):
    bundle = unpack(file, elsewhere, listener)
    recipe = load_recipe(str(bundle.recipe))
    assert recipe.pythons == (MINE,)
    assert Wheelhouse(elsewhere).missing(read_lock(recipe.lock_for(MINE))) == ()
    assert bundle.program == elsewhere / "pose" / packed.program.name
    place = Venv(elsewhere, {MINE: sys.executable}, bundle.program, offline=True).prepare(
        recipe, MINE, watch=listener
    )
    said = subprocess.run([place.python, "-m", "alpha"], capture_output=True, check=True)
    assert said.returncode == 0


def test_what_is_known_and_still_there_is_not_unpacked_again(file, elsewhere, listener):
    unpack(file, elsewhere, listener)
    assert len(listener.steps) == 1
    unpack(file, elsewhere, listener)
    assert len(listener.steps) == 1


@pytest.mark.parametrize(
    ("gone", "changed"),
    [
        ("wheels/*/*.whl", False),
        ("pose/*/pose/launch.py", False),
        ("bundles/*/recipe/*.yaml", False),
        ("pose/*/pose/launch.py", True),
        ("bundles/*/recipe/*.yaml", True),
    ],
)
def test_what_has_gone_or_is_another_by_now_comes_out_of_the_bundle_again(
    file, elsewhere, listener, gone, changed
):
    unpack(file, elsewhere, listener)
    (one,) = elsewhere.glob(gone)
    whole = one.read_bytes()
    one.write_bytes(b"something else") if changed else one.unlink()
    unpack(file, elsewhere, listener)
    assert one.read_bytes() == whole


def test_a_wheel_that_was_damaged_since_is_named_and_never_fetched(file, elsewhere, listener):
    bundle = unpack(file, elsewhere, listener)
    (wheel,) = elsewhere.glob("wheels/*/*.whl")
    wheel.write_bytes(b"something else")
    venv = Venv(elsewhere, {MINE: sys.executable}, bundle.program, offline=True)
    with pytest.raises(EnvcheckError, match=r"alpha 1\.0 cannot be had: beside --bundle nothing is fetched"):
        venv.prepare(load_recipe(str(bundle.recipe)), MINE, watch=listener)
    assert not wheel.exists()
    unpack(file, elsewhere, listener)
    assert wheel.exists()


def test_a_whole_cycle_on_the_command_line_without_network(packed, tmp_path):
    """Bundled, carried, used: in a network of its own where nothing answers, if this machine allows one."""
    (recipe,) = (packed.folder / "recipes").glob("*.yaml")
    alone = (
        ["unshare", "--net"]
        if subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0
        else []
    )

    def envcheck(*words, prefix=(), **environ):
        argv = [*prefix, sys.executable, small.__file__, packed.dump(), *words]
        environ = {**environ_of(packed), "DOCKER_HOST": "unix:///nowhere.sock", **environ}
        return subprocess.run(argv, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)

    made = envcheck("bundle", str(recipe), "--output", "b.tar", "--format", "json")
    assert made.returncode == 0, made.stderr
    digest = json.loads(made.stdout)["sha256"]
    other = {"ENVCHECK_CACHE": str(tmp_path / "other"), "PIP_FIND_LINKS": ""}
    words = ("exec", "--bundle", "b.tar", "--in", "venv", "--gpus", "none", "--", "python", "-m", "alpha")
    used = envcheck(*words, prefix=alone, **other)
    assert used.returncode == 0, used.stderr
    (record,) = tmp_path.glob("runs/*/record.json")
    environment = json.loads(record.read_text())["environment"]
    assert (environment["bundle"], environment["pose"]) == (digest, packed.program.name)
    assert "unpack" in used.stderr
    assert "unpack" not in envcheck(*words, prefix=alone, **other).stderr
    listed = json.loads(envcheck("cache", "list", "--format", "json", **other).stdout)["kept"]
    assert [one["name"] for one in listed if one["kind"] == "bundle"] == [digest]


def test_an_unpacked_bundle_is_pruned_when_nobody_holds_it_any_more(file, elsewhere, listener):
    unpack(file, elsewhere, listener)  # this process holds it until it ends
    later = datetime.now(timezone.utc) + timedelta(days=2)
    assert "bundle" in {one.kind for one in prune(contents(elsewhere), 1, later).held}
    code = "import sys; from pathlib import Path; from tests.small import Quiet;"
    code += "from envcheck.bundle.unpack import unpack; unpack(Path(sys.argv[1]), Path(sys.argv[2]), Quiet())"
    other = elsewhere.parent / "other"
    subprocess.run([sys.executable, "-c", code, str(file), str(other)], check=True)
    assert "bundle" in {one.kind for one in prune(contents(other), 1, later).removed}
    assert not list(other.glob("bundles/[0-9a-f]*"))


def test_a_recipe_beside_a_bundle_is_refused_by_both_names(file, listener):
    with pytest.raises(UsageError, match=r"--recipe cpu and --bundle .*small\.bundle\.tar both say"):
        with_bundle(an_order("python", recipe="cpu"), file, listener)


def test_a_python_that_the_recipe_does_not_serve_is_bad_input(packed):
    from envcheck.bundle.gather import of_recipe

    with pytest.raises(UsageError, match=r"has no lock for Python 2\.7"):
        of_recipe(packed.recipe, ("2.7",))


def test_a_full_disk_leaves_nothing_and_the_bundle_that_was_there(packed, tmp_path):
    """Through a limit on the size of files, which writing meets as it meets a full disk."""
    target = tmp_path / "b.tar"
    target.write_bytes(b"the one before")
    code = (
        "import sys; from pathlib import Path; from tests.bundle.conftest import pack;"
        "from tests.small import load;"
        "pack(load(sys.argv[1]), Path(sys.argv[2]))"
    )

    def limited():
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))

    argv = [sys.executable, "-c", code, packed.dump(), str(target)]
    # Python would keep half a module's bytecode, too, and everybody after it would load that.
    environ = {**environ_of(packed), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, preexec_fn=limited, check=False)
    assert "File too large" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["b.tar"]
    assert target.read_bytes() == b"the one before"


def test_a_member_of_more_than_8_gib_has_a_header_that_tar_programs_read():
    info = tarfile.TarInfo.frombuf(header("image.tar", 9 << 30), "utf-8", "strict")
    assert (info.name, info.size, info.isreg()) == ("image.tar", 9 << 30, True)


def test_the_length_of_a_tar_is_known_before_it_is_written(tmp_path):
    members = [("a", 0), ("b", 1), ("c", 512), (f"wheels/{'d' * 120}", 513)]
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for name, size in members:
            (tmp_path / "f").write_bytes(bytes(size))
            tar.add(tmp_path / "f", arcname=name)
        assert length(members) == tar.offset + 1024


def test_a_wheel_with_a_long_name_is_bundled_and_taken(elsewhere, listener, tmp_path):
    """The longest of charset-normalizer's has 114 letters, and a tar's plain header holds 100."""
    name = f"alpha-1.0-{'.'.join(f'cp3{minor}' for minor in range(5, 30))}-none-any.whl"
    world = make_world(tmp_path / "world", container_python=MINE, wheel=name)
    pack(world, tmp_path / "long.tar")
    here = unpack(tmp_path / "long.tar", elsewhere, listener)
    assert [path.name for path in (elsewhere / "wheels").glob("*/*")] == [name]
    with tarfile.open(tmp_path / "long.tar") as tar:
        assert f"wheels/{name}" in tar.getnames()
    assert here.manifest.recipe == world.recipe.name


@pytest.mark.parametrize("name", ["größe", "my recipe", "-x"])
def test_a_recipe_whose_name_no_bundle_can_hold_is_refused_before_anything_is_written(tmp_path, name):
    world = make_world(tmp_path / "world", container_python=MINE, name=name)
    with pytest.raises(UsageError, match=f"^{name} cannot be bundled"):
        pack(world, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()
