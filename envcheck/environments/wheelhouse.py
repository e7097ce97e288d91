"""The wheelhouse: every wheel that a lock names, fetched once, by hash, and kept for every environment.

A wheel lies under its own digest (`wheels/<sha256>/<file name>`), so whatever is there is what a lock means.
Fetching is the only step that needs a network; it is pip's, because pip honours the user's own indexes,
find-links, proxies and certificates. Environments are then built from the wheelhouse alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envcheck.digests import sha256_of
from envcheck.environments.failures import WheelNotFoundError, check_pip, require_disk
from envcheck.environments.held import hold, remove
from envcheck.environments.place import Update, Watcher
from envcheck.errors import EnvcheckError, UsageError
from envcheck.processes import stream
from envcheck.recipes import BY_HAND, Pin, Recipe

# The one address that the code knows: where PyTorch keeps the builds that the public index does not have.
# It is asked for nothing but the wheels that the user's own settings did not find.
PYTORCH_INDEX = "https://download.pytorch.org/whl/{tag}"

# The user's constraints have no say beside exact pins, and let pip call a wheel that it lacks a conflict.
UNCONSTRAINED = {"PIP_CONSTRAINT": os.devnull}


@contextlib.contextmanager
def no_fetch(wheels: Path) -> Iterator[bool]:
    """While open, nobody can begin to fetch into the folder of wheels; gives whether nobody did."""
    lock = filelock.FileLock(wheels / ".lock")
    try:
        lock.acquire(timeout=0)
    except (filelock.Timeout, NotImplementedError):  # the latter where the file system knows no locks
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


class Wheelhouse:
    """The wheels of one cache folder."""

    def __init__(self, cache: Path, *, offline: bool = False) -> None:
        """With `offline` nothing is ever fetched: what is missing is an error."""
        self.folder = cache / "wheels"
        self._offline = offline

    def find(self, pin: Pin) -> Path | None:
        """Return the wheel that a pin names, or None when it was not fetched yet."""
        return next(iter(sorted((self.folder / pin.sha256).glob("*.whl"))), None)

    def missing(self, pins: Sequence[Pin]) -> tuple[Pin, ...]:
        """Return the pins whose wheels are not here."""
        return tuple(pin for pin in pins if self.find(pin) is None)

    def needed_mib(self, pins: Sequence[Pin], recipe: Recipe) -> int:
        """Return the room that fetching the rest of a lock of `recipe` takes."""
        found = [wheel for pin in pins if (wheel := self.find(pin))]
        if len(found) == len(pins):
            return 0
        return max(0, recipe.size.download_mib - (sum(wheel.stat().st_size for wheel in found) >> 20))

    def requirements(self, pins: Sequence[Pin]) -> str:
        """Return a requirements file that installs the pins from here, each still checked by its hash."""
        lines = []
        for pin in pins:
            wheel = self.find(pin)
            if wheel is None:
                raise EnvcheckError(f"{pin.name} {pin.version} is not in the wheelhouse {self.folder}")
            lines.append(f"{pin.name} @ {wheel.as_uri()} --hash=sha256:{pin.sha256}")
        return "\n".join(lines) + "\n"

    def fetch(
        self,
        pins: Sequence[Pin],
        *,
        python: Path,
        recipe: Recipe,
        log: Path,
        watch: Watcher,
        target: Sequence[str] = (),
    ) -> None:
        """Fetch what is missing of a lock of `recipe`, with the pip of `python`.

        The wheels must fit that Python, or the `target` that pip's options of that name describe. Raises
        `EnvcheckError` with pip's own reason; what was fetched whole before a failure is kept.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._discard_damaged(pins, watch)
            self._refuse_others(pins)
            self._hold(pins)
            missing = self.missing(pins)
            if not missing:
                return
            if self._offline:
                raise EnvcheckError(
                    f"{_counted(missing)} cannot be had: beside --bundle nothing is fetched",
                    "The bundle has them: the same command takes them from there.",
                )
            require_disk(self.folder, self.needed_mib(pins, recipe), "The wheels need")
            pip = _Pip(python, log, target=tuple(target))
            with watch.step(f"fetch {_counted(missing)}") as update:
                for some in _portions(missing):
                    self._fetch(pip, some, recipe, update)
        still = self.missing(pins)
        if still:
            raise EnvcheckError(
                f"pip fetched no wheel for {', '.join(pin.name for pin in still)}", f"See {log}"
            )

    def take(self, wheel: Path, sha256: str) -> None:
        """Keep a wheel, whose digest somebody has just found, in place of what lies under that digest."""
        with self._locked():
            self._put(wheel, sha256)

    def _put(self, wheel: Path, sha256: str) -> None:
        home = self.folder / sha256
        home.mkdir(exist_ok=True)
        wheel.replace(home / wheel.name)
        for other in home.iterdir():
            if other.name != wheel.name:  # the same bytes, called so that no pip takes them
                other.unlink()
        hold(home)

    def _hold(self, pins: Sequence[Pin]) -> None:
        """Keep what is here of a lock from being pruned while we build with it."""
        for pin in pins:
            hold(self.folder / pin.sha256)

    def _discard_damaged(self, pins: Sequence[Pin], watch: Watcher) -> None:
        """Hold what is here of a lock against its digests, and remove what is something else by now."""
        here = {pin: wheel for pin in pins if (wheel := self.find(pin))}
        if not here:
            return
        with watch.step(f"hold {_wheels(len(here))} of the cache against their digests"):
            digests = {pin: sha256_of(wheel).hexdigest() for pin, wheel in here.items()}
        for pin, wheel in ((pin, here[pin]) for pin, digest in digests.items() if digest != pin.sha256):
            with watch.step(f"remove {wheel.name}, which is damaged, to fetch it again"):
                remove(self.folder / pin.sha256)

    def _refuse_others(self, pins: Sequence[Pin]) -> None:
        """Raise `UsageError` for a pin whose digest is that of another package's wheel, or another version's.

        A wheel is found by its digest alone, and pip, which is given the file, does not ask for its version.
        """
        for pin in pins:
            wheel = self.find(pin)
            if wheel is not None and not is_wheel_of(pin, wheel.name):
                raise UsageError(
                    f"{pin.where}: the digest beside {pin.name} {pin.version} is that of {wheel.name}",
                    BY_HAND,
                )

    def _fetch(self, pip: _Pip, pins: Sequence[Pin], recipe: Recipe, update: Update) -> None:
        """Download `pins`, from PyTorch's own index where nobody else has them."""
        local = [pin for pin in pins if pin.is_local]
        self._keep(pip, [pin for pin in pins if not pin.is_local], (), update)
        try:  # the user may have a mirror
            self._keep(pip, local, (), update)
        except WheelNotFoundError:
            self._keep(pip, local, ("--extra-index-url", PYTORCH_INDEX.format(tag=recipe.tag)), update)

    @contextlib.contextmanager
    def borrow(
        self, pin: Pin, options: Sequence[str], size_mib: int, *, log: Path, watch: Watcher
    ) -> Iterator[Path]:
        """Give a pin's wheel while open: the one that is here, else one that is fetched and then removed.

        `options` tell pip for which Python and platform, where those are not our own. Raises `EnvcheckError`
        with pip's own reason.
        """
        here = self.find(pin)
        if here is not None and hold(here.parent) and sha256_of(here).hexdigest() == pin.sha256:
            yield here
            return
        log.parent.mkdir(parents=True, exist_ok=True)
        pip = _Pip(Path(sys.executable), log, "The wheel was not fetched")
        with self._locked(), tempfile.TemporaryDirectory(dir=self.folder, prefix=".fetch-") as name:
            folder = Path(name)
            require_disk(self.folder, 2 * size_mib, "The wheel and pip's copy of it need")
            with watch.step(f"fetch {_counted((pin,))}") as update, _growth(folder, update):
                pip.download((pin,), folder, options)
            yield next(folder.glob("*.whl"))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """While open, nobody else fetches; what a killed fetch has left is removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.folder / ".lock"):
            for stale in self.folder.glob(".fetch-*"):
                shutil.rmtree(stale, ignore_errors=True)
            yield

    def _keep(self, pip: _Pip, pins: Sequence[Pin], options: Sequence[str], update: Update) -> None:
        """Download `pins`; each wheel that arrived whole is kept under its digest, whatever else failed."""
        if not pins:
            return
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".fetch-") as name:
            folder = Path(name)
            try:
                with _growth(folder, update):
                    pip.download(pins, folder, options)
            finally:
                for wheel in sorted(folder.glob("*.whl")):
                    digest = sha256_of(wheel).hexdigest()
                    if digest in {pin.sha256 for pin in pins}:  # an interrupted pip leaves half a wheel too
                        self._put(wheel, digest)


@dataclass(frozen=True, slots=True)
class _Pip:
    """pip as run by the interpreter that will use the wheels."""

    python: Path
    log: Path
    failed: str = "The environment was not built"
    target: tuple[str, ...] = ()

    def download(self, pins: Sequence[Pin], folder: Path, options: Sequence[str]) -> None:
        wanted = folder / "wanted.txt"
        wanted.write_text("".join(f"{pin.line}\n" for pin in pins), encoding="utf-8")
        argv = [
            *(str(self.python), "-I", "-m", "pip", "download", "--disable-pip-version-check", "--no-input"),
            *("--progress-bar=off", "--no-cache-dir", "--no-deps", "--require-hashes", "--only-binary=:all:"),
            *("--dest", str(folder), "--requirement", str(wanted), *self.target, *options),
        ]
        # pip unpacks where TMPDIR says; the system's own is often a small tmpfs, too small for torch.
        env = {**os.environ, **UNCONSTRAINED, "TMPDIR": str(folder)}
        heard = bytearray()
        code = stream(argv, env=env, log=self.log, show=False, heard=heard)
        check_pip(code, heard.decode("utf-8", "replace"), self.log, self.failed)


@contextlib.contextmanager
def _growth(folder: Path, update: Update) -> Iterator[None]:
    """While open, tell every second how much has arrived in `folder`: pip itself is silent behind a pipe."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(1.0):
            update(f"{_weight(folder) / 2**20:,.0f} MiB so far")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _weight(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # pip removes its temporary files while we look
            total += path.stat().st_size
    return total


def target_of(recipe: Recipe, python: str) -> tuple[str, ...]:
    """Return pip's words for a recipe's Python and system, whatever runs envcheck."""
    platforms = [word for platform in _platforms(recipe) for word in ("--platform", platform)]
    abi = f"cp{python.replace('.', '')}"
    return ("--implementation", "cp", "--python-version", python, "--abi", abi, *platforms)


def is_wheel_of(pin: Pin, file: str, supported: Container[Tag] | None = None) -> bool:
    """Tell whether a file is called as the wheel of a pin: pip takes no other.

    With `supported`, it also has to be a wheel for one of those tags.
    """
    try:
        name, version, _, tags = parse_wheel_filename(file)
    except (InvalidWheelFilename, InvalidVersion):
        return False
    is_of = (name, version) == (canonicalize_name(pin.name), Version(pin.version))
    return is_of and (supported is None or any(tag in supported for tag in tags))


def supported_by(recipe: Recipe, python: str) -> frozenset[Tag]:
    """Return the tags of the wheels that a recipe's Python ("3.11") takes on its system."""
    major, minor = map(int, python.split("."))
    abi = f"cp{major}{minor}"
    # pip takes these by their newer names.
    platforms = [*_platforms(recipe), *(f"{old}_{recipe.machine}" for old in ("manylinux2010", "manylinux1"))]
    return frozenset(
        (
            *cpython_tags((major, minor), [abi], platforms),
            *compatible_tags((major, minor), abi, platforms),
        )
    )


def _platforms(recipe: Recipe) -> list[str]:
    """Return the platforms of a recipe's system, the newest first."""
    newer = [f"manylinux_2_{minor}" for minor in range(recipe.glibc.minor, 4, -1)]
    return [f"{name}_{recipe.machine}" for name in (*newer, "manylinux2014", "linux")]


def _is_heavy(pin: Pin) -> bool:
    return pin.name in {"torch", "triton"} or pin.name.startswith("nvidia-")


def _portions(pins: Sequence[Pin]) -> Iterator[Sequence[Pin]]:
    """Yield the pins as they are fetched: what weighs, alone, as pip hands over nothing before it has all."""
    light = [pin for pin in pins if not _is_heavy(pin)]
    yield light
    for pin in pins:
        if _is_heavy(pin):
            yield [pin]


def _wheels(count: int) -> str:
    return f"{count} wheel{'s' if count != 1 else ''}"


def _counted(pins: Sequence[Pin]) -> str:
    heavy = next((pin for pin in pins if pin.name == "torch"), pins[0])
    named = f"{heavy.name} {heavy.version}"
    return named if len(pins) == 1 else f"{named} and {len(pins) - 1} more wheels"
