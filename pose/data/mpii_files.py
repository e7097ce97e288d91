"""Where an MPII dataset keeps its files: names alone, opening none."""

from __future__ import annotations

from pathlib import Path, PurePath


def annotation_file(root: Path, image_set: str) -> Path:
    """The list of the set's people."""
    return root / "annot" / f"{image_set}.json"


def truth_file(root: Path, image_set: str) -> Path:
    """What the set's people are evaluated against."""
    return root / "annot" / f"gt_{image_set}.mat"


def documents(root: Path, image_set: str, *, is_tested: bool) -> tuple[Path, ...]:
    """What is read of a set beside its pictures: its truth where that is public and the set is tested."""
    is_judged = is_tested and "test" not in image_set
    return annotation_file(root, image_set), *((truth_file(root, image_set),) if is_judged else ())


def is_name_below(name: object) -> bool:
    """Whether that names a file in a folder or below it, and cannot lead out of it."""
    if not isinstance(name, str) or not name or "\0" in name:
        return False
    return not PurePath(name).is_absolute() and ".." not in PurePath(name).parts


def image_folder(root: Path) -> Path:
    """All sets' pictures."""
    return root / "images"
