"""What is wrong with one set of an MPII dataset, for `check-data`: its list, its pictures, its truth.

A joint outside its picture is learnt on black ground as long as the person's crop holds it: a remark. One
that the crop does not hold either cannot be meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pose.command.config import Config
from pose.data.joints import MPII
from pose.data.mpii_files import annotation_file, image_folder, is_name_below, truth_file
from pose.data.reading import number, short
from pose.errors import PoseError
from pose.faults.data_checks import Finding, Size, remark
from pose.faults.file_checks import listed, look_at, named, read_leniently
from pose.report import bar, note

COUNT = len(MPII.names)
HALF_CROP = 1.25 * 200 / 2  # pixels for each 1 of a person's scale


def check_set(config: Config, image_set: str, *, is_decoding: bool) -> list[Finding]:
    """Everything that is wrong with one set."""
    root, has_joints = Path(config.DATASET.ROOT), "test" not in image_set
    file, folder = annotation_file(root, image_set), image_folder(root)
    entries, findings = read_leniently(file, list, "annotation list")
    if entries == []:
        findings.append(Finding("no usable person", str(file), "nobody is listed"))
    entries = entries or []
    place, _, unlisted = listed(folder, config.DATASET.DATA_FORMAT)
    findings += unlisted
    sizes: dict[str, Size | None] = {}
    with bar(image_set, len(entries)) as progress:
        for position, entry in enumerate(entries):
            where, name = f"[{position}]", _picture_name(entry)
            if name is not None and name not in sizes and not unlisted:
                fault, sizes[name] = look_at(place / name, is_decoding=is_decoding)
                if fault is not None:
                    findings.append(Finding(fault[0], f"{place / name} ({file.name} {where})", fault[1]))
            size = sizes.get(name) if name is not None else None
            findings += named(_person_findings(entry, where, size, has_joints=has_joints), file)
            progress.advance()
    note(f"{file}: {len(entries)} persons in {len(sizes)} pictures")
    if has_joints and image_set == config.DATASET.TEST_SET:
        findings += _truth_findings(truth_file(root, image_set), len(entries))
    return findings


def _person_findings(entry: object, where: str, size: Size | None, *, has_joints: bool) -> Iterator[Finding]:
    """Of one person of the list, whose picture has that size; None where it has none that can be told."""
    if not isinstance(entry, Mapping):
        yield Finding("entry is no object", where, type(entry).__name__)
        return
    for key in ("image", "center", "scale", *(("joints", "joints_vis") if has_joints else ())):
        if key not in entry:
            yield Finding("field is missing", where, key)
    if "image" in entry and _picture_name(entry) is None:
        yield Finding("picture name cannot be used", where, f"image {short(entry['image'])}")
    scale, center = number(entry.get("scale")), _point(entry.get("center"))
    if "scale" in entry and (scale is None or scale <= 0):
        yield Finding("scale is none", where, f"scale {short(entry['scale'])}")
    if "center" in entry and center is None:
        yield Finding("centre is not two numbers", where, f"center {short(entry['center'])}")
    if has_joints:
        reach = HALF_CROP * scale if scale is not None and scale > 0 else None
        yield from _joint_findings(entry, where, size, center, reach)


def _joint_findings(
    entry: Mapping[str, Any],
    where: str,
    size: Size | None,
    center: tuple[float, float] | None,
    reach: float | None,
) -> Iterator[Finding]:
    lists = {key: entry.get(key) for key in ("joints", "joints_vis")}
    for key, values in lists.items():
        if key in entry and (not isinstance(values, list) or len(values) != COUNT):
            count = len(values) if isinstance(values, list) else short(values)
            yield Finding("joint count is wrong", where, f"{key} {count}, MPII's people have {COUNT}")
            return
    places, visible = lists["joints"], lists["joints_vis"]
    if not isinstance(places, list) or not isinstance(visible, list):
        return
    for name, place, seen in zip(MPII.names, places, visible, strict=True):
        point = _point(place)
        if point is None:
            yield Finding("joint is no point", where, f"{name} {short(place)}")
        if number(seen) not in {0.0, 1.0}:
            yield Finding("visibility of no known kind", where, f"{name}: {short(seen)}, 0 and 1 are known")
        elif seen and point is not None and size is not None and not _inside(point, size):
            what = f"{name} at {point[0]:g}, {point[1]:g} of {size[1]:g}x{size[0]:g}"
            is_near = center is not None and reach is not None and _near(point, center, reach)
            yield Finding("labelled joint outside the picture", where, what, not is_near)
    if not any(number(seen) for seen in visible):
        yield remark("person without labelled joints", where, "teaches nothing")


def _inside(point: tuple[float, float], size: Size) -> bool:
    """Whether a point, counted from 1, lies in the picture; a pixel's border belongs to it."""
    return 0 <= point[0] <= size[1] + 1 and 0 <= point[1] <= size[0] + 1


def _near(point: tuple[float, float], center: tuple[float, float], reach: float) -> bool:
    return max(abs(point[0] - center[0]), abs(point[1] - center[1])) <= reach


def _point(value: object) -> tuple[float, float] | None:
    numbers = [number(part) for part in value] if isinstance(value, list) else []
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    return numbers[0], numbers[1]


def _picture_name(entry: object) -> str | None:
    name = entry.get("image") if isinstance(entry, Mapping) else None
    return name if is_name_below(name) else None


def _truth_findings(file: Path, people: int) -> list[Finding]:
    from pose.judging.pckh import read_truth  # noqa: PLC0415 - loads NumPy and scipy, which the rest can do without

    try:
        read_truth(file, people)
    except PoseError as error:
        return [Finding("truth cannot be used", str(file), error.message)]
    return []
