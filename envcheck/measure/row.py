"""A measured wheel as a row of the table of torch builds, held against the row that stands there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from envcheck.compat import tables
from envcheck.compat.tables import Build
from envcheck.environments.place import Watcher
from envcheck.measure.release import Release, borrow_wheel, find_release, parse_release
from envcheck.measure.wheel import Measured, read_wheel

SCHEMA = "envcheck.measured/1"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the table says otherwise than the wheel."""

    field: str
    table: str
    wheel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """What the wheel says, what the index says of its release, and what the table says."""

    schema: str = SCHEMA
    measured: Measured
    pythons: tuple[str, ...]  # the release's for this machine; the wheel's own where no index was asked
    elsewhere: tuple[str, ...] = ()  # other machines that the release has wheels for
    published: date | None = None
    indexed: bool  # whether an index was asked
    stands: Literal["nowhere", "same", "otherwise"]  # in the table
    differences: tuple[Difference, ...] = ()


def measure(what: str, machine: str, watch: Watcher) -> MeasuredRow:
    """Return the row of a wheel's file, or of "torch==X[+cuNNN]", which is fetched and not kept.

    Raises `UsageError` for what is neither, `EnvcheckError` when the release cannot be had.
    """
    if what.endswith(".whl"):
        return _row(read_wheel(Path(what)), None)
    release = find_release(parse_release(what), machine, watch)
    with borrow_wheel(release, watch) as wheel, watch.step(f"read {wheel.name}"):
        return _row(read_wheel(wheel), release)


def row_text(row: MeasuredRow) -> str:
    """Return the row as `torch.yaml` has it: a release with one build; comments say what is missing."""
    one = row.measured
    known = {
        "published": row.published and row.published.isoformat(),
        "default": f"{{{one.machine}: {one.tag}}}" if one.default else "{}",
        "pythons": f"[{', '.join(map(_quoted, row.pythons))}]",
        "glibc": one.glibc and _quoted(one.glibc),
        "numpy": "" if one.numpy == "" else one.numpy and _quoted(one.numpy),
        "torchvision": None,
        "source": "wheel",
        "evidence": "measured",
    }
    build = {
        "tag": one.tag,
        "machines": "" if one.machine == "x86_64" else f"[{one.machine}]",
        "code": one.code,
        "evidence": "measured",
        "source": "wheel",
    }
    return "\n".join(
        [
            f"- torch: {_quoted(one.torch)}",
            *(f"  # {key} is not known from the wheel." for key, value in known.items() if value is None),
            *(f"  {key}: {value}" for key, value in known.items() if value),
            "  builds:",
            f"  - {{{', '.join(f'{key}: {value}' for key, value in build.items() if value)}}}",
        ]
    )


def _row(measured: Measured, release: Release | None) -> MeasuredRow:
    standing = tables.build_of(measured.torch, measured.tag, measured.machine)
    if standing is not None and measured.machine not in standing.machines:
        standing = None  # another machine's build of the same name
    said = () if standing is None else tuple(_both(standing, measured, release))
    differences = tuple(one for one in said if one.table != one.wheel)
    return MeasuredRow(
        measured=measured,
        pythons=release.pythons if release else (measured.python,),
        elsewhere=release.elsewhere if release else (),
        published=release.published if release else None,
        indexed=release is not None,
        stands="nowhere" if standing is None else "otherwise" if differences else "same",
        differences=differences,
    )


def _both(table: Build, measured: Measured, release: Release | None) -> Iterator[Difference]:
    """Yield what the table and the wheel say of each thing that the wheel or its index knows."""
    sass, ptx, exact = tables.read_code(measured.code)
    yield Difference("cuda", str(table.cuda), str(measured.cuda))
    yield Difference("sass", _listed(sorted(table.sass)), _listed(sorted(sass)))
    yield Difference("ptx", _listed(sorted(table.ptx)), _listed(sorted(ptx)))
    yield Difference("exact", _listed(sorted(table.exact)), _listed(sorted(exact)))
    if measured.default:  # a wheel that is named with its tag may still be the public index's build
        yield Difference("default", "yes" if table.default else "no", "yes")
    if measured.glibc is not None:
        yield Difference("glibc", str(table.glibc), str(measured.glibc))
    if measured.numpy is not None:
        yield Difference("numpy", table.numpy or "any", measured.numpy or "any")
    if release is not None:
        yield Difference("pythons", _listed(table.pythons), _listed(release.pythons))
    elif measured.python not in table.pythons:
        yield Difference("pythons", _listed(table.pythons), f"{measured.python} too")
    if release is not None and release.published is not None:
        yield Difference("published", str(table.published), str(release.published))


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "none"


def _quoted(value: object) -> str:
    return f'"{value}"'
