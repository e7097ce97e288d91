"""Builds as the facts describe their wheels, so that the tests of rules need no row of the tables."""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat.tables import Build


def build(
    torch: str,
    cuda: str | None,
    *sass: str,
    ptx: tuple[str, ...] = (),
    exact: tuple[str, ...] = (),
    machines: tuple[str, ...] = ("x86_64",),
    default: bool = False,
) -> Build:
    """A build of `torch` for `cuda` that holds the code `sass`."""
    return Build(
        torch=Version(torch),
        tag="cpu" if cuda is None else f"cu{cuda.replace('.', '')}",
        cuda=None if cuda is None else Version(cuda),
        sass=tuple(map(Version, sass)),
        ptx=tuple(map(Version, ptx)),
        exact=tuple(map(Version, exact)),
        pythons=("3.11", "3.12"),
        machines=machines,
        glibc=Version("2.28"),
        default=default,
        evidence="read",
        source="a test",
    )


_ARM = ("8.0", "9.0", "10.0", "11.0", "12.0")

CPU = build("2.13.0", None, machines=("x86_64", "aarch64"))
CU102 = build("1.12.1", "10.2", "3.7", "5.0", "6.0", "7.0")
CU117 = build("1.13.1", "11.7", "3.7", "5.0", "6.0", "7.0", "7.5", "8.0", "8.6")
CU121 = build("2.1.0", "12.1", "5.0", "6.0", "7.0", "7.5", "8.0", "8.6", "9.0")
CU126 = build("2.14.1", "12.6", "5.0", "6.0", "7.0", "7.5", "8.0", "8.6", "9.0")
CU128 = build("2.10.0", "12.8", "7.0", "7.5", "8.0", "8.6", "9.0", "10.0", "12.0")
CU130 = build("2.14.1", "13.0", "7.5", "8.0", "8.6", "9.0", "10.0", "12.0")
CU132 = build("2.15.0", "13.2", "7.5", "8.0", "8.6", "9.0", "10.0", "12.0")
# torch 2.7.1 cu128 as an independent table has it: code up to 12.0, and PTX of 12.0 for what comes after.
WITH_PTX = build("2.7.1", "12.8", "7.5", "8.0", "8.6", "9.0", "10.0", "12.0", ptx=("12.0",))
ARM_CPU = build("2.10.0", None, machines=("aarch64",), default=True)
ARM_CU130 = build("2.11.0", "13.0", *_ARM, machines=("aarch64",), default=True)
ARM_CU132 = build("2.15.0", "13.2", *_ARM, machines=("aarch64",), default=True)
