"""What a person, or somebody else's repository, asks of the environment. Knows no machine and no build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from packaging.specifiers import SpecifierSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Everything that was asked for; what is empty allows everything."""

    recipe: str | None = None
    gpus: tuple[str, ...] | Literal["none"] | None = None  # indices or UUIDs; None: every GPU
    torch: SpecifierSet = field(default_factory=SpecifierSet)
    tag: str | None = None  # a build's own name, "cu117": what stands behind the + of a pinned version
    cuda: SpecifierSet = field(default_factory=SpecifierSet)
    python: SpecifierSet = field(default_factory=SpecifierSet)
    base_image: str | None = None  # the image that somebody's Dockerfile starts from
    origins: tuple[str, ...] = ()  # where each was read: "requirements.txt:3: torch==1.13.1+cu117"
