"""What `pred` leaves of many pictures: COCO results and a table, written as the people are found.

One entry a line and one row a person, so that a long video needs no more memory than a short one.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pose.writing import replacing

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute a cell that begins so


@dataclass
class Documents:
    """The two open documents."""

    entries: TextIO
    table: Any  # csv's writer has no public type
    people: int = 0

    def add(self, name: str, image_id: int, number: int, person: dict[str, Any]) -> None:
        """One person of COCO's results fields: picture or frame, and the person's number in it from 0.

        The box is called `box`: of entries with a `bbox`, COCO's tools take the area from it instead of
        from the joints, and give other figures.
        """
        fields = {"box" if key == "bbox" else key: value for key, value in person.items()}
        entry = {"image_id": image_id, "file_name": name, **fields}
        self.entries.write(("," if self.people else "") + "\n" + json.dumps(entry))
        self.table.writerow(
            [_cell(name), image_id, number, *person["bbox"], person["score"], *person["keypoints"]]
        )
        self.people += 1


def _cell(text: str) -> str:
    """A name out of a file as text that a spreadsheet only shows."""
    return f"'{text}" if text.startswith(FORMULA) else text


@contextmanager
def documents(results: Path, table: Path, joint_names: Sequence[str]) -> Iterator[Documents]:
    """COCO results (a JSON list) and the CSV; both appear whole when the block ends well."""
    with (
        replacing(results) as partial_results,
        replacing(table) as partial_table,
        partial_results.open("w", encoding="utf-8") as entries,
        partial_table.open("w", encoding="utf-8", newline="") as rows,
    ):
        writer = csv.writer(rows)
        joints = [_cell(f"{name}_{part}") for name in joint_names for part in ("x", "y", "value")]
        writer.writerow(["file", "image_id", "person", "x", "y", "width", "height", "score", *joints])
        entries.write("[")
        yield Documents(entries, writer)
        entries.write("\n]\n")
